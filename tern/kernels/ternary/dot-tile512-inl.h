// SPDX-License-Identifier: MIT
// dot-tile-inl.h with the dot products of vnni512-inl.h.
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
