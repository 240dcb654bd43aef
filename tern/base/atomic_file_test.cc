// SPDX-License-Identifier: MIT
#include "tern/base/atomic_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include "tern/base/error.h"
#include "tern/base/test_directory.h"

namespace tern {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> Names(const std::string& directory) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(directory)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

template <typename Action>
void ExpectIoError(const std::string& path, Action action) {
  try {
    action();
    ADD_FAILURE() << path << " was written";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kIo);
    EXPECT_THAT(error.what(), HasSubstr(path));
  }
}

// While it lives, no file of this process may grow beyond the given size: what a write meets is
// what it meets on a full disk, first a short write and then a failure.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int);
};

TEST(AtomicFileTest, AppearsAtCommitAndReplacesTheOldFile) {
  const TestDirectory directory;
  const std::string path = directory.Write("a", "old");
  {
    AtomicFile file(path);
    file.Write("new ");
    file.Write("content");
    EXPECT_EQ(TestDirectory::Read(path), "old");
    file.Commit();
  }
  EXPECT_EQ(TestDirectory::Read(path), "new content");
  EXPECT_THAT(Names(directory.path()), ElementsAre("a"));
  WriteFileAtomically(directory.File("b"), std::string(3000000, 'b'));
  EXPECT_EQ(TestDirectory::Read(directory.File("b")), std::string(3000000, 'b'));
  WriteFileAtomically(directory.File("c"), "");
  EXPECT_EQ(TestDirectory::Read(directory.File("c")), "");
}

TEST(AtomicFileTest, WritesWhatASymbolicLinkPointsTo) {
  const TestDirectory directory;
  const std::string path = directory.Write("a", "old");
  ASSERT_EQ(::symlink("a", directory.File("link").c_str()), 0);
  WriteFileAtomically(directory.File("link"), "new");
  EXPECT_EQ(TestDirectory::Read(path), "new");
  EXPECT_TRUE(std::filesystem::is_symlink(directory.File("link")));
}

TEST(AtomicFileTest, LeavesNothingWithoutCommit) {
  const TestDirectory directory;
  {
    AtomicFile file(directory.File("a"));
    file.Write("half");
    EXPECT_EQ(Names(directory.path()).size(), 1u);
  }
  EXPECT_THAT(Names(directory.path()), IsEmpty());
}

TEST(AtomicFileTest, TwoWritersOfOneFileDoNotMix) {
  const TestDirectory directory;
  const std::string path = directory.File("a");
  AtomicFile first(path);
  AtomicFile second(path);
  first.Write("first");
  second.Write("second");
  second.Commit();
  EXPECT_EQ(TestDirectory::Read(path), "second");
  first.Commit();
  EXPECT_EQ(TestDirectory::Read(path), "first");
  EXPECT_THAT(Names(directory.path()), ElementsAre("a"));
}

TEST(AtomicFileTest, AFullDiskKeepsTheOldFileAndLeavesNothing) {
  const TestDirectory directory;
  const std::string path = directory.Write("a", "old");
  {
    const FileSizeLimit limit(100000);
    ExpectIoError(path, [&] { WriteFileAtomically(path, std::string(250000, 'x')); });
  }
  EXPECT_EQ(TestDirectory::Read(path), "old");
  EXPECT_THAT(Names(directory.path()), ElementsAre("a"));
}

TEST(AtomicFileTest, ADirectoryThatTakesNoFiles) {
  // /sys refuses new files to everyone, the superuser included.
  ExpectIoError("/sys/kernel/tern-test", [] { WriteFileAtomically("/sys/kernel/tern-test", "x"); });
  const TestDirectory directory;
  const std::string missing = directory.File("missing/a");
  ExpectIoError(missing, [&] { WriteFileAtomically(missing, "x"); });
  EXPECT_THAT(Names(directory.path()), IsEmpty());
  if (::geteuid() != 0) {
    ASSERT_EQ(::chmod(directory.path().c_str(), 0555), 0);
    ExpectIoError(directory.File("a"), [&] { WriteFileAtomically(directory.File("a"), "x"); });
    ASSERT_EQ(::chmod(directory.path().c_str(), 0755), 0);
  }
}

TEST(AtomicFileTest, SaysThatTheDirectoryIsNotThere) {
  const TestDirectory directory;
  const std::string path = directory.File("nowhere/model");
  const std::string message = path + ": cannot write into its directory: No such file";
  ExpectIoError(message, [&] { AtomicFile file(path); });
  ExpectIoError(message, [&] { AtomicDirectory out(path, AtomicDirectory::Existing::kRefuse); });
}

TEST(AtomicFileTest, NeverReplacesWhatIsNotAFile) {
  const TestDirectory directory;
  ExpectIoError(directory.path(), [&] { WriteFileAtomically(directory.path(), "x"); });
  ExpectIoError("/dev/null", [] { WriteFileAtomically("/dev/null", "x"); });
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
}

TEST(AtomicDirectoryTest, AppearsAtCommit) {
  const TestDirectory directory;
  const std::string path = directory.File("model");
  {
    AtomicDirectory model(path + "/", AtomicDirectory::Existing::kRefuse);
    WriteFileAtomically(model.staging_path() + "/a", "one");
    fs::create_directory(model.staging_path() + "/sub");
    WriteFileAtomically(model.staging_path() + "/sub/b", "two");
    EXPECT_FALSE(fs::exists(path));
    model.Commit();
  }
  EXPECT_EQ(TestDirectory::Read(path + "/a"), "one");
  EXPECT_EQ(TestDirectory::Read(path + "/sub/b"), "two");
  EXPECT_THAT(Names(directory.path()), ElementsAre("model"));
}

TEST(AtomicDirectoryTest, LeavesNothingWithoutCommit) {
  const TestDirectory directory;
  {
    const AtomicDirectory model(directory.File("model"), AtomicDirectory::Existing::kReplace);
    WriteFileAtomically(model.staging_path() + "/a", "one");
  }
  EXPECT_THAT(Names(directory.path()), IsEmpty());
}

TEST(AtomicDirectoryTest, ReplacesOnlyWhenToldTo) {
  const TestDirectory directory;
  const std::string path = directory.File("model");
  fs::create_directory(path);
  {
    AtomicDirectory model(path, AtomicDirectory::Existing::kRefuse);  // empty: nothing is lost
    WriteFileAtomically(model.staging_path() + "/a", "one");
    model.Commit();
  }
  ExpectIoError(path, [&] { AtomicDirectory(path, AtomicDirectory::Existing::kRefuse); });
  {
    AtomicDirectory model(path, AtomicDirectory::Existing::kReplace);
    WriteFileAtomically(model.staging_path() + "/b", "two");
    model.Commit();
  }
  EXPECT_THAT(Names(path), ElementsAre("b"));
  EXPECT_THAT(Names(directory.path()), ElementsAre("model"));
}

TEST(AtomicDirectoryTest, KeepsASymbolicLinkToTheDirectory) {
  const TestDirectory directory;
  fs::create_directory(directory.File("real"));
  fs::create_directory_symlink(directory.File("real"), directory.File("link"));
  {
    AtomicDirectory model(directory.File("link"), AtomicDirectory::Existing::kReplace);
    WriteFileAtomically(model.staging_path() + "/a", "one");
    model.Commit();
  }
  EXPECT_TRUE(fs::is_symlink(directory.File("link")));
  EXPECT_EQ(TestDirectory::Read(directory.File("real/a")), "one");
}

TEST(AtomicDirectoryTest, SomethingFilledTheDirectoryMeanwhile) {
  const TestDirectory directory;
  const std::string path = directory.File("model");
  {
    AtomicDirectory model(path, AtomicDirectory::Existing::kRefuse);
    WriteFileAtomically(model.staging_path() + "/a", "one");
    fs::create_directory(path);
    WriteFileAtomically(path + "/theirs", "keep");
    ExpectIoError(path, [&] { model.Commit(); });
  }
  EXPECT_THAT(Names(path), ElementsAre("theirs"));
  EXPECT_THAT(Names(directory.path()), ElementsAre("model"));
}

TEST(AtomicDirectoryTest, ADirectoryThatTakesNoDirectories) {
  ExpectIoError("/sys/kernel/tern-test", [] {
    AtomicDirectory("/sys/kernel/tern-test", AtomicDirectory::Existing::kRefuse);
  });
  const TestDirectory directory;
  const std::string file = directory.Write("a", "x");
  ExpectIoError(file, [&] { AtomicDirectory(file, AtomicDirectory::Existing::kReplace); });
}

}  // namespace
}  // namespace tern
