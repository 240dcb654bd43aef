// SPDX-License-Identifier: MIT
// The byte alphabet of byte-level BPE files (GPT-2): each byte is written as one printable
// character, so that vocabularies are readable JSON. Tern works on bytes; this is for files only.
// And the byte tokens of SentencePiece.
#pragma once

#include <string>
#include <string_view>

namespace tern {

// Bytes to the file's spelling: " a" becomes "\u0120a".
std::string ByteLevelSpell(std::string_view bytes);

// The file's spelling (valid UTF-8) to bytes. False when a character is not in the byte alphabet.
bool ByteLevelUnspell(std::string_view spelling, std::string* bytes);

// The token that stands for one byte in SentencePiece's vocabularies: "<0x0A>".
inline constexpr size_t kByteTokenBytes = 6;
std::string ByteTokenSpelling(unsigned char byte);

}  // namespace tern
