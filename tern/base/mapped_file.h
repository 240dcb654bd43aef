// SPDX-License-Identifier: MIT
// A read-only memory mapping of a whole file. Pages are read when touched and can be let go.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace tern {

class MappedFile {
 public:
  // Throws Error(kIo) naming the path when it cannot be opened, is a directory, or cannot be
  // mapped. An empty file gives an empty span.
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  const std::string& path() const { return path_; }

  // Tells the system that the pages wholly inside the range are not needed any more. The bytes
  // stay readable: touching them again reads the file again.
  void Release(std::span<const std::byte> range) const noexcept;

 private:
  std::string path_;
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace tern
