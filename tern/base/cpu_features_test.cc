// SPDX-License-Identifier: MIT
#include "tern/base/cpu_features.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#if defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace tern {
namespace {

TEST(CpuFeaturesTest, IsTheSameAtEveryCall) {
  const CpuFeatures a = CpuFeatures::Detect();
  const CpuFeatures b = CpuFeatures::Detect();
  EXPECT_EQ(a.brand, b.brand);
  EXPECT_EQ(a.avx512vnni, b.avx512vnni);
  EXPECT_FALSE(a.brand.empty());
}

TEST(CpuFeaturesTest, LaterSetsIncludeEarlierOnes) {
  const CpuFeatures cpu = CpuFeatures::Detect();
  EXPECT_LE(cpu.avx2, cpu.sse41);
  EXPECT_LE(cpu.avx_vnni, cpu.avx2);
  EXPECT_LE(cpu.avx512, cpu.avx2);
  EXPECT_LE(cpu.avx512vnni, cpu.avx512);
  EXPECT_LE(cpu.avx512vbmi, cpu.avx512);
  EXPECT_LE(cpu.neon_dot, cpu.neon);
  EXPECT_LE(cpu.i8mm, cpu.neon);
  EXPECT_FALSE(cpu.sse41 && cpu.neon);
#if defined(__aarch64__)
  EXPECT_TRUE(cpu.neon);
#endif
}

#if defined(__x86_64__)
// The compiler's own detection, which also asks for the saved registers, is the second opinion. It
// works under an emulator too, where /proc/cpuinfo describes another CPU.
TEST(CpuFeaturesTest, AgreesWithTheCompilersDetection) {
  const CpuFeatures cpu = CpuFeatures::Detect();
  __builtin_cpu_init();
  const auto has = [](int answer) { return answer != 0; };
  EXPECT_EQ(cpu.sse41, has(__builtin_cpu_supports("sse4.1")));
  const bool avx2 = has(__builtin_cpu_supports("avx2")) && has(__builtin_cpu_supports("fma")) &&
                    has(__builtin_cpu_supports("bmi2"));
  EXPECT_EQ(cpu.avx2, avx2);
  const bool avx512 =
      avx2 && has(__builtin_cpu_supports("avx512f")) && has(__builtin_cpu_supports("avx512bw")) &&
      has(__builtin_cpu_supports("avx512dq")) && has(__builtin_cpu_supports("avx512cd")) &&
      has(__builtin_cpu_supports("avx512vl"));
  EXPECT_EQ(cpu.avx512, avx512);
  EXPECT_EQ(cpu.avx512vnni, avx512 && has(__builtin_cpu_supports("avx512vnni")));
  EXPECT_EQ(cpu.avx512vbmi, avx512 && has(__builtin_cpu_supports("avx512vbmi")));
}
#endif

#if defined(__aarch64__)
#if defined(TERN_EMULATED)
// Or the kernels for it would be tested nowhere.
TEST(CpuFeaturesTest, TheEmulatedCpuHasTheDotProduct) {
  EXPECT_TRUE(CpuFeatures::Detect().neon_dot);
}
#endif

// The registers that say what the CPU has, which Linux lets programs read where it says so.
TEST(CpuFeaturesTest, AgreesWithTheIdentificationRegisters) {
  if ((::getauxval(AT_HWCAP) & HWCAP_CPUID) == 0) GTEST_SKIP() << "the registers are not readable";
  uint64_t isar0 = 0;
  uint64_t isar1 = 0;
  asm("mrs %0, ID_AA64ISAR0_EL1" : "=r"(isar0));
  asm("mrs %0, ID_AA64ISAR1_EL1" : "=r"(isar1));
  EXPECT_EQ(CpuFeatures::Detect().neon_dot, (isar0 >> 44 & 0xf) != 0);
  EXPECT_EQ(CpuFeatures::Detect().i8mm, (isar1 >> 52 & 0xf) != 0);
}
#endif

}  // namespace
}  // namespace tern
