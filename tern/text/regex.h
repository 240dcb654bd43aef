// SPDX-License-Identifier: MIT
// The regular expressions of tokenizer.json. They are written for Oniguruma's Ruby dialect; this
// translates them for PCRE2 (UTF, Unicode properties, JIT where available) such that both match the
// same text, and refuses with an Error what the two would read differently: named groups, back
// references, nested or intersected classes, inline options other than i, {n}+ and {n}?.
// A Regex is immutable and shared freely between threads; each thread brings a RegexScratch.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace tern {

struct Span {
  size_t begin;
  size_t end;
};

// What one thread needs while matching. Cheap enough to make one per call of Encode.
class RegexScratch {
 public:
  RegexScratch();
  ~RegexScratch();
  RegexScratch(const RegexScratch&) = delete;
  RegexScratch& operator=(const RegexScratch&) = delete;

 private:
  friend class Regex;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

class Regex {
 public:
  // Throws Error(kInvalidFile) for a malformed pattern and Error(kUnsupported) for a construct
  // that is refused; `where` (file and place) starts the message.
  Regex(std::string_view pattern, std::string_view where);
  ~Regex();
  Regex(Regex&& other) noexcept;
  Regex& operator=(Regex&& other) noexcept;

  // The leftmost match that begins at or after `start` in `text`, which must be valid UTF-8.
  // Throws Error(kInvalidArgument) when the match exceeds its limits on backtracking, which grow
  // linearly with the text.
  bool Find(std::string_view text, size_t start, RegexScratch* scratch, Span* match) const;

 private:
  struct Impl;
  std::unique_ptr<const Impl> impl_;
};

// Finds the matches of a regex one after the other as Oniguruma's iterator does: an empty match
// right behind the previous match is passed over.
class MatchIterator {
 public:
  MatchIterator(const Regex& regex, std::string_view text, RegexScratch* scratch)
      : regex_(regex), text_(text), scratch_(scratch) {}
  bool Next(Span* match);

 private:
  const Regex& regex_;
  std::string_view text_;
  RegexScratch* scratch_;
  size_t position_ = 0;
  size_t last_end_ = static_cast<size_t>(-1);
};

// The PCRE2 pattern that means the same; exposed for tests.
std::string TranslateRegex(std::string_view pattern, std::string_view where);

}  // namespace tern
