// SPDX-License-Identifier: MIT
#include "tools/tern/status_line.h"

#include <unistd.h>

#include "tools/tern/command.h"

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
  if (terminal_ && shown_) Note("{}", kClearLine);
}

bool StatusLine::Due() const { return Clock::now() >= next_; }

void StatusLine::Show(std::string_view text) {
  if (terminal_) {
    Note("{}{}", kClearLine, text);
    shown_ = true;
  } else {
    Note("{}\n", text);
  }
  next_ = Clock::now() + (terminal_ ? kTerminalInterval : kLogInterval);
}

void StatusLine::Keep(std::string_view text) {
  Note("{}{}\n", terminal_ && shown_ ? kClearLine : "", text);
  shown_ = false;
}

}  // namespace tern::cli
