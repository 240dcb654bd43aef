// SPDX-License-Identifier: MIT
// For end-to-end tests: runs `tern` in a process of its own and keeps what it printed.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "tern/base/test_directory.h"

namespace tern::e2e {

struct Outcome {
  int status = -1;  // as Wait's
  std::string out;
  std::string err;
};

struct RunOptions {
  std::string input = {};                     // standard input
  std::string out_path = {};                  // standard output goes there instead
  std::string err_path = {};                  // and standard error there
  std::string directory = {};                 // where it runs; empty: here
  std::vector<std::string> environment = {};  // "NAME=value", besides this process's
  rlim_t file_bytes_limit = 0;                // no file may become larger; 0: no limit
};

namespace internal {

inline void Redirect(int descriptor, const std::string& path, int flags) {
  const int file = ::open(path.c_str(), flags, 0600);
  if (file < 0 || ::dup2(file, descriptor) < 0) ::_exit(126);
}

inline std::vector<std::string> CommandLine(const std::vector<std::string>& arguments) {
  std::vector<std::string> line;
  if (std::string_view(TERN_EMULATOR) != "") line = {"/usr/bin/env", TERN_EMULATOR};
  line.emplace_back(TERN_PROGRAM);
  line.insert(line.end(), arguments.begin(), arguments.end());
  return line;
}

}  // namespace internal

// Starts a command; `in`, `out` and `err` are files for its standard streams.
inline pid_t StartWith(const std::vector<std::string>& arguments, const RunOptions& options,
                       const std::string& in, const std::string& out, const std::string& err) {
  std::vector<std::string> line = internal::CommandLine(arguments);
  std::vector<char*> words;
  for (std::string& word : line) words.push_back(word.data());
  words.push_back(nullptr);
  const pid_t child = ::fork();
  if (child != 0) return child;
  internal::Redirect(STDIN_FILENO, in, O_RDONLY);
  internal::Redirect(STDOUT_FILENO, out, O_WRONLY | O_CREAT | O_TRUNC);
  internal::Redirect(STDERR_FILENO, err, O_WRONLY | O_CREAT | O_TRUNC);
  for (const std::string& variable : options.environment) {
    ::putenv(const_cast<char*>(variable.c_str()));
  }
  if (options.file_bytes_limit > 0) {
    const rlimit limit = {options.file_bytes_limit, options.file_bytes_limit};
    ::signal(SIGXFSZ, SIG_IGN);  // writing beyond is then an error of the write
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  if (!options.directory.empty() && ::chdir(options.directory.c_str()) != 0) ::_exit(126);
  ::execv(words.front(), words.data());
  ::_exit(127);
}

// Starts a command whose output nobody wants.
inline pid_t Start(const std::vector<std::string>& arguments) {
  return StartWith(arguments, {}, "/dev/null", "/dev/null", "/dev/null");
}

// The exit status; 128 + signal when one ended the process.
inline int Wait(pid_t child) {
  int state = 0;
  EXPECT_EQ(::waitpid(child, &state, 0), child);
  return WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state);
}

// Whether it has not ended; Wait still gives its status.
inline bool IsRunning(pid_t child) {
  siginfo_t info = {};
  return ::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == 0;
}

inline Outcome Tern(const std::vector<std::string>& arguments, const RunOptions& options = {}) {
  const TestDirectory directory;
  const std::string in = directory.Write("in", options.input);
  const std::string out = options.out_path.empty() ? directory.File("out") : options.out_path;
  const std::string err = options.err_path.empty() ? directory.File("err") : options.err_path;
  Outcome outcome;
  outcome.status = Wait(StartWith(arguments, options, in, out, err));
  if (options.out_path.empty()) outcome.out = TestDirectory::Read(out);
  if (options.err_path.empty()) outcome.err = TestDirectory::Read(err);
  return outcome;
}

inline std::string Shown(const std::vector<std::string>& arguments, const Outcome& outcome) {
  std::string text = "tern";
  for (const std::string& argument : arguments) text += " " + argument;
  return text + "\nstdout: " + outcome.out + "\nstderr: " + outcome.err;
}

// Runs a command that must succeed.
inline Outcome Succeeds(const std::vector<std::string>& arguments, const RunOptions& options = {}) {
  Outcome outcome = Tern(arguments, options);
  EXPECT_EQ(outcome.status, 0) << Shown(arguments, outcome);
  return outcome;
}

// Adds --json, and expects exactly one JSON object on stdout.
inline nlohmann::json SucceedsWithJson(std::vector<std::string> arguments,
                                       const RunOptions& options = {}) {
  arguments.emplace_back("--json");
  const Outcome outcome = Succeeds(arguments, options);
  nlohmann::json json = nlohmann::json::parse(outcome.out, nullptr, false);
  EXPECT_TRUE(json.is_object()) << Shown(arguments, outcome);
  return json;
}

// Expects the exit status, nothing on stdout, and a last line on stderr that holds each text.
inline void Refuses(int status, const std::vector<std::string>& arguments,
                    std::initializer_list<std::string_view> texts, const RunOptions& options = {}) {
  const Outcome outcome = Tern(arguments, options);
  EXPECT_EQ(outcome.status, status) << Shown(arguments, outcome);
  EXPECT_EQ(outcome.out, "") << Shown(arguments, outcome);
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1)
      << Shown(arguments, outcome);
  for (const std::string_view text : texts) {
    EXPECT_NE(outcome.err.find(text), std::string::npos)
        << Shown(arguments, outcome) << "\nlacks: " << text;
  }
}

inline std::string Source(const std::string& path) {
  return std::string(TERN_SOURCE_DIR) + "/" + path;
}

}  // namespace tern::e2e
