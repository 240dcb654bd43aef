// SPDX-License-Identifier: MIT
// TrainConfig: all settings of a training run, read from a JSON file of one flat object and written
// beside what was trained. train_config.inc lists the keys. A key that is not there keeps its
// default; an unknown key, a value out of its range and settings that contradict each other are
// Errors that name the file and the key.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "tern/core/dtype.h"
#include "tern/train/schedule.h"

namespace tern {

struct TrainConfig {
#define TERN_TRAIN_INT(key, value, least, most, help) int64_t key = value;
#define TERN_TRAIN_FLOAT(key, value, least, most, help) double key = value;
#define TERN_TRAIN_BOOL(key, value, help) bool key = value;
#define TERN_TRAIN_CHOICE(key, value, choices, help) std::string key = value;
#include "tern/train/train_config.inc"
#undef TERN_TRAIN_INT
#undef TERN_TRAIN_FLOAT
#undef TERN_TRAIN_BOOL
#undef TERN_TRAIN_CHOICE

  int64_t sequences_per_step() const { return batch_tokens / sequence_length; }
  int64_t sequences_at_once() const { return micro_batch_tokens / sequence_length; }
};

// For help texts: a key, its default as JSON, and what it means.
struct TrainSetting {
  const char* key;
  std::string default_value;
  const char* help;
};
std::vector<TrainSetting> TrainSettings();

// Settings of the file over `base`. Throws Error(kInvalidFile).
TrainConfig ReadTrainConfig(const std::string& path, const TrainConfig& base = {});
// The same from JSON that `place` names.
TrainConfig TrainConfigFromJson(const nlohmann::json& json, const std::string& place,
                                const TrainConfig& base = {});
nlohmann::ordered_json TrainConfigToJson(const TrainConfig& config);

// Throws Error(kInvalidArgument) that begins with `place` when settings contradict each other.
void CheckTrainConfig(const TrainConfig& config, const std::string& place);

// What `tern train` starts from when told nothing but a text of that size: a model and a number of
// steps that learn something from it in minutes on two cores.
TrainConfig DefaultTrainConfig(uint64_t text_bytes);

// Fits settings to a model that takes so many positions: windows of no more, and batches of whole
// windows. For defaults, before what a user says.
void FitContext(int64_t positions, TrainConfig* config);

Schedule ScheduleOf(const TrainConfig& config);
DType FloatDTypeOf(const TrainConfig& config);

}  // namespace tern
