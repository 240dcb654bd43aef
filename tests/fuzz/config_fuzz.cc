// SPDX-License-Identifier: MIT
// Any bytes as a configuration: an Error that names the file in one line, or a JSON value whose
// keys can be read with every type, and which survives being written and parsed again. The same as
// the configuration of a model, and of a training run: an Error, or one that is written as it was
// read.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "tern/base/check.h"
#include "tern/base/error.h"
#include "tern/io/json_file.h"
#include "tern/models/config.h"
#include "tern/models/config_writer.h"
#include "tern/train/train_config.h"

namespace {

using tern::JsonObject;
using tern::ModelConfig;
using tern::TrainConfig;

const std::string& Path() {
  static const std::string path = "dir/config.json";
  return path;
}

template <typename Call>
void ExpectValueOrError(Call&& call) {
  try {
    call();
  } catch (const tern::Error& error) {
    const std::string_view message = error.what();
    TERN_CHECK(message.find(Path()) != std::string_view::npos);
    TERN_CHECK(message.find('\n') == std::string_view::npos);
  }
}

void ReadEveryWay(const JsonObject& object) {
  for (const auto& item : object.value().items()) {
    const std::string& key = item.key();
    ExpectValueOrError([&] {
      const int64_t number = object.GetInt(key, -100, 1 << 30);
      TERN_CHECK(number >= -100 && number <= 1 << 30);
    });
    ExpectValueOrError([&] {
      const double number = object.GetFloat(key, -1e9, 1e9);
      TERN_CHECK(number >= -1e9 && number <= 1e9);
    });
    ExpectValueOrError([&] { object.FindBool(key); });
    ExpectValueOrError([&] { object.FindString(key); });
    ExpectValueOrError([&] { object.FindInts(key, 0, INT64_MAX); });
    ExpectValueOrError([&] { object.FindStrings(key); });
    ExpectValueOrError([&] { object.RefuseOtherKeys({"hidden_size", "rope_parameters"}); });
    ExpectValueOrError([&] {
      if (const auto inner = object.FindObject(key)) ReadEveryWay(*inner);
    });
  }
}

void ReadAsModel(const nlohmann::json& value) {
  const ModelConfig config = tern::ParseModelConfig(JsonObject(value, Path()));
  TERN_CHECK(tern::ParameterCount(config) > 0);
  const auto written =
      tern::ModelConfigJson(config, {config.stored, tern::DType::kF32, config.declares_weights});
  const nlohmann::json read = tern::ParseJson(written.dump(), Path());
  const ModelConfig again = tern::ParseModelConfig(JsonObject(read, Path()));
  TERN_CHECK(tern::ModelConfigJson(
                 again, {again.stored, tern::DType::kF32, again.declares_weights}) == written);
}

void ReadAsTrainingRun(const nlohmann::json& value) {
  const TrainConfig config = tern::TrainConfigFromJson(value, Path());
  const auto written = tern::TrainConfigToJson(config);
  const nlohmann::json read = tern::ParseJson(written.dump(), Path());
  TERN_CHECK(tern::TrainConfigToJson(tern::TrainConfigFromJson(read, Path())) == written);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  ExpectValueOrError([&] {
    const nlohmann::json value = tern::ParseJson(text, Path(), {.max_depth = 32});
    TERN_CHECK(tern::ParseJson(value.dump(), Path(), {.max_depth = 32}) == value);
    ExpectValueOrError([&] { ReadAsModel(value); });
    ExpectValueOrError([&] { ReadAsTrainingRun(value); });
    ReadEveryWay(JsonObject(value, Path()));
  });
  return 0;
}
