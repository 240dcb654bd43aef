// SPDX-License-Identifier: MIT
// tokenizer.json and text from a stranger: up to the first zero byte the input is the file, behind
// it the text. Reading and encoding give a result or an Error of one line. A file that is read
// writes back as the same tokenizer, and the ids that encoding gives can be decoded.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "tern/base/error.h"
#include "tern/text/tokenizer.h"

namespace {

// Patterns may take some milliseconds per byte before they meet their limit.
constexpr size_t kMaxTextBytes = 512;

void Require(bool condition) {
  if (!condition) std::abort();
}

void EncodeAlike(const tern::Tokenizer& one, const tern::Tokenizer& other, std::string_view text,
                 const tern::EncodeOptions& options) {
  try {
    const std::vector<int32_t> ids = one.Encode(text, options);
    Require(other.Encode(text, options) == ids);
    tern::StreamDecoder decoder(one, /*skip_special=*/false);
    size_t bytes = 0;
    for (const int32_t id : ids) {
      bytes += one.TokenBytes(id).size();
      decoder.Push(id);
    }
    decoder.Finish();
    Require(one.Decode(ids).size() <= bytes);  // a space in front of the text may go
  } catch (const tern::Error& error) {
    Require(std::string_view(error.what()).find('\n') == std::string_view::npos);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t zero = std::min(input.find('\0'), size);
  const std::string_view text = input.substr(std::min(zero + 1, size), kMaxTextBytes);
  try {
    const tern::Tokenizer tokenizer = tern::Tokenizer::FromJson(input.substr(0, zero), "fuzz");
    const std::string written = tokenizer.ToJson();
    const tern::Tokenizer again = tern::Tokenizer::FromJson(written, "fuzz");
    Require(again.ToJson() == written);
    EncodeAlike(tokenizer, again, text, {});
    EncodeAlike(tokenizer, again, text, {.special = false, .add_special = true});
  } catch (const tern::Error& error) {
    Require(std::string_view(error.what()).find('\n') == std::string_view::npos);
  }
  return 0;
}
