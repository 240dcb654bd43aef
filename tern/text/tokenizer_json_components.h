// SPDX-License-Identifier: MIT
// The components of tokenizer.json that rewrite, cut and decode text, read and written side by
// side. Part of tokenizer_json.h.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "tern/text/json_cursor.h"
#include "tern/text/tokenizer_spec.h"

namespace tern::internal {

bool BoolOr(const JsonCursor& object, const std::string& key, bool otherwise);

// Throws Error(kUnsupported) that names the component's type and lists the known ones.
[[noreturn]] void RefuseComponent(const JsonCursor& component, const std::string& type,
                                  std::string_view kind, std::string_view known);

// The reader of each; null is a component that does nothing.
std::vector<NormalizerStep> ReadNormalizer(const JsonCursor& normalizer);
PreTokenizerSpec ReadPreTokenizer(const JsonCursor& pre_tokenizer);
std::vector<DecoderStep> ReadDecoder(const JsonCursor& decoder);

nlohmann::ordered_json WriteNormalizer(const std::vector<NormalizerStep>& steps);
nlohmann::ordered_json WritePreTokenizer(const PreTokenizerSpec& spec);
nlohmann::ordered_json WriteDecoder(const std::vector<DecoderStep>& steps);
nlohmann::ordered_json WriteByteLevel(const ByteLevelSpec& spec);

}  // namespace tern::internal
