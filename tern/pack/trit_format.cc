// SPDX-License-Identifier: MIT
#include "tern/pack/trit_format.h"

#include <algorithm>

#include "tern/base/check.h"
#include "tern/base/error.h"

namespace tern {

namespace formats {
#define TERN_TRIT_FORMAT(name) extern const TritFormatInfo name;
#include "tern/pack/formats.inc"
#undef TERN_TRIT_FORMAT
}  // namespace formats

namespace {

constexpr const TritFormatInfo* kFormats[] = {
#define TERN_TRIT_FORMAT(name) &formats::name,
#include "tern/pack/formats.inc"
#undef TERN_TRIT_FORMAT
};

int64_t RequireBytes(const TritFormatInfo& format, int64_t n, int64_t k) {
  const std::optional<int64_t> bytes = n < 0 || k < 0 ? std::nullopt : format.bytes(n, k);
  if (!bytes) {
    Fail(ErrorKind::kInvalidArgument, "format {} does not take trits [{}, {}]; shapes: {}",
         format.name, n, k, format.shapes);
  }
  return *bytes;
}

}  // namespace

std::span<const TritFormatInfo* const> TritFormats() { return kFormats; }

const TritFormatInfo* FindTritFormat(std::string_view name) {
  const auto* const found = std::find_if(std::begin(kFormats), std::end(kFormats),
                                         [&](const auto* format) { return format->name == name; });
  return found == std::end(kFormats) ? nullptr : *found;
}

PackedTrits EncodeTrits(MemoryPool& pool, const TritFormatInfo& format,
                        std::span<const int8_t> trits, int64_t n, int64_t k, float scale) {
  const int64_t bytes = RequireBytes(format, n, k);
  TERN_CHECK(static_cast<int64_t>(trits.size()) == n * k);
  const auto wrong =
      std::find_if(trits.begin(), trits.end(), [](int8_t t) { return t < -1 || t > 1; });
  if (wrong != trits.end()) {
    Fail(ErrorKind::kInvalidArgument, "trits [{}, {}]: the value at {} is {}; trits are -1, 0, 1",
         n, k, wrong - trits.begin(), *wrong);
  }
  PackedTrits packed = {.codes = Tensor::Empty(pool, {bytes}, DType::kU8, MemoryTag::kWeights),
                        .format = &format,
                        .n = n,
                        .k = k,
                        .scale = scale};
  format.encode(trits.data(), n, k, packed.codes.data<uint8_t>());
  return packed;
}

Tensor DecodeTrits(MemoryPool& pool, const PackedTrits& packed) {
  TERN_CHECK(packed.format != nullptr && packed.codes.is_contiguous());
  const int64_t bytes = RequireBytes(*packed.format, packed.n, packed.k);
  if (packed.codes.elements() != bytes) {
    Fail(ErrorKind::kInvalidArgument, "trits [{}, {}] in format {} are {} bytes, not {}", packed.n,
         packed.k, packed.format->name, bytes, packed.codes.elements());
  }
  Tensor trits = Tensor::Empty(pool, {packed.n, packed.k}, DType::kI8);
  const uint8_t* const codes = packed.codes.data<uint8_t>();
  const int64_t wrong = packed.format->decode(codes, packed.n, packed.k, trits.data<int8_t>());
  if (wrong >= 0) {
    Fail(ErrorKind::kInvalidArgument,
         "trits [{}, {}] in format {}: byte {} is {}, which stands for no trits", packed.n,
         packed.k, packed.format->name, wrong, codes[wrong]);
  }
  return trits;
}

}  // namespace tern
