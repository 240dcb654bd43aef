// SPDX-License-Identifier: MIT
#include "tern/base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <limits>
#include <system_error>
#include <utility>

#include "tern/base/error.h"

namespace tern {
namespace {

// Closes the descriptor when it goes out of scope; a mapping outlives its descriptor.
struct Descriptor {
  explicit Descriptor(int number) : fd(number) {}
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int fd;
};

[[noreturn]] void FailWithReason(const std::string& path, const char* action, int reason) {
  Fail(ErrorKind::kIo, "{}: cannot {}: {}", path, action, std::generic_category().message(reason));
}

}  // namespace

MappedFile::MappedFile(const std::string& path) : path_(path) {
  // Without O_NONBLOCK, opening a pipe that nobody writes would wait for ever.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.fd < 0) FailWithReason(path, "open", errno);
  struct stat status = {};
  if (::fstat(file.fd, &status) != 0) FailWithReason(path, "read its size", errno);
  if (S_ISDIR(status.st_mode)) {
    Fail(ErrorKind::kIo, "{}: is a directory, a file is needed here", path);
  }
  if (!S_ISREG(status.st_mode)) {
    Fail(ErrorKind::kIo, "{}: is not a regular file and cannot be mapped; copy it to one", path);
  }
  if (status.st_size == 0) return;
  if (static_cast<uint64_t>(status.st_size) > std::numeric_limits<size_t>::max()) {
    Fail(ErrorKind::kIo, "{}: {} bytes do not fit the address space", path, status.st_size);
  }
  const size_t size = static_cast<size_t>(status.st_size);
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.fd, 0);
  if (data == MAP_FAILED) FailWithReason(path, "map", errno);
  data_ = static_cast<const std::byte*>(data);
  size_ = size;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  if (this != &other) {
    if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
    path_ = std::move(other.path_);
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
  }
  return *this;
}

void MappedFile::Release(std::span<const std::byte> range) const noexcept {
  // Integers, because a range outside the mapping must not be compared as pointers.
  const auto map_begin = reinterpret_cast<uintptr_t>(data_);
  const auto begin = reinterpret_cast<uintptr_t>(range.data());
  if (data_ == nullptr || begin < map_begin || begin - map_begin > size_ ||
      range.size() > size_ - (begin - map_begin)) {
    return;
  }
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const uintptr_t first = (begin + page - 1) / page * page;
  uintptr_t last = begin + range.size();
  // The page of the file's end holds nothing behind it, so it counts as whole.
  if (last != map_begin + size_) last = last / page * page;
  if (first >= last) return;
  // A refusal costs memory, not correctness.
  (void)::madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
}

}  // namespace tern
