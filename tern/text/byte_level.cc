// SPDX-License-Identifier: MIT
#include "tern/text/byte_level.h"

#include <fmt/format.h>

#include <array>
#include <cstdint>

#include "tern/text/utf8.h"

namespace tern {
namespace {

// Printable Latin-1 bytes stand for themselves; the other 68 take U+0100 onwards in byte order.
struct Alphabet {
  std::array<char32_t, 256> spelling{};
  std::array<int16_t, 256 + 68> byte_of{};

  constexpr Alphabet() {
    for (int16_t& byte : byte_of) byte = -1;
    char32_t next = 256;
    for (int byte = 0; byte < 256; ++byte) {
      const bool printable =
          (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
      spelling[byte] = printable ? static_cast<char32_t>(byte) : next++;
      byte_of[spelling[byte]] = static_cast<int16_t>(byte);
    }
  }
};
constexpr Alphabet kAlphabet;

}  // namespace

std::string ByteLevelSpell(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() + bytes.size() / 2);
  for (const char c : bytes) AppendUtf8(kAlphabet.spelling[static_cast<unsigned char>(c)], &out);
  return out;
}

bool ByteLevelUnspell(std::string_view spelling, std::string* bytes) {
  bytes->clear();
  while (!spelling.empty()) {
    const Utf8Char c = FirstUtf8(spelling);
    if (c.code_point >= kAlphabet.byte_of.size()) return false;
    const int16_t byte = kAlphabet.byte_of[c.code_point];
    if (byte < 0) return false;
    bytes->push_back(static_cast<char>(byte));
    spelling.remove_prefix(c.size_bytes);
  }
  return true;
}

std::string ByteTokenSpelling(unsigned char byte) { return fmt::format("<0x{:02X}>", byte); }

}  // namespace tern
