// SPDX-License-Identifier: MIT
// tern chat: a conversation in the terminal, or with what a pipe says.
#include <algorithm>
#include <ctime>
#include <optional>
#include <utility>

#include "tern/base/error.h"
#include "tern/io/json_file.h"
#include "tern/runtime/conversation.h"
#include "tern/text/utf8.h"
#include "tools/tern/chat_input.h"
#include "tools/tern/command.h"
#include "tools/tern/load.h"
#include "tools/tern/sampling.h"

namespace tern::cli {
namespace {

constexpr const char* kText =
    "Talks with a model by the chat template of its files (chat_template.jinja,\n"
    "tokenizer_config.json or GGUF metadata). What you type is a message; one of several lines\n"
    "stands between \"\"\" and \"\"\". Ctrl-C stops an answer, Ctrl-D or /exit ends the program.\n"
    "  /save FILE   writes the conversation, as JSON\n"
    "  /load FILE   goes on with one\n"
    "  /reset       forgets it, but for --system\n"
    "  /stats       tokens and speed\n"
    "  /help        lists the commands\n"
    "Answers go to stdout, all else to stderr. From a pipe each line is a message or a command,\n"
    "and the first error ends the program.";
constexpr const char* kExamples =
    "  tern chat bitnet-b1.58-2B-4T\n"
    "  tern chat model.gguf --system \"Answer in one sentence.\" --temperature 0\n"
    "  tern chat my-model --template chatml.jinja --load yesterday.json\n"
    "  echo \"What is 17 + 25?\" | tern chat my-model --json";
constexpr const char* kCommands =
    "/save FILE, /load FILE, /reset, /stats, /help, /exit; \"\"\" before and behind several "
    "lines\n";

// Room for keys and values that most machines have.
constexpr int64_t kDefaultContext = 4096;

struct Options : CommonOptions {
  std::string model;
  LoadOptions load;
  std::string system;
  std::string template_path;
  std::string conversation;
  GenerateOptions generate;
  int64_t context = 0;  // 0: kDefaultContext, or as many as the model has
  DType kv_type = DType::kF32;
};

std::tm LocalTime() {
  const std::time_t now = std::time(nullptr);
  std::tm local = {};
  ::localtime_r(&now, &local);
  return local;
}

ChatFormat FormatOf(const LoadedModel& loaded, const Options& options) {
  std::optional<ChatFormat> format = ReadChatFormat(loaded, options.template_path);
  if (!format) {
    Fail(ErrorKind::kInvalidArgument,
         "{}: has no chat template, so it was not made for conversations; `tern generate` "
         "continues a text, and --template FILE gives the template that it lacks",
         loaded.path);
  }
  if (format->replaced()) {
    Note(
        "tern: {}: carries the template that converters of bitnet-b1.58-2B-4T write by "
        "mistake; the one that the model learned is used\n",
        loaded.path);
  }
  return std::move(*format);
}

class Chat {
 public:
  Chat(Context& ctx, const Options& options)
      : options_(options),
        loaded_(LoadWithTokenizer(ctx, options.model, options.load)),
        format_(FormatOf(loaded_, options)),
        session_(ctx, *loaded_.model,
                 {.capacity = options.context > 0 ? options.context
                                                  : std::min(loaded_.model->config().max_positions,
                                                             kDefaultContext),
                  .kv_dtype = options.kv_type}),
        conversation_({.messages = {}, .now = LocalTime()}) {
    Reset();
    if (!options.conversation.empty()) LoadMessages(options.conversation);
  }

  int Run() {
    const InterruptFlag flag;
    if (input_.from_terminal()) Note("{}", kCommands);
    for (bool more = true; more;) {
      try {
        more = Step();
      } catch (const Error& error) {
        // Who types can try again; a script must not go on without an answer.
        if (!input_.from_terminal()) throw;
        Note("tern: {}\n", OneLine(error.what(), kMaxMessageShown));
      }
    }
    if (options_.json) PrintJson(Summary());
    return 0;
  }

 private:
  static constexpr size_t kMaxMessageShown = 2000;

  struct Turn {
    ConversationAnswer answer;
    std::optional<double> prompt_rate;
    std::optional<double> rate;
  };

  // One message or command; false at the end.
  bool Step() {
    const ChatInput::Entry entry = input_.Next();
    switch (entry.kind) {
      case ChatInput::Kind::kEnd:
        if (input_.from_terminal()) Note("\n");
        return false;
      case ChatInput::Kind::kInterrupted:
        Note("\n(Ctrl-D or /exit ends the conversation)\n");
        return true;
      case ChatInput::Kind::kMessage:
        break;
    }
    if (!entry.block && entry.text.starts_with('/')) return Command(entry.text);
    if (!entry.text.empty()) Say(entry.text);
    return true;
  }

  bool Command(std::string_view line) {
    const size_t space = std::min(line.find(' '), line.size());
    const std::string_view name = line.substr(0, space);
    const size_t begin = std::min(line.find_first_not_of(' ', space), line.size());
    const std::string argument(line.substr(begin, line.find_last_not_of(' ') + 1 - begin));
    const bool takes_file = name == "/save" || name == "/load";
    if (takes_file == argument.empty()) {
      Fail(ErrorKind::kInvalidArgument, "{} takes {}; /help lists the commands", Quoted(name),
           takes_file ? "the name of a file" : "nothing");
    }
    if (name == "/exit") return false;
    if (name == "/save") {
      SaveMessages(argument);
    } else if (name == "/load") {
      LoadMessages(argument);
    } else if (name == "/reset") {
      Reset();
    } else if (name == "/stats") {
      PrintStats();
    } else if (name == "/help") {
      Note("{}", kCommands);
    } else {
      Fail(ErrorKind::kInvalidArgument, "there is no command {}; /help lists them", Quoted(name));
    }
    return true;
  }

  void Say(const std::string& text) {
    InterruptFlag::Clear();
    conversation_.messages.push_back({"user", text});
    GenerateOptions generate = options_.generate;
    // Another answer each time, and the same one after /load.
    generate.sampler.seed += conversation_.messages.size();
    Turn turn;
    bool shown = false;
    const auto show = [&](std::string_view piece) {
      shown = shown || !piece.empty();
      if (!options_.json && !piece.empty()) Print(piece);
      return !InterruptFlag::interrupted();
    };
    try {
      turn.answer =
          AnswerConversation(session_, *loaded_.tokenizer, format_, conversation_, generate, show);
    } catch (...) {
      conversation_.messages.pop_back();
      if (shown && !options_.json) Print("\n");
      throw;
    }
    const GenerateResult& result = turn.answer.result;
    if (!options_.json) Print("\n");
    PrintCause(result.reason);
    if (result.reason == StopReason::kCancelled && result.text.empty()) {
      conversation_.messages.pop_back();
      return;
    }
    conversation_.messages.push_back({"assistant", result.text});
    turn.prompt_rate = TokensPerSecond(result.prompt_tokens, result.prompt_seconds);
    turn.rate = TokensPerSecond(result.steps, result.generate_seconds);
    turns_.push_back(std::move(turn));
  }

  // Why an answer ended, unless its model ended it.
  void PrintCause(StopReason reason) const {
    if (reason == StopReason::kCancelled) Note("[interrupted]\n");
    if (reason == StopReason::kMaxTokens) {
      Note("[cut off after {}, which is --max-tokens]\n",
           CountText(options_.generate.max_tokens, "token"));
    }
    if (reason == StopReason::kContextFull) {
      Note("[cut off: the context of {} is full; /reset begins anew]\n",
           CountText(session_.capacity(), "token"));
    }
  }

  void Reset() {
    conversation_.messages.clear();
    if (!options_.system.empty()) conversation_.messages.push_back({"system", options_.system});
  }

  nlohmann::ordered_json MessagesJson() const {
    auto list = nlohmann::ordered_json::array();
    for (const ChatMessage& message : conversation_.messages) {
      list.push_back({{"role", message.role}, {"content", message.content}});
    }
    return list;
  }

  void SaveMessages(const std::string& path) const {
    WriteJsonFile(path, {{"model", options_.model}, {"messages", MessagesJson()}});
    Note("[{} in {}]\n", CountText(static_cast<int64_t>(conversation_.messages.size()), "message"),
         path);
  }

  void LoadMessages(const std::string& path) {
    const nlohmann::json json = ReadJsonFile(path);
    const auto found = JsonObject(json, path).value().find("messages");
    if (found == json.end() || !found->is_array()) {
      Fail(ErrorKind::kInvalidFile, "{}: has no list \"messages\"; /save writes such a file", path);
    }
    std::vector<ChatMessage> messages;
    for (const auto& item : *found) {
      const JsonObject message(item, path + ": messages");
      messages.push_back({message.GetString("role"), message.GetString("content")});
    }
    conversation_.messages = std::move(messages);
    Note("[{} of {}]\n", CountText(static_cast<int64_t>(conversation_.messages.size()), "message"),
         path);
  }

  void PrintStats() const {
    Note("[{}; {} of {} in the context",
         CountText(static_cast<int64_t>(conversation_.messages.size()), "message"),
         CountText(session_.position()), CountText(session_.capacity(), "token"));
    if (!turns_.empty()) {
      const Turn& turn = turns_.back();
      const GenerateResult& result = turn.answer.result;
      Note("; last answer: {}{}; prompt of {}, {} of them kept{}",
           CountText(static_cast<int64_t>(result.ids.size()), "token"), RateText(turn.rate),
           CountText(result.prompt_tokens + turn.answer.reused_tokens),
           CountText(turn.answer.reused_tokens), RateText(turn.prompt_rate));
    }
    Note("]\n");
  }

  nlohmann::ordered_json Summary() const {
    auto turns = nlohmann::ordered_json::array();
    for (const Turn& turn : turns_) {
      const GenerateResult& result = turn.answer.result;
      turns.push_back({{"text", result.text},
                       {"ids", result.ids},
                       {"stop", StopReasonName(result.reason)},
                       {"prompt_tokens", result.prompt_tokens},
                       {"reused_tokens", turn.answer.reused_tokens},
                       {"prompt_tokens_per_second", RateJson(turn.prompt_rate)},
                       {"tokens_per_second", RateJson(turn.rate)}});
    }
    return {{"messages", MessagesJson()},
            {"turns", std::move(turns)},
            {"context", session_.capacity()},
            {"context_used", session_.position()}};
  }

  const Options& options_;
  const LoadedModel loaded_;
  const ChatFormat format_;
  Session session_;
  ChatInput input_;
  Conversation conversation_;
  std::vector<Turn> turns_;
};

int Run(const Options& options) {
  AsUsage([&] { CheckSamplerOptions(options.generate.sampler); });
  const std::unique_ptr<Context> ctx = MakeContext(options);
  return Chat(*ctx, options).Run();
}

}  // namespace

void AddChat(CLI::App& app, Runner* run) {
  auto options = std::make_shared<Options>();
  GenerateOptions& generate = options->generate;
  generate.max_tokens = 1024;
  CLI::App* command = AddCommand(app, "chat", "A conversation with a model", kText, kExamples);
  AddModelArgument(command, &options->model);
  command->add_option("--system", options->system, "What the model is told before all else")
      ->type_name("TEXT");
  command
      ->add_option("--load", options->conversation, "Goes on with a conversation that /save wrote")
      ->check(NotEmpty())
      ->type_name("FILE");
  command
      ->add_option("--template", options->template_path,
                   "A chat template (Jinja) in place of the model's")
      ->check(NotEmpty())
      ->type_name("FILE");
  command->add_option("--max-tokens", generate.max_tokens, "Tokens of an answer at most")
      ->check(AtLeast(1))
      ->capture_default_str()
      ->type_name("N");
  command
      ->add_option("--context", options->context,
                   "Tokens to make room for (default: the model's, at most 4096)")
      ->check(AtLeast(1))
      ->type_name("N");
  AddKvTypeOption(command, &options->kv_type);
  AddSamplerOptions(command, &generate.sampler);
  AddLoadOptions(command, &options->load);
  AddLayoutOption(command, &options->load.layout);
  AddCommonOptions(command, options.get());
  RunWith(command, run, options, &Run);
}

}  // namespace tern::cli
