// SPDX-License-Identifier: MIT
// Continues a prompt with a model: generate MODEL_DIRECTORY PROMPT
#include <tern/tern.h>

#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

namespace {

void Generate(const std::string& directory, const std::string& prompt) {
  tern::ContextOptions options;
  options.threads = tern::CpuTopology::Detect().usable_cores();
  tern::Context ctx(options);
  ctx.AddBackend(std::make_unique<tern::CpuBackend>());

  const tern::LoadedModel loaded = tern::LoadModel(ctx, directory);
  const tern::Tokenizer& tokenizer = loaded.tokenizer.value();
  tern::Session session(ctx, *loaded.model);

  tern::GenerateOptions generate;
  generate.max_tokens = 100;
  generate.sampler.temperature = 0.7;
  std::fputs(prompt.c_str(), stdout);
  tern::Generate(session, tokenizer, tokenizer.Encode(prompt), generate, [](std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), stdout);
    return std::fflush(stdout) == 0;
  });
  std::fputs("\n", stdout);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: %s MODEL_DIRECTORY PROMPT\n", argv[0]);
    return 2;
  }
  try {
    Generate(argv[1], argv[2]);
  } catch (const tern::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
