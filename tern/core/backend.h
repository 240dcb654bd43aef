// SPDX-License-Identifier: MIT
// The contract of a device: its memory, which ops it supports, how it runs them.
//
// An op is a name of ops.inc with input tensors, output tensors that the caller has allocated with
// their final shapes, and attributes. tern/ops validates shapes and dtypes and records gradients
// before a backend sees the call; a backend computes and knows neither models nor tapes.
//
// Composite ops (RmsNormQuantize, BitLinears, GatedMlp, Attention) let a device fuse. One that a
// backend does not support is decomposed into small ops by tern/ops; any other unsupported op is
// an Error. Supports() must be honest: true means Run() gives the right answer.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <variant>

#include "tern/core/device.h"
#include "tern/core/memory_pool.h"
#include "tern/core/tensor.h"

namespace tern {

class Context;

enum class Op : uint16_t {
#define TERN_OP(name) k##name,
#include "tern/core/ops.inc"
#undef TERN_OP
};

inline constexpr int kOpCount = 0
#define TERN_OP(name) +1
#include "tern/core/ops.inc"
#undef TERN_OP
    ;

const char* OpName(Op op);

// Attributes, by what they describe. Those that an op takes stand beside it in ops.inc.
struct ScalarAttrs {
  double value = 0;
};
struct AxisAttrs {
  int axis = -1;
};
struct GemmAttrs {
  bool transpose_a = false;
  bool transpose_b = false;
  bool accumulate = false;  // add to the output instead of replacing it
};
struct ScreenAttrs {
  int64_t top = 1;
};
struct NormAttrs {
  double eps = 0;
};
enum class TernaryQuantizer : uint8_t { kAbsMean, kSign };
// Ternary weights [n, k] in a run-time layout (kernels/ternary/ternary.h).
struct TernaryAttrs {
  int64_t n = 0;
  int64_t k = 0;
  uint8_t layout = 0;
  TernaryQuantizer quantizer = TernaryQuantizer::kAbsMean;
};
struct RopeAttrs {
  bool inverse = false;  // rotate back, for gradients
};
struct RopeTableAttrs {
  double theta = 0;
};
struct AttentionAttrs {
  float scale = 1;
  int64_t start = 0;  // position of the first query; keys 0 .. start + tokens - 1 are there
};
enum class Activation : uint8_t { kRelu2, kSilu, kGeluTanh };
struct ActivationAttrs {
  Activation activation = Activation::kRelu2;
};
struct LossAttrs {
  float scale = 1;            // gradient of the summed loss is multiplied by it
  int32_t ignore_index = -1;  // targets that do not count
};
// In double: 1 - beta2 of an f32 beta2 = 0.999 is off by 1e-5 of itself.
struct AdamWAttrs {
  double learning_rate = 0;
  double beta1 = 0.9;
  double beta2 = 0.95;
  double eps = 1e-8;
  double weight_decay = 0;
  double bias_correction1 = 1;  // 1 - beta1^step
  double bias_correction2 = 1;
  double gradient_scale = 1;  // the gradient is multiplied by it first (clipping)
};

using OpAttrs = std::variant<std::monostate, ScalarAttrs, AxisAttrs, GemmAttrs, ScreenAttrs,
                             NormAttrs, TernaryAttrs, RopeAttrs, RopeTableAttrs, AttentionAttrs,
                             ActivationAttrs, LossAttrs, AdamWAttrs>;

struct OpCall {
  Op op;
  std::span<const Tensor* const> inputs = {};   // an optional input may be undefined
  std::span<const Tensor* const> outputs = {};  // handles; their elements are written
  OpAttrs attrs = {};

  const Tensor& in(size_t i) const { return *inputs[i]; }
  const Tensor& out(size_t i) const { return *outputs[i]; }
  // Whether the optional input i was given.
  bool has(size_t i) const { return i < inputs.size() && inputs[i]->defined(); }
  template <typename Attrs>
  const Attrs& as() const {
    return std::get<Attrs>(attrs);
  }
};

class Backend {
 public:
  virtual ~Backend() = default;

  virtual std::string_view name() const = 0;
  virtual Device device() const = 0;
  virtual MemoryPool& pool() = 0;

  virtual bool Supports(const OpCall& call) const = 0;
  // The TernaryAttrs::layout in which a model of so many ternary weights runs fastest.
  virtual uint8_t FastestTernaryLayout(int64_t /*weights*/) const { return 0; }
  // Computes the outputs. The work is done, or ordered before later calls on this device and
  // before the next Synchronize(), when it returns. Throws Error for what fails at run time.
  virtual void Run(Context& ctx, const OpCall& call) = 0;
  // Waits until the elements of every output may be read by the host.
  virtual void Synchronize() = 0;
};

}  // namespace tern
