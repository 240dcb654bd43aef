// SPDX-License-Identifier: MIT
#include "tern/base/read_file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "tern/base/error.h"
#include "tern/base/test_directory.h"

namespace tern {
namespace {

using ::testing::HasSubstr;

ErrorKind KindOfFailure(const std::string& path, size_t limit_bytes) {
  try {
    ReadFile(path, limit_bytes);
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr(path));
    return error.kind();
  }
  ADD_FAILURE() << path << " was read";
  return ErrorKind::kUnsupported;
}

TEST(ReadFileTest, ReadsWholeFilesOfAllSizes) {
  const TestDirectory directory;
  for (const size_t bytes : {0u, 1u, 65535u, 65536u, 65537u, 200000u, 9000000u}) {
    std::string content(bytes, '\0');
    for (size_t i = 0; i < bytes; ++i) content[i] = static_cast<char>(i * 7 + i / 256);
    const std::string path = directory.Write("a", content);
    EXPECT_EQ(ReadFile(path, bytes), content);
    EXPECT_EQ(ReadFile(path, ~size_t{0}), content);
  }
}

TEST(ReadFileTest, RefusesMoreThanTheLimit) {
  const TestDirectory directory;
  const std::string path = directory.Write("a", std::string(70000, 'x'));
  EXPECT_EQ(ReadFile(path, 70000).size(), 70000u);
  EXPECT_EQ(KindOfFailure(path, 69999), ErrorKind::kInvalidFile);
  EXPECT_EQ(KindOfFailure(path, 0), ErrorKind::kInvalidFile);
  EXPECT_EQ(KindOfFailure("/dev/zero", 100000), ErrorKind::kInvalidFile);
}

TEST(ReadFileTest, ReadsTheRestOfStandardInput) {
  const TestDirectory directory;
  const int file = ::open(directory.Write("a", "read and rest").c_str(), O_RDONLY);
  ASSERT_GE(file, 0);
  ::lseek(file, 9, SEEK_SET);
  const int before = ::dup(STDIN_FILENO);
  ASSERT_EQ(::dup2(file, STDIN_FILENO), STDIN_FILENO);
  EXPECT_EQ(ReadStandardInput(100), "rest");
  ::dup2(before, STDIN_FILENO);
  ::close(before);
  ::close(file);
}

TEST(ReadFileTest, SaysWhatCannotBeRead) {
  const TestDirectory directory;
  EXPECT_EQ(KindOfFailure(directory.File("missing"), 10), ErrorKind::kIo);
  EXPECT_EQ(KindOfFailure(directory.path(), 10), ErrorKind::kIo);
}

}  // namespace
}  // namespace tern
