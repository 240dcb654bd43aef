// SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>
#include <cmath>
#include <unordered_map>
#include <unordered_set>

#include "tern/json/parse_json.h"
#include "tern/text/added_tokens.h"
#include "tern/text/json_cursor.h"
#include "tern/text/pair_map.h"
#include "tern/text/tokenizer_json.h"
#include "tern/text/tokenizer_json_components.h"
#include "tern/text/unigram.h"

namespace tern {
namespace {

using internal::BoolOr;
using internal::RefuseComponent;
using VocabMap = std::unordered_map<std::string_view, int32_t>;

void RequireNull(const JsonCursor& object, const std::string& key, std::string_view why) {
  const JsonCursor member = object.Get(key);
  if (!member.IsNull()) {
    member.Refuse(ErrorKind::kUnsupported, "not supported ({}); set it to null", why);
  }
}

std::string OptionalString(const JsonCursor& text) { return text.IsNull() ? "" : text.String(); }

void ReadVocab(const JsonCursor& vocab, TokenizerSpec* spec, VocabMap* ids) {
  vocab.ExpectObject();
  spec->vocab.reserve(vocab.value().size());
  std::unordered_map<int32_t, const std::string*> owners;
  owners.reserve(vocab.value().size());
  for (const auto& [spelling, id_json] : vocab.value().get_ref<const nlohmann::json::object_t&>()) {
    const bool in_range = id_json.is_number_unsigned() &&
                          id_json.get<uint64_t>() < static_cast<uint64_t>(kMaxVocabSize);
    if (!in_range) {
      vocab.Refuse(ErrorKind::kInvalidFile, "token \"{}\" has the id {}; ids are 0 to {}", spelling,
                   id_json.dump(), kMaxVocabSize - 1);
    }
    const auto id = id_json.get<int32_t>();
    const auto [owner, fresh] = owners.emplace(id, &spelling);
    if (!fresh) {
      vocab.Refuse(ErrorKind::kInvalidFile, "tokens \"{}\" and \"{}\" have the same id {}",
                   *owner->second, spelling, id);
    }
    ids->emplace(spelling, id);
    spec->vocab.push_back({spelling, id});
  }
  std::sort(spec->vocab.begin(), spec->vocab.end(),
            [](const VocabEntry& a, const VocabEntry& b) { return a.id < b.id; });
}

// The two halves of "a b" or ["a", "b"].
std::pair<std::string_view, std::string_view> MergeHalves(const JsonCursor& merges, size_t index) {
  const nlohmann::json& merge = merges.value()[index];
  if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
    return {merge[0].get_ref<const std::string&>(), merge[1].get_ref<const std::string&>()};
  }
  if (merge.is_string()) {
    const std::string_view text = merge.get_ref<const std::string&>();
    const size_t space = text.find(' ');
    if (space != std::string_view::npos && text.find(' ', space + 1) == std::string_view::npos) {
      return {text.substr(0, space), text.substr(space + 1)};
    }
  }
  merges.Refuse(ErrorKind::kInvalidFile, "merge {} is neither \"a b\" nor [\"a\", \"b\"]", index);
}

void ReadMerges(const JsonCursor& merges, const VocabMap& ids, TokenizerSpec* spec) {
  if (!merges.value().is_array()) {
    merges.Refuse(ErrorKind::kInvalidFile, "{} where an array is needed",
                  merges.value().type_name());
  }
  PairMap<bool> seen(merges.value().size());
  spec->merges.reserve(merges.value().size());
  std::string joined;
  for (size_t i = 0; i < merges.value().size(); ++i) {
    const auto [left, right] = MergeHalves(merges, i);
    joined.assign(left).append(right);
    const auto find = [&](std::string_view token) {
      const auto found = ids.find(token);
      if (found == ids.end()) {
        merges.Refuse(ErrorKind::kInvalidFile, "merge {}: \"{}\" is not in the vocabulary", i,
                      token);
      }
      return found->second;
    };
    const Merge merge{find(left), find(right), find(joined)};
    if (!seen.Insert(PairMap<bool>::Key(merge.left, merge.right)).second) {
      merges.Refuse(ErrorKind::kInvalidFile, "merge {} (\"{}\", \"{}\") appears twice", i, left,
                    right);
    }
    spec->merges.push_back(merge);
  }
}

// [["token", score], ...], ids by place.
void ReadScoredVocab(const JsonCursor& vocab, TokenizerSpec* spec, VocabMap* ids) {
  if (!vocab.value().is_array()) {
    vocab.Refuse(ErrorKind::kInvalidFile, "{} where an array is needed", vocab.value().type_name());
  }
  if (vocab.value().size() > static_cast<size_t>(kMaxVocabSize)) {
    vocab.Refuse(ErrorKind::kInvalidFile, "more than {} tokens", kMaxVocabSize);
  }
  for (const nlohmann::json& entry : vocab.value()) {
    const auto id = static_cast<int32_t>(spec->vocab.size());
    const bool formed = entry.is_array() && entry.size() == 2 && entry[0].is_string() &&
                        entry[1].is_number() && std::isfinite(entry[1].get<double>());
    if (!formed) vocab.Refuse(ErrorKind::kInvalidFile, "entry {} is not [\"token\", score]", id);
    const std::string& token = entry[0].get_ref<const std::string&>();
    if (token.empty() || token.size() > Unigram::kMaxTokenBytes) {
      vocab.Refuse(ErrorKind::kInvalidFile, "token {} has {} bytes; 1 to {} are read", id,
                   token.size(), Unigram::kMaxTokenBytes);
    }
    if (!ids->emplace(token, id).second) {
      vocab.Refuse(ErrorKind::kInvalidFile, "the token \"{}\" appears twice", token);
    }
    spec->vocab.push_back({token, id});
    spec->scores.push_back(entry[1].get<double>());
  }
}

void ReadUnigram(const JsonCursor& model, TokenizerSpec* spec, VocabMap* ids) {
  model.ExpectOnlyKeys({"type", "unk_id", "vocab", "byte_fallback"});
  if (spec->pre_tokenizer.byte_level()) {
    model.Refuse(ErrorKind::kUnsupported, "Unigram behind the pre-tokenizer ByteLevel");
  }
  spec->model = TokenizerModel::kUnigram;
  spec->byte_fallback = BoolOr(model, "byte_fallback", false);
  ReadScoredVocab(model.At("vocab"), spec, ids);
  const JsonCursor unk = model.Get("unk_id");
  if (unk.IsNull()) return;
  spec->unk_id = static_cast<int32_t>(unk.Int(0, static_cast<int64_t>(spec->vocab.size()) - 1));
}

void ReadModel(const JsonCursor& model, TokenizerSpec* spec, VocabMap* ids) {
  model.ExpectObject();
  // Files older than tokenizers 0.9 carry no type; what has merges is BPE.
  const JsonCursor type = model.Get("type");
  if (!type.IsNull() && type.String() == "Unigram") return ReadUnigram(model, spec, ids);
  if (!type.IsNull() && type.String() != "BPE") {
    RefuseComponent(model, type.String(), "model", "BPE, Unigram");
  }
  model.ExpectOnlyKeys({"type", "dropout", "unk_token", "continuing_subword_prefix",
                        "end_of_word_suffix", "fuse_unk", "byte_fallback", "ignore_merges", "vocab",
                        "merges"});
  const JsonCursor dropout = model.Get("dropout");
  if (!dropout.IsNull() && !(dropout.value().is_number() && dropout.value().get<double>() == 0)) {
    dropout.Refuse(ErrorKind::kUnsupported, "dropout is not supported; set it to null");
  }
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    const JsonCursor affix = model.Get(key);
    if (!OptionalString(affix).empty()) {
      affix.Refuse(ErrorKind::kUnsupported, "not supported; set it to null");
    }
  }
  spec->byte_fallback = BoolOr(model, "byte_fallback", false);
  if (spec->byte_fallback && spec->pre_tokenizer.byte_level()) {
    model.Get("byte_fallback")
        .Refuse(ErrorKind::kUnsupported, "byte_fallback behind the pre-tokenizer ByteLevel");
  }
  spec->unk_token = OptionalString(model.Get("unk_token"));
  spec->fuse_unk = BoolOr(model, "fuse_unk", false);
  spec->ignore_merges = BoolOr(model, "ignore_merges", false);
  ReadVocab(model.At("vocab"), spec, ids);
  if (!spec->unk_token.empty() && !spec->pre_tokenizer.byte_level() &&
      ids->count(spec->unk_token) == 0) {
    model.Get("unk_token")
        .Refuse(ErrorKind::kInvalidFile, "\"{}\" is not in the vocabulary", spec->unk_token);
  }
  ReadMerges(model.At("merges"), *ids, spec);
}

void ReadAddedTokens(const JsonCursor& tokens, const VocabMap& ids, TokenizerSpec* spec) {
  if (tokens.IsNull()) return;
  std::unordered_map<int32_t, std::string_view> owners;
  for (const VocabEntry& entry : spec->vocab) owners.emplace(entry.id, entry.spelling);
  std::unordered_set<std::string_view> contents;
  for (const JsonCursor& token : tokens.Elements()) {
    token.ExpectOnlyKeys(
        {"id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"});
    AddedToken out;
    const JsonCursor content = token.At("content");
    out.content = content.String();
    out.id = static_cast<int32_t>(token.At("id").Int(0, kMaxVocabSize - 1));
    out.special = BoolOr(token, "special", false);
    out.single_word = BoolOr(token, "single_word", false);
    out.lstrip = BoolOr(token, "lstrip", false);
    out.rstrip = BoolOr(token, "rstrip", false);
    out.normalized = BoolOr(token, "normalized", !out.special);
    if (out.content.empty() || out.content.size() > AddedTokenMatcher::kMaxTokenBytes) {
      content.Refuse(ErrorKind::kInvalidFile, "an added token of {} bytes; 1 to {} are read",
                     out.content.size(), AddedTokenMatcher::kMaxTokenBytes);
    }
    if (!contents.insert(content.String()).second) {
      content.Refuse(ErrorKind::kInvalidFile, "the added token \"{}\" appears twice", out.content);
    }
    const auto in_vocab = ids.find(out.content);
    if (in_vocab != ids.end() && in_vocab->second != out.id) {
      token.Refuse(ErrorKind::kInvalidFile, "\"{}\" has the id {} here and {} in the vocabulary",
                   out.content, out.id, in_vocab->second);
    }
    const auto [owner, fresh] = owners.emplace(out.id, content.String());
    if (!fresh && owner->second != out.content) {
      token.Refuse(ErrorKind::kInvalidFile, "tokens \"{}\" and \"{}\" have the same id {}",
                   owner->second, out.content, out.id);
    }
    spec->added_tokens.push_back(std::move(out));
  }
}

TemplatePart ReadTemplateToken(const JsonCursor& token, const JsonCursor& special_tokens) {
  TemplatePart part;
  part.name = token.At("id").String();
  part.type_id = static_cast<int32_t>(token.At("type_id").Int(0, INT32_MAX));
  const JsonCursor definition = special_tokens.At(part.name);
  definition.ExpectOnlyKeys({"id", "ids", "tokens"});
  for (const JsonCursor& id : definition.At("ids").Elements()) {
    part.ids.push_back(static_cast<int32_t>(id.Int(0, kMaxVocabSize - 1)));
  }
  for (const JsonCursor& text : definition.At("tokens").Elements()) {
    part.tokens.push_back(text.String());
  }
  if (part.name.empty() || part.ids.size() != part.tokens.size()) {
    definition.Refuse(ErrorKind::kInvalidFile, "a name, and as many ids as tokens, are needed");
  }
  return part;
}

// Only "single" matters: Tern encodes one text at a time, never pairs.
void ReadTemplate(const JsonCursor& post, PostProcessorSpec* out) {
  post.ExpectOnlyKeys({"type", "single", "pair", "special_tokens"});
  if (!out->single.empty()) {
    post.Refuse(ErrorKind::kUnsupported, "a second TemplateProcessing");
  }
  size_t texts = 0;
  for (const JsonCursor& piece : post.At("single").Elements()) {
    piece.ExpectOnlyKeys({"SpecialToken", "Sequence"});
    if (piece.Has("SpecialToken")) {
      out->single.push_back(ReadTemplateToken(piece.At("SpecialToken"), post.At("special_tokens")));
      continue;
    }
    const JsonCursor sequence = piece.At("Sequence");
    if (sequence.At("id").String() != "A") {
      sequence.Refuse(ErrorKind::kInvalidFile, "\"single\" has one text, the sequence \"A\"");
    }
    TemplatePart part;
    part.type_id = static_cast<int32_t>(sequence.At("type_id").Int(0, INT32_MAX));
    out->single.push_back(std::move(part));
    ++texts;
  }
  if (texts != 1) {
    post.Refuse(ErrorKind::kInvalidFile, "\"single\" needs the sequence \"A\" once, not {} times",
                texts);
  }
}

void ReadPostProcessor(const JsonCursor& post, PostProcessorSpec* out) {
  if (post.IsNull()) return;
  const std::string& type = post.At("type").String();
  if (type == "Sequence") {
    post.ExpectOnlyKeys({"type", "processors"});
    for (const JsonCursor& part : post.At("processors").Elements()) ReadPostProcessor(part, out);
  } else if (type == "ByteLevel") {
    post.ExpectOnlyKeys({"type", "add_prefix_space", "trim_offsets", "use_regex"});
    out->byte_level_trim_offsets = BoolOr(post, "trim_offsets", true);
  } else if (type == "TemplateProcessing") {
    ReadTemplate(post, out);
  } else {
    RefuseComponent(post, type, "post-processor", "ByteLevel, TemplateProcessing, Sequence");
  }
}

// Bytes are spelled and read back, or neither.
void CheckByteLevel(const JsonCursor& decoder, const TokenizerSpec& spec) {
  bool decodes = false;
  for (const DecoderStep& step : spec.decoder) {
    decodes = decodes || step.kind == DecoderStep::Kind::kByteLevel;
  }
  const bool alone = !decodes || spec.decoder.size() == 1;
  if (decodes != spec.pre_tokenizer.byte_level() || !alone) {
    decoder.Refuse(ErrorKind::kUnsupported,
                   "the decoder ByteLevel goes with the pre-tokenizer ByteLevel, and alone");
  }
}

// The template's ids are tokens of this file.
void CheckTemplateIds(const JsonCursor& post, const TokenizerSpec& spec) {
  std::unordered_set<int32_t> known;
  for (const VocabEntry& entry : spec.vocab) known.insert(entry.id);
  for (const AddedToken& token : spec.added_tokens) known.insert(token.id);
  for (const TemplatePart& part : spec.post_processor.single) {
    for (const int32_t id : part.ids) {
      if (known.count(id) == 0) {
        post.Refuse(ErrorKind::kInvalidFile, "\"{}\" names the id {}, which no token has",
                    part.name, id);
      }
    }
  }
}

}  // namespace

TokenizerSpec ReadTokenizerJson(std::string_view json, std::string_view name) {
  const nlohmann::json document = ParseJson(json, std::string(name), {.max_depth = 32});
  const JsonCursor root(document, name);
  root.ExpectOnlyKeys({"version", "truncation", "padding", "added_tokens", "normalizer",
                       "pre_tokenizer", "post_processor", "decoder", "model"});
  if (const JsonCursor version = root.Get("version");
      !version.IsNull() && version.String() != "1.0") {
    version.Refuse(ErrorKind::kUnsupported, "version {}; known: 1.0", version.value().dump());
  }
  TokenizerSpec spec;
  spec.name = name;
  RequireNull(root, "truncation", "Tern encodes whole texts");
  RequireNull(root, "padding", "Tern does not pad");
  spec.normalizer = internal::ReadNormalizer(root.Get("normalizer"));
  spec.pre_tokenizer = internal::ReadPreTokenizer(root.Get("pre_tokenizer"));
  spec.decoder = internal::ReadDecoder(root.At("decoder"));
  CheckByteLevel(root.At("decoder"), spec);
  ReadPostProcessor(root.Get("post_processor"), &spec.post_processor);
  VocabMap ids;  // views into the document
  ReadModel(root.At("model"), &spec, &ids);
  ReadAddedTokens(root.Get("added_tokens"), ids, &spec);
  CheckTemplateIds(root.Get("post_processor"), spec);
  return spec;
}

}  // namespace tern
