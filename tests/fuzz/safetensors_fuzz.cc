// SPDX-License-Identifier: MIT
// Any bytes as a safetensors file: an Error or tensors whose every byte can be read. Input that
// starts with 'J' is a header up to the first newline and the data behind it, to which the fuzzer
// need not guess the right length.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tern/base/check.h"
#include "tern/base/error.h"
#include "tern/io/safetensors.h"

namespace {

std::vector<char> MakeImage(std::string_view input) {
  if (input.empty() || input[0] != 'J') return {input.begin(), input.end()};
  input.remove_prefix(1);
  const size_t header_bytes = std::min(input.find('\n'), input.size());
  std::vector<char> image;
  for (int i = 0; i < 8; ++i) image.push_back(static_cast<char>(uint64_t{header_bytes} >> (8 * i)));
  image.insert(image.end(), input.begin(), input.begin() + static_cast<ptrdiff_t>(header_bytes));
  if (header_bytes < input.size()) {
    image.insert(image.end(), input.begin() + static_cast<ptrdiff_t>(header_bytes) + 1,
                 input.end());
  }
  return image;
}

void ReadTensors(const tern::SafetensorsContents& contents) {
  uint64_t total_bytes = 0;
  for (const tern::TensorInfo& tensor : contents.tensors) {
    std::vector<std::byte> copy(tensor.bytes.begin(), tensor.bytes.end());
    total_bytes += copy.size();
    if (!tensor.dtype) continue;
    TERN_CHECK(copy.size() ==
               static_cast<uint64_t>(tensor.element_count) * tern::ElementBytes(*tensor.dtype));
    tern::CopyTo(tensor, *tensor.dtype, std::span(copy));
  }
  volatile uint64_t sink = total_bytes;
  (void)sink;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::vector<char> image = MakeImage({reinterpret_cast<const char*>(data), size});
  const std::string path = "fuzz.safetensors";
  try {
    ReadTensors(tern::ParseSafetensors(std::as_bytes(std::span(image)), path));
  } catch (const tern::Error& error) {
    TERN_CHECK(std::string_view(error.what()).find(path) != std::string_view::npos);
    TERN_CHECK(std::string_view(error.what()).find('\n') == std::string_view::npos);
  }
  return 0;
}
