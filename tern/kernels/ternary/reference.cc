// SPDX-License-Identifier: MIT
#include "tern/kernels/ternary/reference.h"

#include <algorithm>
#include <cstring>

namespace tern::kernels::reference {
namespace {

static_assert(kMaxTernaryColumns * 128 * 2 <= INT32_MAX);  // sum of q * code

// Where the code of (row, column) lies.
struct Place {
  int64_t byte;
  int shift;
};

Place Find(int64_t row, int64_t column, int64_t k) {
  const int64_t block = column / kPanelBlockColumns;
  const int64_t field = column % kPanelBlockColumns / 4;
  return {row / kPanelRows * PanelBytes(k) + block * kPanelBlockBytes + row % kPanelRows * 4 +
              column % 4,
          static_cast<int>(2 * field)};
}

// The same in kPanelsBase3: `power` is what the code is multiplied by.
struct Base3Place {
  int64_t byte;
  int power;
};

Base3Place FindBase3(int64_t row, int64_t column, int64_t k) {
  const int64_t block = column / kBase3BlockColumns;
  return {row / kPanelRows * PanelBytes(k, TernaryLayout::kPanelsBase3) + block * kPanelBlockBytes +
              row % kPanelRows * 4 + column % 4,
          kBase3Powers[column % kBase3BlockColumns / 4]};
}

int Base3Code(int byte, int power) {
  return power == kBase3Powers[4] ? byte / power : byte % kBase3Powers[4] / power % 3;
}

int GetTrit(const TernaryPanels& w, int64_t row, int64_t column) {
  if (w.layout == TernaryLayout::kPanelsBase3) {
    const Base3Place place = FindBase3(row, column, w.k);
    return Base3Code(w.data[place.byte], place.power) - 1;
  }
  const Place place = Find(row, column, w.k);
  return (w.data[place.byte] >> place.shift & 3) - 1;
}

// The dot products of one row with the 16 rows of a panel.
void PanelDots(const uint8_t* panel, const int8_t* q, int64_t k, int32_t sum, int32_t* dots) {
  for (int r = 0; r < kPanelRows; ++r) dots[r] = -sum;
  for (int64_t column = 0; column < PaddedColumns(k); column += kPanelBlockColumns) {
    for (int r = 0; r < kPanelRows; ++r) {
      for (int j = 0; j < 4; ++j) {
        const int codes = panel[4 * r + j];
        for (int i = 0; i < 4; ++i) dots[r] += (codes >> 2 * i & 3) * q[column + 4 * i + j];
      }
    }
    panel += kPanelBlockBytes;
  }
}

void Base3PanelDots(const uint8_t* panel, const int8_t* q, int64_t k, int32_t sum, int32_t* dots) {
  for (int r = 0; r < kPanelRows; ++r) dots[r] = -sum;
  for (int64_t column = 0; column < PaddedColumns(k); column += 4) {  // of one power
    const Base3Place place = FindBase3(0, column, k);
    for (int r = 0; r < kPanelRows; ++r) {
      for (int j = 0; j < 4; ++j) {
        dots[r] += Base3Code(panel[place.byte + 4 * r + j], place.power) * q[column + j];
      }
    }
  }
}

template <typename Store>
void ForDots(const TernaryPanels& w, const TernaryRows& x, const TernaryRange& range, Store store) {
  for (int64_t panel = range.panel_begin; panel < range.panel_end; ++panel) {
    const int64_t count = std::min(kPanelRows, w.n - panel * kPanelRows);
    for (int64_t row = range.row_begin; row < range.row_end; ++row) {
      int32_t dots[kPanelRows];
      const auto panel_dots =
          w.layout == TernaryLayout::kPanelsBase3 ? &Base3PanelDots : &PanelDots;
      panel_dots(w.data + panel * PanelBytes(w.k, w.layout), x.q + row * x.stride, w.k, x.sum[row],
                 dots);
      for (int64_t r = 0; r < count; ++r) store(row, panel * kPanelRows + r, dots[r]);
    }
  }
}

// Fills panels with code(row, column) inside the matrix and 1 outside.
template <typename Code>
void FillPanels(int64_t n, int64_t k, int64_t panel_begin, int64_t panel_end, uint8_t* panels,
                Code code) {
  std::memset(panels + panel_begin * PanelBytes(k), 0,
              static_cast<size_t>((panel_end - panel_begin) * PanelBytes(k)));
  for (int64_t row = panel_begin * kPanelRows; row < panel_end * kPanelRows; ++row) {
    for (int64_t column = 0; column < PaddedColumns(k); ++column) {
      const Place place = Find(row, column, k);
      const int value = row < n && column < k ? code(row, column) : 1;
      panels[place.byte] = static_cast<uint8_t>(panels[place.byte] | value << place.shift);
    }
  }
}

}  // namespace

void Dots(const TernaryPanels& w, const TernaryRows& x, const TernaryRange& range,
          int32_t* dots) noexcept {
  ForDots(w, x, range, [&](int64_t row, int64_t j, int32_t dot) { dots[row * w.n + j] = dot; });
}

void BitLinear(const TernaryPanels& w, const TernaryRows& x, const TernaryRange& range,
               const TernaryOutput& out) noexcept {
  ForDots(w, x, range, [&](int64_t row, int64_t j, int32_t dot) {
    const float y = static_cast<float>(dot) * (out.multiplier / out.scale[row]);
    out.y[row * out.y_stride + j] = out.bias == nullptr ? y : y + out.bias[j];
  });
}

void QuantizeRows(const float* x, int64_t x_stride, int64_t rows, int64_t k, int8_t* q,
                  int64_t q_stride, float* scale, int32_t* sum) noexcept {
  for (int64_t row = 0; row < rows; ++row) {
    int8_t* to = q + row * q_stride;
    scale[row] = QuantizeRowReference(x + row * x_stride, k, to);
    std::fill(to + k, to + q_stride, int8_t{0});
    sum[row] = 0;
    for (int64_t i = 0; i < k; ++i) sum[row] += to[i];
  }
}

void DequantizeRows(const int8_t* q, int64_t q_stride, const float* scale, int64_t rows, int64_t k,
                    float* x) noexcept {
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t i = 0; i < k; ++i) {
      x[row * k + i] = static_cast<float>(q[row * q_stride + i]) / scale[row];
    }
  }
}

void QuantizePanels(const float* w, int64_t n, int64_t k, const TernaryRule& rule,
                    int64_t panel_begin, int64_t panel_end, uint8_t* panels) noexcept {
  FillPanels(n, k, panel_begin, panel_end, panels, [&](int64_t row, int64_t column) {
    const float v = w[row * k + column] * rule.factor;
    return (v > rule.low ? 1 : 0) + (v > rule.high ? 1 : 0);
  });
}

void PackPanels(const int8_t* trits, int64_t n, int64_t k, int64_t panel_begin, int64_t panel_end,
                uint8_t* panels) noexcept {
  FillPanels(n, k, panel_begin, panel_end, panels,
             [&](int64_t row, int64_t column) { return trits[row * k + column] + 1; });
}

void PackBase3(const TernaryPanels& w, int64_t panel_begin, int64_t panel_end,
               uint8_t* base3) noexcept {
  const int64_t bytes = PanelBytes(w.k, TernaryLayout::kPanelsBase3);
  std::memset(base3 + panel_begin * bytes, 0,
              static_cast<size_t>((panel_end - panel_begin) * bytes));
  const int64_t columns = bytes / kPanelBlockBytes * kBase3BlockColumns;
  for (int64_t row = panel_begin * kPanelRows; row < panel_end * kPanelRows; ++row) {
    for (int64_t column = 0; column < columns; ++column) {
      const Base3Place place = FindBase3(row, column, w.k);
      const int code = column < PaddedColumns(w.k) ? GetTrit(w, row, column) + 1 : 1;
      base3[place.byte] = static_cast<uint8_t>(base3[place.byte] + code * place.power);
    }
  }
}

void UnpackPanels(const TernaryPanels& w, int64_t panel_begin, int64_t panel_end,
                  int8_t* trits) noexcept {
  for (int64_t row = panel_begin * kPanelRows; row < std::min(panel_end * kPanelRows, w.n); ++row) {
    for (int64_t column = 0; column < w.k; ++column) {
      trits[row * w.k + column] = static_cast<int8_t>(GetTrit(w, row, column));
    }
  }
}

void DequantizePanels(const TernaryPanels& w, int64_t panel_begin, int64_t panel_end,
                      float multiplier, float* out) noexcept {
  for (int64_t row = panel_begin * kPanelRows; row < std::min(panel_end * kPanelRows, w.n); ++row) {
    for (int64_t column = 0; column < w.k; ++column) {
      out[row * w.k + column] = static_cast<float>(GetTrit(w, row, column)) * multiplier;
    }
  }
}

}  // namespace tern::kernels::reference
