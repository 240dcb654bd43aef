// SPDX-License-Identifier: MIT
// I2_S of bitnet.cpp (type 36): two-bit codes trit + 1 and one f32 scale behind them. Three layouts
// go by one id, and the bytes do not tell which.
//
// i2_s: x86 and the published files. 128 columns in 32 bytes; blocks run over the ends of rows.
//
//   bits     7 6   5 4       3 2       1 0
//   column   j     32 + j    64 + j    96 + j     byte j = 0 .. 31
//
// i2_s_64: what bitnet.cpp writes on ARM since 112f853. 64 columns in 16 bytes, likewise.
//
// i2_s_rows: what it writes built without ACT_PARALLEL. Byte g k + c holds column c of four rows:
//
//   bits     7 6   5 4       3 2       1 0
//   row      4 g   4 g + 1   4 g + 2   4 g + 3
#include "tern/pack/blocks/two_bit_fields.h"
#include "tern/pack/trit_blocks.h"

namespace tern::blocks {

extern const TritBlock i2_s, i2_s_64, i2_s_rows;

const TritBlock i2_s = {.name = "i2_s",
                        .type = "I2_S",
                        .columns = 128,
                        .bytes = 32,
                        .span = ScaleSpan::kTensor,
                        .scale_type = DType::kF32,
                        .encode = EncodeFields<128, 32, true>,
                        .decode = DecodeFields<128, 32, true>};

const TritBlock i2_s_64 = {.name = "i2_s_64",
                           .type = "I2_S",
                           .columns = 64,
                           .bytes = 16,
                           .span = ScaleSpan::kTensor,
                           .scale_type = DType::kF32,
                           .decode = DecodeFields<64, 16, true>};

const TritBlock i2_s_rows = {.name = "i2_s_rows",
                             .type = "I2_S",
                             .columns = 4,
                             .bytes = 1,
                             .span = ScaleSpan::kTensor,
                             .scale_type = DType::kF32,
                             .rows_together = 4,
                             .decode = DecodeFields<4, 1, true>};

}  // namespace tern::blocks
