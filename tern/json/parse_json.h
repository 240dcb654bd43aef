// SPDX-License-Identifier: MIT
// JSON from texts that nobody vouches for. Parsing is bounded in size and nesting, refuses
// duplicate keys, and every Error names the text and the place in it. Numbers beyond 64 bits become
// doubles, as in every JSON library; NaN and Infinity are not JSON and are refused.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace tern {

struct JsonLimits {
  size_t max_bytes = size_t{256} << 20;
  int max_depth = 64;  // arrays and objects open at once
};

// Parses one JSON value that fills the text. `place` is what Errors call the text: a file's path.
// Throws Error(kInvalidFile) with line and column.
nlohmann::json ParseJson(std::string_view text, const std::string& place, JsonLimits limits = {});

// Text from a file, fit for one line of a message: control characters and bytes that are not ASCII
// come escaped, what follows after max_chars is left out. Quoted adds double quotes around it.
std::string Escaped(std::string_view text, size_t max_chars = 120);
std::string Quoted(std::string_view text, size_t max_chars = 120);

}  // namespace tern
