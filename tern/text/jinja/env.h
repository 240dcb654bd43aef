// SPDX-License-Identifier: MIT
// Where a template is being read or run: its name and line for messages, and what it may still
// spend. Every step and every byte that a template makes is charged, so that no template runs
// forever or fills the memory: work grows at most linearly with template and input.
#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <ctime>
#include <string>
#include <string_view>
#include <utility>

#include "tern/base/error.h"

namespace tern::jinja {

// Nesting of a template's text, of the values that it makes, and of running it.
inline constexpr int kMaxTextDepth = 100;
inline constexpr int kMaxValueDepth = 64;
inline constexpr int kMaxRunDepth = 400;

class Env {
 public:
  Env(std::string name, size_t input_bytes)
      : name_(std::move(name)),
        work_left_((size_t{1} << 26) + 512 * input_bytes),
        most_bytes_((size_t{512} << 10) + 6 * input_bytes) {}

  int line = 1;
  std::tm now = {};  // of strftime_now

  // The template is malformed, uses what the subset lacks, or cannot run on these values.
  template <typename... Args>
  [[noreturn]] void Malformed(fmt::format_string<Args...> format, Args&&... args) const {
    Throw(ErrorKind::kInvalidFile, fmt::format(format, std::forward<Args>(args)...));
  }
  template <typename... Args>
  [[noreturn]] void Unsupported(fmt::format_string<Args...> format, Args&&... args) const {
    Throw(ErrorKind::kUnsupported, fmt::format(format, std::forward<Args>(args)...) +
                                       " is not in the subset of Jinja that Tern runs");
  }
  template <typename... Args>
  [[noreturn]] void Refuse(fmt::format_string<Args...> format, Args&&... args) const {
    Throw(ErrorKind::kInvalidArgument, fmt::format(format, std::forward<Args>(args)...));
  }

  void Step() { Spend(kStepWork); }
  // Before something of this size is made.
  void Charge(size_t bytes) { ChargeGrowth(0, bytes); }
  // Before something that has one size already grows by another.
  void ChargeGrowth(size_t bytes, size_t more) {
    if (bytes > most_bytes_ || more > most_bytes_ - bytes) {
      Refuse("makes more than {} bytes at once", most_bytes_);
    }
    Spend(more);
  }
  void Append(std::string_view piece, std::string* out) {
    ChargeGrowth(out->size(), piece.size());
    out->append(piece);
  }
  // Before so many bytes are read.
  void ChargeRead(size_t bytes) { Spend(bytes); }
  // Before all places of one text are looked for in another, which compares at each place.
  void ChargeSearch(size_t text_bytes, size_t wanted_bytes) {
    if (wanted_bytes <= text_bytes) Spend(text_bytes + text_bytes / 16 * wanted_bytes);
  }

 private:
  static constexpr size_t kStepWork = 64;

  void Spend(size_t work) {
    if (work > work_left_) Refuse("runs too long for what it was given");
    work_left_ -= work;
  }
  [[noreturn]] void Throw(ErrorKind kind, const std::string& text) const;

  std::string name_;
  size_t work_left_;
  size_t most_bytes_;
};

}  // namespace tern::jinja
