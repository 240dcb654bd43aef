// SPDX-License-Identifier: MIT
#include "tern/text/tokenizer_trainer.h"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "tern/base/error.h"
#include "tern/text/added_tokens.h"
#include "tern/text/byte_level.h"
#include "tern/text/pre_tokenizer.h"
#include "tern/text/utf8.h"
#include "tern/text/word_merger.h"

namespace tern {
namespace {

constexpr int32_t kByteCount = 256;
// Text is counted when this much has come together; of a document that is not over yet, the last
// kHoldBytes wait, since what follows may change how they split.
constexpr size_t kCountBytes = size_t{1} << 20;
constexpr size_t kHoldBytes = size_t{64} << 10;
static_assert(AddedTokenMatcher::kMaxTokenBytes < kHoldBytes);

struct BytesHash {
  using is_transparent = void;
  size_t operator()(std::string_view bytes) const { return std::hash<std::string_view>{}(bytes); }
};
using WordCounts = std::unordered_map<std::string, uint64_t, BytesHash, std::equal_to<>>;

void CheckOptions(const TokenizerTrainerOptions& options) {
  const auto specials = static_cast<int64_t>(options.special_tokens.size());
  if (options.vocab_size < kByteCount + specials || options.vocab_size > kMaxVocabSize) {
    Fail(ErrorKind::kInvalidArgument,
         "vocabulary of {}: it must be {} (256 bytes and {} special tokens) to {}",
         options.vocab_size, kByteCount + specials, specials, kMaxVocabSize);
  }
  for (size_t i = 0; i < options.special_tokens.size(); ++i) {
    const std::string& token = options.special_tokens[i];
    CheckUtf8(token, "special token");
    const auto end = options.special_tokens.begin() + static_cast<ptrdiff_t>(i);
    const bool twice = std::find(options.special_tokens.begin(), end, token) != end;
    if (token.empty() || token.size() > AddedTokenMatcher::kMaxTokenBytes || twice) {
      Fail(ErrorKind::kInvalidArgument,
           "special token {} (\"{}\") is empty, longer than {} bytes, or given twice", i,
           OneLine(token, 40), AddedTokenMatcher::kMaxTokenBytes);
    }
  }
}

std::vector<AddedToken> SpecialTokens(const std::vector<std::string>& contents, int32_t first_id) {
  std::vector<AddedToken> out;
  for (const std::string& content : contents) {
    AddedToken token;
    token.id = first_id + static_cast<int32_t>(out.size());
    token.content = content;
    token.special = true;
    out.push_back(std::move(token));
  }
  return out;
}

PreTokenizerSpec SplitBy(const std::string& pattern) {
  PreTokenizerSpec spec;
  spec.steps.emplace_back(SplitSpec{.pattern = pattern});
  return spec;
}

// A vocabulary that grows by merges. Bytes take their ids in the order of their spellings, as in
// GPT-2's vocabulary; two merges may give the same token.
class GrowingVocab {
 public:
  GrowingVocab(const std::vector<std::string>& special_tokens, TokenizerSpec* spec)
      : special_tokens_(special_tokens), spec_(spec) {
    std::array<std::pair<char32_t, int>, kByteCount> order;
    for (int byte = 0; byte < kByteCount; ++byte) {
      const std::string spelling = ByteLevelSpell(std::string(1, static_cast<char>(byte)));
      order[static_cast<size_t>(byte)] = {FirstUtf8(spelling).code_point, byte};
    }
    std::sort(order.begin(), order.end());
    for (const auto& [spelling, byte] : order) {
      byte_ids_[byte] = Token(ByteLevelSpell(std::string(1, static_cast<char>(byte))));
    }
  }

  const int32_t (&byte_ids() const)[kByteCount] { return byte_ids_; }
  int32_t size() const { return static_cast<int32_t>(spec_->vocab.size()); }

  int32_t Merge(int32_t left, int32_t right) {
    const int32_t result = Token(spec_->vocab[static_cast<size_t>(left)].spelling +
                                 spec_->vocab[static_cast<size_t>(right)].spelling);
    spec_->merges.push_back({left, right, result});
    return result;
  }

 private:
  int32_t Token(const std::string& spelling) {
    const auto [at, fresh] = ids_.emplace(spelling, size());
    if (!fresh) return at->second;
    if (std::find(special_tokens_.begin(), special_tokens_.end(), spelling) !=
        special_tokens_.end()) {
      Fail(ErrorKind::kInvalidArgument,
           "the special token \"{}\" is spelled as a token of text; name it otherwise",
           OneLine(spelling, 40));
    }
    spec_->vocab.push_back({spelling, at->second});
    return at->second;
  }

  const std::vector<std::string>& special_tokens_;
  TokenizerSpec* spec_;
  std::unordered_map<std::string, int32_t> ids_;
  int32_t byte_ids_[kByteCount];
};

}  // namespace

struct TokenizerTrainer::Impl {
  explicit Impl(TokenizerTrainerOptions o)
      : options(std::move(o)),
        separators(SpecialTokens(options.special_tokens, 0)),
        splitter(SplitBy(options.pattern), "the tokenizer's pattern") {}

  // Counts what cannot change any more and drops it from the buffer; all of it when `final`.
  void CountBuffer(bool final);
  size_t CountDocument(std::string_view document, bool complete);
  size_t ValidBytes(bool final) const;

  TokenizerTrainerOptions options;
  AddedTokenMatcher separators;
  PreTokenizer splitter;
  RegexScratch scratch;
  WordCounts counts;
  std::string buffer;
  uint64_t dropped_bytes = 0;  // before the buffer
  size_t count_at_bytes = kCountBytes;
};

// The part of the buffer that ends with a character. Throws if there is more than a cut one left.
size_t TokenizerTrainer::Impl::ValidBytes(bool final) const {
  const size_t valid = ValidUtf8Prefix(buffer);
  const std::string_view rest = std::string_view(buffer).substr(valid);
  std::string ignored;
  if (!rest.empty() && (final || AppendRepairedUtf8(rest, /*final=*/false, &ignored) != 0)) {
    Fail(ErrorKind::kInvalidArgument,
         "training text: the byte at offset {} is not UTF-8; convert the text to UTF-8 first",
         dropped_bytes + valid);
  }
  return valid;
}

// Returns how many bytes of the document need not be looked at again.
size_t TokenizerTrainer::Impl::CountDocument(std::string_view document, bool complete) {
  if (!complete && document.size() < 2 * kHoldBytes) return 0;
  const size_t limit = complete ? document.size() : document.size() - kHoldBytes;
  size_t done = 0;
  splitter.Split(document, StretchStart::kText, &scratch, [&](std::string_view piece) {
    const auto end = static_cast<size_t>(piece.data() - document.data()) + piece.size();
    if (end > limit) return;
    const auto word = counts.find(piece);
    if (word != counts.end()) {
      ++word->second;
    } else {
      counts.emplace(piece, 1);
    }
    done = end;
  });
  return complete ? document.size() : done;
}

void TokenizerTrainer::Impl::CountBuffer(bool final) {
  const std::string_view text = std::string_view(buffer).substr(0, ValidBytes(final));
  // Behind this, a longer special token may have begun whose end is yet to come.
  const size_t settled =
      final ? text.size() : text.size() - std::min(text.size(), AddedTokenMatcher::kMaxTokenBytes);
  size_t done = 0;
  bool stopped = false;
  separators.Split(text, /*special=*/true, &scratch, [&](std::string_view stretch, int32_t id) {
    if (stopped) return;
    const auto begin = static_cast<size_t>(stretch.data() - text.data());
    const size_t end = begin + stretch.size();
    stopped = end > settled || (end == text.size() && !final);
    if (id < 0) {
      done = begin + CountDocument(stretch, !stopped);
    } else if (!stopped) {
      done = end;
    }
  });
  buffer.erase(0, done);
  dropped_bytes += done;
  // A document that is one endless piece is looked at again only when it has doubled.
  count_at_bytes = std::max(kCountBytes, 2 * buffer.size());
}

TokenizerTrainer::TokenizerTrainer(TokenizerTrainerOptions options) {
  CheckOptions(options);
  impl_ = std::make_unique<Impl>(std::move(options));
}
TokenizerTrainer::~TokenizerTrainer() = default;
TokenizerTrainer::TokenizerTrainer(TokenizerTrainer&& other) noexcept = default;
TokenizerTrainer& TokenizerTrainer::operator=(TokenizerTrainer&& other) noexcept = default;

void TokenizerTrainer::Add(std::string_view chunk) {
  while (!chunk.empty()) {
    const size_t room = impl_->count_at_bytes - impl_->buffer.size();
    impl_->buffer.append(chunk.substr(0, room));
    chunk.remove_prefix(std::min(room, chunk.size()));
    if (impl_->buffer.size() >= impl_->count_at_bytes) impl_->CountBuffer(/*final=*/false);
  }
}

Tokenizer TokenizerTrainer::Train(Poll poll) {
  impl_->CountBuffer(/*final=*/true);
  const TokenizerTrainerOptions& options = impl_->options;
  TokenizerSpec spec;
  spec.name = "the trained tokenizer";
  GrowingVocab vocab(options.special_tokens, &spec);
  WordMerger merger;
  for (const auto& [word, count] : impl_->counts) {
    poll();
    merger.AddWord(word, vocab.byte_ids(), count);
  }
  impl_->counts.clear();
  const auto room = options.vocab_size - static_cast<int32_t>(options.special_tokens.size());
  while (vocab.size() < room) {
    poll();
    const WordMerger::Pair best = merger.Best();
    if (best.count == 0 || best.count < options.min_frequency) break;
    merger.Merge(best.left, best.right, vocab.Merge(best.left, best.right));
  }
  spec.added_tokens = SpecialTokens(options.special_tokens, vocab.size());
  spec.pre_tokenizer = SplitBy(options.pattern);
  spec.pre_tokenizer.steps.emplace_back(ByteLevelSpec{});
  spec.decoder.emplace_back();
  spec.post_processor.byte_level_trim_offsets = false;
  return Tokenizer(std::move(spec));
}

}  // namespace tern
