// SPDX-License-Identifier: MIT
// Files and directories that appear whole or not at all. The content goes to a temporary name in
// the same directory, is brought to the disk, and is then renamed; whatever fails before that
// leaves the old file as it was and removes the temporary one. Every failure throws Error(kIo)
// with the path that the caller named and the system's reason. A process that is killed may leave
// a temporary name (NAME.tmp-PID-N) behind.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace tern {

class AtomicFile {
 public:
  // Throws when the directory does not take a new file, or when path is something else than a
  // regular file (a directory, a device), which a rename would destroy.
  explicit AtomicFile(const std::string& path);
  // Removes what was written unless Commit has returned.
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  // After a failed Write nothing but destruction is allowed.
  void Write(std::span<const std::byte> bytes);
  void Write(std::string_view text) { Write(std::as_bytes(std::span<const char>(text))); }

  // Where what was written can be read before Commit.
  const std::string& temporary_path() const { return temporary_path_; }

  // Call once, as the last thing.
  void Commit();

 private:
  std::string path_;
  std::string temporary_path_;
  int fd_ = -1;
  bool committed_ = false;
};

void WriteFileAtomically(const std::string& path, std::span<const std::byte> bytes);
void WriteFileAtomically(const std::string& path, std::string_view text);

// A directory of files: write them below staging_path(), then Commit.
class AtomicDirectory {
 public:
  enum class Existing {
    kRefuse,   // fail when path exists and is not an empty directory
    kReplace,  // the directory that stands there, and all in it, gives way at Commit
  };

  AtomicDirectory(const std::string& path, Existing existing);
  // Removes what was written unless Commit has returned.
  ~AtomicDirectory();
  AtomicDirectory(const AtomicDirectory&) = delete;
  AtomicDirectory& operator=(const AtomicDirectory&) = delete;

  const std::string& staging_path() const { return staging_path_; }

  // Call once, as the last thing. The files below staging_path() must be closed.
  void Commit();

 private:
  std::string path_;
  std::string staging_path_;
  Existing existing_;
  bool committed_ = false;
};

}  // namespace tern
