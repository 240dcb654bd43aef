// SPDX-License-Identifier: MIT
#include "tern/train/train_config.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>

#include "tern/base/error.h"
#include "tern/io/json_file.h"

namespace tern {
namespace {

// Whether `choices`, words separated by |, holds `word`.
bool IsChoice(std::string_view choices, std::string_view word) {
  while (!choices.empty()) {
    const size_t length = std::min(choices.find('|'), choices.size());
    if (choices.substr(0, length) == word) return true;
    choices.remove_prefix(std::min(length + 1, choices.size()));
  }
  return false;
}

void ReadInt(const JsonObject& object, const char* key, int64_t least, int64_t most, int64_t* out) {
  *out = object.FindInt(key, least, most).value_or(*out);
}

void ReadFloat(const JsonObject& object, const char* key, double least, double most, double* out) {
  *out = object.FindFloat(key, least, most).value_or(*out);
}

void ReadChoice(const JsonObject& object, const char* key, std::string_view choices,
                std::string* out) {
  const std::string word = object.FindString(key).value_or(*out);
  if (!IsChoice(choices, word)) {
    Fail(ErrorKind::kInvalidFile, "{}: \"{}\" is {}; it takes {}", object.place(), key,
         Quoted(word), choices);
  }
  *out = word;
}

void RefuseUnknownKeys(const JsonObject& object) {
  const std::vector<TrainSetting> settings = TrainSettings();
  for (const auto& item : object.value().items()) {
    const bool known = std::any_of(settings.begin(), settings.end(),
                                   [&](const TrainSetting& s) { return item.key() == s.key; });
    if (!known) {
      Fail(ErrorKind::kInvalidFile, "{}: unknown key {}; `tern train --help` lists the keys",
           object.place(), Quoted(item.key()));
    }
  }
}

class Checker {
 public:
  explicit Checker(const std::string& place) : place_(place) {}

  void Divides(const char* small_key, int64_t small, const char* large_key, int64_t large) const {
    if (large % small != 0) {
      Fail(ErrorKind::kInvalidArgument, "{}: \"{}\" ({}) is not a multiple of \"{}\" ({})", place_,
           large_key, large, small_key, small);
    }
  }
  void AtMost(const char* small_key, int64_t small, const char* large_key, int64_t large) const {
    if (small > large) {
      Fail(ErrorKind::kInvalidArgument, "{}: \"{}\" ({}) is more than \"{}\" ({})", place_,
           small_key, small, large_key, large);
    }
  }
  void MultipleOf(int64_t unit, const char* what, int64_t value, const char* why) const {
    if (value % unit != 0) {
      Fail(ErrorKind::kInvalidArgument, "{}: {} ({}) must be a multiple of {}: {}", place_, what,
           value, unit, why);
    }
  }

 private:
  const std::string& place_;
};

}  // namespace

std::vector<TrainSetting> TrainSettings() {
  using nlohmann::json;
  return {
#define TERN_TRAIN_INT(key, value, least, most, help) {#key, json(value).dump(), help},
#define TERN_TRAIN_FLOAT(key, value, least, most, help) {#key, json(value).dump(), help},
#define TERN_TRAIN_BOOL(key, value, help) {#key, json(value).dump(), help},
#define TERN_TRAIN_CHOICE(key, value, choices, help) {#key, json(value).dump(), choices ": " help},
#include "tern/train/train_config.inc"
#undef TERN_TRAIN_INT
#undef TERN_TRAIN_FLOAT
#undef TERN_TRAIN_BOOL
#undef TERN_TRAIN_CHOICE
  };
}

TrainConfig TrainConfigFromJson(const nlohmann::json& json, const std::string& place,
                                const TrainConfig& base) {
  const JsonObject object(json, place);
  RefuseUnknownKeys(object);
  TrainConfig config = base;
#define TERN_TRAIN_INT(key, value, least, most, help) \
  ReadInt(object, #key, least, most, &config.key);
#define TERN_TRAIN_FLOAT(key, value, least, most, help) \
  ReadFloat(object, #key, least, most, &config.key);
#define TERN_TRAIN_BOOL(key, value, help) config.key = object.FindBool(#key).value_or(config.key);
#define TERN_TRAIN_CHOICE(key, value, choices, help) ReadChoice(object, #key, choices, &config.key);
#include "tern/train/train_config.inc"
#undef TERN_TRAIN_INT
#undef TERN_TRAIN_FLOAT
#undef TERN_TRAIN_BOOL
#undef TERN_TRAIN_CHOICE
  CheckTrainConfig(config, place);
  return config;
}

TrainConfig ReadTrainConfig(const std::string& path, const TrainConfig& base) {
  return TrainConfigFromJson(ReadJsonFile(path), path, base);
}

nlohmann::ordered_json TrainConfigToJson(const TrainConfig& config) {
  nlohmann::ordered_json json;
#define TERN_TRAIN_INT(key, value, least, most, help) json[#key] = config.key;
#define TERN_TRAIN_FLOAT(key, value, least, most, help) json[#key] = config.key;
#define TERN_TRAIN_BOOL(key, value, help) json[#key] = config.key;
#define TERN_TRAIN_CHOICE(key, value, choices, help) json[#key] = config.key;
#include "tern/train/train_config.inc"
#undef TERN_TRAIN_INT
#undef TERN_TRAIN_FLOAT
#undef TERN_TRAIN_BOOL
#undef TERN_TRAIN_CHOICE
  return json;
}

void CheckTrainConfig(const TrainConfig& c, const std::string& place) {
  const Checker check(place);
  check.Divides("num_attention_heads", c.num_attention_heads, "hidden_size", c.hidden_size);
  check.Divides("num_key_value_heads", c.num_key_value_heads, "num_attention_heads",
                c.num_attention_heads);
  check.MultipleOf(2, "\"hidden_size\" / \"num_attention_heads\"",
                   c.hidden_size / c.num_attention_heads, "rotary positions turn pairs");
  if (c.weights == "ternary") {
    constexpr const char* kWhy = "the packed form holds four rows in a byte";
    check.MultipleOf(4, "\"hidden_size\"", c.hidden_size, kWhy);
    check.MultipleOf(4, "\"intermediate_size\"", c.intermediate_size, kWhy);
    check.MultipleOf(4, "the width of keys and values",
                     c.hidden_size / c.num_attention_heads * c.num_key_value_heads, kWhy);
  }
  check.AtMost("sequence_length", c.sequence_length, "max_position_embeddings",
               c.max_position_embeddings);
  check.Divides("sequence_length", c.sequence_length, "micro_batch_tokens", c.micro_batch_tokens);
  check.Divides("micro_batch_tokens", c.micro_batch_tokens, "batch_tokens", c.batch_tokens);
}

TrainConfig DefaultTrainConfig(uint64_t text_bytes) {
  TrainConfig config;
  if (text_bytes >= uint64_t{16} << 20) return config;
  config.vocab_size = 1024;
  config.hidden_size = 128;
  config.intermediate_size = 384;
  config.num_hidden_layers = 4;
  config.max_position_embeddings = config.sequence_length = 128;
  config.batch_tokens = config.micro_batch_tokens = 2048;
  config.steps = 2500;
  config.learning_rate = 8e-3;
  config.second_learning_rate = 5e-3;
  return config;
}

void FitContext(int64_t positions, TrainConfig* config) {
  config->max_position_embeddings = positions;
  if (config->sequence_length <= positions) return;
  const auto whole = [](int64_t large, int64_t small) {
    return std::max(small, large / small * small);
  };
  config->sequence_length = positions;
  config->micro_batch_tokens = whole(config->micro_batch_tokens, config->sequence_length);
  config->batch_tokens = whole(config->batch_tokens, config->micro_batch_tokens);
}

Schedule ScheduleOf(const TrainConfig& config) {
  Schedule schedule;
  schedule.kind = config.schedule == "constant" ? ScheduleKind::kConstant
                  : config.schedule == "linear" ? ScheduleKind::kLinear
                                                : ScheduleKind::kTwoStage;
  schedule.steps = config.steps;
  schedule.warmup_steps = config.warmup_steps;
  schedule.peak_rate = config.learning_rate;
  schedule.second_rate = config.second_learning_rate;
  schedule.final_rate = config.final_learning_rate;
  schedule.weight_decay = config.weight_decay;
  return schedule;
}

DType FloatDTypeOf(const TrainConfig& config) {
  return config.float_dtype == "bf16"  ? DType::kBF16
         : config.float_dtype == "f16" ? DType::kF16
                                       : DType::kF32;
}

}  // namespace tern
