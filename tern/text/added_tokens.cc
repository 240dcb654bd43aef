// SPDX-License-Identifier: MIT
#include "tern/text/added_tokens.h"

#include <algorithm>

#include "tern/text/utf8.h"

namespace tern {
AddedTokenMatcher::AddedTokenMatcher(std::vector<AddedToken> tokens)
    : tokens_(std::move(tokens)), nodes_(1) {
  for (size_t t = 0; t < tokens_.size(); ++t) {
    uint32_t node = 0;
    for (const char c : tokens_[t].content) {
      const auto byte = static_cast<unsigned char>(c);
      auto& children = nodes_[node].children;
      const auto at = std::lower_bound(children.begin(), children.end(),
                                       std::pair<unsigned char, uint32_t>(byte, 0));
      if (at != children.end() && at->first == byte) {
        node = at->second;
        continue;
      }
      const auto child = static_cast<uint32_t>(nodes_.size());
      children.insert(at, {byte, child});
      nodes_.emplace_back();
      node = child;
    }
    nodes_[node].token = static_cast<int32_t>(t);
    first_bytes_[static_cast<unsigned char>(tokens_[t].content[0])] = true;
    if (tokens_[t].single_word && !word_) {
      word_ = std::make_unique<Regex>(R"([\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\x{200c}\x{200d}])",
                                      "added_tokens");
    }
  }
}

int32_t AddedTokenMatcher::LongestAt(std::string_view text) const {
  int32_t longest = -1;
  uint32_t node = 0;
  for (const char c : text) {
    const auto& children = nodes_[node].children;
    const auto byte = static_cast<unsigned char>(c);
    const auto at = std::lower_bound(children.begin(), children.end(),
                                     std::pair<unsigned char, uint32_t>(byte, 0));
    if (at == children.end() || at->first != byte) break;
    node = at->second;
    if (nodes_[node].token >= 0) longest = nodes_[node].token;
  }
  return longest;
}

bool AddedTokenMatcher::StandsAlone(std::string_view text, Span match,
                                    RegexScratch* scratch) const {
  const auto is_word = [&](size_t begin, size_t size) {
    Span found;
    return word_->Find(text.substr(begin, size), 0, scratch, &found);
  };
  if (match.begin > 0) {
    const size_t size = LastUtf8(text.substr(0, match.begin)).size_bytes;
    if (is_word(match.begin - size, size)) return false;
  }
  if (match.end == text.size()) return true;
  return !is_word(match.end, FirstUtf8(text.substr(match.end)).size_bytes);
}

void AddedTokenMatcher::Split(std::string_view text, bool special, RegexScratch* scratch,
                              Sink sink) const {
  if (tokens_.empty()) {
    if (!text.empty()) sink(text, -1);
    return;
  }
  size_t done = 0;
  size_t space_end = 0;  // of the last run of white space that a token took along
  const auto plain = [&](size_t end) {
    if (done < end) sink(text.substr(done, end - done), -1);
  };
  for (size_t at = 0; at < text.size();) {
    const int32_t index =
        first_bytes_[static_cast<unsigned char>(text[at])] ? LongestAt(text.substr(at)) : -1;
    if (index < 0) {
      ++at;
      continue;
    }
    const AddedToken& token = tokens_[static_cast<size_t>(index)];
    Span match{at, at + token.content.size()};
    at = match.end;
    if (token.special && !special) continue;
    if (token.single_word && !StandsAlone(text, match, scratch)) continue;
    if (token.lstrip) {
      const size_t free = match.begin > done ? match.begin - done : 0;
      match.begin =
          std::max(done, match.begin - TrailingWhiteSpace(text.substr(match.begin - free, free)));
    }
    if (token.rstrip) {
      if (match.end >= space_end) space_end = match.end + LeadingWhiteSpace(text.substr(match.end));
      match.end = space_end;
    }
    if (match.begin >= match.end) continue;  // white space that the token before took along
    plain(match.begin);
    sink(text.substr(match.begin, match.end - match.begin), token.id);
    done = match.end;
  }
  plain(text.size());
}

}  // namespace tern
