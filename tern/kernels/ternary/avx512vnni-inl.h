// SPDX-License-Identifier: MIT
// The dot products of vnni512-inl.h for one row and for many.
#pragma once

#include "tern/kernels/ternary/vnni512-inl.h"

// No functions here, hence no target region.
namespace tern::kernels::TERN_TARGET_NAME {
namespace {
namespace ternary {

constexpr int kTileRows = 6;
constexpr int kTilePanels = 4;
constexpr int kTileUnroll = 4;

}  // namespace ternary
}  // namespace
}  // namespace tern::kernels::TERN_TARGET_NAME

#include "tern/kernels/ternary/dot-tile-inl.h"
#include "tern/kernels/ternary/products-inl.h"
