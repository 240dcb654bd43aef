// SPDX-License-Identifier: MIT
// Tape: reverse-mode differentiation. It knows no ops: an op that computed outputs from inputs of
// which one is linked to a tape calls Record() with a closure that turns the outputs' gradients
// into the inputs'. Backward() runs the closures in reverse order.
//
// Leaves are the tensors whose gradients are wanted (parameters). Watch() links one; its gradient
// adds up over Backward() calls until ZeroGradients(). Everything else that was recorded lives
// until Backward() or Clear(): to use a tensor from before is a programmer's mistake, unless it is
// Detached(). Nodes, closures and gradients take their memory from the pool.
//
// A tape belongs to one thread at a time. There are no second derivatives: closures see and make
// unlinked tensors.
#pragma once

#include <initializer_list>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

#include "tern/core/context.h"
#include "tern/core/memory_pool.h"
#include "tern/core/tensor.h"

namespace tern {

// What a backward closure sees of its node: indices count the node's inputs and outputs.
class GradientPass {
 public:
  Context& ctx() const { return ctx_; }
  // The gradient of output i, contiguous, of its shape and dtype; undefined when nothing depended
  // on it.
  const Tensor& OutputGradient(int i = 0) const;
  // Whether input i leads to a leaf: without, its gradient need not be computed.
  bool Needs(int i) const;
  // Adds to the gradient of input i; the shape and dtype must be the input's. May be a view.
  void Add(int i, Tensor gradient);

 private:
  friend class Tape;
  GradientPass(Context& ctx, Tape& tape, int32_t node) : ctx_(ctx), tape_(tape), node_(node) {}

  Context& ctx_;
  Tape& tape_;
  int32_t node_;
};

class Tape {
 public:
  static constexpr int kMaxOperands = 8;

  explicit Tape(Context& ctx);
  ~Tape();
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  Context& ctx() const { return ctx_; }

  // A handle of the same elements, linked as a leaf.
  Tensor Watch(const Tensor& leaf);

  // Called by ops, when LinkedTape(inputs) is this tape. Links the outputs. The closure is called
  // at most once as backward(GradientPass&), and destroyed by Backward() or Clear().
  template <typename F>
  void Record(std::span<const Tensor* const> inputs, std::span<Tensor* const> outputs, F backward) {
    static_assert(std::is_invocable_v<F&, GradientPass&>);
    void* memory = ctx_.pool().Allocate(sizeof(F), MemoryTag::kTape);
    Closure closure = {new (memory) F(std::move(backward)),
                       [](void* f, GradientPass& pass) { (*static_cast<F*>(f))(pass); },
                       [](void* f) { static_cast<F*>(f)->~F(); }};
    AddNode(inputs, outputs, closure);
  }

  // Differentiates a loss of one element (seed 1) with respect to every leaf. Empties the tape of
  // everything but the leaves.
  void Backward(const Tensor& loss) { Backward(loss, {}); }
  // The same from d loss / d output, of the output's shape.
  void Backward(const Tensor& output, const Tensor& output_gradient);

  // Drops what was recorded, keeps leaves and their gradients.
  void Clear();

  // The gradient of a tensor that Watch() returned; undefined if no loss depended on it.
  const Tensor& Gradient(const Tensor& leaf) const;
  void SetGradient(const Tensor& leaf, Tensor gradient);
  void ZeroGradients();

  // Recorded, not yet consumed nodes.
  int64_t nodes() const { return static_cast<int64_t>(nodes_.size()); }

 private:
  friend class GradientPass;

  struct Closure {
    void* object;
    void (*call)(void*, GradientPass&);
    void (*destroy)(void*);
  };
  struct Variable {
    Tensor gradient;
    Shape shape;
    DType dtype;
  };
  struct Node {
    int32_t inputs[kMaxOperands];
    int32_t outputs[kMaxOperands];
    int input_count;
    int output_count;
    Closure closure;
  };

  void AddNode(std::span<const Tensor* const> inputs, std::span<Tensor* const> outputs,
               Closure closure);
  int32_t AddVariable(const Tensor& like);
  int32_t VariableOf(const Tensor& linked) const;
  void Accumulate(int32_t variable, Tensor gradient);
  void RunNode(int32_t index);
  void DestroyClosure(Node& node) noexcept;
  bool NodeHasGradient(const Node& node) const;

  Context& ctx_;
  PoolVector<Variable> variables_;
  PoolVector<Node> nodes_;
  size_t leaves_ = 0;  // the first variables
  uint32_t pass_ = 0;  // how often the tape was cleared
};

// The tape that any of the tensors is linked to, or nullptr. Two different tapes in one op are a
// programmer's mistake.
Tape* LinkedTape(std::span<const Tensor* const> tensors);

// What ops call: records on the tape of the inputs if there is one.
template <typename F>
void RecordBackward(std::initializer_list<const Tensor*> inputs,
                    std::initializer_list<Tensor*> outputs, F backward) {
  const std::span<const Tensor* const> in(inputs.begin(), inputs.size());
  Tape* tape = LinkedTape(in);
  if (tape != nullptr) {
    tape->Record(in, std::span<Tensor* const>(outputs.begin(), outputs.size()),
                 std::move(backward));
  }
}

}  // namespace tern
