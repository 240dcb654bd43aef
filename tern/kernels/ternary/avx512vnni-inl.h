// SPDX-License-Identifier: MIT
// The dot products of vnni512-inl.h for one row and for many.
#pragma once

#include "tern/kernels/ternary/dot-tile512-inl.h"
#include "tern/kernels/ternary/plain-base3-inl.h"
#include "tern/kernels/ternary/products-inl.h"
