// SPDX-License-Identifier: MIT
// Matrix products: Linear and MatMul in canonical float, Gemm for gradients.
#include <algorithm>

#include "tern/backends/cpu/cpu_op.h"
#include "tern/backends/cpu/multiplier.h"
#include "tern/kernels/gemm/reference.h"

namespace tern::cpu {
namespace {

// out[m, n] = a[m, k] b[n, k]^T + bias[n]; strides of rows.
template <typename T>
struct Product {
  const T* a;
  int64_t a_stride;
  const T* b;
  int64_t b_stride;
  const T* bias;
  T* out;
  int64_t out_stride;
  int64_t m, n, k;
};

void RunAlone(const Env& env, const Product<float>& p) {
  env.kernels.gemm.dot_rows(p.a, p.a_stride, p.b, p.b_stride, p.bias, p.out, p.out_stride, p.m, p.n,
                            p.k);
}

void RunAlone(const Env&, const Product<double>& p) {
  kernels::reference::DotRows<double>(p.a, p.a_stride, p.b, p.b_stride, p.bias, p.out, p.out_stride,
                                      p.m, p.n, p.k);
}

// The part of the product of the rows and columns that begin at i and j.
template <typename T>
Product<T> Part(const Product<T>& p, int64_t i, int64_t rows, int64_t j, int64_t columns) {
  Product<T> part = p;
  part.a += i * p.a_stride;
  if (p.b != nullptr) part.b += j * p.b_stride;  // null: RunHalfLinear sets it
  if (p.bias != nullptr) part.bias += j;
  part.out += i * p.out_stride + j;
  part.m = std::min(rows, p.m - i);
  part.n = std::min(columns, p.n - j);
  return part;
}

int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Rows of b of k elements, a multiple of 4, that together have about `elements`.
int64_t PieceColumns(int64_t elements, int64_t k) {
  return std::max<int64_t>(4, elements / std::max<int64_t>(k, 1) / 4 * 4);
}

// Cuts both dimensions: 256 KiB of b stay in the second-level cache while rows of a pass.
template <typename T>
void RunProduct(const Env& env, const Product<T>& p) {
  constexpr int64_t kRows = 16;
  const int64_t columns = PieceColumns(1 << 16, p.k);
  const int64_t row_pieces = CeilDiv(p.m, kRows);
  env.threads.ParallelFor(row_pieces * CeilDiv(p.n, columns), 1, [&](int64_t begin, int64_t end) {
    for (int64_t piece = begin; piece < end; ++piece) {
      RunAlone(env,
               Part(p, piece % row_pieces * kRows, kRows, piece / row_pieces * columns, columns));
    }
  });
}

// One row with bf16 weights: memory alone limits it.
void RunBF16Row(const Env& env, const Product<float>& p, const uint16_t* w) {
  const int64_t columns = PieceColumns(1 << 16, p.k);
  env.threads.ParallelFor(p.n, columns, [&](int64_t begin, int64_t end) {
    env.kernels.gemm.dot_bf16(p.a, w + begin * p.k, p.k,
                              p.bias == nullptr ? nullptr : p.bias + begin, p.out + begin,
                              end - begin, p.k);
  });
}

// Linear with bf16 or f16 weights: pieces of them are widened into the first-level cache.
void RunHalfLinear(const Env& env, const Product<float>& p, const uint16_t* w, DType dtype) {
  const int64_t columns = PieceColumns(1 << 13, p.k);
  const auto widen =
      dtype == DType::kBF16 ? env.kernels.gemm.widen_bf16 : env.kernels.gemm.widen_f16;
  env.threads.ParallelFor(CeilDiv(p.n, columns), 1, [&](int64_t begin, int64_t end) {
    const Workspace wide(env.pool, static_cast<size_t>(columns * p.k) * sizeof(float));
    for (int64_t piece = begin; piece < end; ++piece) {
      Product<float> part = Part(p, 0, p.m, piece * columns, columns);
      widen(w + piece * columns * p.k, static_cast<float*>(wide.data()), part.n * p.k);
      part.b = static_cast<float*>(wide.data());
      RunAlone(env, part);
    }
  });
}

template <typename T>
void RunLinearOf(const Env& env, const OpCall& call) {
  const Tensor& x = call.in(0);
  const Tensor& w = call.in(1);
  Product<T> product = {.a = x.data<T>(),
                        .a_stride = w.dim(1),
                        .b = nullptr,
                        .b_stride = w.dim(1),
                        .bias = call.has(2) ? call.in(2).data<T>() : nullptr,
                        .out = call.out(0).data<T>(),
                        .out_stride = w.dim(0),
                        .m = x.dim(0),
                        .n = w.dim(0),
                        .k = w.dim(1)};
  if constexpr (std::is_same_v<T, float>) {
    if (w.dtype() == DType::kBF16 && product.m == 1) {
      RunBF16Row(env, product, w.data<uint16_t>());
      return;
    }
    if (w.dtype() != DType::kF32) {
      RunHalfLinear(env, product, w.data<uint16_t>(), w.dtype());
      return;
    }
  }
  product.b = w.data<T>();
  RunProduct(env, product);
}

// A matrix of a batch, or its copy with contiguous rows where it has none: [rows, columns].
template <typename T>
struct RowMajor {
  const T* data;
  int64_t stride;
  Workspace copy;
};

template <typename T>
RowMajor<T> AsRows(const Env& env, const T* data, int64_t rows, int64_t row_stride, int64_t columns,
                   int64_t column_stride) {
  if (column_stride == 1 || columns <= 1) return {data, row_stride, Workspace()};
  RowMajor<T> result = {nullptr, columns,
                        Workspace(env.pool, static_cast<size_t>(rows * columns) * sizeof(T))};
  T* out = static_cast<T*>(result.copy.data());
  result.data = out;
  // Squares of 16 x 16 use whole cache lines of both sides.
  constexpr int64_t kSquare = 16;
  env.threads.ParallelFor(rows, kSquare, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += kSquare) {
      for (int64_t j = 0; j < columns; j += kSquare) {
        for (int64_t r = i; r < std::min(i + kSquare, end); ++r) {
          for (int64_t c = j; c < std::min(j + kSquare, columns); ++c) {
            out[r * columns + c] = data[r * row_stride + c * column_stride];
          }
        }
      }
    }
  });
  return result;
}

template <typename T>
void RunMatMulOf(const Env& env, const OpCall& call) {
  const Tensor& a = call.in(0);
  const Tensor& b = call.in(1);
  const int64_t m = a.dim(1);
  const int64_t n = b.dim(2);
  const int64_t k = a.dim(2);
  env.threads.ParallelFor(a.dim(0), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const RowMajor<T> rows =
          AsRows<T>(env, a.data<T>() + i * a.stride(0), m, a.stride(1), k, a.stride(2));
      const RowMajor<T> columns =
          AsRows<T>(env, b.data<T>() + i * b.stride(0), n, b.stride(2), k, b.stride(1));
      RunProduct<T>(env, {.a = rows.data,
                          .a_stride = rows.stride,
                          .b = columns.data,
                          .b_stride = columns.stride,
                          .bias = nullptr,
                          .out = call.out(0).data<T>() + i * m * n,
                          .out_stride = n,
                          .m = m,
                          .n = n,
                          .k = k});
    }
  });
}

// op(t) of a matrix of the batch, from row i and column j of op(t) on.
template <typename T>
StridedMatrix<T> GemmOperand(const Tensor& t, bool transpose, int64_t batch, int64_t i, int64_t j) {
  const int64_t row_stride = t.stride(transpose ? 2 : 1);
  const int64_t column_stride = t.stride(transpose ? 1 : 2);
  return {t.data<T>() + batch * t.stride(0) + i * row_stride + j * column_stride, row_stride,
          column_stride};
}

// How a product is cut, by its shape alone, so that every element comes from the same calls of the
// kernel whatever the number of threads. Where the output has few tiles and k is long, as in the
// gradient of a weight, k is cut too: the parts' products are added in order.
struct GemmCut {
  static constexpr int64_t kUnits = 48;  // at least, where k allows: three for each of 16 threads
  static constexpr int64_t kMinDepth = 512;
  static constexpr int64_t kRows = kernels::kMaxProductExtent;
  static constexpr int64_t kColumns = kernels::kMaxProductExtent;

  GemmCut(int64_t batches, int64_t m, int64_t n, int64_t k)
      : row_tiles(CeilDiv(m, kRows)),
        batch_tiles(row_tiles * CeilDiv(n, kColumns)),
        tiles(batches * batch_tiles),
        parts(std::max<int64_t>(1, std::min(k / kMinDepth, kUnits / tiles))),
        depth(CeilDiv(k, parts)) {}

  int64_t row_tiles, batch_tiles, tiles, parts, depth;
};

template <typename T>
void AddParts(const Env& env, const T* parts, int64_t count, const Tensor& y) {
  const int64_t elements = y.elements();
  T* sum = y.data<T>();
  env.threads.ParallelFor(elements, 4096, [&](int64_t begin, int64_t end) {
    for (int64_t p = 0; p < count; ++p) {
      for (int64_t i = begin; i < end; ++i) sum[i] += parts[p * elements + i];
    }
  });
}

template <typename T>
void RunGemmOf(const Env& env, const OpCall& call) {
  const Tensor& a = call.in(0);
  const Tensor& b = call.in(1);
  const Tensor& y = call.out(0);
  const GemmAttrs& attrs = call.as<GemmAttrs>();
  const int64_t m = y.dim(1);
  const int64_t n = y.dim(2);
  const int64_t k = a.dim(attrs.transpose_a ? 1 : 2);
  const GemmCut cut(y.dim(0), m, n, k);
  const Workspace workspace(env.pool,
                            static_cast<size_t>((cut.parts - 1) * y.elements()) * sizeof(T));
  T* const later_parts = workspace.As<T>();
  const int64_t units = cut.tiles * cut.parts;
  env.threads.ParallelFor(units, 1, [&](int64_t begin, int64_t end) {
    const Multiplier<T> multiplier(env);
    for (int64_t unit = begin; unit < end; ++unit) {
      const int64_t part = unit / cut.tiles;
      const int64_t t = unit % cut.tiles;
      const int64_t batch = t / cut.batch_tiles;
      const int64_t i = t % cut.batch_tiles % cut.row_tiles * cut.kRows;
      const int64_t j = t % cut.batch_tiles / cut.row_tiles * cut.kColumns;
      const int64_t first = std::min(part * cut.depth, k);
      T* const out = part == 0 ? y.data<T>() : later_parts + (part - 1) * y.elements();
      multiplier.Run(GemmOperand<T>(a, attrs.transpose_a, batch, i, first),
                     GemmOperand<T>(b, attrs.transpose_b, batch, first, j),
                     out + (batch * m + i) * n + j, n,
                     {std::min(cut.kRows, m - i), std::min(cut.kColumns, n - j),
                      std::min(cut.depth, k - first)},
                     attrs.accumulate && part == 0);
    }
  });
  if (cut.parts > 1) AddParts<T>(env, later_parts, cut.parts - 1, y);
}

bool AreFloats(const OpCall& call) {
  const DType dtype = call.out(0).dtype();
  if (dtype != DType::kF32 && dtype != DType::kF64) return false;
  for (const Tensor* operand : call.inputs) {
    if (operand->defined() && operand->dtype() != dtype) return false;
  }
  return call.out(0).is_contiguous();
}

}  // namespace

bool SupportsLinear(const OpCall& call) {
  const Tensor& w = call.in(1);
  const DType dtype = call.out(0).dtype();
  const bool half = w.dtype() == DType::kBF16 || w.dtype() == DType::kF16;
  if (!(w.dtype() == dtype || (half && dtype == DType::kF32))) return false;
  if (dtype != DType::kF32 && dtype != DType::kF64) return false;
  for (const Tensor* operand : call.inputs) {
    if (!operand->defined()) continue;
    if (!operand->is_contiguous() || (operand != &w && operand->dtype() != dtype)) return false;
  }
  return call.out(0).is_contiguous();
}

void RunLinear(const Env& env, const OpCall& call) {
  WithFloat(call, [&](auto t) { RunLinearOf<decltype(t)>(env, call); });
}

bool SupportsMatMul(const OpCall& call) { return AreFloats(call); }

void RunMatMul(const Env& env, const OpCall& call) {
  WithFloat(call, [&](auto t) { RunMatMulOf<decltype(t)>(env, call); });
}

bool SupportsGemm(const OpCall& call) { return AreFloats(call); }

void RunGemm(const Env& env, const OpCall& call) {
  if (call.out(0).elements() == 0) return;
  WithFloat(call, [&](auto t) { RunGemmOf<decltype(t)>(env, call); });
}

}  // namespace tern::cpu
