// SPDX-License-Identifier: MIT
// StopStrings: finds the end of a text that arrives in pieces. The text ends before the stop string
// that is complete first, the longest if several are complete at once: how the text was cut into
// pieces makes no difference. Text that may be the beginning of a stop string is held back until it
// is known not to be. Pieces and stop strings are UTF-8, and no character is ever cut.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tern {

class StopStrings {
 public:
  // Throws Error(kInvalidArgument) for an empty stop string or one that is not UTF-8.
  explicit StopStrings(std::vector<std::string> stops);

  // Takes a piece and appends to *out what is certain to belong to the text. True if a stop string
  // is complete: the text ends, and nothing may follow.
  bool Push(std::string_view piece, std::string* out);
  // Appends to *out what was held back: the text ended by itself.
  void Finish(std::string* out);

 private:
  size_t HeldBytes() const;

  std::vector<std::string> stops_;
  std::string held_;
};

}  // namespace tern
