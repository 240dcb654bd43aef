// SPDX-License-Identifier: MIT
// A small tokenizer.json to vary, for the tests of this room alone.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tern/text/byte_level.h"

namespace tern {

// All bytes (the byte's value is its id), then one token per merge; ByteLevel without a pattern.
inline nlohmann::json SmallTokenizerJson(const std::vector<std::string>& merges = {}) {
  using nlohmann::json;
  json vocab = json::object();
  for (int byte = 0; byte < 256; ++byte) {
    vocab[ByteLevelSpell(std::string(1, static_cast<char>(byte)))] = byte;
  }
  int next = 256;
  for (std::string token : merges) {
    token.erase(token.find(' '), 1);
    vocab[token] = next++;
  }
  const json byte_level = {{"type", "ByteLevel"},
                           {"add_prefix_space", false},
                           {"trim_offsets", true},
                           {"use_regex", false}};
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", json::array()},
          {"normalizer", nullptr},
          {"pre_tokenizer", byte_level},
          {"post_processor", nullptr},
          {"decoder", byte_level},
          {"model",
           {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", nullptr},
            {"continuing_subword_prefix", nullptr},
            {"end_of_word_suffix", nullptr},
            {"fuse_unk", false},
            {"byte_fallback", false},
            {"ignore_merges", false},
            {"vocab", vocab},
            {"merges", merges}}}};
}

inline nlohmann::json AddedTokenJson(int id, const std::string& content) {
  return {{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", false}, {"special", true}};
}

}  // namespace tern
