/* SPDX-License-Identifier: MIT
 *
 * The C front of Tern: run ternary language and embedding models from C, or from any language that
 * calls C. The library is libtern.so (pkg-config tern, or CMake's tern::c). For training, and for
 * all the rest, there is the C++ front <tern/tern.h>.
 *
 *   tern_model* model = NULL;
 *   tern_session* session = NULL;
 *   tern_generate_options options = TERN_GENERATE_OPTIONS_INIT;
 *   options.on_text = print_text;
 *   if (tern_model_load("models/tern-stories", NULL, &model) == TERN_OK &&
 *       tern_session_create(model, 0, &session) == TERN_OK) {
 *     tern_generate(session, prompt, strlen(prompt), &options, NULL);
 *   }
 *
 * Errors. A function that can fail returns a tern_status, or a negative number; why is then what
 * tern_last_error() says in the same thread. Null where a pointer is due, a size out of bounds or a
 * wrong option is TERN_INVALID_ARGUMENT, never a crash. A call that fails leaves its session (but
 * for tern_chat) as it was and its outputs alone, but for the size that TERN_BUFFER_TOO_SMALL
 * tells. Nothing is printed and no C++ exception comes out.
 *
 * Threads. A model may be used by any number of threads at a time, each with a session of its own.
 * A call on a session that is at work in another thread, or below the callback of its own, is
 * refused. Whoever frees something sees to it that no other call is using it.
 *
 * Text is UTF-8 and comes with its number of bytes, at most TERN_MAX_TEXT_BYTES; it need not end in
 * a zero, and may hold some. Names, paths and stop strings end in a zero.
 *
 * Structures begin with their size, so that they can grow at the end: begin with the _INIT macro,
 * then change what you like.
 */
#ifndef TERN_C_API_H_
#define TERN_C_API_H_

/* NOLINTBEGIN(modernize-deprecated-headers,modernize-redundant-void-arg): this is C */
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define TERN_API __attribute__((visibility("default")))
#else
#define TERN_API
#endif

#define TERN_MAX_TEXT_BYTES ((size_t)1 << 30)
#define TERN_MAX_STOPS 64
#define TERN_MAX_MESSAGES 65536

typedef enum tern_status {
  TERN_OK = 0,
  TERN_INVALID_ARGUMENT = 1, /* an argument that the function does not take */
  TERN_INVALID_FILE = 2,     /* a file's content is not what its format asks for */
  TERN_IO = 3,               /* the operating system refused: missing, unreadable */
  TERN_UNSUPPORTED = 4,      /* well-formed, but not available here */
  TERN_OUT_OF_MEMORY = 5,    /* the memory limit or the system's memory is reached */
  TERN_NUMERIC = 6,          /* NaN or infinity where a finite number is needed */
  TERN_BUFFER_TOO_SMALL = 7, /* the size that is needed was told; nothing was written */
  TERN_INTERNAL = 8          /* an exception of another kind, such as one that a callback threw */
} tern_status;

typedef struct tern_model tern_model;     /* weights, tokenizer, threads and memory */
typedef struct tern_session tern_session; /* one text that a model reads and writes */

/* The version of the library, "MAJOR.MINOR.PATCH". */
TERN_API const char* tern_version(void);

/* Why the last call that failed in this thread did; "" if none has. Valid until the next call that
 * fails in this thread. */
TERN_API const char* tern_last_error(void);

/* ---- Models ---- */

typedef struct tern_model_options {
  size_t struct_size;
  int64_t threads;       /* 0: TERN_THREADS of the environment, else the usable cores */
  uint64_t memory_limit; /* bytes for weights, caches and workspaces; 0: none */
  const char* cpu;       /* a target that `tern doctor` lists; null: TERN_CPU, else the best */
} tern_model_options;
#define TERN_MODEL_OPTIONS_INIT \
  { sizeof(tern_model_options), 0, 0, NULL }

/* Loads a Hugging Face directory or a GGUF file. Null options are those of the macro. *model is for
 * tern_model_free. */
TERN_API tern_status tern_model_load(const char* path, const tern_model_options* options,
                                     tern_model** model);

/* Sessions keep what they need of a model, so the order of freeing does not matter. Null is fine.
 */
TERN_API void tern_model_free(tern_model* model);

/* The number of logits, token ids being below it; -1 for null. */
TERN_API int64_t tern_model_vocab_size(const tern_model* model);
/* The most tokens that a text may have; -1 for null. */
TERN_API int64_t tern_model_context(const tern_model* model);
/* The elements of an embedding, 0 for a language model; -1 for null. */
TERN_API int64_t tern_model_embedding_size(const tern_model* model);

/* ---- Text and tokens ---- */

/* Writes the ids of the text alone, without the tokens that the tokenizer puts around one, and
 * tells their number in *count. A null `ids` with capacity 0 asks for the number. Special tokens
 * that are written in the text are recognised. */
TERN_API tern_status tern_tokenize(const tern_model* model, const char* text, size_t text_bytes,
                                   int32_t* ids, size_t capacity, size_t* count);

/* Writes the bytes of the tokens, which need not be UTF-8 and do not end in a zero, and tells their
 * number in *text_bytes. A null `text` with capacity 0 asks for the number. */
TERN_API tern_status tern_detokenize(const tern_model* model, const int32_t* ids, size_t count,
                                     char* text, size_t capacity, size_t* text_bytes);

/* The embedding of a text, tern_model_embedding_size elements of length 1 together, by a model that
 * was made for it. The tokens that the tokenizer puts around a text are added. */
TERN_API tern_status tern_embed(const tern_model* model, const char* text, size_t text_bytes,
                                float* embedding, size_t capacity);

/* ---- Generation ---- */

/* A session with room for `capacity` tokens; 0: as many as the model takes. *session is for
 * tern_session_free. */
TERN_API tern_status tern_session_create(tern_model* model, int64_t capacity,
                                         tern_session** session);
TERN_API void tern_session_free(tern_session* session); /* null is fine */

/* How many tokens the session has read; -1 for null, and while it is at work. */
TERN_API int64_t tern_session_position(const tern_session* session);
/* Forgets all but the first `position` tokens. */
TERN_API tern_status tern_session_rewind(tern_session* session, int64_t position);

/* Is given the text piece by piece as it comes, never cut within a character and without a zero at
 * its end. Returns 0 to go on, anything else to end the text. */
typedef int (*tern_text_callback)(const char* text, size_t text_bytes, void* user);

typedef struct tern_generate_options {
  size_t struct_size;
  tern_text_callback on_text; /* must be set */
  void* user;                 /* on_text is given it */
  int64_t max_tokens;         /* to add at most */
  double temperature;         /* spread of the draw; 0 takes the likeliest token */
  int64_t top_k;              /* draw from the likeliest so many; 0: all */
  double top_p;               /* draw from the likeliest that have this probability together */
  double min_p;               /* draw from tokens this likely beside the likeliest */
  double repetition_penalty;  /* 0.01 to 100; above 1 makes repetition rarer */
  int64_t repetition_window;  /* tokens that the penalty sees; 0: all */
  uint64_t seed;              /* the same seed, the same text, on every machine */
  int64_t ignore_eos;         /* not 0: the end of a text does not end it */
  const char* const* stop;    /* strings that end the text, and are not part of it */
  size_t stop_count;          /* to TERN_MAX_STOPS */
} tern_generate_options;
#define TERN_GENERATE_OPTIONS_INIT \
  { sizeof(tern_generate_options), NULL, NULL, 256, 0.8, 0, 1.0, 0.0, 1.0, 64, 0, 0, NULL, 0 }

typedef enum tern_stop_reason {
  TERN_STOP_MAX_TOKENS = 0,
  TERN_STOP_END_TOKEN = 1, /* the model ended the text */
  TERN_STOP_STRING = 2,    /* one of `stop` came */
  TERN_STOP_CONTEXT = 3,   /* the session holds no further token */
  TERN_STOP_CALLBACK = 4   /* the callback said so */
} tern_stop_reason;

typedef struct tern_generate_result {
  size_t struct_size;
  int64_t stop_reason;   /* a tern_stop_reason */
  int64_t prompt_tokens; /* read before the first one was drawn */
  int64_t tokens;        /* drawn, without the one that ended the text */
} tern_generate_result;
#define TERN_GENERATE_RESULT_INIT \
  { sizeof(tern_generate_result), 0, 0, 0 }

/* Reads the prompt behind what the session holds, and goes on with it. A new session begins with
 * the tokens that the tokenizer puts before a text; there the prompt may be empty. Call again to go
 * on with the same text. result may be null. */
TERN_API tern_status tern_generate(tern_session* session, const char* prompt, size_t prompt_bytes,
                                   const tern_generate_options* options,
                                   tern_generate_result* result);

/* ---- Conversations ---- */

typedef struct tern_message {
  const char* role; /* "system", "user", "assistant", or what else the model's template knows */
  const char* content;
  size_t content_bytes;
} tern_message;

/* Goes on with a conversation as the assistant, by the chat template of the model's files: on_text
 * is given the answer, and nothing (0 bytes) now and then while a long conversation is read. Ends
 * where the assistant's turn does, too. Pass all the messages each time, the answers among them, at
 * most TERN_MAX_MESSAGES. What the session has read of their text is kept, and all else that it
 * held is forgotten, also by a call that fails once reading began. result may be null; its
 * prompt_tokens are those that were read now. */
TERN_API tern_status tern_chat(tern_session* session, const tern_message* messages, size_t count,
                               const tern_generate_options* options, tern_generate_result* result);

#ifdef __cplusplus
}
#endif
/* NOLINTEND(modernize-deprecated-headers,modernize-redundant-void-arg) */

#endif /* TERN_C_API_H_ */
