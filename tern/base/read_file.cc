// SPDX-License-Identifier: MIT
#include "tern/base/read_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "tern/base/error.h"

namespace tern {
namespace {

constexpr size_t kFirstChunkBytes = size_t{64} << 10;
constexpr size_t kLargestChunkBytes = size_t{4} << 20;

std::string ReadAll(int fd, const std::string& path, size_t limit_bytes) {
  std::string content;
  size_t chunk_bytes = kFirstChunkBytes;
  while (true) {
    const size_t old_bytes = content.size();
    // One byte more than allowed, so that a file of exactly the limit is told from a larger one.
    const size_t room_bytes = limit_bytes - old_bytes;
    const size_t want_bytes = room_bytes < chunk_bytes ? room_bytes + 1 : chunk_bytes;
    content.resize(old_bytes + want_bytes);
    ssize_t got = 0;
    do {
      got = ::read(fd, content.data() + old_bytes, want_bytes);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
      Fail(ErrorKind::kIo, "{}: cannot read: {}", path, std::generic_category().message(errno));
    }
    content.resize(old_bytes + static_cast<size_t>(got));
    if (got == 0) return content;
    if (content.size() > limit_bytes) {
      Fail(ErrorKind::kInvalidFile, "{}: is larger than {} bytes, the most that this file may have",
           path, limit_bytes);
    }
    chunk_bytes = std::min(chunk_bytes * 2, kLargestChunkBytes);
  }
}

}  // namespace

std::string ReadFile(const std::string& path, size_t limit_bytes) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    Fail(ErrorKind::kIo, "{}: cannot open: {}", path, std::generic_category().message(errno));
  }
  try {
    std::string content = ReadAll(fd, path, limit_bytes);
    ::close(fd);
    return content;
  } catch (...) {
    ::close(fd);
    throw;
  }
}

std::string ReadStandardInput(size_t limit_bytes) {
  return ReadAll(STDIN_FILENO, "standard input", limit_bytes);
}

}  // namespace tern
