// SPDX-License-Identifier: MIT
#include <map>
#include <nlohmann/json.hpp>
#include <string_view>
#include <unordered_map>

#include "tern/text/tokenizer_json.h"
#include "tern/text/tokenizer_json_components.h"

namespace tern {
namespace {

using nlohmann::ordered_json;

ordered_json TemplateText(const char* id, int32_t type_id) {
  return {{"Sequence", {{"id", id}, {"type_id", type_id}}}};
}

// Pairs of texts, which Tern never encodes, become the first as usual and the second bare.
ordered_json WriteTemplate(const std::vector<TemplatePart>& parts) {
  ordered_json single = ordered_json::array();
  ordered_json special_tokens = ordered_json::object();
  for (const TemplatePart& part : parts) {
    if (part.name.empty()) {
      single.push_back(TemplateText("A", part.type_id));
      continue;
    }
    single.push_back({{"SpecialToken", {{"id", part.name}, {"type_id", part.type_id}}}});
    special_tokens[part.name] = {{"id", part.name}, {"ids", part.ids}, {"tokens", part.tokens}};
  }
  ordered_json pair = single;
  pair.push_back(TemplateText("B", 1));
  return {{"type", "TemplateProcessing"},
          {"single", std::move(single)},
          {"pair", std::move(pair)},
          {"special_tokens", std::move(special_tokens)}};
}

ordered_json WritePostProcessor(const PostProcessorSpec& spec) {
  ordered_json processors = ordered_json::array();
  if (spec.byte_level_trim_offsets) {
    processors.push_back(internal::WriteByteLevel({.add_prefix_space = true,
                                                   .use_regex = true,
                                                   .trim_offsets = *spec.byte_level_trim_offsets}));
  }
  if (!spec.single.empty()) processors.push_back(WriteTemplate(spec.single));
  if (processors.empty()) return nullptr;
  if (processors.size() == 1) return processors[0];
  return {{"type", "Sequence"}, {"processors", std::move(processors)}};
}

ordered_json WriteUnigram(const TokenizerSpec& spec) {
  ordered_json vocab = ordered_json::array();
  for (size_t i = 0; i < spec.vocab.size(); ++i) {
    vocab.push_back(ordered_json::array({spec.vocab[i].spelling, spec.scores[i]}));
  }
  ordered_json unk = nullptr;
  if (spec.unk_id) unk = *spec.unk_id;
  return {{"type", "Unigram"},
          {"unk_id", std::move(unk)},
          {"vocab", std::move(vocab)},
          {"byte_fallback", spec.byte_fallback}};
}

ordered_json WriteBpe(const TokenizerSpec& spec) {
  std::unordered_map<int32_t, std::string_view> spellings;
  // ordered_json looks each key up in linear time before it adds one; the vector below it does not.
  ordered_json::object_t vocab;
  vocab.reserve(spec.vocab.size());
  bool spaces = false;
  for (const VocabEntry& entry : spec.vocab) {
    spellings.emplace(entry.id, entry.spelling);
    spaces = spaces || entry.spelling.find(' ') != std::string::npos;
    vocab.std::vector<ordered_json::object_t::value_type>::emplace_back(entry.spelling, entry.id);
  }
  ordered_json merges = ordered_json::array();
  for (const Merge& merge : spec.merges) {
    const std::string left(spellings.at(merge.left));
    const std::string right(spellings.at(merge.right));
    // The older form, which every version of tokenizers reads, cannot hold spaces.
    if (spaces) {
      merges.push_back(ordered_json::array({left, right}));
    } else {
      merges.push_back(left + " " + right);
    }
  }
  ordered_json unk = nullptr;
  if (!spec.unk_token.empty()) unk = spec.unk_token;
  return {{"type", "BPE"},
          {"dropout", nullptr},
          {"unk_token", std::move(unk)},
          {"continuing_subword_prefix", nullptr},
          {"end_of_word_suffix", nullptr},
          {"fuse_unk", spec.fuse_unk},
          {"byte_fallback", spec.byte_fallback},
          {"ignore_merges", spec.ignore_merges},
          {"vocab", ordered_json(std::move(vocab))},
          {"merges", std::move(merges)}};
}

}  // namespace

std::string WriteTokenizerJson(const TokenizerSpec& spec) {
  ordered_json added = ordered_json::array();
  for (const AddedToken& token : spec.added_tokens) {
    added.push_back({{"id", token.id},
                     {"content", token.content},
                     {"single_word", token.single_word},
                     {"lstrip", token.lstrip},
                     {"rstrip", token.rstrip},
                     {"normalized", token.normalized},
                     {"special", token.special}});
  }
  const bool unigram = spec.model == TokenizerModel::kUnigram;
  const ordered_json document = {{"version", "1.0"},
                                 {"truncation", nullptr},
                                 {"padding", nullptr},
                                 {"added_tokens", std::move(added)},
                                 {"normalizer", internal::WriteNormalizer(spec.normalizer)},
                                 {"pre_tokenizer", internal::WritePreTokenizer(spec.pre_tokenizer)},
                                 {"post_processor", WritePostProcessor(spec.post_processor)},
                                 {"decoder", internal::WriteDecoder(spec.decoder)},
                                 {"model", unigram ? WriteUnigram(spec) : WriteBpe(spec)}};
  return document.dump(1) + "\n";
}

}  // namespace tern
