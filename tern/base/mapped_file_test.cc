// SPDX-License-Identifier: MIT
#include "tern/base/mapped_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "tern/base/error.h"
#include "tern/base/test_directory.h"

namespace tern {
namespace {

using ::testing::HasSubstr;

std::string_view Text(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

void ExpectIoError(const std::string& path, std::string_view reason) {
  try {
    const MappedFile file(path);
    FAIL() << path << " was mapped";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kIo);
    EXPECT_THAT(error.what(), HasSubstr(path));
    EXPECT_THAT(error.what(), HasSubstr(std::string(reason)));
  }
}

TEST(MappedFileTest, ReadsTheFile) {
  const TestDirectory directory;
  const MappedFile file(directory.Write("a", "ternary"));
  EXPECT_EQ(Text(file), "ternary");
  EXPECT_EQ(file.path(), directory.File("a"));
}

TEST(MappedFileTest, AnEmptyFileIsAnEmptySpan) {
  const TestDirectory directory;
  const MappedFile file(directory.Write("a", ""));
  EXPECT_TRUE(file.bytes().empty());
  file.Release(file.bytes());
}

TEST(MappedFileTest, SaysWhyItCannotBeOpened) {
  const TestDirectory directory;
  ExpectIoError(directory.File("missing"), "No such file");
  ExpectIoError(directory.path(), "is a directory");
  ASSERT_EQ(::mkfifo(directory.File("pipe").c_str(), 0600), 0);
  ExpectIoError(directory.File("pipe"), "not a regular file");
}

TEST(MappedFileTest, MovesKeepTheMapping) {
  const TestDirectory directory;
  MappedFile first(directory.Write("a", "first"));
  MappedFile second(directory.Write("b", "second"));
  MappedFile moved(std::move(first));
  EXPECT_EQ(Text(moved), "first");
  second = std::move(moved);
  EXPECT_EQ(Text(second), "first");
  EXPECT_EQ(second.path(), directory.File("a"));
}

TEST(MappedFileTest, ReleasedBytesCanBeReadAgain) {
  const TestDirectory directory;
  std::string content(5 * 65536 + 123, '\0');
  for (size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i * 31 + i / 4096);
  const MappedFile file(directory.Write("a", content));
  EXPECT_EQ(Text(file), content);
  file.Release(file.bytes());
  EXPECT_EQ(Text(file), content);
  file.Release(file.bytes().subspan(1, 2));
  file.Release(file.bytes().subspan(4095, 8194));
  file.Release(file.bytes().subspan(content.size()));
  EXPECT_EQ(Text(file), content);
}

TEST(MappedFileTest, ReleaseIgnoresForeignMemory) {
  const TestDirectory directory;
  const MappedFile file(directory.Write("a", "x"));
  std::array<std::byte, 65536> other{};
  other.fill(std::byte{7});
  file.Release(other);
  for (const std::byte byte : other) ASSERT_EQ(byte, std::byte{7});
}

}  // namespace
}  // namespace tern
