// SPDX-License-Identifier: MIT
// A hash map from a pair of token ids to a small value: open addressing, one cache line per probe
// in the common case. Keys are never removed. Not safe to write from several threads.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace tern {

template <typename Value>
class PairMap {
 public:
  explicit PairMap(size_t expected = 0) { slots_.resize(std::bit_ceil(2 * expected + kMinSlots)); }

  static uint64_t Key(int32_t left, int32_t right) {
    return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
  }

  const Value* Find(uint64_t key) const {
    const size_t mask = slots_.size() - 1;
    for (size_t i = Hash(key) & mask;; i = (i + 1) & mask) {
      if (slots_[i].key == key) return &slots_[i].value;
      if (slots_[i].key == kEmpty) return nullptr;
    }
  }

  // The value of `key`, default-made if it is new. Valid until the next insertion.
  std::pair<Value*, bool> Insert(uint64_t key) {
    if (2 * (size_ + 1) > slots_.size()) Grow();
    Slot* slot = Probe(key);
    const bool fresh = slot->key == kEmpty;
    if (fresh) {
      slot->key = key;
      ++size_;
    }
    return {&slot->value, fresh};
  }

  size_t size() const { return size_; }

 private:
  // Ids are not negative, so no pair has this key.
  static constexpr uint64_t kEmpty = ~uint64_t{0};
  static constexpr size_t kMinSlots = 16;
  struct Slot {
    uint64_t key = kEmpty;
    Value value{};
  };

  // The finalizer of MurmurHash3.
  static size_t Hash(uint64_t x) {
    x = (x ^ (x >> 33)) * 0xFF51AFD7ED558CCDu;
    x = (x ^ (x >> 33)) * 0xC4CEB9FE1A85EC53u;
    return static_cast<size_t>(x ^ (x >> 33));
  }

  Slot* Probe(uint64_t key) {
    const size_t mask = slots_.size() - 1;
    size_t i = Hash(key) & mask;
    while (slots_[i].key != key && slots_[i].key != kEmpty) i = (i + 1) & mask;
    return &slots_[i];
  }

  void Grow() {
    std::vector<Slot> old(2 * slots_.size());
    old.swap(slots_);
    for (Slot& slot : old) {
      if (slot.key != kEmpty) *Probe(slot.key) = std::move(slot);
    }
  }

  std::vector<Slot> slots_;
  size_t size_ = 0;
};

}  // namespace tern
