// SPDX-License-Identifier: MIT
// For tests: safetensors images put together from any header text, and the Error that a call
// throws.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "tern/base/error.h"
#include "tern/base/test_directory.h"

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

// The Error that the call throws; a test failure and an empty Error when it throws none.
template <typename Call>
Error ErrorOf(Call&& call) {
  try {
    call();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no Error was thrown";
  return Error(ErrorKind::kUnsupported, "");
}

// Expects the Error's kind and that its message, one line, holds each of the texts.
template <typename Call>
void ExpectError(Call&& call, ErrorKind kind, std::initializer_list<std::string_view> texts) {
  const Error error = ErrorOf(call);
  const std::string_view message = error.what();
  EXPECT_EQ(error.kind(), kind) << message;
  for (const std::string_view text : texts) {
    EXPECT_NE(message.find(text), std::string_view::npos) << message << "\nlacks: " << text;
  }
  EXPECT_EQ(message.find('\n'), std::string_view::npos) << message;
}

}  // namespace tern::testing
