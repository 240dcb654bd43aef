// SPDX-License-Identifier: MIT
// Models as GGUF files: reading what other tools wrote, and writing what they read. Internal to the
// room but for SaveGguf; LoadModel (checkpoint.h) opens both kinds of model.
//
// Projections are trits (pack/trit_blocks.h), or floats that are ternary already or masters; other
// tensors are floats, also in blocks (pack/float_blocks.h), which become f32. Trits are never
// changed; scales and floats are what the file holds.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tern/base/function_ref.h"
#include "tern/io/gguf.h"
#include "tern/models/checkpoint.h"

namespace tern {

ModelConfig ReadGgufConfig(const GgufFile& file);

// The tokenizer of the file's metadata: the tokenizer.json that it may hold, else byte-level BPE
// ("gpt2") from tokens and merges. nullopt where there is none.
std::optional<Tokenizer> ReadGgufTokenizer(const GgufMetadata& metadata);

LoadedModel LoadGgufModel(Context& ctx, const std::string& path, const LoadOptions& options);

struct GgufOptions {
  std::string trits = "i2_s";  // or tq1_0, tq2_0 (TritBlock::name)
  std::string floats = "F16";  // type of embeddings and head: F32, F16, BF16, Q8_0, Q6_K
  const Tokenizer* tokenizer = nullptr;
  std::string chat_template = {};  // none: empty
  bool replace = false;            // whether a file at the path may give way
};

// What looks at the complete file under its temporary path, with the tensors that were rounded,
// before it takes its place. What it throws ends the saving, which then leaves nothing behind.
using GgufCheck = FunctionRef<void(const std::string& path, std::span<const std::string> rounded)>;

// Writes a packed model as one GGUF file, whole or not at all. Returns the tensors whose numbers
// were rounded, as "NAME (what)"; the logits of the file are the model's, bit for bit, where there
// are none. An Error that names the tensor where a row is not a multiple of the type's block, where
// the type has no place for its scales and where a projection is not ternary; and an Error for
// models that GGUF has no name for.
std::vector<std::string> SaveGguf(
    Context& ctx, const Model& model, const std::string& path, const GgufOptions& options,
    GgufCheck check = [](const std::string&, std::span<const std::string>) {});

}  // namespace tern
