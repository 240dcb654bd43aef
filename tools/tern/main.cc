// SPDX-License-Identifier: MIT
// `tern`: reads the command line, runs one sub-command, and turns errors into one line on stderr
// and an exit status.
#include <fmt/format.h>

#include <exception>
#include <new>
#include <sstream>

#include "tern/base/error.h"
#include "tern/text/utf8.h"
#include "tools/tern/command.h"

namespace tern::cli {

#define TERN_COMMAND(name) void Add##name(CLI::App& app, Runner* run);
#include "tools/tern/commands.inc"
#undef TERN_COMMAND

namespace {

constexpr int kExitFailure = 1;
constexpr int kExitUsage = 2;
constexpr size_t kMaxMessageBytes = 2000;

constexpr const char* kFirstSteps =
    "First steps:\n"
    "  tern generate tern-stories --prompt \"Once upon a time\"\n"
    "  tern train --data book.txt --out my-model --steps 300\n"
    "  tern generate my-model\n"
    "\n"
    "tern COMMAND --help explains a command with examples. The environment variables\n"
    "TERN_CPU (a CPU target that `tern doctor` lists) and TERN_THREADS are read.";

// CLI11's help, with one line for each command in the list and values without their checks.
class HelpFormatter : public CLI::Formatter {
 public:
  HelpFormatter() {
    column_width(28);
    label("Positionals", "Arguments");
    label("SUBCOMMAND", "COMMAND");
  }

  std::string make_subcommand(const CLI::App* command) const override {
    const std::string description = command->get_description();
    const size_t end = description.find(".\n");
    return fmt::format("  {:<12}{}\n", command->get_name(), description.substr(0, end));
  }

  std::string make_option_opts(const CLI::Option* option) const override {
    std::string text;
    if (option->get_type_size() != 0 && !option->get_type_name().empty()) {
      text += " " + option->get_type_name();
    }
    if (!option->get_default_str().empty()) text += " [" + option->get_default_str() + "]";
    if (option->get_expected_max() > 1) text += " ...";
    return text;
  }
};

int Usage(const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<CLI::App*> chosen = app.get_subcommands();
  const std::string command = chosen.empty() ? "tern" : "tern " + chosen.front()->get_name();
  Note("{}: {}; see {} --help\n", command, OneLine(error.what(), kMaxMessageBytes), command);
  return kExitUsage;
}

int Failure(std::string_view message) {
  Note("tern: {}\n", OneLine(message, kMaxMessageBytes));
  return kExitFailure;
}

int Main(int argc, char** argv) {
  CLI::App app(
      "Tern trains, packs and runs 1.58-bit (ternary) language models on any CPU, with the same\n"
      "bits everywhere.\n",
      "tern");
  app.formatter(std::make_shared<HelpFormatter>());
  app.footer(kFirstSteps);
  app.set_version_flag("--version", "tern " TERN_VERSION);
  app.require_subcommand(0, 1);
  Runner run;
#define TERN_COMMAND(name) Add##name(app, &run);
#include "tools/tern/commands.inc"
#undef TERN_COMMAND
  try {
    app.parse(argc, argv);
    if (run) return run();
    Print(app.help());
    return 0;
  } catch (const CLI::Success& help_or_version) {
    std::ostringstream text;
    const int status = app.exit(help_or_version, text);
    Print(text.str());
    return status;
  } catch (const CLI::ParseError& error) {
    return Usage(app, error);
  }
}

}  // namespace
}  // namespace tern::cli

int main(int argc, char** argv) {
  try {
    return tern::cli::Main(argc, argv);
  } catch (const std::bad_alloc&) {
    return tern::cli::Failure("out of memory");
  } catch (const std::exception& error) {
    return tern::cli::Failure(error.what());
  }
}
