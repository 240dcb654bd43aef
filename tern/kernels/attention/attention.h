// SPDX-License-Identifier: MIT
// Causal attention of some query rows to one head's keys and values, in canonical float:
//   score[j] = (q . k[j]) * scale       a dot product in 16 virtual lanes
//   maximum = max over j                first pass
//   p[j] = exp(score[j] - maximum),     second pass
//   sum = p[0] + p[1] + ...             key j in virtual lane j mod 16
//   y = (p[0] v[0] + p[1] v[1] + ...) / sum     keys in ascending order
// Every row is computed by itself from position 0 on, so it has the same bits in any batch and
// whether its keys come from a cache or from this pass.
//
// Keys and values that are narrower than the queries are widened as they are read, which is exact.
// Those in int8 have a scale for each key: the dot product with the codes of k[j] is multiplied by
// its scale, and p[j] by that of v[j] once the sum is taken.
#pragma once

#include <cstdint>

#include "tern/base/float16.h"

namespace tern::kernels {

// Row r sees the first keys + r * row_keys keys: row_keys is 1 for queries at consecutive positions
// and 0 for the heads of one position. Strides in elements; the head_dim elements are contiguous.
// KV is T, or BF16, F16 or int8_t beside float.
template <typename T, typename KV = T>
struct AttentionRows {
  const T* q = nullptr;
  int64_t q_stride = 0;
  const KV* k = nullptr;
  int64_t k_stride = 0;
  const KV* v = nullptr;
  int64_t v_stride = 0;
  const float* k_scales = nullptr;  // [keys], of int8_t alone
  const float* v_scales = nullptr;
  T* y = nullptr;
  int64_t y_stride = 0;
  T* stats = nullptr;  // [2] a row: maximum, sum
  int64_t stats_stride = 0;
  T* scores = nullptr;        // workspace [rows, scores_stride]
  int64_t scores_stride = 0;  // at least the keys of the last row, rounded up to 16
  int64_t rows = 0;
  int64_t keys = 0;
  int64_t row_keys = 0;
  int64_t head_dim = 0;
  T scale = 1;

  int64_t last_keys() const { return keys + (rows - 1) * row_keys; }
};

// The steps of a call, each of which may be cut into ranges; the bits do not depend on the cuts.
template <typename T, typename KV = T>
struct AttentionSteps {
  // scores[row][begin .. end) = q . k, of every row.
  void (*score)(const AttentionRows<T, KV>& rows, int64_t key_begin, int64_t key_end) noexcept;
  // Scores of the rows begin .. end to what multiplies the values, and to their statistics.
  void (*weigh)(const AttentionRows<T, KV>& rows, int64_t row_begin, int64_t row_end) noexcept;
  // y[row][begin .. end) of every row.
  void (*mix)(const AttentionRows<T, KV>& rows, int64_t begin, int64_t end) noexcept;

  void Run(const AttentionRows<T, KV>& rows) const noexcept {
    score(rows, 0, rows.last_keys());
    weigh(rows, 0, rows.rows);
    mix(rows, 0, rows.head_dim);
  }
};

// From scores q . k and dp = dy . v of rows x columns (strides `stride`) to the probabilities and
// the scores' gradients, each in place; 0 where a row does not see the column's key.
template <typename T>
struct AttentionGradRows {
  T* scores = nullptr;
  T* dp = nullptr;
  int64_t stride = 0;
  const T* stats = nullptr;
  int64_t stats_stride = 0;
  const T* delta = nullptr;  // a row's dy . y
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t keys = 0;  // row r sees keys + r
  T scale = 1;
};

template <typename T>
struct AttentionKernels {
  // Not canonical, but deterministic.
  void (*grad)(const AttentionGradRows<T>& rows) noexcept;
  AttentionSteps<T> plain;
  AttentionSteps<float, BF16> bf16 = {};
  AttentionSteps<float, F16> f16 = {};
  AttentionSteps<float, int8_t> int8 = {};
};

}  // namespace tern::kernels
