/* SPDX-License-Identifier: MIT */
/* Continues a prompt with a model, always with the likeliest token: generate MODEL PROMPT
 *
 *   cc generate.c $(pkg-config --cflags --libs tern) -o generate */
#include <stdio.h>
#include <string.h>
#include <tern/c_api.h>

static int print_text(const char* text, size_t text_bytes, void* user) {
  (void)user;
  fwrite(text, 1, text_bytes, stdout);
  return fflush(stdout); /* not 0 ends the text */
}

static tern_status generate(const char* path, const char* prompt) {
  tern_model* model = NULL;
  tern_session* session = NULL;
  tern_generate_options options = TERN_GENERATE_OPTIONS_INIT;
  tern_status status = tern_model_load(path, NULL, &model);
  options.on_text = print_text;
  options.max_tokens = 100;
  options.temperature = 0;

  if (status == TERN_OK) status = tern_session_create(model, 0, &session);
  if (status == TERN_OK) {
    printf("%s", prompt);
    status = tern_generate(session, prompt, strlen(prompt), &options, NULL);
    printf("\n");
  }
  tern_session_free(session);
  tern_model_free(model);
  return status;
}

int main(int argc, char** argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: %s MODEL PROMPT\n", argv[0]);
    return 2;
  }
  if (generate(argv[1], argv[2]) != TERN_OK) {
    fprintf(stderr, "%s\n", tern_last_error());
    return 1;
  }
  return 0;
}
