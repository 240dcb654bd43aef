// SPDX-License-Identifier: MIT
// The command line itself: help, JSON, exit statuses, and the commands that need no model that
// runs.
#include <gmock/gmock.h>

#include <filesystem>
#include <sstream>

#include "tern/io/test_gguf.h"
#include "tests/e2e/program.h"

namespace tern::e2e {
namespace {

using ::testing::Contains;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// The names in the list of commands that `tern` prints.
std::vector<std::string> CommandNames() {
  std::istringstream lines(Succeeds({}).out);
  std::vector<std::string> names;
  bool inside = false;
  for (std::string line; std::getline(lines, line);) {
    if (line == "Commands:") {
      inside = true;
    } else if (inside && line.empty()) {
      break;
    } else if (inside) {
      std::string name;
      std::istringstream(line) >> name;
      names.push_back(name);
    }
  }
  return names;
}

TEST(CommandLine, ShowsFirstStepsWithoutArguments) {
  const Outcome outcome = Succeeds({});
  EXPECT_THAT(outcome.out, HasSubstr("First steps:"));
  EXPECT_EQ(outcome.out, Succeeds({"--help"}).out);
  EXPECT_EQ(outcome.err, "");
  EXPECT_THAT(Succeeds({"--version"}).out, StartsWith("tern "));
}

TEST(CommandLine, TeachesEveryCommand) {
  const std::vector<std::string> names = CommandNames();
  for (const char* name : {"tokenize", "inspect", "doctor"}) EXPECT_THAT(names, Contains(name));
  for (const std::string& name : names) {
    SCOPED_TRACE(name);
    const Outcome help = Succeeds({name, "--help"});
    EXPECT_THAT(help.out, HasSubstr("Usage: tern " + name));
    EXPECT_THAT(help.out, HasSubstr("Examples:\n  "));
    EXPECT_THAT(help.out, HasSubstr("--json"));
    EXPECT_EQ(help.err, "");
    std::istringstream lines(help.out);
    for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 100U) << line;
  }
}

TEST(CommandLine, RefusesWrongUsageWithStatus2) {
  Refuses(2, {"juggle"}, {"juggle", "tern --help"});
  Refuses(2, {"--frobnicate"}, {"--frobnicate"});
  for (const std::string& name : CommandNames()) {
    Refuses(2, {name, "--frobnicate"}, {"tern " + name});
  }
  Refuses(2, {"tokenize"}, {"MODEL is required", "tern tokenize --help"});
  Refuses(2, {"doctor", "--threads", "0"}, {"--threads", "1"});
  Refuses(2, {"doctor", "--threads", "many"}, {"--threads", "many"});
  Refuses(2, {"doctor", "--memory-limit", "12 parsecs"}, {"--memory-limit"});
  Refuses(2, {"doctor", "--memory-limit", "-5"}, {"--memory-limit", "-5"});
  Refuses(2, {"doctor", "--memory-limit", "0G"}, {"--memory-limit", "0G"});
  Refuses(2, {"generate", "x", "--seed", "-1"}, {"--seed", "-1"});
  Refuses(2, {"generate", "x", "--top-k", "99999999999999999999"}, {"--top-k", "9999"});
  Refuses(2, {"generate", "x", "--temperature", ""}, {"--temperature", "value"});
  Refuses(2, {"generate", "x", "--kv-type", "i4"}, {"--kv-type", "int8"});
  Refuses(2, {"convert", "x", "y", "--max-shard", "-1G"}, {"--max-shard", "-1G"});
  Refuses(2, {"tokenize", "x", "--text", "a", "--decode", "1"}, {"--text", "--decode"});
  // An unset variable of the shell is not as good as no option.
  Refuses(2, {"tokenize", "x", "--file", ""}, {"--file", "value"});
  Refuses(2, {"train", "--data", "x", "--out", "y", "--init", ""}, {"--init", "value"});
  Refuses(2, {"verify", "x", "--ids", ""}, {"--ids", "value"});
  Refuses(2, {"embed", "x", "--ids", ""}, {"--ids", "value"});
  Refuses(2, {"chat", "x", "--load", ""}, {"--load", "value"});
}

TEST(CommandLine, NamesTheModelThatIsNotThere) {
  Refuses(1, {"inspect", "no/such/model"}, {"no/such/model", "no such directory"});
  Refuses(1, {"inspect", "no-such-model"}, {"no-such-model"});
  Refuses(1, {"inspect", ""}, {"MODEL"});
  const std::string file = Source("tests/golden/bitnet-packed/model.safetensors");
  Refuses(1, {"logits", file, "--ids", "1"}, {file, "neither a directory"});
  // What comes from outside cannot forge lines.
  Refuses(1, {"inspect", "a\nb\x1b[31m"}, {"a\\nb\\x1b"});
}

TEST(CommandLine, RefusesWrongEnvironment) {
  Refuses(1, {"doctor"}, {"z80", "available", "scalar"}, {.environment = {"TERN_CPU=z80"}});
  Refuses(1, {"doctor"}, {"TERN_THREADS", "none"}, {.environment = {"TERN_THREADS=none"}});
}

TEST(CommandLine, SaysWhenOutputCannotBeWritten) {
  RunOptions options;
  options.out_path = "/dev/full";
  Refuses(1, {"tokenize", Source("tests/golden/tok/tokenizer.json"), "--text", "a"},
          {"standard output"}, options);
  Refuses(1, {"--version"}, {"standard output"}, options);
  Refuses(1, {"inspect", "--help"}, {"standard output"}, options);
}

// A log on a full disk, for example.
TEST(CommandLine, WorksWhereMessagesCannotBeWritten) {
  const Outcome outcome =
      Succeeds({"generate", "tern-stories", "--prompt", "Once", "--max-tokens", "4"},
               {.err_path = "/dev/full"});
  EXPECT_THAT(outcome.out, StartsWith("Once"));
  EXPECT_EQ(Tern({"inspect", "no/such/model"}, {.err_path = "/dev/full"}).status, 1);
}

TEST(Shipped, IsFoundByNameFromAnywhere) {
  const TestDirectory directory;
  RunOptions options;
  options.directory = directory.path();
  const std::vector<std::string> generate = {
      "generate", "tern-stories",  "--prompt", "Once upon a time", "--max-tokens",
      "8",        "--temperature", "0"};
  const Outcome outcome = Succeeds(generate, options);
  EXPECT_THAT(outcome.out, StartsWith("Once upon a time"));
  EXPECT_THAT(outcome.err, HasSubstr("tokens/s"));
  options.environment = {"TERN_CPU=scalar"};
  const nlohmann::json verified =
      SucceedsWithJson({"verify", "tern-stories", "--ids", "1,2,3"}, options);
  EXPECT_EQ(verified["equal"], true);
  EXPECT_EQ(verified["checks"].size(), 12U);
  for (const nlohmann::json& check : verified["checks"]) EXPECT_EQ(check["target"], "scalar");
  options.environment = {"TERN_CPU=z80"};
  Refuses(1, {"verify", "tern-stories"}, {"z80", "available"}, options);
  options.environment = {};
  EXPECT_THAT(Tern({"inspect", "tern-tories"}, options).err, HasSubstr("tern-stories"));
}

TEST(Doctor, DescribesThisMachine) {
  const nlohmann::json json = SucceedsWithJson({"doctor", "--memory-limit", "64M"});
  EXPECT_FALSE(json["cpu"].get<std::string>().empty());
  EXPECT_GE(json["threads"], 1);
  EXPECT_GT(json["read_bytes_per_second"]["one_thread"], 0);
  int chosen = 0;
  for (const nlohmann::json& target : json["targets"]) {
    if (!target["chosen"]) continue;
    ++chosen;
    EXPECT_EQ(target["name"], json["target"]);
    EXPECT_TRUE(target["supported"]);
  }
  EXPECT_EQ(chosen, 1);
}

TEST(Doctor, ShowsThatTheEnvironmentForcesATarget) {
  RunOptions options;
  options.environment = {"TERN_CPU=scalar", "TERN_THREADS=1"};
  const nlohmann::json json = SucceedsWithJson({"doctor", "--memory-limit", "64M"}, options);
  EXPECT_EQ(json["target"], "scalar");
  EXPECT_EQ(json["threads"], 1);
  EXPECT_THAT(json["why"].get<std::string>(), HasSubstr("TERN_CPU"));
}

TEST(Bench, MeasuresAShapeAndAModel) {
  std::vector<std::string> sizes = {"--prompt",      "8", "--generate",     "4",
                                    "--repetitions", "2", "--memory-limit", "64M"};
  std::vector<std::string> arguments = {"bench", "--shape", "tiny", "--threads", "1,2", "--ops"};
  arguments.insert(arguments.end(), sizes.begin(), sizes.end());
  const nlohmann::json json = SucceedsWithJson(arguments);
  ASSERT_EQ(json["results"].size(), 4U);
  for (const nlohmann::json& result : json["results"]) {
    EXPECT_EQ(result["samples"].size(), 2U);
    EXPECT_GT(result["least"], 0);
    EXPECT_LE(result["least"], result["tokens_per_second"]);
    EXPECT_LE(result["tokens_per_second"], result["greatest"]);
  }
  EXPECT_EQ(json["results"][0]["test"], "pp8");
  EXPECT_EQ(json["results"][3]["test"], "tg4@16");
  EXPECT_EQ(json["results"][3]["threads"], 2);
  EXPECT_GT(json["results"][3]["share_of_peak"], 0);
  EXPECT_EQ(json["ternary_weights"], 2 * (2 * 256 * 256 + 2 * 128 * 256 + 3 * 256 * 512));
  ASSERT_EQ(json["ops"].size(), 4U);
  EXPECT_EQ(json["ops"][1]["ops"][0]["op"], "Add");
  EXPECT_EQ(json["ops"][1]["ops"][0]["calls"], 2 * 2 * 4);

  arguments = {"bench", Source("tests/golden/bitnet-packed"), "--prompt", "0"};
  arguments.insert(arguments.end(), sizes.begin() + 2, sizes.end());
  EXPECT_THAT(Succeeds(arguments).out, HasSubstr("tg4@16"));
  arguments.insert(arguments.end(), {"--pin", "--threads", "1"});
  EXPECT_THAT(Succeeds(arguments).out, HasSubstr("tg4@16"));
}

TEST(Bench, RefusesWhatItCannotMeasure) {
  Refuses(2, {"bench"}, {"MODEL", "--shape"});
  Refuses(2, {"bench", "x", "--shape", "tiny"}, {"--shape", "MODEL"});
  Refuses(2, {"bench", "--shape", "round"}, {"round", "bitnet-2b-4t"});
  Refuses(2, {"bench", "--shape", "tiny", "--threads", "1,0"}, {"--threads"});
  Refuses(2, {"bench", "--shape", "tiny", "--repetitions", "0"}, {"--repetitions", "1"});
  Refuses(1, {"bench", "--shape", "tiny", "--prompt", "9000", "--memory-limit", "64M"},
          {"9000", "8192"});
  Refuses(1, {"bench", "--shape", "tiny", "--depth", "9223372036854775807"}, {"8192"});
  Refuses(1, {"bench", "--shape", "tiny", "--pin", "--threads", "1024"}, {"--pin", "1024 threads"});
  Refuses(2, {"bench", "--shape", "tiny", "--prompt", "0", "--generate", "0"}, {"nothing"});
}

TEST(Train, ShowsItsProgressOnATerminal) {
  const TestDirectory directory;
  const int terminal = ::posix_openpt(O_RDWR | O_NOCTTY);
  ASSERT_GE(terminal, 0);
  ASSERT_EQ(::grantpt(terminal), 0);
  ASSERT_EQ(::unlockpt(terminal), 0);
  const pid_t child = StartWith({"train",
                                 "--data",
                                 Source("LICENSE"),
                                 "--out",
                                 directory.File("run"),
                                 "--steps",
                                 "1000000",
                                 "--vocab-size",
                                 "257",
                                 "--hidden-size",
                                 "32",
                                 "--num-hidden-layers",
                                 "1",
                                 "--intermediate-size",
                                 "32",
                                 "--sequence-length",
                                 "16",
                                 "--batch-tokens",
                                 "16",
                                 "--micro-batch-tokens",
                                 "16",
                                 "--eval-interval",
                                 "0"},
                                {}, "/dev/null", "/dev/null", ::ptsname(terminal));
  std::string text;
  char part[4096];
  bool stopped = false;
  // The read fails once the program has ended.
  for (ssize_t count; (count = ::read(terminal, part, sizeof(part))) > 0;) {
    text.append(part, static_cast<size_t>(count));
    if (stopped || text.find(" left") == std::string::npos) continue;
    ::kill(child, SIGINT);
    stopped = true;
  }
  EXPECT_EQ(Wait(child), 0) << text;
  ::close(terminal);
  EXPECT_THAT(text, ContainsRegex("step [0-9]+/1000000  loss [0-9.]+  [0-9,]+ tokens/s  "
                                  "[0-9:]+ left"));
  EXPECT_THAT(text, HasSubstr("--resume"));
}

TEST(Tokenize, EncodesAndDecodes) {
  const std::string tokenizer = Source("tests/golden/tok/tokenizer.json");
  const std::string text = "Hello, world! 123\n";
  const nlohmann::json encoded = SucceedsWithJson({"tokenize", tokenizer, "--text", text});
  EXPECT_EQ(encoded["tokens"], encoded["ids"].size());
  EXPECT_EQ(encoded["bytes"], text.size());
  const std::string ids = Succeeds({"tokenize", tokenizer, "--text", text}).out;
  EXPECT_EQ(Succeeds({"tokenize", tokenizer, "--decode", ids}).out, text);
  EXPECT_EQ(SucceedsWithJson({"tokenize", tokenizer, "--decode", ids})["text"], text);
}

TEST(Tokenize, ReadsFilesAndStandardInput) {
  const TestDirectory directory;
  const std::string tokenizer = Source("tests/golden/tok/tokenizer.json");
  const std::string file = directory.Write("text", "Hello there");
  const std::string ids = Succeeds({"tokenize", tokenizer, "--text", "Hello there"}).out;
  EXPECT_EQ(Succeeds({"tokenize", tokenizer, "--file", file}).out, ids);
  RunOptions options;
  options.input = "Hello there";
  EXPECT_EQ(Succeeds({"tokenize", tokenizer}, options).out, ids);
  EXPECT_EQ(Succeeds({"tokenize", tokenizer, "--text", ""}).out, "\n");
}

TEST(Tokenize, RefusesBadText) {
  const TestDirectory directory;
  const std::string tokenizer = Source("tests/golden/tok/tokenizer.json");
  const std::string file = directory.Write("text", "abc\xff");
  Refuses(1, {"tokenize", tokenizer, "--file", file}, {"UTF-8", "3"});
  Refuses(1, {"tokenize", tokenizer, "--file", directory.File("none")}, {"none"});
  Refuses(2, {"tokenize", tokenizer, "--decode", ""}, {"--decode"});
  Refuses(2, {"tokenize", tokenizer, "--decode", "1,x"}, {"--decode", "x"});
  Refuses(1, {"tokenize", tokenizer, "--decode", "1,99999999"}, {"99999999"});
  Refuses(1, {"tokenize", file, "--text", "a"}, {file});
  Refuses(1, {"tokenize", directory.path(), "--text", "a"}, {"tokenizer.json"});
}

TEST(Inspect, CountsPackedWeights) {
  const nlohmann::json json = SucceedsWithJson({"inspect", Source("tests/golden/bitnet-packed")});
  const nlohmann::json& packed = json["kinds"]["packed trits"];
  const int64_t projections = 2 * (2 * 64 * 64 + 2 * 32 * 64 + 3 * 64 * 160);
  EXPECT_EQ(packed["parameters"], projections);
  EXPECT_EQ(packed["bits_per_weight"], 2.0);
  EXPECT_EQ(json["total"]["parameters"], projections + 256 * 64 + 2 * (3 * 64 + 160) + 64);
  EXPECT_EQ(json["tensors"].size(), json["total"]["tensors"]);
  EXPECT_EQ(json["config"]["model_type"], "bitnet");
  EXPECT_THAT(Succeeds({"inspect", Source("tests/golden/bitnet-packed"), "--tensors"}).out,
              HasSubstr("model.layers.1.mlp.down_proj.weight_scale"));
}

TEST(Inspect, TakesTheLastWholeCheckpointOfARun) {
  const TestDirectory directory;
  const std::string run = directory.File("run");
  std::filesystem::create_directory(run);
  directory.Write("run/train.json", "{}");
  Refuses(1, {"inspect", run}, {run, "no checkpoint"});
  const std::string packed = Source("tests/golden/bitnet-packed");
  for (const char* name : {"checkpoint-999999", "checkpoint-1000000"}) {
    std::filesystem::create_directory(run + "/" + name);
    std::filesystem::create_symlink(packed, run + "/" + name + "/model");
  }
  // What a program that was killed has left of a third one.
  std::filesystem::create_directories(run + "/checkpoint-1000001.tmp-1-0/model");
  directory.Write("run/checkpoint-1000001.tmp-1-0/model/config.json", "{}");
  EXPECT_EQ(SucceedsWithJson({"inspect", run})["path"], run + "/checkpoint-1000000/model");
}

TEST(Inspect, ReadsGguf) {
  const TestDirectory directory;
  testing::GgufImage image;
  image.String("general.architecture", "bitnet-b1.58").F32("eps", 0.25f);
  image.Strings("tokenizer.ggml.tokens", {"a", "b"});
  image.Tensor("token_embd.weight", {128, 2}, 1, std::string(512, 'e'));
  image.Tensor("blk.0.attn_q.weight", {128, 128}, 36, std::string(4096 + 32, 'q'));
  const std::string file = directory.Write("m.gguf", image.Image());
  const nlohmann::json json = SucceedsWithJson({"inspect", file});
  EXPECT_EQ(json["format"], "GGUF");
  EXPECT_EQ(json["config"]["general.architecture"], "bitnet-b1.58");
  EXPECT_EQ(json["config"]["eps"], 0.25);
  EXPECT_EQ(json["config"]["tokenizer.ggml.tokens"], "string[2]");
  EXPECT_EQ(json["kinds"]["embedding"]["bytes"], 512);
  EXPECT_EQ(json["kinds"]["packed trits"]["parameters"], 128 * 128);
  EXPECT_EQ(json["tensors"][1]["dtype"], "I2_S");
  EXPECT_THAT(Succeeds({"inspect", file, "--tensors"}).out, HasSubstr("blk.0.attn_q.weight"));
  Refuses(1, {"inspect", directory.Write("bad.gguf", "GGUF")}, {"bad.gguf", "truncated"});
}

TEST(Convert, ReplacesGgufFilesAloneAndNoneOfIn) {
  const TestDirectory directory;
  const auto part = [&](uint32_t number) {
    testing::GgufImage image;
    image.U32("split.no", number).U32("split.count", 2);
    return directory.Write("m-0000" + std::to_string(number + 1) + "-of-00002.gguf", image.Image());
  };
  const std::string first = part(0);
  for (const std::string& file : {first, part(1)}) {
    Refuses(1, {"convert", first, file, "--force"}, {file, "IN itself"});
  }
  const std::string notes = directory.Write("notes.txt", "mine");
  Refuses(1, {"convert", "tern-stories", notes, "--type", "i2_s", "--force"}, {notes, "no GGUF"});
  EXPECT_EQ(TestDirectory::Read(notes), "mine");
}

TEST(Inspect, RefusesABrokenFile) {
  const TestDirectory directory;
  const std::string file = directory.Write("model.safetensors", "not a safetensors file at all");
  Refuses(1, {"inspect", file}, {file});
  Refuses(1, {"inspect", directory.path()}, {file});
}

}  // namespace
}  // namespace tern::e2e
