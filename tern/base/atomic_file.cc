// SPDX-License-Identifier: MIT
#include "tern/base/atomic_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include "tern/base/check.h"
#include "tern/base/error.h"

namespace tern {
namespace {

namespace fs = std::filesystem;

// Linux writes at most 2^31 - 4096 bytes at a time.
constexpr size_t kMaxWriteBytes = size_t{1} << 30;
constexpr int kTemporaryNames = 1000;

[[noreturn]] void FailWithReason(const std::string& path, const char* action, int reason) {
  Fail(ErrorKind::kIo, "{}: cannot {}: {}", path, action, std::generic_category().message(reason));
}

// What exists at path, for a rename would act on a symbolic link instead of what it points to.
std::string Resolved(const std::string& path) {
  std::error_code error;
  const fs::path target = fs::canonical(path, error);
  if (error) FailWithReason(path, "resolve", error.value());
  return target.string();
}

// Calls create(name) with names beside path until one is not taken; returns that name. create
// returns a negative number and sets errno when it fails.
template <typename Create>
std::string CreateBeside(const std::string& path, Create create) {
  for (int attempt = 0; attempt < kTemporaryNames; ++attempt) {
    std::string name = fmt::format("{}.tmp-{}-{}", path, ::getpid(), attempt);
    if (create(name.c_str()) >= 0) return name;
    if (errno != EEXIST) FailWithReason(path, "write into its directory", errno);
  }
  FailWithReason(path, "write into its directory", EEXIST);
}

// Brings a file or directory to the disk.
void Sync(const std::string& path, const std::string& name) {
  const int fd = ::open(name.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) FailWithReason(path, "open what was written", errno);
  const int result = ::fsync(fd);
  const int reason = errno;
  ::close(fd);
  // EINVAL: the file system has nothing to bring anywhere.
  if (result != 0 && reason != EINVAL) FailWithReason(path, "write to the disk", reason);
}

// Makes a rename durable. It has happened and is visible already, so a failure changes nothing
// that the caller could act on.
void SyncParentOf(const std::string& path) noexcept {
  try {
    const std::string parent = fs::path(path).parent_path().string();
    Sync(path, parent.empty() ? "." : parent);
  } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch)
  }
}

void RequireName(const std::string& path) {
  if (path.empty()) Fail(ErrorKind::kInvalidArgument, "what is to be written has an empty name");
}

std::string WithoutTrailingSlashes(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

}  // namespace

AtomicFile::AtomicFile(const std::string& path) : path_(path) {
  RequireName(path);
  struct stat status = {};
  if (::stat(path.c_str(), &status) == 0) {
    if (!S_ISREG(status.st_mode)) {
      Fail(ErrorKind::kIo, "{}: exists and is not a regular file; name another one", path);
    }
    if (fs::is_symlink(path)) path_ = Resolved(path);
  }
  temporary_path_ = CreateBeside(path_, [this](const char* name) {
    fd_ = ::open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    return fd_;
  });
}

AtomicFile::~AtomicFile() {
  if (fd_ >= 0) ::close(fd_);
  if (!committed_) ::unlink(temporary_path_.c_str());
}

void AtomicFile::Write(std::span<const std::byte> bytes) {
  TERN_CHECK(fd_ >= 0);
  while (!bytes.empty()) {
    const size_t chunk_bytes = std::min(bytes.size(), kMaxWriteBytes);
    const ssize_t written = ::write(fd_, bytes.data(), chunk_bytes);
    if (written < 0) {
      if (errno == EINTR) continue;
      FailWithReason(path_, "write", errno);
    }
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
}

void AtomicFile::Commit() {
  TERN_CHECK(fd_ >= 0);
  if (::fsync(fd_) != 0 && errno != EINVAL) FailWithReason(path_, "write to the disk", errno);
  if (::close(std::exchange(fd_, -1)) != 0) FailWithReason(path_, "close", errno);
  if (::rename(temporary_path_.c_str(), path_.c_str()) != 0) {
    FailWithReason(path_, "rename the temporary file to it", errno);
  }
  committed_ = true;
  SyncParentOf(path_);
}

void WriteFileAtomically(const std::string& path, std::span<const std::byte> bytes) {
  AtomicFile file(path);
  file.Write(bytes);
  file.Commit();
}

void WriteFileAtomically(const std::string& path, std::string_view text) {
  WriteFileAtomically(path, std::as_bytes(std::span<const char>(text)));
}

AtomicDirectory::AtomicDirectory(const std::string& path, Existing existing)
    : path_(WithoutTrailingSlashes(path)), existing_(existing) {
  RequireName(path);
  std::error_code error;
  const fs::file_status status = fs::status(path_, error);
  if (fs::exists(status)) {
    if (!fs::is_directory(status)) {
      Fail(ErrorKind::kIo, "{}: exists and is not a directory; name another one", path_);
    }
    if (existing_ == Existing::kRefuse && !fs::is_empty(path_, error)) {
      Fail(ErrorKind::kIo, "{}: exists and is not empty; name another directory or empty it",
           path_);
    }
    path_ = Resolved(path_);
  }
  staging_path_ = CreateBeside(path_, [](const char* name) { return ::mkdir(name, 0777); });
}

AtomicDirectory::~AtomicDirectory() {
  if (committed_) return;
  std::error_code ignored;
  fs::remove_all(staging_path_, ignored);
}

void AtomicDirectory::Commit() {
  try {
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(staging_path_)) {
      if (!entry.is_symlink()) Sync(path_, entry.path().string());
    }
  } catch (const fs::filesystem_error& error) {
    FailWithReason(path_, "list what was written", error.code().value());
  }
  Sync(path_, staging_path_);
  // rename(2) replaces an empty directory. A full one changes places with the new one in one step
  // and is then removed under the temporary name.
  int result = ::rename(staging_path_.c_str(), path_.c_str());
  const bool exchange =
      result != 0 && (errno == ENOTEMPTY || errno == EEXIST) && existing_ == Existing::kReplace;
  if (exchange) {
    result = ::renameat2(AT_FDCWD, staging_path_.c_str(), AT_FDCWD, path_.c_str(), RENAME_EXCHANGE);
  }
  if (result != 0) FailWithReason(path_, "rename the new directory to it", errno);
  committed_ = true;
  SyncParentOf(path_);
  if (exchange) {
    std::error_code error;
    fs::remove_all(staging_path_, error);
    if (error) FailWithReason(staging_path_, "remove the old directory", error.value());
  }
}

}  // namespace tern
