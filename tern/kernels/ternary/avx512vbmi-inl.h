// SPDX-License-Identifier: MIT
// avx512vnni, where VPERMI2B reads weights of 1.6 bits as fast as those of 2.
#pragma once

#include "tern/kernels/ternary/dot-tile512-inl.h"
#include "tern/kernels/ternary/permute-base3-inl.h"
#include "tern/kernels/ternary/products-inl.h"
