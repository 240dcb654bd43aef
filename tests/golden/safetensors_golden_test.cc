// SPDX-License-Identifier: MIT
// The golden set's files as the reader sees them: every tensor is read, and the set has the form
// that README.md gives it, so that the other golden tests fail for their own reasons alone.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "tern/base/float16.h"
#include "tern/io/json_file.h"
#include "tern/io/tensor_directory.h"
#include "tests/golden/golden.h"

namespace tern {
namespace {

constexpr const char* kCheckpoints[] = {"bitnet-online", "bitnet-packed", "llama-packed"};

std::vector<float> Floats(const TensorInfo& tensor) {
  std::vector<float> values(static_cast<size_t>(tensor.element_count));
  if (tensor.dtype == DType::kBF16) {
    std::vector<BF16> halves(values.size());
    CopyTo(tensor, DType::kBF16, std::span(halves));
    for (size_t i = 0; i < values.size(); ++i) values[i] = ToF32(halves[i]);
  } else {
    CopyTo(tensor, DType::kF32, std::span(values));
  }
  return values;
}

void ExpectFinite(const TensorInfo& tensor) {
  for (const float value : Floats(tensor)) {
    ASSERT_TRUE(std::isfinite(value)) << tensor.file << " " << tensor.name;
  }
}

void ExpectIdsBelow(const TensorInfo& tensor, int64_t vocab) {
  std::vector<int32_t> ids(static_cast<size_t>(tensor.element_count));
  CopyTo(tensor, DType::kI32, std::span(ids));
  for (const int32_t id : ids) {
    ASSERT_TRUE(id >= 0 && id < vocab) << tensor.file << " " << tensor.name << " holds " << id;
  }
}

TEST(SafetensorsGolden, CheckpointsReadWhole) {
  for (const char* name : kCheckpoints) {
    const TensorDirectory directory(GoldenDir(name));
    size_t packed = 0;
    size_t scales = 0;
    for (const TensorInfo* tensor : directory.tensors()) {
      if (tensor->dtype == DType::kU8) {
        ++packed;
        ASSERT_NE(directory.Find(tensor->name + "_scale"), nullptr) << tensor->name;
      } else {
        ExpectFinite(*tensor);
        if (tensor->name.ends_with("_scale")) ++scales;
      }
    }
    EXPECT_EQ(packed, scales) << name;
    EXPECT_EQ(packed > 0, std::string(name) != "bitnet-online") << name;
    EXPECT_EQ(directory.shards()[0]->metadata().at("format"), "pt");
  }
}

TEST(SafetensorsGolden, ExpectedOutputsHaveTheirForm) {
  for (const char* name : kCheckpoints) {
    const nlohmann::json document = ReadJsonFile(GoldenDir(name) + "/config.json");
    const JsonObject config(document, GoldenDir(name) + "/config.json");
    const int64_t vocab = config.GetInt("vocab_size", 1, 1 << 24);
    const SafetensorsFile expected(GoldenDir(name) + "/expected.safetensors");
    EXPECT_EQ(expected.tensors().size(), 12u);
    for (int i = 0; i < 4; ++i) {
      const std::string number = std::to_string(i);
      const TensorInfo& ids = expected.Get("ids." + number);
      const TensorInfo& logits = expected.Get("logits." + number);
      ExpectIdsBelow(ids, vocab);
      ExpectIdsBelow(expected.Get("greedy." + number), vocab);
      ExpectFinite(logits);
      RequireShape(logits, std::vector<int64_t>{std::min<int64_t>(8, ids.element_count), vocab});
    }
  }
}

TEST(SafetensorsGolden, TrainingStatesHaveTheirForm) {
  const std::string directory = GoldenDir("qat-train");
  const SafetensorsFile init(directory + "/init.safetensors");
  for (const std::string step : {"00", "10", "20"}) {
    const SafetensorsFile state(directory + "/step" + step + ".safetensors");
    for (const TensorInfo& weight : init.tensors()) {
      for (const std::string part : {"weight.", "grad.", "after.", "exp_avg.", "exp_avg_sq."}) {
        if (step == "00" && part.starts_with("exp_avg")) continue;
        const TensorInfo& tensor = state.Get(part + weight.name);
        RequireShape(tensor, weight.shape);
        ExpectFinite(tensor);
      }
    }
    RequireShape(state.Get("loss"), std::vector<int64_t>{1});
  }
  const nlohmann::json document = ReadJsonFile(directory + "/run.json");
  const JsonObject run(document, directory + "/run.json");
  const SafetensorsFile batches(directory + "/run.safetensors");
  const int64_t steps = run.GetInt("steps", 1, 1 << 20);
  RequireShape(batches.Get("batches"), std::vector<int64_t>{steps, run.GetInt("batch", 1, 1 << 20),
                                                            run.GetInt("seq", 1, 1 << 20) + 1});
  EXPECT_EQ(document.at("losses").size(), static_cast<size_t>(steps));
}

}  // namespace
}  // namespace tern
