// SPDX-License-Identifier: MIT
#include "tern/text/decoder.h"

#include <charconv>

#include "tern/text/byte_level.h"

namespace tern {
namespace {

std::string Replaced(std::string_view text, std::string_view pattern, std::string_view content) {
  std::string out;
  size_t done = 0;
  for (size_t at; (at = text.find(pattern, done)) != std::string_view::npos;) {
    out.append(text.substr(done, at - done)).append(content);
    done = at + pattern.size();
  }
  return out.append(text.substr(done));
}

// "<0x0A>" to its byte; anything else stays.
std::string ByteOr(std::string token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token.back() != '>') return token;
  unsigned char byte = 0;
  const char* end = token.data() + 5;
  const auto [read, error] = std::from_chars(token.data() + 3, end, byte, 16);
  if (error != std::errc() || read != end) return token;
  return std::string(1, static_cast<char>(byte));
}

}  // namespace

Decoder::Decoder(const std::vector<DecoderStep>& steps) : steps_(steps) {
  for (const DecoderStep& step : steps_) {
    if (step.kind == DecoderStep::Kind::kStrip) {
      start_ = step.content;
      start_count_ = step.start;
    } else if (step.kind == DecoderStep::Kind::kMetaspace &&
               step.metaspace.prepend != MetaspaceSpec::Prepend::kNever) {
      start_ = " ";
      start_count_ = 1;
    }
  }
}

std::string Decoder::Bytes(std::string_view spelling) const {
  std::string token(spelling);
  std::string bytes;
  for (const DecoderStep& step : steps_) {
    switch (step.kind) {
      case DecoderStep::Kind::kByteLevel:
        if (ByteLevelUnspell(token, &bytes)) token.swap(bytes);
        break;
      case DecoderStep::Kind::kMetaspace:
        token = Replaced(token, step.metaspace.replacement, " ");
        break;
      case DecoderStep::Kind::kReplace:
        token = Replaced(token, step.pattern, step.content);
        break;
      case DecoderStep::Kind::kByteFallback:
        token = ByteOr(std::move(token));
        break;
      case DecoderStep::Kind::kFuse:
      case DecoderStep::Kind::kStrip:
        break;
    }
  }
  return token;
}

size_t Decoder::StartBytes(std::string_view text) const {
  size_t size = 0;
  for (int32_t i = 0; i < start_count_ && text.substr(size).starts_with(start_); ++i) {
    size += start_.size();
  }
  return size;
}

}  // namespace tern
