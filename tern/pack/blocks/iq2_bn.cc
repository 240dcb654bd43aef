// SPDX-License-Identifier: MIT
// IQ2_BN of ik_llama.cpp (type 135): a row is an f32 scale and blocks of 64 columns in 16 bytes of
// two-bit codes trit + 1.
//
//   bits     7 6       5 4       3 2       1 0
//   column   48 + j    32 + j    16 + j    j          byte j = 0 .. 15
#include "tern/pack/blocks/two_bit_fields.h"
#include "tern/pack/trit_blocks.h"

namespace tern::blocks {

extern const TritBlock iq2_bn;

const TritBlock iq2_bn = {.name = "iq2_bn",
                          .type = "IQ2_BN",
                          .columns = 64,
                          .bytes = 16,
                          .span = ScaleSpan::kRow,
                          .scale_type = DType::kF32,
                          .decode = DecodeFields<64, 16, false>};

}  // namespace tern::blocks
