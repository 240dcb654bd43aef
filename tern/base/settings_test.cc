// SPDX-License-Identifier: MIT
#include "tern/base/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <string>

#include "tern/base/error.h"

namespace tern {
namespace {

using ::testing::HasSubstr;
using Variables = std::map<std::string, std::string>;

Settings Read(const Variables& variables) {
  return ReadSettings([&](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

TEST(SettingsTest, NothingSet) {
  const Settings settings = Read({});
  EXPECT_EQ(settings.cpu_target, "");
  EXPECT_EQ(settings.golden_dir, "");
  EXPECT_EQ(settings.threads, 0);
  EXPECT_EQ(Read({{"TERN_THREADS", ""}}).threads, 0);
}

TEST(SettingsTest, EverythingSet) {
  const Settings settings =
      Read({{"TERN_CPU", "avx512_vnni"}, {"TERN_GOLDEN", "/tmp/a b"}, {"TERN_THREADS", "1024"}});
  EXPECT_EQ(settings.cpu_target, "avx512_vnni");
  EXPECT_EQ(settings.golden_dir, "/tmp/a b");
  EXPECT_EQ(settings.threads, 1024);
}

TEST(SettingsTest, NamesTheVariableThatIsWrong) {
  for (const char* wrong : {"0", "-1", "1025", "two", "2x", " 2", "99999999999999999999"}) {
    try {
      Read({{"TERN_THREADS", wrong}});
      ADD_FAILURE() << "took \"" << wrong << "\"";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
      EXPECT_THAT(error.what(), HasSubstr("TERN_THREADS"));
      EXPECT_THAT(error.what(), HasSubstr(wrong));
    }
  }
  EXPECT_THROW(Read({{"TERN_CPU", "AVX2"}}), Error);
  EXPECT_THROW(Read({{"TERN_CPU", "avx2 "}}), Error);
}

TEST(SettingsTest, ReadsTheEnvironment) {
  const char* before = std::getenv("TERN_THREADS");
  const std::string saved = before == nullptr ? "" : before;
  ASSERT_EQ(::setenv("TERN_THREADS", "3", 1), 0);
  EXPECT_EQ(ReadSettings().threads, 3);
  ASSERT_EQ(::setenv("TERN_THREADS", saved.c_str(), 1), 0);
}

}  // namespace
}  // namespace tern
