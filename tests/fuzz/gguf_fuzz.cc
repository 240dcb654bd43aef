// SPDX-License-Identifier: MIT
// Any bytes as a GGUF file: an Error, or metadata and tensors whose every byte can be read.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tern/base/check.h"
#include "tern/base/error.h"
#include "tern/io/gguf.h"

namespace {

uint64_t total = 0;  // of what was read, so that reading is not left out

// The value by whichever access its type has; the others are Errors.
void ReadValue(const tern::GgufMetadata& metadata, std::string_view key) {
  const auto attempt = [](auto&& read) {
    try {
      read();
    } catch (const tern::Error&) {
    }
  };
  attempt([&] { total += static_cast<uint64_t>(metadata.GetInt(key, INT64_MIN, INT64_MAX)); });
  attempt([&] { total += metadata.GetFloat(key, -1e30, 1e30) > 0 ? 1 : 0; });
  attempt([&] { total += metadata.FindBool(key).value() ? 1 : 0; });
  attempt([&] {
    for (const char c : metadata.GetString(key)) total += static_cast<uint8_t>(c);
  });
  attempt([&] {
    const auto strings = metadata.FindStrings(key).value();
    for (const std::string_view text : strings) total += std::string(text).size();
  });
  attempt([&] {
    const auto numbers = metadata.FindInts(key).value();
    for (const int64_t number : numbers) total += static_cast<uint64_t>(number);
  });
}

void ReadAll(const tern::GgufContents& contents) {
  for (const auto& [key, value] : contents.metadata.values()) {
    ReadValue(contents.metadata, key);
    total += tern::GgufTypeText(value).size();
  }
  for (const tern::GgufTensor& tensor : contents.tensors) {
    for (const std::byte byte : tensor.info.bytes) total += static_cast<uint64_t>(byte);
    TERN_CHECK(tensor.rows() * tensor.k() == tensor.info.element_count);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::vector<uint8_t> image(data, data + size);
  const std::string path = "fuzz.gguf";
  try {
    ReadAll(tern::ParseGguf(std::as_bytes(std::span(image)), path));
  } catch (const tern::Error& error) {
    TERN_CHECK(std::string_view(error.what()).find(path) != std::string_view::npos);
    TERN_CHECK(std::string_view(error.what()).find('\n') == std::string_view::npos);
  }
  return 0;
}
