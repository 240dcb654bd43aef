// SPDX-License-Identifier: MIT
// Models as Hugging Face directories: config.json, model.safetensors (or shards with an index),
// generation_config.json, tokenizer.json. Reading takes the three forms of ternary weights that are
// in use (masters; uint8 with a weight_scale that multiplies, or that divides) and plain floats in
// f32, bf16 or f16; files are mapped, and the pages of a tensor are let go once it is in memory.
// What is written loads in transformers.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tern/core/context.h"
#include "tern/models/config.h"
#include "tern/models/model.h"
#include "tern/pack/ternary_layout.h"
#include "tern/text/tokenizer.h"

namespace tern {

// What floats are that come without a quantization_config.
enum class FloatWeights : uint8_t {
  kByFamily,  // a BitNet's masters; other families' plain floats
  kMasters,   // masters, or ternary already
  kPlain,     // as they are
};

struct LoadOptions {
  FloatWeights weights = FloatWeights::kByFamily;
  bool keep_masters = false;  // for training; else they are packed tensor by tensor
  // Model::Pack's, where masters are not kept.
  std::optional<TernaryLayout> layout = {};
  // Becomes ModelConfig::float_dtype: what floats are rounded to before each use.
  DType float_dtype = DType::kF32;
  // How the codes of I2_S tensors lie, a TritBlock: i2_s, i2_s_64 or i2_s_rows. Empty: as the file
  // says, or as the published files have it, i2_s.
  std::string i2_s_layout = {};
  bool tokenizer = true;  // whether to read tokenizer.json; who has token ids needs none
};

struct LoadedModel {
  std::unique_ptr<Model> model;
  std::optional<Tokenizer> tokenizer;  // if the directory has a tokenizer.json, or the file one
  std::string path;
};

// `path` is a directory or a GGUF file (gguf_model.h).
// Throws an Error that names file, tensor or key for whatever is missing, contradictory, of the
// wrong shape or type, or not finite, and for a tokenizer that has more tokens than the model.
LoadedModel LoadModel(Context& ctx, const std::string& path, const LoadOptions& options = {});

enum class CheckpointForm : uint8_t {
  kMasters,        // masters (autobitlinear, online), or the weights of a plain model
  kPacked,         // uint8 trits and f32 weight_scale, the very multiplier (autobitlinear, offline)
  kPackedDivides,  // the same, but weight_scale is 1 / multiplier (bitlinear)
  kFloats,         // trit * scale, with scales of any granularity; no quantization_config
};

struct SaveOptions {
  CheckpointForm form = CheckpointForm::kMasters;
  // Of masters and floats. None: the model's float_dtype for masters; f32 for the packed form,
  // whose floats transformers (5.24) would otherwise keep narrow beside activations in f32, and
  // fail.
  std::optional<DType> float_dtype = {};
  uint64_t max_shard_bytes = uint64_t{5} << 30;
  const Tokenizer* tokenizer = nullptr;  // written along as tokenizer.json
  // A model's directory. What it says about generation, its tokenizer and chats
  // (generation_config.json, tokenizer_config.json, ...) is taken along as it is, in place of the
  // little that the model itself knows. None: an empty string.
  std::string companions = {};
  bool replace = false;  // SaveModel: whether a directory at the path may give way
};
// Names of the files that `companions` takes along, if they are there.
std::span<const std::string_view> CompanionFiles();

struct SaveReport {
  std::vector<std::string> rounded;  // names of the tensors that the form could not hold exactly
};

// Writes the files into `directory`, which exists and is empty; after an Error it holds a part of
// them. Masters of a packed model, a packed form of one with float activations or of scales finer
// than one a matrix, are an Error that names the tensor.
SaveReport WriteModelFiles(Context& ctx, const Model& model, const std::string& directory,
                           const SaveOptions& options);
// The same for a directory that appears as a whole or not at all.
SaveReport SaveModel(Context& ctx, const Model& model, const std::string& directory,
                     const SaveOptions& options);

}  // namespace tern
