// SPDX-License-Identifier: MIT
#include "tern/text/gguf_vocabulary.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <unordered_map>
#include <utility>

#include "tern/base/error.h"
#include "tern/text/pair_map.h"
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

struct PreTokenizer {
  std::string_view name;
  std::string_view pattern;  // empty: GPT-2's, which the byte level brings along
  bool ignore_merges;
  bool add_bos;  // where the file does not say
};

// The names that llama.cpp reads, with what it does for them. The first of a pattern is written.
constexpr PreTokenizer kPreTokenizers[] = {
    {"llama-bpe", kLlama3, true, true}, {"llama3", kLlama3, true, true},
    {"llama-v3", kLlama3, true, true},  {"falcon3", kLlama3, true, true},
    {"qwen2", kQwen2, false, false},    {"gpt-2", "", false, false},
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
       vocabulary.place, vocabulary.pre_tokenizer, fmt::join(known, ", "));
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
    CheckUtf8(token, fmt::format("{}: tokenizer.ggml.tokens: token {}", vocabulary.place, i));
    if (token.empty() || !ids->emplace(token, id).second) {
      Fail(ErrorKind::kInvalidFile, "{}: tokenizer.ggml.tokens: token {} is {}", vocabulary.place,
           i, token.empty() ? "empty" : "there twice");
    }
    if (type == GgufTokenType::kControl || type == GgufTokenType::kUserDefined) {
      AddedToken added;
      added.id = id;
      added.content = token;
      added.special = type == GgufTokenType::kControl;
      spec->added_tokens.push_back(std::move(added));
    } else {
      spec->vocab.push_back({std::string(token), id});
    }
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

void AddBos(const GgufVocabulary& vocabulary, TokenizerSpec* spec) {
  const auto id = static_cast<size_t>(vocabulary.bos.value_or(-1));
  if (id >= vocabulary.tokens.size() || TypeOf(vocabulary, id) == GgufTokenType::kUnused) {
    Fail(ErrorKind::kInvalidFile,
         "{}: tokenizer.ggml.bos_token_id names no token, but texts begin with it",
         vocabulary.place);
  }
  const std::string text(vocabulary.tokens[id]);
  spec->post_processor.single = {
      {.name = text, .ids = {static_cast<int32_t>(id)}, .tokens = {text}}, {}};
}

}  // namespace

TokenizerSpec ReadGgufVocabulary(const GgufVocabulary& vocabulary) {
  if (vocabulary.tokens.size() > static_cast<size_t>(kMaxVocabSize) ||
      (!vocabulary.types.empty() && vocabulary.types.size() != vocabulary.tokens.size())) {
    Fail(ErrorKind::kInvalidFile, "{}: {} tokens with {} types; at most {}, and as many",
         vocabulary.place, vocabulary.tokens.size(), vocabulary.types.size(), kMaxVocabSize);
  }
  const PreTokenizer& pre = FindPreTokenizer(vocabulary);
  TokenizerSpec spec;
  spec.name = vocabulary.place;
  spec.ignore_merges = pre.ignore_merges;
  if (!pre.pattern.empty()) {
    spec.pre_tokenizer.steps.emplace_back(SplitSpec{.pattern = std::string(pre.pattern)});
  }
  spec.pre_tokenizer.steps.emplace_back(ByteLevelSpec{.use_regex = pre.pattern.empty()});
  spec.decoder.emplace_back();
  Ids ids;
  ReadTokens(vocabulary, &spec, &ids);
  ReadMerges(vocabulary, ids, &spec);
  if (vocabulary.add_bos.value_or(pre.add_bos && vocabulary.bos)) AddBos(vocabulary, &spec);
  return spec;
}

std::optional<std::string_view> GgufPreTokenizerName(const PreTokenizerSpec& spec) {
  if (spec.steps.empty() || spec.steps.size() > 2) return std::nullopt;
  const auto* byte_level = std::get_if<ByteLevelSpec>(&spec.steps.back());
  if (!byte_level || byte_level->add_prefix_space) return std::nullopt;
  std::string_view pattern;
  if (spec.steps.size() == 2) {
    const auto* split = std::get_if<SplitSpec>(&spec.steps[0]);
    if (!split || split->pattern_kind != SplitSpec::Pattern::kRegex || split->pattern.empty() ||
        split->behavior != SplitBehavior::kIsolated) {
      return std::nullopt;
    }
    pattern = split->pattern;
  }
  for (const PreTokenizer& pre : kPreTokenizers) {
    if (pre.pattern == pattern && byte_level->use_regex == pattern.empty()) return pre.name;
  }
  return std::nullopt;
}

}  // namespace tern
