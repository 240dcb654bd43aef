// SPDX-License-Identifier: MIT
// The table of functions that each target exports, and the choice among them. All functions take
// raw pointers and sizes, are noexcept, allocate nothing and use one thread. They give the same
// bits on every target (scalar, the reference, defines them), but for those whose header says that
// they fuse multiplies and adds: products for gradients, linalg and svd.
#pragma once

#include <string_view>
#include <vector>

#include "tern/base/cpu_features.h"
#include "tern/kernels/adamw/adamw.h"
#include "tern/kernels/attention/attention.h"
#include "tern/kernels/elementwise/elementwise.h"
#include "tern/kernels/gemm/gemm.h"
#include "tern/kernels/linalg/linalg.h"
#include "tern/kernels/mlp/mlp.h"
#include "tern/kernels/norm/norm.h"
#include "tern/kernels/reduce/reduce.h"
#include "tern/kernels/rope/rope.h"
#include "tern/kernels/softmax/softmax.h"
#include "tern/kernels/svd/svd.h"
#include "tern/kernels/ternary/ternary.h"

namespace tern::kernels {

struct KernelTable {
  const char* target;
  AdamWKernels<float> adamw;
  AttentionKernels<float> attention;
  ElementwiseKernels elementwise;
  GemmKernels gemm;
  LinalgKernels<float> linalg_f32;
  LinalgKernels<double> linalg_f64;
  MlpKernels<float> mlp;
  NormKernels<float> norm;
  ReduceKernels<float> reduce;
  RopeKernels<float> rope;
  SoftmaxKernels<float> softmax;
  SvdKernels<float> svd_f32;
  SvdKernels<double> svd_f64;
  TernaryKernels ternary;
};

struct Target {
  const char* name;
  bool supported;     // by this CPU and its operating system
  const char* needs;  // the condition of targets.inc, in words of CpuFeatures
  const char* base;   // the target whose kernels it has, except the ternary; null: none
  const KernelTable* table;
};

// Every target that was compiled in, slowest first.
std::vector<Target> ListTargets(const CpuFeatures& cpu);

// The fastest supported target, or the one that `forced` names when it is not empty. A name that
// is unknown or that this machine lacks is an Error(kUnsupported) that lists the possible names.
const KernelTable& SelectKernels(const CpuFeatures& cpu, std::string_view forced = {});

}  // namespace tern::kernels
