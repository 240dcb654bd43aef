// SPDX-License-Identifier: MIT
#include "tools/tern/status_line.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

namespace tern::cli {
namespace {

constexpr std::chrono::milliseconds kTerminalInterval(100);
constexpr std::chrono::milliseconds kLogInterval(10'000);
constexpr const char* kClearLine = "\r\x1b[K";

}  // namespace

StatusLine::StatusLine()
    : terminal_(::isatty(STDERR_FILENO) != 0),
      next_(Clock::now() + (terminal_ ? kTerminalInterval : kLogInterval)) {}

StatusLine::~StatusLine() {
  if (terminal_ && shown_) fmt::print(stderr, "{}", kClearLine);
}

bool StatusLine::Due() const { return Clock::now() >= next_; }

void StatusLine::Show(std::string_view text) {
  if (terminal_) {
    fmt::print(stderr, "{}{}", kClearLine, text);
    shown_ = true;
  } else {
    fmt::print(stderr, "{}\n", text);
  }
  next_ = Clock::now() + (terminal_ ? kTerminalInterval : kLogInterval);
}

void StatusLine::Keep(std::string_view text) {
  fmt::print(stderr, "{}{}\n", terminal_ && shown_ ? kClearLine : "", text);
  shown_ = false;
}

}  // namespace tern::cli
