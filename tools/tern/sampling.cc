// SPDX-License-Identifier: MIT
#include "tools/tern/sampling.h"

#include <fmt/format.h>

#include "tools/tern/command.h"

namespace tern::cli {

void AddSamplerOptions(CLI::App* command, SamplerOptions* sampler) {
  const auto add = [command](const char* name, auto* value, const char* text) {
    return command->add_option(name, *value, text)
        ->check(NotEmpty())
        ->capture_default_str()
        ->group("Sampling");
  };
  add("--temperature", &sampler->temperature, "Spread of the draw; 0 is greedy");
  add("--top-k", &sampler->top_k, "Draw from the K likeliest tokens; 0: all")->check(AtLeast(0));
  add("--top-p", &sampler->top_p, "Draw from the likeliest that have this probability together");
  add("--min-p", &sampler->min_p, "Draw from tokens this likely beside the likeliest");
  add("--repetition-penalty", &sampler->repetition_penalty, "Above 1 makes repetition rarer");
  add("--repetition-window", &sampler->repetition_window, "Tokens that the penalty sees; 0: all")
      ->check(AtLeast(0));
  add("--seed", &sampler->seed, "Another number, another text")->check(AtLeast(0));
}

std::optional<double> TokensPerSecond(int64_t tokens, double seconds) {
  if (tokens == 0 || !(seconds > 0)) return std::nullopt;
  return static_cast<double>(tokens) / seconds;
}

nlohmann::ordered_json RateJson(std::optional<double> rate) {
  return rate ? nlohmann::ordered_json(*rate) : nullptr;
}

std::string RateText(std::optional<double> rate) {
  return rate ? fmt::format(", {:.0f} tokens/s", *rate) : "";
}

}  // namespace tern::cli
