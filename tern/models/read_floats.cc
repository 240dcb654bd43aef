// SPDX-License-Identifier: MIT
#include "tern/models/read_floats.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "tern/base/check.h"
#include "tern/base/error.h"
#include "tern/base/float16.h"
#include "tern/io/json_file.h"
#include "tern/ops/ops.h"
#include "tern/pack/scales.h"

namespace tern {
namespace {

bool IsFinite(float value) { return value - value == 0.0f; }

float ToF32(float value) { return value; }

template <typename Stored>
Stored StoredElement(const TensorInfo& info, int64_t i) {
  Stored stored;  // the file aligns nothing
  std::memcpy(&stored, info.bytes.data() + i * static_cast<int64_t>(sizeof(Stored)),
              sizeof(stored));
  return stored;
}

// Whether the elements begin .. end - 1 are finite: the largest exponent of all of them tells, in a
// loop that becomes vectors.
template <typename Bits>
bool AreFinite(const TensorInfo& info, int64_t begin, int64_t end, Bits infinity) {
  constexpr Bits kMagnitude = std::numeric_limits<Bits>::max();  // all bits but the sign
  Bits largest = 0;
  for (int64_t i = begin; i < end; ++i) {
    largest = std::max(largest, static_cast<Bits>(StoredElement<Bits>(info, i) & kMagnitude));
  }
  return largest < infinity;
}
bool AreFinite(const TensorInfo& info, int64_t begin, int64_t end, float) {
  return AreFinite<int32_t>(info, begin, end, 0x7F800000);
}
bool AreFinite(const TensorInfo& info, int64_t begin, int64_t end, BF16) {
  return AreFinite<int16_t>(info, begin, end, 0x7F80);
}
bool AreFinite(const TensorInfo& info, int64_t begin, int64_t end, F16) {
  return AreFinite<int16_t>(info, begin, end, 0x7C00);
}

// Calls take(index, value) with the elements begin .. end - 1 of a float tensor, as they are stored
// and in order. One that is not finite is an Error.
template <typename Stored, typename Take>
void ForElements(const TensorInfo& info, int64_t begin, int64_t end, const Take& take) {
  const bool finite = AreFinite(info, begin, end, Stored{});
  for (int64_t i = begin; i < end && !finite; ++i) {
    const float value = ToF32(StoredElement<Stored>(info, i));
    if (!IsFinite(value)) {
      Fail(ErrorKind::kNumeric, "{}: tensor {}: element {} is {}; weights must be finite",
           info.file, Quoted(info.name), i, value);
    }
  }
  for (int64_t i = begin; i < end; ++i) take(i, StoredElement<Stored>(info, i));
}

// The same for all of them, piece by piece.
template <typename Stored, typename Take>
void ForEachElement(Context& ctx, const TensorInfo& info, const Take& take) {
  constexpr int64_t kPiece = 4096;
  ctx.threads().ParallelFor(info.element_count, 16 * kPiece, [&](int64_t begin, int64_t end) {
    for (; begin < end; begin += kPiece) {
      ForElements<Stored>(info, begin, std::min(begin + kPiece, end), take);
    }
  });
}

}  // namespace

bool IsNarrow(const TensorInfo& info) {
  return info.dtype == DType::kBF16 || info.dtype == DType::kF16;
}

void ReadFloats(Context& ctx, const TensorInfo& info, DType out_type, void* out) {
  const auto read = [&]<typename Stored>(Stored) {
    if (out_type == info.dtype) {
      auto* same = static_cast<Stored*>(out);
      ForEachElement<Stored>(ctx, info, [&](int64_t i, Stored value) { same[i] = value; });
    } else {
      TERN_CHECK(out_type == DType::kF32);
      auto* wide = static_cast<float*>(out);
      ForEachElement<Stored>(ctx, info, [&](int64_t i, Stored value) { wide[i] = ToF32(value); });
    }
  };
  switch (RequireDType(info)) {
    case DType::kF32:
      return read(float{});
    case DType::kBF16:
      return read(BF16{});
    case DType::kF16:
      return read(F16{});
    default:
      Fail(ErrorKind::kInvalidFile,
           "{}: tensor {} is {} where a float is needed (F32, BF16 or F16); does config.json's "
           "quantization_config fit these weights?",
           info.file, Quoted(info.name), info.type_name);
  }
}

std::optional<TritsAndScales> FindTritsIn(Context& ctx, const Tensor& weights) {
  const int64_t k = weights.dim(1);
  const auto find = [&](const Tensor& part) {
    const Tensor wide = ops::Contiguous(ctx, ops::Cast(ctx, part, DType::kF32));
    return FindTrits(wide.span<float>(), part.dim(0), k);
  };
  if (!find(weights.Sliced(0, 0, 1))) return std::nullopt;  // other floats show in their first row
  const std::optional<FoundTrits> found = find(weights);
  if (!found) return std::nullopt;
  const int64_t n = weights.dim(0);
  TritsAndScales out = {.trits = ctx.Empty({n, k}, DType::kI8, MemoryTag::kWorkspace),
                        .scales = ctx.Empty({n, found->groups}, DType::kF32)};
  std::copy(found->trits.begin(), found->trits.end(), out.trits.data<int8_t>());
  std::copy(found->scales.begin(), found->scales.end(), out.scales.data<float>());
  return out;
}

}  // namespace tern
