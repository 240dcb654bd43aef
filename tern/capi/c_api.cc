// SPDX-License-Identifier: MIT
// The C front over the C++ one: checks arguments, and turns exceptions into a status and a message.
#include "tern/c_api.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <ctime>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tern/backends/cpu/cpu_backend.h"
#include "tern/base/cpu_topology.h"
#include "tern/base/error.h"
#include "tern/base/settings.h"
#include "tern/core/context.h"
#include "tern/models/chat_format.h"
#include "tern/models/checkpoint.h"
#include "tern/runtime/conversation.h"
#include "tern/runtime/embed.h"
#include "tern/runtime/generate.h"
#include "tern/runtime/session.h"

namespace {

using tern::Error;
using tern::ErrorKind;
using tern::Fail;

constexpr size_t kMaxPathBytes = 4096;
constexpr size_t kMaxStopBytes = 4096;
constexpr size_t kMaxRoleBytes = 256;
constexpr size_t kMaxMessageBytes = 2048;

// What errno is to C: the one thing that a thread keeps between calls.
thread_local char last_error[kMaxMessageBytes];

tern_status Failed(tern_status status, const char* message) noexcept {
  size_t bytes = std::min(std::strlen(message), kMaxMessageBytes - 1);
  // Not within a character.
  while (bytes > 0 && (static_cast<unsigned char>(message[bytes]) & 0xc0) == 0x80) --bytes;
  std::memcpy(last_error, message, bytes);
  last_error[bytes] = '\0';
  return status;
}

tern_status StatusOf(ErrorKind kind) noexcept {
  switch (kind) {
    case ErrorKind::kInvalidArgument:
      return TERN_INVALID_ARGUMENT;
    case ErrorKind::kInvalidFile:
      return TERN_INVALID_FILE;
    case ErrorKind::kIo:
      return TERN_IO;
    case ErrorKind::kUnsupported:
      return TERN_UNSUPPORTED;
    case ErrorKind::kOutOfMemory:
      return TERN_OUT_OF_MEMORY;
    case ErrorKind::kNumeric:
      return TERN_NUMERIC;
    case ErrorKind::kCancelled:
      break;  // only long work of the C++ front is cancelled by an Error
  }
  return TERN_INTERNAL;
}

// The status that the function returns, or that what it throws stands for.
template <typename Function>
tern_status Guarded(const Function& function) noexcept {
  try {
    return function();
  } catch (const Error& error) {
    return Failed(StatusOf(error.kind()), error.what());
  } catch (const std::bad_alloc&) {
    return Failed(TERN_OUT_OF_MEMORY, "out of memory");
  } catch (const std::exception& error) {
    return Failed(TERN_INTERNAL, error.what());
  } catch (...) {
    return Failed(TERN_INTERNAL, "an exception that is no std::exception");
  }
}

template <typename T>
T& NotNull(T* pointer, const char* name) {
  if (pointer == nullptr) Fail(ErrorKind::kInvalidArgument, "{} is null", name);
  return *pointer;
}

std::string_view Text(const char* text, size_t bytes, const char* name) {
  NotNull(text, name);
  if (bytes > TERN_MAX_TEXT_BYTES) {
    Fail(ErrorKind::kInvalidArgument, "{} has {} bytes; the most is {}", name, bytes,
         TERN_MAX_TEXT_BYTES);
  }
  return {text, bytes};
}

// A text that ends in a zero.
std::string Name(const char* text, size_t most, const char* name) {
  NotNull(text, name);
  const size_t bytes = strnlen(text, most + 1);
  if (bytes > most) {
    Fail(ErrorKind::kInvalidArgument, "{} is longer than {} bytes", name, most);
  }
  return {text, bytes};
}

// The caller's structure, which may be an older and shorter one, over the defaults.
template <typename T>
T Known(const T* given, const T& defaults, const char* name) {
  T known = defaults;
  if (given == nullptr) return known;
  const size_t size = given->struct_size;
  if (size < sizeof(size_t) || size > sizeof(T) || size % sizeof(size_t) != 0) {
    Fail(ErrorKind::kInvalidArgument,
         "struct_size of {} is {}, not {} as in this version; begin with the _INIT macro", name,
         size, sizeof(T));
  }
  std::memcpy(&known, given, size);
  return known;
}

// Copies what fits as a whole, and tells the size.
template <typename T>
tern_status Give(const T* values, size_t count, T* out, size_t capacity, size_t* told) {
  if (out == nullptr && capacity > 0) {
    Fail(ErrorKind::kInvalidArgument, "the buffer is null, but its capacity is {}", capacity);
  }
  if (told != nullptr) *told = count;
  if (out == nullptr && told != nullptr) return TERN_OK;
  if (count > capacity) {
    return Failed(
        TERN_BUFFER_TOO_SMALL,
        fmt::format("the buffer has room for {} elements, not {}", capacity, count).c_str());
  }
  std::copy_n(values, count, out);
  return TERN_OK;
}

struct SharedModel {
  explicit SharedModel(tern::ContextOptions options) : ctx(std::move(options)) {}

  const tern::Tokenizer& tokenizer() const {
    if (!loaded.tokenizer) {
      Fail(ErrorKind::kIo, "{}: has no tokenizer.json, which text needs", loaded.path);
    }
    return *loaded.tokenizer;
  }
  const tern::ModelConfig& config() const { return loaded.model->config(); }

  tern::Context ctx;
  tern::LoadedModel loaded;
};

std::shared_ptr<SharedModel> Load(const std::string& path, const tern_model_options& options) {
  if (options.threads < 0 || options.threads > tern::kMaxThreads) {
    Fail(ErrorKind::kInvalidArgument, "threads is {}; it must be 0 to {}", options.threads,
         tern::kMaxThreads);
  }
  const tern::Settings settings = tern::ReadSettings();
  tern::ContextOptions context;
  context.threads = static_cast<int>(options.threads);
  if (context.threads == 0) context.threads = settings.threads;
  if (context.threads == 0) context.threads = tern::CpuTopology::Detect().usable_cores();
  const std::string target =
      options.cpu == nullptr ? settings.cpu_target : Name(options.cpu, kMaxPathBytes, "cpu");
  tern::MemoryPoolOptions pool;
  pool.byte_limit = options.memory_limit;

  auto shared = std::make_shared<SharedModel>(std::move(context));
  shared->ctx.AddBackend(std::make_unique<tern::CpuBackend>(target, pool));
  shared->loaded = tern::LoadModel(shared->ctx, path);
  return shared;
}

tern::GenerateOptions GenerateOptionsOf(const tern_generate_options& given) {
  tern::GenerateOptions options;
  options.max_tokens = given.max_tokens;
  options.sampler.temperature = given.temperature;
  options.sampler.top_k = given.top_k;
  options.sampler.top_p = given.top_p;
  options.sampler.min_p = given.min_p;
  options.sampler.repetition_penalty = given.repetition_penalty;
  options.sampler.repetition_window = given.repetition_window;
  options.sampler.seed = given.seed;
  options.ignore_eos = given.ignore_eos != 0;
  if (given.stop_count > TERN_MAX_STOPS) {
    Fail(ErrorKind::kInvalidArgument, "stop_count is {}; the most is {}", given.stop_count,
         TERN_MAX_STOPS);
  }
  if (given.stop_count > 0) NotNull(given.stop, "stop");
  for (size_t i = 0; i < given.stop_count; ++i) {
    options.stop.push_back(Name(given.stop[i], kMaxStopBytes, "a string of stop"));
  }
  return options;
}

int64_t StopReasonOf(tern::StopReason reason) {
  switch (reason) {
    case tern::StopReason::kMaxTokens:
      return TERN_STOP_MAX_TOKENS;
    case tern::StopReason::kEndToken:
      return TERN_STOP_END_TOKEN;
    case tern::StopReason::kStopString:
      return TERN_STOP_STRING;
    case tern::StopReason::kContextFull:
      return TERN_STOP_CONTEXT;
    case tern::StopReason::kCancelled:
      break;
  }
  return TERN_STOP_CALLBACK;
}

// Gives a session to one call at a time.
class Turn {
 public:
  explicit Turn(std::atomic_flag* busy) : busy_(busy) {
    if (busy_->test_and_set(std::memory_order_acquire)) {
      Fail(ErrorKind::kInvalidArgument,
           "the session is at work in another call; each thread needs one of its own");
    }
  }
  ~Turn() { busy_->clear(std::memory_order_release); }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  std::atomic_flag* busy_;
};

}  // namespace

struct tern_model {
  std::shared_ptr<SharedModel> shared;
};

struct tern_session {
  tern_session(std::shared_ptr<SharedModel> model, int64_t capacity)
      : shared(std::move(model)),
        session(shared->ctx, *shared->loaded.model, {.capacity = capacity}) {}

  // What is to be read before the next token is drawn.
  std::vector<int32_t> Unread(std::string_view prompt) const {
    if (!drawn && session.position() == 0) {
      return tern::PromptIds(shared->tokenizer(), shared->config(), prompt);
    }
    std::vector<int32_t> ids = shared->tokenizer().Encode(prompt);
    if (drawn) ids.insert(ids.begin(), *drawn);
    return ids;
  }

  const tern::ChatFormat& Format() {
    if (!format) format = tern::ReadChatFormat(shared->loaded);
    if (!format) {
      Fail(ErrorKind::kInvalidArgument,
           "{}: has no chat template, so it was not made for conversations; tern_generate "
           "continues a text",
           shared->loaded.path);
    }
    return *format;
  }

  std::shared_ptr<SharedModel> shared;
  tern::Session session;
  std::optional<int32_t> drawn;            // the last token, which the session has not read yet
  std::optional<tern::ChatFormat> format;  // once it was asked for
  std::tm now = {};                        // of the first conversation
  mutable std::atomic_flag busy = ATOMIC_FLAG_INIT;
};

namespace {

// What a call that generates is given, checked.
struct Request {
  Request(const tern_generate_options* options, const tern_generate_result* result)
      : given(Known(&NotNull(options, "options"), tern_generate_options TERN_GENERATE_OPTIONS_INIT,
                    "tern_generate_options")),
        told(
            Known(result, tern_generate_result TERN_GENERATE_RESULT_INIT, "tern_generate_result")) {
    if (given.on_text == nullptr) Fail(ErrorKind::kInvalidArgument, "on_text is null");
    chosen = GenerateOptionsOf(given);
  }

  bool OnText(std::string_view text) const {
    return given.on_text(text.data(), text.size(), given.user) == 0;
  }

  void Tell(const tern::GenerateResult& generated, tern_generate_result* result) {
    told.stop_reason = StopReasonOf(generated.reason);
    told.prompt_tokens = generated.prompt_tokens;
    told.tokens = static_cast<int64_t>(generated.ids.size());
    if (result != nullptr) std::memcpy(result, &told, told.struct_size);
  }

  tern_generate_options given;
  tern_generate_result told;
  tern::GenerateOptions chosen;
};

// Notes the last token that the session has not read.
void NoteDrawn(const tern::GenerateResult& result, tern_session* session) {
  session->drawn.reset();
  if (static_cast<int64_t>(result.ids.size()) > result.steps) session->drawn = result.ids.back();
}

tern::GenerateResult Continue(tern_session& session, std::string_view prompt,
                              const Request& request) {
  const std::vector<int32_t> ids = session.Unread(prompt);
  const int64_t before = session.session.position();
  try {
    tern::GenerateResult result =
        tern::Generate(session.session, session.shared->tokenizer(), ids, request.chosen,
                       [&](std::string_view text) { return request.OnText(text); });
    NoteDrawn(result, &session);
    return result;
  } catch (...) {
    session.session.Rewind(before);
    throw;
  }
}

std::vector<tern::ChatMessage> Messages(const tern_message* messages, size_t count) {
  NotNull(messages, "messages");
  if (count > TERN_MAX_MESSAGES) {
    Fail(ErrorKind::kInvalidArgument, "count is {}; the most is {}", count, TERN_MAX_MESSAGES);
  }
  std::vector<tern::ChatMessage> all;
  for (size_t i = 0; i < count; ++i) {
    const tern_message& message = messages[i];
    all.push_back({Name(message.role, kMaxRoleBytes, "role"),
                   std::string(Text(message.content, message.content_bytes, "content"))});
  }
  return all;
}

tern::GenerateResult Answer(tern_session& session, std::vector<tern::ChatMessage> messages,
                            const Request& request) {
  const tern::Tokenizer& tokenizer = session.shared->tokenizer();
  const tern::ChatFormat& format = session.Format();
  if (session.now.tm_mday == 0) {
    const std::time_t now = std::time(nullptr);
    ::localtime_r(&now, &session.now);
  }
  const std::vector<int32_t> held(session.session.ids().begin(), session.session.ids().end());
  try {
    tern::GenerateResult result =
        tern::AnswerConversation(session.session, tokenizer, format,
                                 {.messages = std::move(messages), .now = session.now},
                                 request.chosen,
                                 [&](std::string_view text) { return request.OnText(text); })
            .result;
    NoteDrawn(result, &session);
    return result;
  } catch (...) {
    if (!std::ranges::equal(held, session.session.ids())) session.drawn.reset();
    throw;
  }
}

}  // namespace

const char* tern_version(void) { return TERN_VERSION; }

const char* tern_last_error(void) { return last_error; }

tern_status tern_model_load(const char* path, const tern_model_options* options,
                            tern_model** model) {
  return Guarded([&] {
    tern_model*& out = NotNull(model, "model");
    const std::string name = Name(path, kMaxPathBytes, "path");
    const tern_model_options known =
        Known(options, tern_model_options TERN_MODEL_OPTIONS_INIT, "tern_model_options");
    out = new tern_model{Load(name, known)};
    return TERN_OK;
  });
}

void tern_model_free(tern_model* model) { delete model; }

int64_t tern_model_vocab_size(const tern_model* model) {
  int64_t size = -1;
  Guarded([&] {
    size = NotNull(model, "model").shared->config().vocab_size;
    return TERN_OK;
  });
  return size;
}

int64_t tern_model_context(const tern_model* model) {
  int64_t tokens = -1;
  Guarded([&] {
    tokens = NotNull(model, "model").shared->config().max_positions;
    return TERN_OK;
  });
  return tokens;
}

int64_t tern_model_embedding_size(const tern_model* model) {
  int64_t size = -1;
  Guarded([&] {
    const tern::ModelConfig& config = NotNull(model, "model").shared->config();
    size = config.embeds ? config.hidden_size : 0;
    return TERN_OK;
  });
  return size;
}

tern_status tern_tokenize(const tern_model* model, const char* text, size_t text_bytes,
                          int32_t* ids, size_t capacity, size_t* count) {
  return Guarded([&] {
    const tern::Tokenizer& tokenizer = NotNull(model, "model").shared->tokenizer();
    NotNull(count, "count");
    const std::vector<int32_t> found = tokenizer.Encode(Text(text, text_bytes, "text"));
    return Give(found.data(), found.size(), ids, capacity, count);
  });
}

tern_status tern_detokenize(const tern_model* model, const int32_t* ids, size_t count, char* text,
                            size_t capacity, size_t* text_bytes) {
  return Guarded([&] {
    const tern::Tokenizer& tokenizer = NotNull(model, "model").shared->tokenizer();
    NotNull(ids, "ids");
    NotNull(text_bytes, "text_bytes");
    if (count > TERN_MAX_TEXT_BYTES) {
      Fail(ErrorKind::kInvalidArgument, "count is {}; the most is {}", count, TERN_MAX_TEXT_BYTES);
    }
    const std::string found = tokenizer.Decode({ids, count});
    return Give(found.data(), found.size(), text, capacity, text_bytes);
  });
}

tern_status tern_embed(const tern_model* model, const char* text, size_t text_bytes,
                       float* embedding, size_t capacity) {
  return Guarded([&] {
    SharedModel& shared = *NotNull(model, "model").shared;
    NotNull(embedding, "embedding");
    tern::EncodeOptions options;
    options.add_special = true;
    const std::vector<int32_t> ids =
        shared.tokenizer().Encode(Text(text, text_bytes, "text"), options);
    const std::vector<float> found = tern::EmbedText(shared.ctx, *shared.loaded.model, ids);
    return Give(found.data(), found.size(), embedding, capacity, nullptr);
  });
}

tern_status tern_session_create(tern_model* model, int64_t capacity, tern_session** session) {
  return Guarded([&] {
    const std::shared_ptr<SharedModel>& shared = NotNull(model, "model").shared;
    tern_session*& out = NotNull(session, "session");
    if (shared->config().embeds) {
      Fail(ErrorKind::kInvalidArgument,
           "{}: is an embedding model, which predicts no text; tern_embed gives embeddings",
           shared->loaded.path);
    }
    out = new tern_session(shared, capacity);
    return TERN_OK;
  });
}

void tern_session_free(tern_session* session) { delete session; }

int64_t tern_session_position(const tern_session* session) {
  int64_t position = -1;
  Guarded([&] {
    const tern_session& known = NotNull(session, "session");
    const Turn turn(&known.busy);
    position = known.session.position();
    return TERN_OK;
  });
  return position;
}

tern_status tern_session_rewind(tern_session* session, int64_t position) {
  return Guarded([&] {
    tern_session& known = NotNull(session, "session");
    const Turn turn(&known.busy);
    known.session.Rewind(position);
    known.drawn.reset();
    return TERN_OK;
  });
}

tern_status tern_generate(tern_session* session, const char* prompt, size_t prompt_bytes,
                          const tern_generate_options* options, tern_generate_result* result) {
  return Guarded([&] {
    tern_session& known = NotNull(session, "session");
    const std::string_view text = Text(prompt, prompt_bytes, "prompt");
    Request request(options, result);
    const Turn turn(&known.busy);
    request.Tell(Continue(known, text, request), result);
    return TERN_OK;
  });
}

tern_status tern_chat(tern_session* session, const tern_message* messages, size_t count,
                      const tern_generate_options* options, tern_generate_result* result) {
  return Guarded([&] {
    tern_session& known = NotNull(session, "session");
    std::vector<tern::ChatMessage> said = Messages(messages, count);
    Request request(options, result);
    const Turn turn(&known.busy);
    request.Tell(Answer(known, std::move(said), request), result);
    return TERN_OK;
  });
}
