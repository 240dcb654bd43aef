// SPDX-License-Identifier: MIT
// For tests: the Error that a call throws.
#pragma once

#include <gtest/gtest.h>

#include <initializer_list>
#include <string_view>

#include "tern/base/error.h"

namespace tern::testing {

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
