// SPDX-License-Identifier: MIT
// For tests: safetensors images put together from any header text.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "tern/base/test_directory.h"
#include "tern/base/test_error.h"

namespace tern::testing {

inline std::string Concat(std::initializer_list<std::string_view> parts) {
  std::string text;
  for (const std::string_view part : parts) text.append(part);
  return text;
}

// A safetensors image: header length (the header's own unless told otherwise), header, data.
inline std::string Image(std::string_view header, std::string_view data,
                         std::optional<uint64_t> header_bytes = std::nullopt) {
  const uint64_t length = header_bytes.value_or(header.size());
  std::string image;
  for (int i = 0; i < 8; ++i) image += static_cast<char>(length >> (8 * i) & 0xff);
  return image.append(header).append(data);
}

}  // namespace tern::testing
