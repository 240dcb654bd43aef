// SPDX-License-Identifier: MIT
#include "tern/text/gguf_vocabulary.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "tern/base/error.h"
#include "tern/text/added_tokens.h"
#include "tern/text/byte_level.h"
#include "tern/text/pair_map.h"
#include "tern/text/unigram.h"
#include "tern/text/utf8.h"

namespace tern {
namespace {

using Ids = std::unordered_map<std::string_view, int32_t>;

// The expressions of Llama 3 and of Qwen 2, which takes digits one by one.
constexpr std::string_view kLlama3 =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| "
    "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
constexpr std::string_view kQwen2 =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| "
    "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

// A longer token is refused: the time to take it apart grows with the square.
constexpr size_t kMaxMergedBytes = 512;

constexpr std::string_view kSpace = "\u2581";

PreTokenizerSpec SplitBy(std::string_view pattern) {
  PreTokenizerSpec spec;
  spec.steps.emplace_back(SplitSpec{.pattern = std::string(pattern)});
  spec.steps.emplace_back(ByteLevelSpec{});
  return spec;
}

PreTokenizerSpec Llama3() { return SplitBy(kLlama3); }
PreTokenizerSpec Qwen2() { return SplitBy(kQwen2); }

PreTokenizerSpec Gpt2() {
  PreTokenizerSpec spec;
  spec.steps.emplace_back(ByteLevelSpec{.use_regex = true});
  return spec;
}

// Digits in threes, behind the byte level.
PreTokenizerSpec Falcon() {
  using Pattern = SplitSpec::Pattern;
  PreTokenizerSpec spec;
  spec.steps.emplace_back(SplitSpec{Pattern::kPunctuation, "", SplitBehavior::kContiguous, false});
  spec.steps.emplace_back(ByteLevelSpec{.use_regex = true});
  spec.steps.emplace_back(SplitSpec{Pattern::kDigits, "", SplitBehavior::kContiguous, false});
  spec.steps.emplace_back(SplitSpec{.pattern = "[0-9][0-9][0-9]"});
  return spec;
}

struct PreTokenizer {
  std::string_view name;
  PreTokenizerSpec (*make)();
  bool ignore_merges;
  bool add_bos;  // where the file does not say
  bool nfc;
};

// The names that llama.cpp reads, with what these models' own tokenizers do. The first of those
// that cut alike is written.
constexpr PreTokenizer kPreTokenizers[] = {
    {"llama-bpe", Llama3, true, true, false}, {"llama3", Llama3, true, true, false},
    {"llama-v3", Llama3, true, true, false},  {"falcon3", Llama3, true, true, false},
    {"qwen2", Qwen2, false, false, true},     {"gpt-2", Gpt2, false, false, false},
    {"falcon", Falcon, false, false, false},
};

const PreTokenizer& FindPreTokenizer(const GgufVocabulary& vocabulary) {
  std::vector<std::string_view> known;
  for (const PreTokenizer& pre : kPreTokenizers) {
    if (pre.name == vocabulary.pre_tokenizer) return pre;
    known.push_back(pre.name);
  }
  Fail(ErrorKind::kUnsupported,
       "{}: tokenizer.ggml.pre \"{}\" is not known; known are: {}. A GGUF file made from a "
       "checkpoint with tokenizer.json by tern convert holds it whole",
       vocabulary.place, OneLine(vocabulary.pre_tokenizer), fmt::join(known, ", "));
}

GgufTokenType TypeOf(const GgufVocabulary& vocabulary, size_t id) {
  if (vocabulary.types.empty()) return GgufTokenType::kNormal;
  const int64_t type = vocabulary.types[id];
  if (type < 1 || type > 6) {
    Fail(ErrorKind::kInvalidFile, "{}: tokenizer.ggml.token_type of token {} is {}, not 1 to 6",
         vocabulary.place, id, type);
  }
  return static_cast<GgufTokenType>(type);
}

void ReadTokens(const GgufVocabulary& vocabulary, TokenizerSpec* spec, Ids* ids) {
  for (size_t i = 0; i < vocabulary.tokens.size(); ++i) {
    const std::string_view token = vocabulary.tokens[i];
    const auto id = static_cast<int32_t>(i);
    const GgufTokenType type = TypeOf(vocabulary, i);
    if (type == GgufTokenType::kUnused) continue;
    const bool utf8 = ValidUtf8Prefix(token) == token.size();
    if (token.empty() || !utf8 || !ids->emplace(token, id).second) {
      Fail(ErrorKind::kInvalidFile, "{}: tokenizer.ggml.tokens: token {} is {}", vocabulary.place,
           i,
           token.empty() ? "empty"
           : !utf8       ? "not UTF-8"
                         : "there twice");
    }
    const bool unknown = type == GgufTokenType::kUnknown;
    if (type == GgufTokenType::kControl || type == GgufTokenType::kUserDefined || unknown) {
      if (token.size() > AddedTokenMatcher::kMaxTokenBytes) {
        Fail(ErrorKind::kInvalidFile,
             "{}: tokenizer.ggml.tokens: token {} has {} bytes; at most {}", vocabulary.place, i,
             token.size(), AddedTokenMatcher::kMaxTokenBytes);
      }
      AddedToken added;
      added.id = id;
      added.content = token;
      added.special = type != GgufTokenType::kUserDefined;
      spec->added_tokens.push_back(std::move(added));
    }
    // Unigram's scores are counted by id; SentencePiece's merges may make these too.
    if (type == GgufTokenType::kControl && vocabulary.model != "t5") continue;
    if (type == GgufTokenType::kUserDefined && vocabulary.model == "gpt2") continue;
    spec->vocab.push_back({std::string(token), id});
    if (unknown && spec->unk_token.empty()) spec->unk_token = token;
  }
}

void ReadMerges(const GgufVocabulary& vocabulary, const Ids& ids, TokenizerSpec* spec) {
  PairMap<bool> seen(vocabulary.merges.size());
  spec->merges.reserve(vocabulary.merges.size());
  std::string joined;
  for (size_t i = 0; i < vocabulary.merges.size(); ++i) {
    const std::string_view text = vocabulary.merges[i];
    const size_t space = text.find(' ');
    const auto refuse = [&](std::string_view why) {
      Fail(ErrorKind::kInvalidFile, "{}: tokenizer.ggml.merges: merge {} {}", vocabulary.place, i,
           why);
    };
    if (space == std::string_view::npos) refuse("is not \"a b\"");
    const std::string_view left = text.substr(0, space), right = text.substr(space + 1);
    joined.assign(left).append(right);
    const auto a = ids.find(left), b = ids.find(right), c = ids.find(joined);
    if (a == ids.end() || b == ids.end() || c == ids.end()) {
      refuse("has a part or a result that is no token");
    }
    const Merge merge{a->second, b->second, c->second};
    if (!seen.Insert(PairMap<bool>::Key(merge.left, merge.right)).second) refuse("is there twice");
    spec->merges.push_back(merge);
  }
}

void CheckTokenBytes(const GgufVocabulary& vocabulary, const VocabEntry& entry, size_t most) {
  if (entry.spelling.size() <= most) return;
  Fail(ErrorKind::kInvalidFile, "{}: tokenizer.ggml.tokens: token {} has {} bytes; at most {}",
       vocabulary.place, entry.id, entry.spelling.size(), most);
}

// What SentencePiece merges: the best-scored token first, from whichever two tokens make it. Of one
// token's ways, that with the longest left half goes first, as in files of Hugging Face.
void MakeMerges(const GgufVocabulary& vocabulary, TokenizerSpec* spec) {
  Ids mergeable;
  for (const VocabEntry& entry : spec->vocab) {
    const GgufTokenType type = TypeOf(vocabulary, static_cast<size_t>(entry.id));
    if (type != GgufTokenType::kNormal && type != GgufTokenType::kUserDefined) continue;
    CheckTokenBytes(vocabulary, entry, kMaxMergedBytes);
    mergeable.emplace(entry.spelling, entry.id);
  }
  struct Candidate {
    Merge merge;
    uint32_t left_bytes;
  };
  std::vector<Candidate> candidates;
  for (const VocabEntry& entry : spec->vocab) {
    const std::string_view token = entry.spelling;
    if (mergeable.count(token) == 0) continue;
    for (size_t cut = FirstUtf8(token).size_bytes; cut < token.size();
         cut += FirstUtf8(token.substr(cut)).size_bytes) {
      const auto left = mergeable.find(token.substr(0, cut));
      if (left == mergeable.end()) continue;
      const auto right = mergeable.find(token.substr(cut));
      if (right == mergeable.end()) continue;
      candidates.push_back({{left->second, right->second, entry.id}, static_cast<uint32_t>(cut)});
    }
  }
  const auto score = [&](const Candidate& candidate) {
    return vocabulary.scores[static_cast<size_t>(candidate.merge.result)];
  };
  std::sort(candidates.begin(), candidates.end(), [&](const Candidate& a, const Candidate& b) {
    return std::tuple(-score(a), a.merge.result, b.left_bytes) <
           std::tuple(-score(b), b.merge.result, a.left_bytes);
  });
  spec->merges.reserve(candidates.size());
  for (const Candidate& candidate : candidates) spec->merges.push_back(candidate.merge);
}

void CheckScores(const GgufVocabulary& vocabulary) {
  const bool finite = std::all_of(vocabulary.scores.begin(), vocabulary.scores.end(),
                                  [](double score) { return std::isfinite(score); });
  if (vocabulary.scores.size() == vocabulary.tokens.size() && finite) return;
  Fail(ErrorKind::kInvalidFile,
       "{}: tokenizer.ggml.scores: {} scores for {} tokens; as many are needed, all finite",
       vocabulary.place, vocabulary.scores.size(), vocabulary.tokens.size());
}

DecoderStep Decodes(DecoderStep::Kind kind) {
  DecoderStep step;
  step.kind = kind;
  return step;
}

// As in the tokenizer.json of such models.
void AddSentencePieceSteps(bool space_prefix, TokenizerSpec* spec) {
  const std::string space(kSpace);
  if (space_prefix) {
    spec->normalizer.push_back(
        {.kind = NormalizerStep::Kind::kPrepend, .pattern = "", .content = space});
  }
  spec->normalizer.push_back(
      {.kind = NormalizerStep::Kind::kReplaceString, .pattern = " ", .content = space});
  DecoderStep replace = Decodes(DecoderStep::Kind::kReplace);
  replace.pattern = space;
  replace.content = " ";
  spec->decoder = {replace, Decodes(DecoderStep::Kind::kByteFallback),
                   Decodes(DecoderStep::Kind::kFuse)};
  if (!space_prefix) return;
  DecoderStep strip = Decodes(DecoderStep::Kind::kStrip);
  strip.content = " ";
  strip.start = 1;
  spec->decoder.push_back(strip);
}

void ReadSentencePiece(const GgufVocabulary& vocabulary, TokenizerSpec* spec) {
  CheckScores(vocabulary);
  spec->fuse_unk = true;
  spec->byte_fallback = true;
  AddSentencePieceSteps(vocabulary.add_space_prefix, spec);
  Ids ids;
  ReadTokens(vocabulary, spec, &ids);
  MakeMerges(vocabulary, spec);
}

// SentencePiece's normalization but for its map of characters.
void AddUnigramSteps(bool space_prefix, bool remove_extra_spaces, TokenizerSpec* spec) {
  using Kind = NormalizerStep::Kind;
  if (remove_extra_spaces) {
    // Characters that look like its spaces end no text either.
    const std::string at_ends = fmt::format("\\A +|[ {}]+\\z", kSpace);
    spec->normalizer.push_back({.kind = Kind::kReplaceRegex, .pattern = at_ends, .content = ""});
    spec->normalizer.push_back({.kind = Kind::kReplaceRegex, .pattern = " {2,}", .content = " "});
  }
  AddSentencePieceSteps(space_prefix, spec);
}

void ReadUnigram(const GgufVocabulary& vocabulary, TokenizerSpec* spec) {
  CheckScores(vocabulary);
  if (vocabulary.has_character_map) {
    Fail(ErrorKind::kUnsupported,
         "{}: tokenizer.ggml.precompiled_charsmap is not supported; take the model's Hugging Face "
         "checkpoint with a tokenizer.json that has no Precompiled normalizer",
         vocabulary.place);
  }
  spec->model = TokenizerModel::kUnigram;
  AddUnigramSteps(vocabulary.add_space_prefix, vocabulary.remove_extra_spaces, spec);
  Ids ids;
  ReadTokens(vocabulary, spec, &ids);
  for (size_t i = 0; i < spec->vocab.size(); ++i) {
    const VocabEntry& entry = spec->vocab[i];
    if (entry.id != static_cast<int32_t>(i)) {
      Fail(ErrorKind::kUnsupported,
           "{}: tokenizer.ggml.token_type of token {} is 5 (unused); in a vocabulary of \"t5\" "
           "only the last ones may be",
           vocabulary.place, i);
    }
    CheckTokenBytes(vocabulary, entry, Unigram::kMaxTokenBytes);
    const GgufTokenType type = TypeOf(vocabulary, i);
    spec->byte_fallback = spec->byte_fallback || type == GgufTokenType::kByte;
    if (type == GgufTokenType::kUnknown && !spec->unk_id) spec->unk_id = entry.id;
    spec->scores.push_back(vocabulary.scores[i]);
  }
  spec->unk_token.clear();
  if (!spec->unk_id) spec->unk_id = vocabulary.unknown;
  if (spec->unk_id && *spec->unk_id >= static_cast<int32_t>(spec->vocab.size())) {
    Fail(ErrorKind::kInvalidFile, "{}: tokenizer.ggml.unknown_token_id is {}, which names no token",
         vocabulary.place, *spec->unk_id);
  }
}

void ReadByteLevel(const GgufVocabulary& vocabulary, const PreTokenizer& pre, TokenizerSpec* spec) {
  spec->ignore_merges = pre.ignore_merges;
  spec->pre_tokenizer = pre.make();
  spec->decoder.emplace_back();
  if (pre.nfc) spec->normalizer.emplace_back();  // NFC
  Ids ids;
  ReadTokens(vocabulary, spec, &ids);
  ReadMerges(vocabulary, ids, spec);
}

TemplatePart SpecialPart(const GgufVocabulary& vocabulary, std::optional<int32_t> special,
                         std::string_view which) {
  const auto id = static_cast<size_t>(special.value_or(-1));
  if (id >= vocabulary.tokens.size() || TypeOf(vocabulary, id) == GgufTokenType::kUnused) {
    Fail(ErrorKind::kInvalidFile,
         "{}: tokenizer.ggml.{}_token_id names no token, but every text gets it", vocabulary.place,
         which);
  }
  const std::string text(vocabulary.tokens[id]);
  return {.name = text, .ids = {static_cast<int32_t>(id)}, .tokens = {text}};
}

void AddTemplate(const GgufVocabulary& vocabulary, bool add_bos, bool add_eos,
                 TokenizerSpec* spec) {
  std::vector<TemplatePart>& parts = spec->post_processor.single;
  if (add_bos) parts.push_back(SpecialPart(vocabulary, vocabulary.bos, "bos"));
  if (add_bos || add_eos) parts.emplace_back();
  if (add_eos) parts.push_back(SpecialPart(vocabulary, vocabulary.eos, "eos"));
}

// SentencePiece's BPE as ReadGgufVocabulary makes it, but for a pre-tokenizer that finds nothing.
bool IsSentencePiece(const TokenizerSpec& spec, bool space_prefix) {
  TokenizerSpec wanted;
  AddSentencePieceSteps(space_prefix, &wanted);
  if (spec.model != TokenizerModel::kBpe || !spec.byte_fallback || spec.ignore_merges ||
      spec.normalizer != wanted.normalizer) {
    return false;
  }
  PreTokenizerSpec at_spaces;  // of which none is left
  at_spaces.steps.emplace_back(
      SplitSpec{SplitSpec::Pattern::kString, " ", SplitBehavior::kMergedWithPrevious, false});
  return spec.pre_tokenizer.steps.empty() || spec.pre_tokenizer == at_spaces;
}

// Unigram as ReadGgufVocabulary makes it.
bool IsUnigram(const TokenizerSpec& spec, bool space_prefix, bool remove_extra_spaces) {
  TokenizerSpec wanted;
  AddUnigramSteps(space_prefix, remove_extra_spaces, &wanted);
  return spec.model == TokenizerModel::kUnigram && spec.normalizer == wanted.normalizer &&
         spec.pre_tokenizer.steps.empty();
}

// A token's score falls with the rank of the first merge that makes it.
std::vector<float> Scores(const TokenizerSpec& spec, size_t tokens) {
  const auto lowest = -static_cast<float>(spec.merges.size());
  std::vector<float> scores(tokens, lowest);
  for (size_t rank = spec.merges.size(); rank > 0; --rank) {
    scores[static_cast<size_t>(spec.merges[rank - 1].result)] = -static_cast<float>(rank - 1);
  }
  return scores;
}

void WriteTokens(const TokenizerSpec& spec, int64_t vocab_size, GgufVocabularyMetadata* out) {
  for (int64_t id = 0; id < vocab_size; ++id) out->tokens.push_back(fmt::format("[PAD{}]", id));
  out->types.assign(out->tokens.size(), static_cast<int32_t>(GgufTokenType::kUnused));
  const auto set = [&](int32_t id, const std::string& text, GgufTokenType type) {
    out->tokens.at(static_cast<size_t>(id)) = text;
    out->types.at(static_cast<size_t>(id)) = static_cast<int32_t>(type);
  };
  std::unordered_set<std::string> bytes;
  for (int byte = 0; byte < 256 && spec.byte_fallback; ++byte) {
    bytes.insert(ByteTokenSpelling(static_cast<unsigned char>(byte)));
  }
  for (const VocabEntry& entry : spec.vocab) {
    const bool byte = bytes.count(entry.spelling) != 0;
    set(entry.id, entry.spelling, byte ? GgufTokenType::kByte : GgufTokenType::kNormal);
  }
  for (const AddedToken& token : spec.added_tokens) {
    set(token.id, token.content,
        token.special ? GgufTokenType::kControl : GgufTokenType::kUserDefined);
  }
  for (const VocabEntry& entry : spec.vocab) {
    const bool unknown = spec.model == TokenizerModel::kUnigram
                             ? spec.unk_id == entry.id
                             : !spec.unk_token.empty() && entry.spelling == spec.unk_token;
    if (unknown) {
      set(entry.id, entry.spelling, GgufTokenType::kUnknown);
    }
  }
}

bool WriteUnigram(const TokenizerSpec& spec, int64_t vocab_size, GgufVocabularyMetadata* out) {
  for (const bool space_prefix : {true, false}) {
    for (const bool remove_extra_spaces : {true, false}) {
      if (!IsUnigram(spec, space_prefix, remove_extra_spaces)) continue;
      out->model = "t5";
      out->add_space_prefix = space_prefix;
      out->remove_extra_spaces = remove_extra_spaces;
      out->unknown = spec.unk_id;
      WriteTokens(spec, vocab_size, out);
      out->scores.assign(spec.scores.begin(), spec.scores.end());
      out->scores.resize(out->tokens.size());
      return true;
    }
  }
  return false;
}

}  // namespace

TokenizerSpec ReadGgufVocabulary(const GgufVocabulary& vocabulary) {
  if (vocabulary.tokens.size() > static_cast<size_t>(kMaxVocabSize) ||
      (!vocabulary.types.empty() && vocabulary.types.size() != vocabulary.tokens.size())) {
    Fail(ErrorKind::kInvalidFile, "{}: {} tokens with {} types; at most {}, and as many",
         vocabulary.place, vocabulary.tokens.size(), vocabulary.types.size(), kMaxVocabSize);
  }
  TokenizerSpec spec;
  spec.name = vocabulary.place;
  bool add_bos = true;
  bool add_eos = vocabulary.add_eos.value_or(false);
  if (vocabulary.model == "llama") {
    ReadSentencePiece(vocabulary, &spec);
    add_bos = vocabulary.add_bos.value_or(vocabulary.bos.has_value());
  } else if (vocabulary.model == "gpt2") {
    const PreTokenizer& pre = FindPreTokenizer(vocabulary);
    ReadByteLevel(vocabulary, pre, &spec);
    add_bos = vocabulary.add_bos.value_or(pre.add_bos && vocabulary.bos);
  } else if (vocabulary.model == "t5") {
    ReadUnigram(vocabulary, &spec);
    add_bos = vocabulary.add_bos.value_or(false);
    add_eos = vocabulary.add_eos.value_or(vocabulary.eos.has_value());
  } else {
    Fail(ErrorKind::kUnsupported,
         "{}: tokenizer.ggml.model \"{}\" is not supported; known are: gpt2 (byte-level BPE), "
         "llama (SentencePiece's BPE), t5 (Unigram)",
         vocabulary.place, OneLine(vocabulary.model));
  }
  AddTemplate(vocabulary, add_bos, add_eos, &spec);
  return spec;
}

GgufVocabularyMetadata WriteGgufVocabulary(const TokenizerSpec& spec, int64_t vocab_size) {
  GgufVocabularyMetadata out;
  const bool with_space = IsSentencePiece(spec, true);
  if (with_space || IsSentencePiece(spec, false)) {
    out.model = "llama";
    out.add_space_prefix = with_space;
    WriteTokens(spec, vocab_size, &out);
    out.scores = Scores(spec, out.tokens.size());
  } else if (WriteUnigram(spec, vocab_size, &out)) {
    return out;
  } else if (spec.pre_tokenizer.byte_level()) {
    out.model = "gpt2";
    out.pre_tokenizer = GgufPreTokenizerName(spec.pre_tokenizer).value_or("default");
    WriteTokens(spec, vocab_size, &out);
    for (const Merge& merge : spec.merges) {
      out.merges.push_back(fmt::format("{} {}", out.tokens[static_cast<size_t>(merge.left)],
                                       out.tokens[static_cast<size_t>(merge.right)]));
    }
  } else {
    out.model = "no_vocab";
  }
  return out;
}

std::optional<std::string_view> GgufPreTokenizerName(const PreTokenizerSpec& spec) {
  PreTokenizerSpec steps = spec;  // offsets are nothing that GGUF keeps
  for (PreTokenizerStep& step : steps.steps) {
    if (auto* byte_level = std::get_if<ByteLevelSpec>(&step)) byte_level->trim_offsets = true;
  }
  for (const PreTokenizer& pre : kPreTokenizers) {
    if (pre.make() == steps) return pre.name;
  }
  return std::nullopt;
}

}  // namespace tern
