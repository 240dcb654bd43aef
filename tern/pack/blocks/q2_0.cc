// SPDX-License-Identifier: MIT
// Q2_0 (type 42): an f16 scale, then two-bit codes in reading order, weight = (code - 1) * scale.
// ggml's has 64 columns in 18 bytes, the first files of Ternary Bonsai 128 in 34. The code 3 is the
// weight 2 * scale, which no ternary model has and which is refused.
//
//   bits     7 6        5 4        3 2        1 0
//   column   4 j + 3    4 j + 2    4 j + 1    4 j
#include "tern/pack/blocks/two_bit_fields.h"
#include "tern/pack/trit_blocks.h"

namespace tern::blocks {

extern const TritBlock q2_0, q2_0_g128;

const TritBlock q2_0 = {.name = "q2_0",
                        .type = "Q2_0",
                        .columns = 64,
                        .bytes = 18,
                        .codes_at = 2,
                        .decode = DecodeFields<64, 1, false>};

const TritBlock q2_0_g128 = {.name = "q2_0_g128",
                             .type = "Q2_0_G128",
                             .columns = 128,
                             .bytes = 34,
                             .codes_at = 2,
                             .decode = DecodeFields<128, 1, false>};

}  // namespace tern::blocks
