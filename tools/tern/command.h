// SPDX-License-Identifier: MIT
// What the sub-commands of `tern` share: how one is declared, the options that all take, the
// Context that they run in, and how they print.
//
// Contract of every command: results go to stdout, with --json exactly one JSON object and nothing
// else; progress and messages go to stderr. A tern::Error ends the program with one line on stderr
// and exit status 1, wrong usage with 2.
#pragma once

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tern/base/error.h"
#include "tern/core/context.h"
#include "tern/text/tokenizer.h"

namespace tern::cli {

// Text beyond this is not read whole: a prompt or a file to tokenize is text that people wrote.
inline constexpr size_t kMaxTextBytes = size_t{1} << 30;

struct CommonOptions {
  bool json = false;
  int threads = 0;                  // 0: TERN_THREADS, else as many as usable cores
  uint64_t memory_limit_bytes = 0;  // 0: none
  bool pin = false;
  std::vector<int> cpus;  // with pin: of the cores that the process may use
};

// Runs the chosen sub-command and returns the exit status.
using Runner = std::function<int()>;

// Declares a sub-command: its line in the list of commands, the text that its --help opens with,
// and examples, which end it.
CLI::App* AddCommand(CLI::App& app, const std::string& name, const std::string& summary,
                     const std::string& text, const std::string& examples);

// --json, --threads, --pin and --memory-limit.
void AddCommonOptions(CLI::App* command, CommonOptions* options);
// --json and --memory-limit, for a command with threads of its own.
void AddOutputOptions(CLI::App* command, CommonOptions* options);

// --pin.
void AddPinOption(CLI::App* command, CommonOptions* options);
// What --pin asks for, for so many threads: a CPU for each, none without it. Error where there are
// not enough cores.
std::vector<int> CpusFor(const CommonOptions& options, int threads);

// The required argument MODEL.
void AddModelArgument(CLI::App* command, std::string* model);

// Checks that an option's value is a whole number, and no less than that.
CLI::Validator AtLeast(int64_t least);
// Refuses an empty value, such as an unset variable of the shell gives, where it would be as good
// as no option.
CLI::Validator NotEmpty();
// Turns sizes like 800M or 2G into bytes.
CLI::Validator SizeValue();

// Makes *run call the function with the options, once the command line has chosen the command.
template <typename Options>
void RunWith(CLI::App* command, Runner* run, std::shared_ptr<Options> options,
             int (*function)(const Options&)) {
  command->callback(
      [run, options, function] { *run = [options, function] { return function(*options); }; });
}

// Calls the function; an Error of its is wrong usage that parsing could not see, with exit
// status 2.
template <typename Function>
auto AsUsage(const Function& function) {
  try {
    return function();
  } catch (const Error& error) {
    throw CLI::ValidationError(error.what());
  }
}

// Threads and the CPU backend as the options and the environment say; warnings go to stderr.
// `cpu_target` forces a target by name, over TERN_CPU.
std::unique_ptr<Context> MakeContext(const CommonOptions& options,
                                     std::string_view cpu_target = {});

// The threads that MakeContext uses.
int ThreadCount(const CommonOptions& options);

// Ids of a text that comes from a file. Error that names it when it is not UTF-8.
std::vector<int32_t> EncodeFile(const Tokenizer& tokenizer, std::string_view text,
                                const std::string& path, const EncodeOptions& options = {});

// "1,2,3" (also with spaces) to ids. Anything else is wrong usage of `option`.
std::vector<int32_t> ParseIds(std::string_view text, std::string_view option);
// "1,2,3"
std::string IdsText(const std::vector<int32_t>& ids);

// "3.2 MB": powers of 1000, as disks and downloads are sold.
std::string BytesText(double bytes);
// "12,345,678"
std::string CountText(int64_t count);
// "1 token", "12,345 tokens"
std::string CountText(int64_t count, std::string_view noun);

// One JSON object and a line feed on stdout. Strings that are not UTF-8 are repaired with U+FFFD.
void PrintJson(const nlohmann::ordered_json& object);
// Text on stdout, at once.
void Print(std::string_view text);
// Text on stderr. Where that cannot be written, as on a full disk, work goes on without.
void NoteText(std::string_view text);
template <typename... Args>
void Note(fmt::format_string<Args...> format, Args&&... args) {
  NoteText(fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace tern::cli
