// SPDX-License-Identifier: MIT
#include "tern/text/unigram.h"

#include <algorithm>
#include <limits>
#include <unordered_set>

#include "tern/base/error.h"
#include "tern/text/byte_level.h"
#include "tern/text/utf8.h"

namespace tern {
namespace {

constexpr double kUnknownPenalty = 10;

}  // namespace

Unigram::Unigram(const TokenizerSpec& spec) : name_(spec.name), unk_id_(spec.unk_id) {
  std::unordered_set<std::string_view> specials;
  for (const AddedToken& token : spec.added_tokens) {
    if (token.special) specials.insert(token.content);
  }
  double lowest = std::numeric_limits<double>::infinity();
  tokens_.reserve(spec.vocab.size());
  for (size_t i = 0; i < spec.vocab.size(); ++i) {
    const VocabEntry& entry = spec.vocab[i];
    lowest = std::min(lowest, spec.scores[i]);
    if (specials.count(entry.spelling) == 0) {
      tokens_.push_back({entry.spelling, entry.id, spec.scores[i]});
    }
  }
  unk_score_ = lowest - kUnknownPenalty;
  std::sort(tokens_.begin(), tokens_.end(),
            [](const Token& a, const Token& b) { return a.text < b.text; });
  for (int byte = 0; byte < 256; ++byte) {
    first_.push_back(
        Narrow({0, static_cast<uint32_t>(tokens_.size())}, 0, static_cast<unsigned char>(byte)));
  }
  if (!spec.byte_fallback) return;
  for (int byte = 0; byte < 256; ++byte) {
    byte_ids_.push_back(Find(ByteTokenSpelling(static_cast<unsigned char>(byte))));
  }
}

// Of tokens that agree in their first `depth` bytes, those that go on with `byte`.
Unigram::Range Unigram::Narrow(Range range, size_t depth, unsigned char byte) const {
  const auto at = [&](const Token& token) {
    return token.text.size() == depth ? -1 : static_cast<unsigned char>(token.text[depth]);
  };
  const auto begin =
      std::partition_point(tokens_.begin() + range.begin, tokens_.begin() + range.end,
                           [&](const Token& token) { return at(token) < byte; });
  const auto end = std::partition_point(begin, tokens_.begin() + range.end,
                                        [&](const Token& token) { return at(token) <= byte; });
  return {static_cast<uint32_t>(begin - tokens_.begin()),
          static_cast<uint32_t>(end - tokens_.begin())};
}

int32_t Unigram::Find(std::string_view text) const {
  const auto at =
      std::lower_bound(tokens_.begin(), tokens_.end(), text,
                       [](const Token& token, std::string_view t) { return token.text < t; });
  return at != tokens_.end() && at->text == text ? at->id : -1;
}

void Unigram::FillSteps(std::string_view piece, UnigramScratch* scratch) const {
  auto& steps = scratch->steps_;
  steps.assign(piece.size() + 1, {0, 0, -1});
  for (size_t begin = 0; begin < piece.size();) {
    const double score_here = steps[begin].score;
    const auto reach = [&](size_t end, double score, int32_t token) {
      UnigramScratch::Step& step = steps[end];
      if (step.token < 0 || score_here + score > step.score) {
        step = {score_here + score, static_cast<uint32_t>(begin), token};
      }
    };
    const size_t character = FirstUtf8(piece.substr(begin)).size_bytes;
    bool has_character = false;
    Range range = first_[static_cast<unsigned char>(piece[begin])];
    for (size_t depth = 1; range.begin < range.end; ++depth) {
      // The shortest token of the range sorts first.
      const Token& token = tokens_[range.begin];
      if (token.text.size() == depth) {
        reach(begin + depth, token.score, token.id);
        has_character = has_character || depth == character;
      }
      if (begin + depth == piece.size()) break;
      range = Narrow(range, depth, static_cast<unsigned char>(piece[begin + depth]));
    }
    if (!has_character) {
      if (!unk_id_) {
        Fail(ErrorKind::kInvalidArgument, "{}: no token for \"{}\", and /model/unk_id is null",
             name_, OneLine(piece.substr(begin, character)));
      }
      reach(begin + character, unk_score_, *unk_id_);
    }
    begin += character;
  }
}

void Unigram::AppendUnknown(std::string_view text, std::vector<int32_t>* out) const {
  if (const int32_t id = Find(text); id >= 0) return out->push_back(id);
  const size_t before = out->size();
  for (const char c : text) {
    if (byte_ids_.empty() || byte_ids_[static_cast<unsigned char>(c)] < 0) {
      out->resize(before);
      return out->push_back(*unk_id_);
    }
    out->push_back(byte_ids_[static_cast<unsigned char>(c)]);
  }
}

void Unigram::Encode(std::string_view piece, UnigramScratch* scratch,
                     std::vector<int32_t>* out) const {
  FillSteps(piece, scratch);
  auto& path = scratch->path_;  // where each token begins, from the end
  path.clear();
  for (size_t end = piece.size(); end > 0;) {
    const UnigramScratch::Step& step = scratch->steps_[end];
    end = step.begin;
    const bool joins =
        unk_id_ && step.token == *unk_id_ && !path.empty() && path.back().second == step.token;
    if (joins) {
      path.back().first = step.begin;
    } else {
      path.emplace_back(step.begin, step.token);
    }
  }
  for (size_t i = path.size(); i > 0; --i) {
    const auto [begin, token] = path[i - 1];
    const size_t end = i > 1 ? path[i - 2].first : piece.size();
    if (unk_id_ && token == *unk_id_) {
      AppendUnknown(piece.substr(begin, end - begin), out);
    } else {
      out->push_back(token);
    }
  }
}

}  // namespace tern
