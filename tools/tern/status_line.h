// SPDX-License-Identifier: MIT
// StatusLine: progress on stderr. On a terminal one line that is written over; elsewhere a line now
// and then, so that a log stays short.
#pragma once

#include <chrono>
#include <string_view>

namespace tern::cli {

class StatusLine {
 public:
  StatusLine();
  // Removes the line from a terminal.
  ~StatusLine();
  StatusLine(const StatusLine&) = delete;
  StatusLine& operator=(const StatusLine&) = delete;

  // Whether Show would show something now: saves making the text.
  bool Due() const;
  void Show(std::string_view text);
  // A line that stays.
  void Keep(std::string_view text);

 private:
  using Clock = std::chrono::steady_clock;

  bool terminal_;
  bool shown_ = false;
  Clock::time_point next_;
};

}  // namespace tern::cli
