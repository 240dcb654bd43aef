// SPDX-License-Identifier: MIT
// For blocks of two-bit codes (trit + 1) where column c of a run of 4 kRun columns is field
// c / kRun of byte c % kRun. kFirstHigh: field 0 is bits 7 and 6, else bits 1 and 0.
#pragma once

#include <cstdint>

namespace tern::blocks {

template <int kRun, bool kFirstHigh>
int FieldShift(int field) {
  return 2 * (kFirstHigh ? 3 - field : field);
}

template <int kColumns, int kRun, bool kFirstHigh>
void EncodeFields(const int8_t* trits, uint8_t* codes) {
  for (int i = 0; i < kColumns / 4; ++i) codes[i] = 0;
  for (int column = 0; column < kColumns; ++column) {
    const int in_run = column % (4 * kRun);
    uint8_t& code = codes[column / (4 * kRun) * kRun + in_run % kRun];
    const int shift = FieldShift<kRun, kFirstHigh>(in_run / kRun);
    code = static_cast<uint8_t>(code | (trits[column] + 1) << shift);
  }
}

template <int kColumns, int kRun, bool kFirstHigh>
bool DecodeFields(const uint8_t* codes, int8_t* trits) {
  // Loops without exits over bytes that lie side by side, which become vectors.
  int wrong = 0;
  for (int i = 0; i < kColumns / 4; ++i) wrong |= codes[i] & codes[i] >> 1 & 0x55;
  if (wrong != 0) return false;
  for (int run = 0; run < kColumns / 4; run += kRun) {
    for (int field = 0; field < 4; ++field) {
      const int shift = FieldShift<kRun, kFirstHigh>(field);
      for (int i = 0; i < kRun; ++i) {
        *trits++ = static_cast<int8_t>((codes[run + i] >> shift & 3) - 1);
      }
    }
  }
  return true;
}

}  // namespace tern::blocks
