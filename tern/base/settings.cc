// SPDX-License-Identifier: MIT
#include "tern/base/settings.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <string_view>
#include <system_error>

#include "tern/base/error.h"

namespace tern {
namespace {

int ParseThreads(std::string_view text) {
  int threads = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), threads);
  if (error != std::errc() || end != text.data() + text.size() || threads < 1 ||
      threads > kMaxThreads) {
    Fail(ErrorKind::kInvalidArgument, "TERN_THREADS is \"{}\"; it takes a number from 1 to {}",
         text, kMaxThreads);
  }
  return threads;
}

bool IsTargetCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

}  // namespace

Settings ReadSettings(FunctionRef<const char*(const char*)> lookup) {
  const auto read = [&](const char* name) -> std::string {
    const char* value = lookup(name);
    return value == nullptr ? std::string() : std::string(value);
  };
  Settings settings;
  settings.cpu_target = read("TERN_CPU");
  if (!std::all_of(settings.cpu_target.begin(), settings.cpu_target.end(), IsTargetCharacter)) {
    Fail(ErrorKind::kInvalidArgument,
         "TERN_CPU is \"{}\"; it takes the name of a CPU target in small letters, such as avx2",
         settings.cpu_target);
  }
  settings.golden_dir = read("TERN_GOLDEN");
  const std::string threads = read("TERN_THREADS");
  if (!threads.empty()) settings.threads = ParseThreads(threads);
  return settings;
}

Settings ReadSettings() {
  return ReadSettings([](const char* name) -> const char* { return std::getenv(name); });
}

}  // namespace tern
