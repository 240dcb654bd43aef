// SPDX-License-Identifier: MIT
// What the commands that generate text share: options of the draw, and the speeds that they tell.
#pragma once

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "tern/runtime/sampler.h"

namespace tern::cli {

// --temperature to --seed. Ranges are CheckSamplerOptions' matter.
void AddSamplerOptions(CLI::App* command, SamplerOptions* sampler);

// None where nothing was timed.
std::optional<double> TokensPerSecond(int64_t tokens, double seconds);
nlohmann::ordered_json RateJson(std::optional<double> rate);
// ", 12 tokens/s" or nothing.
std::string RateText(std::optional<double> rate);

}  // namespace tern::cli
