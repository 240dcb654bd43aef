// SPDX-License-Identifier: MIT
// Reads a small file whole. Large files are mapped instead (mapped_file.h).
#pragma once

#include <cstddef>
#include <string>

namespace tern {

// The bytes of the file, which may also be a pipe. Throws Error(kIo) when it cannot be read and
// Error(kInvalidFile) when it holds more than limit_bytes; reads no more than one byte beyond.
std::string ReadFile(const std::string& path, size_t limit_bytes);

// The same for what is left of standard input.
std::string ReadStandardInput(size_t limit_bytes);

}  // namespace tern
