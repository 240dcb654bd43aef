// SPDX-License-Identifier: MIT
#include "tools/tern/command.h"

#include <fmt/format.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>

#include "tern/backends/cpu/cpu_backend.h"
#include "tern/base/cpu_topology.h"
#include "tern/base/error.h"
#include "tern/base/settings.h"
#include "tern/text/utf8.h"

namespace tern::cli {

CLI::App* AddCommand(CLI::App& app, const std::string& name, const std::string& summary,
                     const std::string& text, const std::string& examples) {
  CLI::App* command = app.add_subcommand(name, summary + ".\n\n" + text + "\n");
  command->group("Commands");
  command->footer("Examples:\n" + examples);
  return command;
}

void AddCommonOptions(CLI::App* command, CommonOptions* options) {
  command
      ->add_option("--threads", options->threads,
                   "Threads (default: TERN_THREADS, else the usable cores)")
      ->check(CLI::Range(1, kMaxThreads).description(""))
      ->type_name("N");
  AddPinOption(command, options);
  AddOutputOptions(command, options);
}

void AddPinOption(CLI::App* command, CommonOptions* options) {
  // Asked for here, before the first context binds the thread that asks.
  command->add_flag_function(
      "--pin",
      [options](int64_t) {
        options->pin = true;
        options->cpus = CpuTopology::Detect().core_cpus;
      },
      "Keep each thread on a core of its own");
}

std::vector<int> CpusFor(const CommonOptions& options, int threads) {
  if (!options.pin) return {};
  if (options.cpus.size() < static_cast<size_t>(threads)) {
    Fail(
        ErrorKind::kUnsupported,
        "--pin: {} threads need a core each, and this process may use {}; give --threads, or leave "
        "--pin out",
        threads, options.cpus.size());
  }
  return {options.cpus.begin(), options.cpus.begin() + threads};
}

void AddOutputOptions(CLI::App* command, CommonOptions* options) {
  command->add_flag("--json", options->json, "One JSON object on stdout, nothing else there");
  command
      ->add_option("--memory-limit", options->memory_limit_bytes,
                   "Most memory for weights, cache and workspaces, e.g. 800M or 2G")
      ->transform(SizeValue())
      ->type_name("SIZE");
}

void AddModelArgument(CLI::App* command, std::string* model) {
  command
      ->add_option("MODEL", *model,
                   "A Hugging Face directory, a GGUF file, the directory of a\n"
                   "training run, or the name of a model that comes with Tern:\n"
                   "tern-stories")
      ->required()
      ->type_name("");
}

CLI::Validator AtLeast(int64_t least) {
  return CLI::Validator(
      [least](const std::string& text) {
        int64_t value = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        const bool whole = error == std::errc() && end == text.data() + text.size();
        return whole && value >= least
                   ? std::string()
                   : fmt::format("takes a whole number from {}, not {}", least, text);
      },
      "");
}

CLI::Validator NotEmpty() {
  return CLI::Validator(
      [](const std::string& text) { return text.empty() ? "needs a value, not an empty one" : ""; },
      "");
}

CLI::Validator SizeValue() {
  return CLI::Validator(
      [](std::string& text) {
        const std::string given = text;
        const auto refusal = [&] {
          return fmt::format("takes a size like 800M or 2G, not {}", given);
        };
        // The conversion would wrap a negative number around, and 0 would stand for no limit.
        if (text.starts_with('-')) return refusal();
        const std::string error = CLI::AsSizeValue(false)(text);
        return error.empty() && text == "0" ? refusal() : error;
      },
      "");
}

int ThreadCount(const CommonOptions& options) {
  if (options.threads > 0) return options.threads;
  const Settings settings = ReadSettings();
  return settings.threads > 0 ? settings.threads : CpuTopology::Detect().usable_cores();
}

std::unique_ptr<Context> MakeContext(const CommonOptions& options, std::string_view cpu_target) {
  const std::string target =
      cpu_target.empty() ? ReadSettings().cpu_target : std::string(cpu_target);
  ContextOptions context_options;
  context_options.threads = ThreadCount(options);
  context_options.cpus = CpusFor(options, context_options.threads);
  context_options.log = [](LogLevel level, std::string_view message) {
    Note("tern: {}{}\n", level == LogLevel::kWarning ? "warning: " : "", message);
  };
  auto ctx = std::make_unique<Context>(std::move(context_options));
  MemoryPoolOptions pool;
  pool.byte_limit = options.memory_limit_bytes;
  ctx->AddBackend(std::make_unique<CpuBackend>(target, pool));
  return ctx;
}

std::vector<int32_t> EncodeFile(const Tokenizer& tokenizer, std::string_view text,
                                const std::string& path, const EncodeOptions& options) {
  CheckUtf8(text, path);
  return tokenizer.Encode(text, options);
}

std::vector<int32_t> ParseIds(std::string_view text, std::string_view option) {
  constexpr std::string_view kSeparators = ", \t\r\n";
  std::vector<int32_t> ids;
  while (true) {
    const size_t start = text.find_first_not_of(kSeparators);
    if (start == std::string_view::npos) break;
    const size_t end = std::min(text.find_first_of(kSeparators, start), text.size());
    const std::string_view word = text.substr(start, end - start);
    int32_t id = 0;
    const auto [rest, error] = std::from_chars(word.data(), word.data() + word.size(), id);
    if (error != std::errc() || rest != word.data() + word.size() || id < 0) {
      throw CLI::ValidationError(
          fmt::format("{} takes token ids like 1,2,3; \"{}\" is none", option, word));
    }
    ids.push_back(id);
    text.remove_prefix(end);
  }
  if (ids.empty()) {
    throw CLI::ValidationError(fmt::format("{} names no token; give ids like 1,2,3", option));
  }
  return ids;
}

std::string IdsText(const std::vector<int32_t>& ids) {
  return fmt::format("{}", fmt::join(ids, ","));
}

std::string BytesText(double bytes) {
  const char* const units[] = {"B", "kB", "MB", "GB", "TB"};
  size_t unit = 0;
  while (bytes >= 999.5 && unit + 1 < std::size(units)) {
    bytes /= 1000;
    ++unit;
  }
  return unit == 0 || bytes >= 99.5 ? fmt::format("{:.0f} {}", bytes, units[unit])
                                    : fmt::format("{:.1f} {}", bytes, units[unit]);
}

std::string CountText(int64_t count) {
  std::string text = fmt::format("{}", count);
  for (size_t i = text.size(); i > 3; i -= 3) text.insert(i - 3, 1, ',');
  return text;
}

std::string CountText(int64_t count, std::string_view noun) {
  return fmt::format("{} {}{}", CountText(count), noun, count == 1 ? "" : "s");
}

void PrintJson(const nlohmann::ordered_json& object) {
  Print(object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

void Print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    Fail(ErrorKind::kIo, "cannot write to standard output: {}", std::strerror(errno));
  }
}

void NoteText(std::string_view text) { (void)std::fwrite(text.data(), 1, text.size(), stderr); }

}  // namespace tern::cli
