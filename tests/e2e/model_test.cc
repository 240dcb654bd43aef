// SPDX-License-Identifier: MIT
// A model's life at the command line: trained from text, resumed, converted, run, measured; and
// what bad input gets on the way.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/e2e/program.h"

namespace tern::e2e {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;
using ::testing::StartsWith;

using Arguments = std::vector<std::string>;

Arguments operator+(Arguments a, const Arguments& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

constexpr int kContext = 48;

// A model that an emulated CPU trains in seconds.
const Arguments kTiny = {"--vocab-size",
                         "288",
                         "--hidden-size",
                         "32",
                         "--intermediate-size",
                         "64",
                         "--num-hidden-layers",
                         "2",
                         "--num-attention-heads",
                         "2",
                         "--num-key-value-heads",
                         "1",
                         "--max-position-embeddings",
                         std::to_string(kContext),
                         "--sequence-length",
                         "32",
                         "--batch-tokens",
                         "128",
                         "--micro-batch-tokens",
                         "64",
                         "--eval-tokens",
                         "512",
                         "--threads",
                         "2"};

// The first lines of the text that the README trains on, with a separator between two parts.
std::string WriteText(const TestDirectory& directory) {
  std::string text = TestDirectory::Read(Source("examples/data/shakespeare.txt")).substr(0, 12'000);
  text.insert(text.find("\n\n", 6'000) + 1, "<|endoftext|>\n");
  return directory.Write("text.txt", text);
}

// Trains for some steps and returns the run's directory.
std::string Train(const TestDirectory& directory, const Arguments& more = {}) {
  const std::string run = directory.File("run");
  Succeeds(Arguments{"train", "--data", WriteText(directory), "--out", run, "--steps", "4"} +
           kTiny + more);
  return run;
}

// What is in a directory, by relative path, with the content of files.
std::map<std::string, std::string> Snapshot(const std::string& path) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(path)) {
    files[fs::relative(entry.path(), path).string()] =
        entry.is_regular_file() ? TestDirectory::Read(entry.path().string()) : "";
  }
  return files;
}

nlohmann::json Logits(const std::string& model) {
  return SucceedsWithJson(
      {"logits", model, "--ids", "70,102,10,284", "--last", "3", "--greedy", "6"});
}

TEST(Model, LivesFromTextToPackedWeights) {
  const TestDirectory directory;
  const std::string run = Train(directory);
  const std::string packed = directory.File("packed");

  const nlohmann::json converted = SucceedsWithJson({"convert", run, packed});
  EXPECT_EQ(converted["equal"], true);
  const nlohmann::json logits = Logits(run);
  EXPECT_EQ(logits["logits"].size(), 3U);
  EXPECT_EQ(logits["logits"][0].size(), 288U);
  EXPECT_EQ(logits["greedy"].size(), 6U);
  EXPECT_EQ(logits, Logits(packed));
  EXPECT_EQ(Succeeds({"logits", run, "--ids", "1,2,3"}).out,
            Succeeds({"logits", packed, "--ids", "1,2,3"}).out);

  const nlohmann::json kinds = SucceedsWithJson({"inspect", packed})["kinds"];
  EXPECT_EQ(kinds["packed trits"]["parameters"], 2 * (2 * 32 * 32 + 2 * 16 * 32 + 3 * 32 * 64));
  EXPECT_EQ(SucceedsWithJson({"inspect", run})["kinds"]["projection"]["parameters"],
            kinds["packed trits"]["parameters"]);

  for (const std::string& model : {run, packed}) {
    const nlohmann::json checks = SucceedsWithJson({"verify", model});
    EXPECT_EQ(checks["equal"], true);
    EXPECT_GE(checks["checks"].size(), 8U);
  }
  Refuses(1, {"convert", packed, directory.File("back"), "--type", "hf-masters"}, {"masters"});
  EXPECT_FALSE(fs::exists(directory.File("back")));
}

TEST(Model, WritesText) {
  const TestDirectory directory;
  const std::string run = Train(directory);
  const Arguments generate = {"generate", run, "--prompt", "First Citizen:", "--max-tokens", "12"};
  const Outcome outcome = Succeeds(generate);
  EXPECT_THAT(outcome.out, StartsWith("First Citizen:"));
  EXPECT_THAT(outcome.err, HasSubstr("tokens/s"));
  // One token is no speed.
  const Outcome one =
      Succeeds({"generate", run, "--prompt", "a", "--max-tokens", "1", "--ignore-eos"});
  EXPECT_THAT(one.err, StartsWith("[1 token; prompt of 1, "));
  const nlohmann::json json = SucceedsWithJson(generate);
  EXPECT_EQ(outcome.out, "First Citizen:" + json["text"].get<std::string>() + "\n");
  EXPECT_LE(json["ids"].size(), 12U);
  EXPECT_EQ(json["text"], SucceedsWithJson(generate + Arguments{"--threads", "1"})["text"]);
  EXPECT_NE(json["text"], SucceedsWithJson(generate + Arguments{"--seed", "1"})["text"]);

  // Greedy generation is what `logits --greedy` gives.
  const std::string ids = Succeeds({"tokenize", run, "--text", "First Citizen:"}).out;
  const nlohmann::json greedy =
      SucceedsWithJson(generate + Arguments{"--temperature", "0", "--ignore-eos"});
  EXPECT_EQ(greedy["ids"],
            SucceedsWithJson({"logits", run, "--ids", ids, "--greedy", "12"})["greedy"]);
  // Without a prompt, up to the end of the context.
  const nlohmann::json alone = SucceedsWithJson(
      {"generate", run, "--ignore-eos", "--max-tokens", "1000", "--temperature", "1"});
  EXPECT_EQ(alone["stop"], "context_full");
  EXPECT_EQ(alone["prompt_tokens"], 1);
}

TEST(Model, EndsWithAnyOfItsEndTokens) {
  const TestDirectory directory;
  const std::string model = Train(directory) + "/model";
  const Arguments generate = {
      "generate", model, "--prompt", "First Citizen:", "--max-tokens", "6", "--temperature", "0"};
  const nlohmann::json ids = SucceedsWithJson(generate + Arguments{"--ignore-eos"})["ids"];
  ASSERT_EQ(ids.size(), 6U);
  const nlohmann::json generation = {{"eos_token_id", {287, ids[2]}}, {"top_p", 0.9}};
  directory.Write("run/model/generation_config.json", generation.dump());
  directory.Write("run/model/chat_template.jinja", "{{ messages }}");
  const std::string packed = directory.File("packed");
  Succeeds({"convert", model, packed});
  for (const char* name : {"generation_config.json", "chat_template.jinja"}) {
    EXPECT_EQ(Snapshot(packed)[name], Snapshot(model)[name]) << name;
  }
  for (const std::string& path : {model, packed}) {
    Arguments again = generate;
    again[1] = path;
    const nlohmann::json json = SucceedsWithJson(again);
    EXPECT_EQ(json["stop"], "end_token");
    EXPECT_LE(json["ids"].size(), 2U);
  }
}

TEST(Model, IsMeasured) {
  const TestDirectory directory;
  const std::string run = Train(directory);
  const std::string text = directory.File("text.txt");
  const nlohmann::json whole = SucceedsWithJson({"perplexity", run, "--file", text});
  EXPECT_EQ(whole["context"], kContext);
  EXPECT_EQ(whole["bytes"], fs::file_size(text));
  EXPECT_EQ(whole["tokens"], SucceedsWithJson({"tokenize", run, "--file", text})["tokens"]);
  const double bits = whole["tokens"].get<double>() * whole["nats_per_token"].get<double>() /
                      std::log(2.0) / whole["bytes"].get<double>();
  EXPECT_NEAR(whole["bits_per_byte"].get<double>(), bits, 1e-9 * bits);
  EXPECT_LT(whole["bits_per_byte"].get<double>(), 8);
  EXPECT_NE(whole, SucceedsWithJson({"perplexity", run, "--file", text, "--context", "16"}));
  const nlohmann::json rounded =
      SucceedsWithJson({"perplexity", run, "--file", text, "--kv-type", "int8"});
  EXPECT_NE(whole, rounded);
  EXPECT_NEAR(whole["nats_per_token"].get<double>(), rounded["nats_per_token"].get<double>(), 0.01);
  EXPECT_THAT(Succeeds({"perplexity", run, "--file", text}).out, HasSubstr("bits per byte"));

  const Arguments llama = {"perplexity", run, "--file", text, "--llama-windows"};
  const nlohmann::json halves = SucceedsWithJson(llama);
  EXPECT_EQ(halves["context"], kContext);
  const int64_t windows = halves["windows"].get<int64_t>();
  EXPECT_GT(windows, 2);
  EXPECT_EQ(halves["tokens"], windows * (kContext - kContext / 2 - 1));
  EXPECT_NEAR(halves["perplexity"].get<double>(), std::exp(halves["nats_per_token"].get<double>()),
              1e-9 * halves["perplexity"].get<double>());
  EXPECT_GT(halves["perplexity_error"].get<double>(), 0);
  EXPECT_THAT(Succeeds(llama).out, HasSubstr("+/-"));
  // The file's last line feed does not count.
  Arguments longer = llama;
  longer[3] = directory.Write("longer", TestDirectory::Read(text) + "\n");
  Arguments shorter = llama;
  shorter[3] = directory.Write("shorter", TestDirectory::Read(text));
  ASSERT_NE(TestDirectory::Read(text).back(), '\n');
  EXPECT_EQ(SucceedsWithJson(longer), SucceedsWithJson(shorter));
}

TEST(Model, AnswersQuestions) {
  const TestDirectory directory;
  const std::string run = Train(directory);
  // What it was trained on, and what it was not.
  const std::string file = directory.Write(
      "questions.jsonl",
      R"({"context": "First Citizen", "choices": ["\u0001\u0002\u0003", ":\n"], "answer": 1})"
      "\n"
      R"({"context": "First Citizen", "choices": [":\n", "\u0001\u0002\u0003"], "answer": 1})");
  const Arguments evaluate = {"evaluate", run, "--file", file};
  const nlohmann::json json = SucceedsWithJson(evaluate);
  EXPECT_EQ(json["questions"], 2);
  EXPECT_EQ(json["chance"], 0.5);
  EXPECT_EQ(json["accuracy"], 0.5);
  EXPECT_EQ(json["accuracy_error"], 0.5);
  EXPECT_EQ(json["results"][0]["likeliest"], 1);
  EXPECT_EQ(json["results"][1]["likeliest"], 0);
  EXPECT_EQ(json["results"][0]["log_likelihoods"][1], json["results"][1]["log_likelihoods"][0]);
  EXPECT_THAT(Succeeds(evaluate).out, HasSubstr("guessing gives 0.5000"));
  Refuses(1, {"evaluate", run, "--file", directory.Write("none", "")}, {"none", "no questions"});
  Refuses(1, {"evaluate", run, "--file", directory.Write("bad", "{}")}, {"bad: line 1", "context"});
}

// Starts `tern train`, waits for a checkpoint, sends the signal, and returns the exit status.
int TrainUntilSignal(const Arguments& arguments, const std::string& run, int signal_number) {
  const pid_t child = Start(arguments);
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::minutes(5);
  const auto has_checkpoint = [&] {
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(run, ignored)) {
      if (entry.path().filename().string().starts_with("checkpoint-") &&
          fs::exists(entry.path() / "model/config.json")) {
        return true;
      }
    }
    return false;
  };
  while (!has_checkpoint()) {
    if (!IsRunning(child) || std::chrono::steady_clock::now() > give_up) {
      ADD_FAILURE() << "no checkpoint came";
      break;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  ::kill(child, signal_number);
  return Wait(child);
}

TEST(Model, ResumesToTheSameBits) {
  const TestDirectory directory;
  const Arguments train =
      Arguments{"train", "--data", WriteText(directory), "--steps", "30", "--checkpoint-interval",
                "10"} +
      kTiny;
  const std::string whole = directory.File("whole");
  const nlohmann::json summary = SucceedsWithJson(train + Arguments{"--out", whole});
  EXPECT_EQ(summary["finished"], true);
  EXPECT_EQ(summary["step"], 30);
  EXPECT_TRUE(summary["validation"]["bits_per_byte"].is_number());
  const std::string weights = TestDirectory::Read(whole + "/model/model.safetensors");

  for (const int signal_number : {SIGINT, SIGKILL}) {
    SCOPED_TRACE(signal_number);
    const std::string run = directory.File("signal-" + std::to_string(signal_number));
    const int status = TrainUntilSignal(train + Arguments{"--out", run}, run, signal_number);
    EXPECT_EQ(status, signal_number == SIGINT ? 0 : 128 + SIGKILL);
    ASSERT_FALSE(fs::exists(run + "/model")) << "the run came to its end before the signal";
    Succeeds({"generate", run, "--max-tokens", "1"});
    SucceedsWithJson({"train", "--resume", "--out", run});
    // Resumed once more it has nothing left to do, and says the same.
    const nlohmann::json resumed = SucceedsWithJson({"train", "--resume", "--out", run});
    EXPECT_EQ(resumed["step"], 30);
    EXPECT_EQ(resumed["loss"], summary["loss"]);
    EXPECT_TRUE(weights == TestDirectory::Read(run + "/model/model.safetensors"));
  }
}

TEST(Model, TrainingStopsBeforeItsFirstStep) {
  const TestDirectory directory;
  const std::string work = directory.File("work");
  const std::string err = directory.File("err");
  fs::create_directory(work);
  const pid_t child = StartWith({"train", "--data", Source("examples/data/shakespeare.txt"),
                                 "--out", work + "/run", "--vocab-size", "16384", "--steps", "1"},
                                {}, "/dev/null", "/dev/null", err);
  // What becomes the run is there, and training the tokenizer takes its time.
  while (fs::is_empty(work) && IsRunning(child))
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  ::kill(child, SIGINT);
  EXPECT_EQ(Wait(child), 1);
  EXPECT_THAT(TestDirectory::Read(err), HasSubstr("nothing was written"));
  EXPECT_TRUE(fs::is_empty(work));
}

TEST(Model, TrainingStopsWhileItLoads) {
  const TestDirectory directory;
  const std::string text = WriteText(directory);
  fs::create_directories(directory.File("model"));
  fs::create_directories(directory.File("run/checkpoint-000001"));
  const std::string config = directory.File("model/config.json");
  const std::string settings = directory.File("run/train.json");
  const Arguments init = {"train", "--init", directory.File("model"), "--data",
                          text,    "--out",  directory.File("more")};
  const Arguments resume = {"train", "--resume", "--out", directory.File("run")};
  for (const auto& [pipe, arguments] : {std::pair{config, init}, std::pair{settings, resume}}) {
    SCOPED_TRACE(pipe);
    ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
    const pid_t child = Start(arguments);
    // Opens once the program reads at the other end, which then waits for what never comes.
    int writer = -1;
    while (IsRunning(child) && (writer = ::open(pipe.c_str(), O_WRONLY | O_NONBLOCK)) < 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    EXPECT_GE(writer, 0);
    ::kill(child, SIGINT);
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    while (IsRunning(child) && std::chrono::steady_clock::now() < give_up) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    ::kill(child, SIGKILL);
    EXPECT_EQ(Wait(child), 128 + SIGINT);
    ::close(writer);
  }
  EXPECT_FALSE(fs::exists(directory.File("more")));
}

TEST(Model, TrainsWithinAMemoryLimit) {
  const TestDirectory directory;
  Train(directory, {"--memory-limit", "64M"});
  const std::string out = directory.File("more");
  const Outcome outcome = Tern(Arguments{"train", "--data", directory.File("text.txt"), "--out",
                                         out, "--memory-limit", "100K"} +
                               kTiny);
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, HasSubstr("memory limit: a request of "));
  EXPECT_FALSE(fs::exists(out));
}

TEST(Model, TrainsOnFromAnotherModel) {
  const TestDirectory directory;
  const std::string run = Train(directory);
  for (const char* name : {"chat_template.jinja", "generation_config.json"}) {
    directory.Write(std::string("run/model/") + name, "{}");
  }
  const std::string more = directory.File("more");
  const Arguments train = {"train",   "--data", directory.File("text.txt"), "--out", more,
                           "--steps", "1"};
  // The model decides its shape, and the tokenizer the vocabulary.
  Refuses(2, train + Arguments{"--init", run, "--hidden-size", "64"}, {"--init", "--hidden-size"});
  Refuses(2, train + Arguments{"--tokenizer", run, "--vocab-size", "300"},
          {"--tokenizer", "--vocab-size"});
  Succeeds(train + Arguments{"--init", run});
  EXPECT_TRUE(Snapshot(run)["tokenizer.json"] == Snapshot(more)["tokenizer.json"]);
  EXPECT_NE(Logits(run), Logits(more));
  EXPECT_EQ(Snapshot(more)["model/chat_template.jinja"], "{}");
  EXPECT_EQ(Snapshot(more)["model/generation_config.json"], "{}");
  // Windows are as long as this model's context allows.
  const auto settings = nlohmann::json::parse(TestDirectory::Read(more + "/train.json"));
  EXPECT_EQ(settings["sequence_length"], kContext);
  EXPECT_EQ(settings["micro_batch_tokens"], 2048 / kContext * kContext);
}

TEST(Model, PlainFloatsHaveNoPackedForm) {
  const TestDirectory directory;
  const std::string run = Train(directory, {"--weights", "f32"});
  Succeeds({"generate", run, "--max-tokens", "3"});
  const std::string copy = directory.File("copy");
  Refuses(1, {"convert", run, copy}, {"hf-masters"});
  EXPECT_FALSE(fs::exists(copy));
  EXPECT_EQ(SucceedsWithJson({"convert", run, copy, "--type", "hf-masters"})["equal"], true);
}

TEST(Refusals, OfWhatDoesNotFitTheModel) {
  const TestDirectory directory;
  const std::string run = Train(directory);
  const std::string context = std::to_string(kContext);
  std::string long_prompt;
  for (int i = 0; i < 200; ++i) long_prompt += "word ";
  Refuses(1, {"generate", run, "--prompt", long_prompt}, {context});
  Refuses(1, {"generate", run, "--prompt", "a\xff"}, {"UTF-8"});
  Refuses(1, {"generate", run, "--context", "100000"}, {"100000", context});
  Refuses(2, {"generate", run, "--temperature", "-1"}, {"temperature"});
  Refuses(1, {"logits", run, "--ids", "1,288"}, {"token id 288 at position 1", "0 to 287"});
  Refuses(1, {"verify", run, "--ids", "1,288"}, {"token id 288 at position 1", "0 to 287"});
  Refuses(2, {"logits", run, "--ids", "1,2", "--last", "3"}, {"--last"});
  Refuses(1, {"logits", run, "--ids", "1", "--greedy", "1000"}, {context});
  Refuses(1, {"perplexity", run, "--file", directory.Write("empty", "")}, {"empty"});
  Refuses(1, {"perplexity", run, "--file", directory.Write("bad", "ab\xc3")}, {"bad", "UTF-8"});
  Refuses(1, {"perplexity", run, "--file", directory.File("text.txt"), "--context", "4096"},
          {"4096", context});
  Refuses(1, {"perplexity", run, "--file", directory.Write("short", "a"), "--llama-windows"},
          {"the text has 1 tokens", context});
  Refuses(1, {"generate", run, "--memory-limit", "100K"}, {"memory"});

  const std::string model = run + "/model";
  // Token ids need no tokenizer.
  const std::string tokenizer = TestDirectory::Read(model + "/tokenizer.json");
  directory.Write("run/model/tokenizer.json", tokenizer.substr(0, 100));
  Refuses(1, {"generate", model}, {"tokenizer.json"});
  Succeeds({"logits", model, "--ids", "1,2"});
  // A tokenizer with more tokens than the model knows.
  fs::copy_file(Source("tests/golden/tok/tokenizer.json"), model + "/tokenizer.json",
                fs::copy_options::overwrite_existing);
  Refuses(1, {"generate", model}, {"tokenizer", "288"});
  fs::remove(model + "/tokenizer.json");
  Refuses(1, {"generate", model}, {"tokenizer.json"});
}

TEST(Refusals, LeaveNothingBehind) {
  const TestDirectory directory;
  const std::string out = directory.File("out");
  const std::string text = WriteText(directory);
  const auto refuses = [&](const Arguments& arguments,
                           std::initializer_list<std::string_view> texts) {
    Refuses(1, Arguments{"train", "--out", out} + arguments, texts);
    EXPECT_FALSE(fs::exists(out));
  };
  const auto refuses_usage = [&](const Arguments& arguments, std::string_view named) {
    Refuses(2, Arguments{"train", "--out", out} + arguments, {named});
    EXPECT_FALSE(fs::exists(out));
  };
  refuses({"--data", directory.File("none")}, {"none"});
  refuses({"--data", text, "--config", directory.Write("c1", R"({"stepz": 3})")}, {"c1", "stepz"});
  refuses({"--data", text, "--config", directory.Write("c2", R"({"steps": -3})")}, {"c2", "steps"});
  refuses_usage({"--data", text, "--hidden-size", "31"}, "hidden_size");
  refuses_usage({"--data", text, "--steps", "soon"}, "steps");
  refuses_usage({"--data", text, "--steps", "-5"}, "-5");
  refuses({"--data", "/dev/null"}, {"/dev/null", "regular"});
  Refuses(1, {"train", "--out", "", "--data", text}, {"empty name"});
  Refuses(1, {"convert", "tern-stories", ""}, {"empty name"});
  Refuses(2, {"train", "--out", out}, {"--data", "--resume"});
  Refuses(2, {"train", "--out", out, "--data", text, "--resume"}, {"--resume"});
  Refuses(1, {"train", "--out", out, "--resume"}, {out});
  EXPECT_FALSE(fs::exists(out));
}

TEST(Refusals, NameAValidationTextThatIsEmpty) {
  const TestDirectory directory;
  const std::string empty = directory.Write("empty.txt", "");
  const Outcome outcome = Tern(Arguments{"train", "--out", directory.File("out"), "--data",
                                         WriteText(directory), "--validation", empty} +
                               kTiny);
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, HasSubstr(empty + ": is too short"));
  EXPECT_FALSE(fs::exists(directory.File("out")));
}

TEST(Refusals, NameTextThatIsNotUtf8) {
  const TestDirectory directory;
  const std::string bad = directory.Write("latin1.txt", std::string(5000, 'a') + "\xe9 b");
  const Outcome outcome =
      Tern(Arguments{"train", "--out", directory.File("out"), "--data", bad} + kTiny);
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, HasSubstr("UTF-8"));
  EXPECT_THAT(outcome.err, HasSubstr("5000"));
}

TEST(Refusals, KeepWhatIsThere) {
  const TestDirectory directory;
  const std::string run = Train(directory);
  const auto before = Snapshot(run);
  Refuses(1, {"convert", run, run}, {run});
  Refuses(1, {"convert", run, run, "--force"}, {run, "not a model's"});
  Refuses(1, {"convert", run, run + "/model", "--force"}, {run + "/model", "IN"});
  Refuses(1, Arguments{"train", "--out", run, "--data", directory.File("text.txt")}, {run});
  EXPECT_TRUE(Snapshot(run) == before);
  const std::string model = directory.File("model");
  Succeeds({"convert", run, model});
  Refuses(1, {"convert", run, model}, {model});
  Succeeds({"convert", run, model, "--type", "hf-masters", "--force"});
  EXPECT_EQ(SucceedsWithJson({"inspect", model})["kinds"].count("packed trits"), 0U);
}

// The tensor's first element, in f32, becomes `value`.
void SetFirst(const TestDirectory& directory, const std::string& file, const char* tensor,
              float value) {
  std::string bytes = TestDirectory::Read(directory.File(file));
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, bytes.data(), sizeof(header_bytes));
  const auto header = nlohmann::json::parse(bytes.substr(8, header_bytes));
  const size_t offset = header[tensor]["data_offsets"][0];
  std::memcpy(bytes.data() + 8 + header_bytes + offset, &value, sizeof(value));
  directory.Write(file, bytes);
}

TEST(Refusals, OfAModelThatWouldNotLoad) {
  const TestDirectory directory;
  const std::string run = Train(directory);
  SetFirst(directory, "run/model/model.safetensors", "model.norm.weight", 1e6f);
  const std::string work = directory.File("work");
  fs::create_directory(work);
  const std::string out = work + "/out";
  Refuses(1, {"convert", run, out, "--float", "f16"}, {out + ": ", "model.norm.weight", "inf"});
  EXPECT_TRUE(fs::is_empty(work));
  // A GGUF file does not give way to one that is not right, either.
  const std::string stories = directory.File("stories"),
                    file = directory.Write("work/m.gguf", "old");
  fs::copy(Source("models/tern-stories"), stories);
  SetFirst(directory, "stories/model.safetensors", "model.embed_tokens.weight", 1e6f);
  Refuses(1, {"convert", stories, file, "--force"}, {file + ": ", "token_embd.weight", "inf"});
  EXPECT_EQ(Snapshot(work), (std::map<std::string, std::string>{{"m.gguf", "old"}}));
}

TEST(Refusals, OfDirectoriesThatCannotBeWritten) {
  const TestDirectory directory;
  const std::string run = Train(directory);
  Refuses(1, {"convert", run, "/proc/no-model"}, {"/proc/no-model"});
  const std::string locked = directory.File("locked");
  fs::create_directory(locked);
  fs::permissions(locked, fs::perms::owner_read | fs::perms::owner_exec);
  if (::geteuid() != 0) Refuses(1, {"convert", run, locked + "/model"}, {locked});
  fs::permissions(locked, fs::perms::owner_all);
  // Whom permissions do not stop, where this process may mount.
  if (::mount("tmpfs", locked.c_str(), "tmpfs", MS_RDONLY, "size=16k") != 0) return;
  Refuses(1, {"convert", run, locked + "/model"}, {locked, "Read-only"});
  Refuses(1, {"convert", "tern-stories", locked + "/m.gguf"}, {locked, "Read-only"});
  Refuses(1, {"train", "--data", directory.File("text.txt"), "--out", locked + "/run"},
          {locked, "Read-only"});
  EXPECT_EQ(::umount(locked.c_str()), 0);
}

TEST(Refusals, OfAFullDisk) {
  const TestDirectory directory;
  const std::string run = Train(directory);
  RunOptions options;
  options.file_bytes_limit = 8192;
  Refuses(1, {"convert", run, directory.File("out")}, {directory.File("out")}, options);
  EXPECT_FALSE(fs::exists(directory.File("out")));
  // A real one, where this process may mount.
  const std::string disk = directory.File("disk");
  fs::create_directory(disk);
  if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=16k") != 0) return;
  Refuses(1, {"convert", run, disk + "/out"}, {disk, "space"});
  EXPECT_TRUE(fs::is_empty(disk));
  EXPECT_EQ(::umount(disk.c_str()), 0);
}

// One model as a directory and as GGUF files: the same logits, the same text, the same tokens.
TEST(Gguf, IsConvertedBothWays) {
  const TestDirectory directory;
  const std::string file = directory.File("m.gguf"), back = directory.File("back");
  const std::vector<std::string> exact = {"convert", "tern-stories", file, "--embeddings", "f32"};
  nlohmann::json json = SucceedsWithJson(exact);
  EXPECT_EQ(json["type"], "i2_s");
  EXPECT_EQ(json["equal"], true);
  EXPECT_TRUE(json["rounded"].empty());
  const std::vector<std::string> ids = {"--ids", "1,2,3", "--greedy", "4"};
  const auto logits = [&](const std::string& model) {
    std::vector<std::string> arguments = {"logits", model};
    arguments.insert(arguments.end(), ids.begin(), ids.end());
    return SucceedsWithJson(arguments);
  };
  EXPECT_EQ(logits(file), logits("tern-stories"));
  EXPECT_EQ(SucceedsWithJson({"convert", file, back})["equal"], true);
  EXPECT_EQ(logits(back), logits("tern-stories"));
  EXPECT_EQ(Succeeds({"tokenize", file, "--text", "Once upon"}).out,
            Succeeds({"tokenize", "tern-stories", "--text", "Once upon"}).out);
  Refuses(1, exact, {file, "exists"});
  // Options of the other form, and of the other kind of IN.
  Refuses(2, exact + Arguments{"--float", "bf16"}, {"--float", file});
  Refuses(2, {"convert", file, back, "--embeddings", "q8_0"}, {"--embeddings", back});
  Refuses(1, {"convert", back, back + "2", "--i2s-layout", "i2_s_64"}, {back, "I2_S"});
  EXPECT_THAT(Succeeds({"convert", file, file + "16.gguf"}).out, HasSubstr("rounding 1 tensor\n"));
  Refuses(1, {"logits", file, "--ids", "1", "--i2s-layout", "i2_s_64"},
          {file, "i2_s, not i2_s_64"});
  Refuses(2, {"logits", file, "--ids", "1", "--i2s-layout", "i2_t"}, {"--i2s-layout"});
  // The file is read as a model, whose trits do not train.
  Refuses(1,
          {"train", "--init", file, "--data", directory.Write("text.txt", "Once upon a time"),
           "--out", directory.File("run")},
          {file, "packed weights"});
  json = SucceedsWithJson({"convert", file, file + "8", "--type", "tq1_0", "--embeddings", "q8_0"});
  EXPECT_EQ(json["rounded"].size(), 43u);  // 42 scales and the embeddings
}

}  // namespace
}  // namespace tern::e2e
