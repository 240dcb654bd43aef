// SPDX-License-Identifier: MIT
// Random numbers that are the same bits on every machine: the counter-based generator Philox
// 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011) and
// distributions computed without the C library's transcendental functions. A (seed, stream) pair
// names one sequence; streams of one seed are independent, so that parallel work takes a stream
// per item and does not depend on who does it. Not for cryptography.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <utility>

namespace tern {

// The 128 bits that belong to a counter under a key.
std::array<uint32_t, 4> PhiloxBlock(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

// The x with Phi(x) = p for the standard normal distribution, 0 < p < 1, to about 1e-15 relative.
double NormalQuantile(double p);

class Random {
 public:
  explicit Random(uint64_t seed, uint64_t stream = 0) : seed_(seed), stream_(stream) {}

  uint32_t NextU32();
  uint64_t NextU64();  // two words, the low one first

  float UniformF32();  // [0, 1) in steps of 2^-24, one word
  double Uniform();    // [0, 1) in steps of 2^-53, two words

  // Uniform in [0, bound) without bias, bound >= 1.
  uint64_t Below(uint64_t bound);

  // Standard normal by the inverse of its distribution function, two words; within +-8.3.
  double Normal();

  // Every order is equally likely (Fisher and Yates).
  template <typename T>
  void Shuffle(std::span<T> values) {
    for (uint64_t left = values.size(); left > 1; --left) {
      std::swap(values[left - 1], values[Below(left)]);
    }
  }

  // Fills out with a random order of 0 ... out.size() - 1.
  void Permutation(std::span<int64_t> out);

 private:
  uint64_t seed_;
  uint64_t stream_;
  uint64_t position_ = 0;                 // words drawn
  uint64_t cached_block_ = ~uint64_t{0};  // the block that words_ holds; no position reaches ~0
  std::array<uint32_t, 4> words_{};
};

}  // namespace tern
