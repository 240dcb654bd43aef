// SPDX-License-Identifier: MIT
// Loading models for the commands, and hashes of their logits that show two of them equal.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tern/core/context.h"
#include "tern/models/checkpoint.h"

namespace tern::cli {

// LoadModel of what `model` names (model_path.h).
LoadedModel Load(Context& ctx, const std::string& model, const LoadOptions& options = {});

// What a command does with text: what an embedding model cannot, or what only one can.
enum class Purpose : uint8_t { kPredict, kEmbed };

// The same for a command that reads or writes text: Error when there is no tokenizer, and for a
// model that was made for something else.
LoadedModel LoadWithTokenizer(Context& ctx, const std::string& model,
                              const LoadOptions& options = {}, Purpose purpose = Purpose::kPredict);

// --weights and --i2s-layout: what a file does not say about its weights.
void AddLoadOptions(CLI::App* command, LoadOptions* load);

// --kv-type: what keys and values are rounded to.
void AddKvTypeOption(CLI::App* command, DType* type);

// --weights-layout: how trits lie in memory; none: as the model runs fastest here.
void AddLayoutOption(CLI::App* command, std::optional<TernaryLayout>* layout);
// The same for a list of layouts, which are tried in turn.
void AddLayoutsOption(CLI::App* command, std::vector<TernaryLayout>* layouts);
const char* LayoutName(TernaryLayout layout);

// A fixed prompt for a model without regard to its tokenizer: tokens all over the vocabulary.
std::vector<int32_t> ProbeIds(const ModelConfig& config);

// ids as the tensor [batch, ids] with equal rows.
Tensor IdsTensor(Context& ctx, std::span<const int32_t> ids, int64_t batch = 1);

// Hash of the logits at every position of the ids.
uint64_t LogitsHash(Context& ctx, const Model& model, std::span<const int32_t> ids);

// 16 hexadecimal digits.
std::string HashText(uint64_t hash);

}  // namespace tern::cli
