// SPDX-License-Identifier: MIT
// tern chat: what is said through a pipe, the commands, Ctrl-C, and what is refused. The model is
// the one that ships, with a chat template that it was never trained on.
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <thread>
#include <utility>

#include "tests/e2e/program.h"

namespace tern::e2e {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::HasSubstr;
using Arguments = std::vector<std::string>;

constexpr const char* kTemplate =
    "{% for m in messages %}{{ m.role }}: {{ m.content }}<|endoftext|>\n{% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}";

class ChatTest : public ::testing::Test {
 protected:
  ChatTest() {
    fs::create_directory(model_);
    for (const char* name : {"config.json", "model.safetensors", "tokenizer.json"}) {
      fs::create_symlink(Source("models/tern-stories/" + std::string(name)), model_ + "/" + name);
    }
    directory_.Write("model/chat_template.jinja", kTemplate);
  }

  // `more` goes before the options that keep the tests short and certain.
  Arguments Command(const Arguments& more = {}) const {
    Arguments command = {"chat", model_, "--threads", "1"};
    command.insert(command.end(), more.begin(), more.end());
    for (const auto& [option, value] : {std::pair("--temperature", "0"), {"--max-tokens", "8"}}) {
      if (std::find(more.begin(), more.end(), option) != more.end()) continue;
      command.insert(command.end(), {option, value});
    }
    return command;
  }
  json Talk(const std::string& input, const Arguments& more = {}) const {
    return SucceedsWithJson(Command(more), {.input = input});
  }
  void RefusesInput(const std::string& input, std::initializer_list<std::string_view> texts) const {
    Refuses(1, Command({"--json"}), texts, {.input = input});
  }

  TestDirectory directory_;
  const std::string model_ = directory_.File("model");
};

TEST_F(ChatTest, AnswersEachLine) {
  const std::string input = "Hello\n\nWhere is the cat?";
  const json talk = Talk(input);
  ASSERT_EQ(talk["messages"].size(), 4U);
  EXPECT_EQ(talk["messages"][0], json({{"role", "user"}, {"content", "Hello"}}));
  EXPECT_EQ(talk["messages"][1]["role"], "assistant");
  EXPECT_EQ(talk["messages"][2]["content"], "Where is the cat?");
  ASSERT_EQ(talk["turns"].size(), 2U);
  std::string answers;
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(talk["turns"][i]["text"], talk["messages"][2 * i + 1]["content"]);
    answers += talk["turns"][i]["text"].get<std::string>() + "\n";
  }
  EXPECT_EQ(Succeeds(Command(), {.input = input}).out, answers);
  // The second turn keeps all that the first one read before it answered.
  EXPECT_EQ(talk["turns"][0]["reused_tokens"], 0);
  EXPECT_GE(talk["turns"][1]["reused_tokens"], talk["turns"][0]["prompt_tokens"]);
  EXPECT_EQ(Talk("")["turns"], json::array());
}

TEST_F(ChatTest, SavesLoadsAndResets) {
  const std::string saved = directory_.File("saved.json");
  const Arguments system = {"--system", "Be kind."};
  const json talk = Talk("Hello\n/save " + saved + "\n/reset\nBye\n", system);
  ASSERT_EQ(talk["messages"].size(), 3U);
  EXPECT_EQ(talk["messages"][0]["content"], "Be kind.");
  EXPECT_EQ(talk["messages"][1]["content"], "Bye");
  const json file = json::parse(TestDirectory::Read(saved));
  ASSERT_EQ(file["messages"].size(), 3U);
  EXPECT_EQ(file["messages"][1]["content"], "Hello");
  EXPECT_EQ(file["messages"][2]["content"], talk["turns"][0]["text"]);

  // It goes on as if it had never stopped, drawn answers too.
  const Arguments draw = {"--system", "Be kind.", "--temperature", "1.5", "--seed", "4"};
  const json whole = Talk("Hello\n/save " + saved + "\nMore\n", draw);
  const json loaded = Talk("What?\n/load " + saved + "\nMore\n", draw);
  EXPECT_EQ(loaded["messages"], whole["messages"]);
  Arguments from_file = draw;
  from_file.insert(from_file.end(), {"--load", saved});
  EXPECT_EQ(Talk("More\n", from_file)["messages"], whole["messages"]);
}

TEST_F(ChatTest, TakesSeveralLinesAndCommands) {
  const json talk = Talk("\"\"\"\n\none\n\n/two\n\"\"\"\n\"\"\"/reset\"\"\"\n\"\"\"a\n\n\"\"\"\n");
  ASSERT_EQ(talk["messages"].size(), 6U);
  EXPECT_EQ(talk["messages"][0]["content"], "\none\n\n/two");
  EXPECT_EQ(talk["messages"][2]["content"], "/reset");
  EXPECT_EQ(talk["messages"][4]["content"], "a\n");
  const Outcome outcome = Succeeds(Command(), {.input = "Hello\n/stats\n/help\n/exit\nno more\n"});
  EXPECT_THAT(outcome.err, HasSubstr("2 messages; "));
  EXPECT_THAT(outcome.err, HasSubstr("/save FILE"));
  EXPECT_THAT(outcome.err, HasSubstr("cut off after 8 tokens"));
}

TEST_F(ChatTest, EndsWhereTheTemplateEndsATurn) {
  constexpr const char* kPlain =
      "{% for m in messages %}{{ m.content + (end if m.role == 'assistant' else '') }}\n{% endfor "
      "%}";
  const auto use = [&](const std::string& end) {
    directory_.Write("model/chat_template.jinja", "{% set end = '" + end + "' %}" + kPlain);
  };
  use("");
  const json ids = Talk("The cat sat on the")["turns"][0]["ids"];
  ASSERT_EQ(ids.size(), 8U);
  // A word that the model says becomes a special token, which the template puts behind answers.
  json tokenizer = json::parse(TestDirectory::Read(model_ + "/tokenizer.json"));
  std::string word;
  for (const auto& [text, id] : tokenizer["model"]["vocab"].items()) {
    if (id == ids[4]) word = text;
  }
  json token = tokenizer["added_tokens"][0];
  token["id"] = ids[4];
  token["content"] = word;
  tokenizer["added_tokens"].push_back(token);
  fs::remove(model_ + "/tokenizer.json");
  directory_.Write("model/tokenizer.json", tokenizer.dump());
  use(word);
  const json turn = Talk("The cat sat on the")["turns"][0];
  EXPECT_EQ(turn["stop"], "end_token");
  EXPECT_LE(turn["ids"].size(), 4U);
}

TEST_F(ChatTest, TakesTheRightTemplateForTheKnownWrongOne) {
  directory_.Write("model/chat_template.jinja",
                   "{% for m in messages %}{{ 'Human: ' + m.content + '\\n\\nBITNETAssistant: ' }}"
                   "{% endfor %}");
  EXPECT_THAT(Succeeds(Command(), {.input = "Hello\n"}).err, HasSubstr("the one that the model"));
}

TEST_F(ChatTest, RefusesWhatCannotChat) {
  fs::remove(model_ + "/chat_template.jinja");
  Refuses(1, Command(), {model_, "no chat template", "tern generate", "--template FILE"});
  const std::string own = directory_.Write("own.jinja", kTemplate);
  EXPECT_NE(Succeeds(Command({"--template", own}), {.input = "Hello\n"}).out, "");
  Refuses(1, {"chat", Source("tests/golden/qwen3-embedding")}, {"embedding model", "tern embed"});
  directory_.Write("own.jinja", "a\n{{ messages | groupby('role') }}");
  Refuses(1, Command({"--template", own}), {"own.jinja: line 2", "the filter \"groupby\""},
          {.input = "Hello\n"});
  Refuses(1, Command({"--template", own, "--context", "100000"}), {"100000"});
  Refuses(2, Command({"--top-p", "7"}), {"top"});
}

TEST_F(ChatTest, RefusesBadInput) {
  RefusesInput("/frobnicate\n", {"/frobnicate", "/help"});
  RefusesInput("/save\n", {"/save", "name of a file"});
  RefusesInput("/reset now\n", {"/reset", "nothing"});
  RefusesInput("/load " + directory_.File("none") + "\n", {"none"});
  RefusesInput("/load " + directory_.Write("a.json", "{}") + "\n", {"a.json", "messages"});
  RefusesInput("/load " + directory_.Write("b.json", R"({"messages": [{"role": "user"}]})") + "\n",
               {"b.json", "content"});
  RefusesInput("\"\"\"\nopen\n", {"no \"\"\" at its end"});
  RefusesInput("\xFF\n", {"UTF-8"});
  Refuses(1, Command({"--json", "--context", "16"}), {"16", "no room"},
          {.input = "A long message, longer than the context of sixteen tokens can ever hold.\n"});
}

// A conversation under way, whose standard input the test writes piece by piece.
class Running {
 public:
  Running(const TestDirectory& directory, const Arguments& command)
      : out_(directory.File("out")), err_(directory.File("err")), in_(directory.File("in")) {
    EXPECT_EQ(::mkfifo(in_.c_str(), 0600), 0);
    child_ = StartWith(command, {}, in_, out_, err_);
    // Opens as soon as the child does.
    input_ = ::open(in_.c_str(), O_WRONLY);
    EXPECT_GE(input_, 0);
  }

  void Write(std::string_view text) const {
    EXPECT_EQ(::write(input_, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  // Waits until the file is larger than that, and interrupts the program all the while if asked.
  void Await(const std::string& path, size_t bytes, bool interrupt = false) const {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::minutes(5);
    while (!fs::exists(path) || fs::file_size(path) <= bytes) {
      ASSERT_LT(std::chrono::steady_clock::now(), give_up) << path;
      if (interrupt) ::kill(child_, SIGINT);
      std::this_thread::sleep_for(std::chrono::milliseconds(interrupt ? 20 : 1));
    }
  }
  int Finish() const {
    ::close(input_);
    return Wait(child_);
  }
  const std::string& out() const { return out_; }
  const std::string& err() const { return err_; }

 private:
  std::string out_, err_, in_;
  pid_t child_ = -1;
  int input_ = -1;
};

TEST_F(ChatTest, CtrlCStopsTheAnswerAndNotTheProgram) {
  const std::string saved = directory_.File("saved.json");
  // So hot that no answer ends by itself before the context is full.
  const Running chat(directory_, Command({"--temperature", "50", "--max-tokens", "100000"}));
  const auto stopped = [&] {
    return fs::exists(chat.err()) &&
           TestDirectory::Read(chat.err()).find("[interrupted]") != std::string::npos;
  };
  // On a busy machine the context may be full before the signal comes.
  for (int attempt = 0; attempt < 50 && !stopped(); ++attempt) {
    const size_t answered = fs::exists(chat.out()) ? fs::file_size(chat.out()) : 0;
    const size_t said = fs::exists(chat.err()) ? fs::file_size(chat.err()) : 0;
    chat.Write("/reset\nHello\n");
    chat.Await(chat.out(), answered);
    chat.Await(chat.err(), said, /*interrupt=*/true);
  }
  EXPECT_TRUE(stopped());
  // Between two messages it says how to end.
  chat.Await(chat.err(), fs::file_size(chat.err()), /*interrupt=*/true);
  EXPECT_THAT(TestDirectory::Read(chat.err()), HasSubstr("/exit ends"));
  chat.Write("/save " + saved + "\n");
  EXPECT_EQ(chat.Finish(), 0);
  const json file = json::parse(TestDirectory::Read(saved));
  ASSERT_EQ(file["messages"].size(), 2U);
  EXPECT_NE(file["messages"][1]["content"], "");
}

}  // namespace
}  // namespace tern::e2e
