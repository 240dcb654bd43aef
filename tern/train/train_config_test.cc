// SPDX-License-Identifier: MIT
#include "tern/train/train_config.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tern/base/test_directory.h"
#include "tern/io/json_file.h"
#include "tern/io/test_files.h"

namespace tern {
namespace {

using nlohmann::json;
using testing::ExpectError;

constexpr auto kInvalidFile = ErrorKind::kInvalidFile;

TrainConfig Read(const json& value) { return TrainConfigFromJson(value, "c.json"); }

TEST(TrainConfig, EveryPresetIsConsistentAndSurvivesAFile) {
  const TestDirectory directory;
  for (const uint64_t bytes : {uint64_t{1000}, uint64_t{1} << 20, uint64_t{1} << 30}) {
    const TrainConfig config = DefaultTrainConfig(bytes);
    const std::string path = directory.File("train.json");
    WriteJsonFile(path, TrainConfigToJson(config));
    const TrainConfig read = ReadTrainConfig(path);
    EXPECT_EQ(TrainConfigToJson(read), TrainConfigToJson(config));
  }
}

TEST(TrainConfig, FitsAContext) {
  for (const int64_t positions : {1, 48, 100, 256, 5000, 20'000}) {
    SCOPED_TRACE(positions);
    TrainConfig config;
    FitContext(positions, &config);
    CheckTrainConfig(config, "fitted");
    EXPECT_EQ(config.sequence_length, std::min(positions, TrainConfig().sequence_length));
    EXPECT_GT(config.batch_tokens, TrainConfig().batch_tokens - positions);
  }
}

TEST(TrainConfig, KeysOfTheFileWinOverTheBase) {
  const TrainConfig base = DefaultTrainConfig(1000);
  const TrainConfig config = TrainConfigFromJson(
      json{{"hidden_size", 64}, {"weights", "f32"}, {"learning_rate", 1}}, "c.json", base);
  EXPECT_EQ(config.hidden_size, 64);
  EXPECT_EQ(config.weights, "f32");
  EXPECT_EQ(config.learning_rate, 1.0);
  EXPECT_EQ(config.vocab_size, base.vocab_size);
}

TEST(TrainConfig, ListsEverySettingWithItsDefault) {
  const std::vector<TrainSetting> settings = TrainSettings();
  const nlohmann::ordered_json defaults = TrainConfigToJson({});
  ASSERT_EQ(settings.size(), defaults.size());
  for (const TrainSetting& setting : settings) {
    EXPECT_EQ(setting.default_value, defaults.at(setting.key).dump()) << setting.key;
    EXPECT_STRNE(setting.help, "") << setting.key;
  }
}

TEST(TrainConfig, RefusesUnknownKeysWrongTypesAndRanges) {
  ExpectError([] { Read({{"hiden_size", 64}}); }, kInvalidFile, {"c.json", "hiden_size"});
  ExpectError([] { Read({{"hidden_size", "64"}}); }, kInvalidFile, {"c.json", "hidden_size"});
  ExpectError([] { Read({{"hidden_size", -64}}); }, kInvalidFile, {"c.json", "hidden_size"});
  ExpectError([] { Read({{"steps", 0}}); }, kInvalidFile, {"c.json", "steps"});
  ExpectError([] { Read({{"beta2", 1.0}}); }, kInvalidFile, {"c.json", "beta2"});
  ExpectError(
      [] {
        Read({{"weights", "binary"}});
      },
      kInvalidFile, {"c.json", "weights", "binary", "ternary|f32"});
  ExpectError([] { Read({{"weights", "tern"}}); }, kInvalidFile, {"weights"});
  ExpectError([] { Read({{"weights", "ternary|f32"}}); }, kInvalidFile, {"weights"});
  ExpectError([] { Read(json::array()); }, kInvalidFile, {"c.json"});
}

TEST(TrainConfig, RefusesContradictions) {
  constexpr auto kInvalid = ErrorKind::kInvalidArgument;
  ExpectError(
      [] {
        Read({{"num_attention_heads", 3}, {"num_key_value_heads", 3}});
      },
      kInvalid, {"c.json", "hidden_size", "num_attention_heads"});
  ExpectError([] { Read({{"num_key_value_heads", 3}}); }, kInvalid, {"num_key_value_heads"});
  ExpectError(
      [] {
        Read({{"hidden_size", 60}, {"num_attention_heads", 4}});
      },
      kInvalid, {"hidden_size", "multiple of 2"});
  ExpectError([] { Read({{"intermediate_size", 770}}); }, kInvalid, {"intermediate_size"});
  EXPECT_NO_THROW(Read({{"intermediate_size", 770}, {"weights", "f32"}}));
  ExpectError([] { Read({{"sequence_length", 512}}); }, kInvalid, {"max_position_embeddings"});
  ExpectError([] { Read({{"batch_tokens", 8000}}); }, kInvalid, {"batch_tokens"});
  ExpectError([] { Read({{"micro_batch_tokens", 100}}); }, kInvalid, {"micro_batch_tokens"});
}

TEST(TrainConfig, MakesTheSchedule) {
  const Schedule schedule = ScheduleOf(Read({{"schedule", "linear"}, {"steps", 7}}));
  EXPECT_EQ(schedule.kind, ScheduleKind::kLinear);
  EXPECT_EQ(schedule.steps, 7);
  EXPECT_EQ(ScheduleOf({}).kind, ScheduleKind::kTwoStage);
  EXPECT_EQ(ScheduleOf(Read({{"schedule", "constant"}})).kind, ScheduleKind::kConstant);
}

}  // namespace
}  // namespace tern
