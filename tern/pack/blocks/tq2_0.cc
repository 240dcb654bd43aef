// SPDX-License-Identifier: MIT
// TQ2_0 of ggml (type 35): 256 columns in 66 bytes, 64 of two-bit codes trit + 1 and an f16 scale.
//
//   bits     7 6       5 4       3 2       1 0
//   column   96 + j    64 + j    32 + j    j          byte j = 0 .. 31, and so on for byte 32 + j
//                                                     and columns from 128
#include "tern/pack/blocks/two_bit_fields.h"
#include "tern/pack/trit_blocks.h"

namespace tern::blocks {

extern const TritBlock tq2_0;

const TritBlock tq2_0 = {.name = "tq2_0",
                         .type = "TQ2_0",
                         .columns = 256,
                         .bytes = 66,
                         .scale_at = 64,
                         .encode = EncodeFields<256, 32, false>,
                         .decode = DecodeFields<256, 32, false>};

}  // namespace tern::blocks
