// SPDX-License-Identifier: MIT
#include "tern/base/cpu_features.h"

#include <cstdint>

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstring>
#elif defined(__aarch64__)
#include <asm/hwcap.h>
#include <fmt/format.h>
#include <sys/auxv.h>

#include <fstream>
#endif

namespace tern {
namespace {

#if defined(__x86_64__)

struct CpuidResult {
  uint32_t eax = 0;
  uint32_t ebx = 0;
  uint32_t ecx = 0;
  uint32_t edx = 0;
};

// All zero for a leaf that the CPU does not have.
CpuidResult Cpuid(uint32_t leaf, uint32_t subleaf) {
  CpuidResult result;
  if (__get_cpuid_count(leaf, subleaf, &result.eax, &result.ebx, &result.ecx, &result.edx) == 0) {
    return {};
  }
  return result;
}

constexpr bool Bit(uint32_t word, int bit) { return ((word >> bit) & 1u) != 0; }

// The register states that the operating system saves, zero if it does not use XSAVE.
uint64_t SavedStates(const CpuidResult& leaf1) {
  if (!Bit(leaf1.ecx, 27)) return 0;  // OSXSAVE
  uint32_t low = 0;
  uint32_t high = 0;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t{high} << 32) | low;
}

// Asks Linux for the tile registers, which it gives to processes that ask; whether it did.
bool GetTiles() {
  constexpr long kArchReqXcompPerm = 0x1023;
  constexpr long kTileData = 18;
  return ::syscall(SYS_arch_prctl, kArchReqXcompPerm, kTileData) == 0;
}

std::string Brand() {
  if (Cpuid(0x80000000u, 0).eax < 0x80000004u) return "x86-64";
  std::array<char, 49> text{};
  for (uint32_t i = 0; i < 3; ++i) {
    const CpuidResult part = Cpuid(0x80000002u + i, 0);
    std::memcpy(text.data() + size_t{i} * 16, &part, 16);
  }
  std::string brand = text.data();
  const size_t first = brand.find_first_not_of(' ');
  if (first == std::string::npos) return "x86-64";
  return brand.substr(first, brand.find_last_not_of(' ') - first + 1);
}

CpuFeatures DetectForArchitecture() {
  constexpr uint64_t kAvxStates = 0x6;      // SSE, AVX
  constexpr uint64_t kAvx512States = 0xe6;  // and masks, upper halves, upper registers
  constexpr uint64_t kAmxStates = 0x60000;  // tile configuration and data
  const CpuidResult leaf1 = Cpuid(1, 0);
  const CpuidResult leaf7 = Cpuid(7, 0);
  const CpuidResult leaf7_1 = leaf7.eax >= 1 ? Cpuid(7, 1) : CpuidResult{};
  const uint64_t states = SavedStates(leaf1);
  const bool saves_avx = (states & kAvxStates) == kAvxStates;
  const bool saves_avx512 = (states & kAvx512States) == kAvx512States;
  const bool saves_amx = (states & kAmxStates) == kAmxStates;

  CpuFeatures cpu;
  cpu.brand = Brand();
  cpu.sse41 = Bit(leaf1.ecx, 9) && Bit(leaf1.ecx, 19);
  cpu.avx2 = cpu.sse41 && saves_avx && Bit(leaf1.ecx, 28) && Bit(leaf1.ecx, 12) &&
             Bit(leaf1.ecx, 29) && Bit(leaf7.ebx, 5) && Bit(leaf7.ebx, 3) && Bit(leaf7.ebx, 8);
  cpu.avx_vnni = cpu.avx2 && Bit(leaf7_1.eax, 4);
  cpu.avx512 = cpu.avx2 && saves_avx512 && Bit(leaf7.ebx, 16) && Bit(leaf7.ebx, 17) &&
               Bit(leaf7.ebx, 28) && Bit(leaf7.ebx, 30) && Bit(leaf7.ebx, 31);
  cpu.avx512vnni = cpu.avx512 && Bit(leaf7.ecx, 11);
  cpu.avx512vbmi = cpu.avx512 && Bit(leaf7.ecx, 1);
  cpu.amx_int8 = saves_amx && Bit(leaf7.edx, 24) && Bit(leaf7.edx, 25) && GetTiles();
  return cpu;
}

#elif defined(__aarch64__)

std::string Brand() {
  std::ifstream file("/sys/devices/system/cpu/cpu0/regs/identification/midr_el1");
  uint64_t midr = 0;
  if (!(file >> std::hex >> midr)) return "aarch64";
  return fmt::format("aarch64, implementer {:#04x}, part {:#05x}", (midr >> 24) & 0xff,
                     (midr >> 4) & 0xfff);
}

CpuFeatures DetectForArchitecture() {
  const unsigned long capabilities = ::getauxval(AT_HWCAP);
  const unsigned long capabilities2 = ::getauxval(AT_HWCAP2);
  CpuFeatures cpu;
  cpu.brand = Brand();
  cpu.neon = (capabilities & HWCAP_ASIMD) != 0;
  cpu.neon_dot = cpu.neon && (capabilities & HWCAP_ASIMDDP) != 0;
  cpu.i8mm = cpu.neon && (capabilities2 & HWCAP2_I8MM) != 0;
  return cpu;
}

#else

CpuFeatures DetectForArchitecture() {
  CpuFeatures cpu;
  cpu.brand = "unknown";
  return cpu;
}

#endif

}  // namespace

CpuFeatures CpuFeatures::Detect() { return DetectForArchitecture(); }

}  // namespace tern
