// SPDX-License-Identifier: MIT
// tokenizer.json to and from TokenizerSpec. The reader checks everything that tokenizer_spec.h
// promises and refuses components that Tern does not have; the writer's files load in Hugging Face
// tokenizers and read back as the same specification.
#pragma once

#include <string>
#include <string_view>

#include "tern/text/tokenizer_spec.h"

namespace tern {

// Throws Error naming `name` and the place.
TokenizerSpec ReadTokenizerJson(std::string_view json, std::string_view name);

std::string WriteTokenizerJson(const TokenizerSpec& spec);

}  // namespace tern
