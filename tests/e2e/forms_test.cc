// SPDX-License-Identifier: MIT
// Forms of weights and embedding models at the command line, on the golden checkpoints.
#include <gmock/gmock.h>

#include "tests/e2e/program.h"

namespace tern::e2e {
namespace {

std::string Golden(const std::string& name) { return Source("tests/golden/" + name); }

TEST(Forms, ConvertKeepsLogitsAndNamesWhatItRounds) {
  const TestDirectory directory;
  int number = 0;
  const auto convert = [&](const std::string& from, const std::string& type) {
    const std::string out = directory.File(std::to_string(number++));
    const nlohmann::json result = SucceedsWithJson({"convert", from, out, "--type", type});
    EXPECT_EQ(result["equal"], true) << from << " as " << type;
    EXPECT_EQ(result["rounded"].size(), 0u) << from << " as " << type;
    return out;
  };
  std::string packed = Golden("llama-packed");
  for (const char* type : {"hf-packed", "hf-floats", "hf-bitlinear"}) {
    packed = convert(packed, type);
  }
  convert(Golden("onebitllm"), "hf-masters");
  convert(Golden("ternary-bonsai"), "hf-floats");
  Refuses(1, {"convert", Golden("trilm"), directory.File("no"), "--type", "hf-bitlinear"},
          {"activations are float"});
  const nlohmann::json rounded =
      SucceedsWithJson({"convert", Golden("onebitllm"), directory.File("bf16"), "--float", "bf16"});
  EXPECT_THAT(rounded["rounded"], ::testing::Contains("model.norm.weight"));
}

TEST(Forms, MastersByWish) {
  const std::string model = Golden("trilm");
  const auto logits = [&](std::vector<std::string> more) {
    std::vector<std::string> arguments = {"logits", model, "--ids", "1,2,3"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return SucceedsWithJson(arguments)["logits"];
  };
  EXPECT_EQ(logits({"--weights", "float"}), logits({}));
  EXPECT_NE(logits({"--weights", "masters"}), logits({}));
  Refuses(1, {"logits", Golden("llama-packed"), "--ids", "1", "--weights", "masters"},
          {"quantization_config"});
  Refuses(2, {"logits", model, "--ids", "1", "--weights", "trits"}, {"--weights"});
}

TEST(Forms, EmbeddingModelsEmbed) {
  const std::string model = Golden("qwen3-embedding");
  const nlohmann::json result = SucceedsWithJson({"embed", model, "--ids", "1,2,3"});
  ASSERT_EQ(result["embeddings"].size(), 1u);
  double squares = 0;
  for (const double x : result["embeddings"][0]) squares += x * x;
  EXPECT_NEAR(squares, 1.0, 1e-6);
  EXPECT_EQ(result["tokens"][0], 3);
  EXPECT_EQ(SucceedsWithJson({"verify", model})["equal"], true);
  Refuses(1, {"generate", model, "--prompt", "a"}, {"embedding model", "tern embed"});
  Refuses(1, {"embed", Golden("trilm"), "--ids", "1"}, {"language model"});
  Refuses(1, {"embed", model, "--ids", "64"}, {"token id 64", "vocabulary"});
  Refuses(2, {"embed", model}, {"--text", "--ids"});
}

}  // namespace
}  // namespace tern::e2e
