// SPDX-License-Identifier: MIT
// Which instruction sets may be used here: those that the CPU has and whose registers the
// operating system saves. What to do with them is decided by the list of kernel targets.
#pragma once

#include <string>

namespace tern {

struct CpuFeatures {
  std::string brand;  // "Intel(R) Xeon(R) ...", or the implementer and part of an ARM core

  // x86-64. Each flag stands for a set that kernels use together.
  bool sse41 = false;       // SSSE3, SSE4.1
  bool avx2 = false;        // AVX2, FMA, F16C, BMI1, BMI2
  bool avx_vnni = false;    // 256-bit VPDPBUSD with the VEX encoding, and avx2
  bool avx512 = false;      // AVX-512 F, BW, DQ, CD, VL, and avx2
  bool avx512vnni = false;  // VPDPBUSD, and avx512
  bool avx512vbmi = false;  // VPERMB, and avx512
  bool amx_int8 = false;    // AMX tiles with int8, which Linux has given to this process

  // aarch64
  bool neon = false;
  bool neon_dot = false;  // SDOT and UDOT
  bool i8mm = false;      // SMMLA and relatives

  // Reads the machine, and asks Linux for AMX tiles where there are some; the same at every call.
  static CpuFeatures Detect();
};

}  // namespace tern
