// SPDX-License-Identifier: MIT
// What the tests of this room share.
#pragma once

#include <gtest/gtest.h>

#include <string_view>

#include "tern/base/error.h"
#include "tern/linalg/sample_matrices.h"

namespace tern::linalg::testing {

// `run` must throw an Error of this kind whose message contains the part.
template <typename F>
void ExpectError(F run, ErrorKind kind, std::string_view part) {
  try {
    run();
    ADD_FAILURE() << "no error; expected one with: " << part;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    EXPECT_NE(std::string_view(error.what()).find(part), std::string_view::npos) << error.what();
  }
}

}  // namespace tern::linalg::testing
