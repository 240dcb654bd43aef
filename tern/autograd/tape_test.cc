// SPDX-License-Identifier: MIT
#include "tern/autograd/tape.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "tern/autograd/test_ops.h"
#include "tern/base/error.h"

namespace tern {
namespace {

using testing::ElementsAre;

class TapeTest : public testing::Test, protected TapeContext {
 protected:
  static std::vector<double> Elements(const Tensor& tensor) {
    const auto span = tensor.span<double>();
    return {span.begin(), span.end()};
  }

  // Records an op without arithmetic: outputs of a's shape, with the closure given.
  template <typename F>
  std::pair<Tensor, Tensor> Fork(const Tensor& a, F backward) {
    Tensor left = Values({1}, {1});
    Tensor right = Values({1}, {2});
    RecordBackward({&a}, {&left, &right}, std::move(backward));
    return {left, right};
  }

  Tape tape_{ctx};
};

TEST_F(TapeTest, AppliesTheChainRule) {
  const Tensor a = tape_.Watch(Values({2}, {2, 3}));
  const Tensor b = tape_.Watch(Values({2}, {5, 7}));
  tape_.Backward(Sum(Mul(Mul(a, b), b)));
  EXPECT_THAT(Elements(tape_.Gradient(a)), ElementsAre(25, 49));
  EXPECT_THAT(Elements(tape_.Gradient(b)), ElementsAre(20, 42));
  EXPECT_EQ(tape_.nodes(), 0);
}

TEST_F(TapeTest, AddsUpOverSeveralUses) {
  const Tensor a = tape_.Watch(Values({2}, {2, 3}));
  const Tensor cube = Mul(Mul(a, a), a);
  tape_.Backward(Sum(Mul(cube, cube)));  // 6 a^5
  EXPECT_THAT(Elements(tape_.Gradient(a)), ElementsAre(192, 1458));
}

// The first gradient of `inner` is a view of stride 0 that nobody else holds when the second
// comes: adding in place would add both elements into one.
TEST_F(TapeTest, DoesNotAddInPlaceIntoABroadcastGradient) {
  const Tensor a = tape_.Watch(Values({2}, {2, 3}));
  const Tensor inner = Mul(a, Values({2}, {1, 1}));
  const Tensor weighed = Sum(Mul(inner, Values({2}, {10, 100})));
  const Tensor plain = Sum(inner);
  tape_.Backward(Mul(weighed, plain));  // 230 * 5
  EXPECT_THAT(Elements(tape_.Gradient(a)), ElementsAre(320 + 5 * 10, 320 + 5 * 100));
}

TEST_F(TapeTest, LeavesKeepTheirGradientsOverBackwardCalls) {
  const Tensor a = tape_.Watch(Values({2}, {2, 3}));
  const Tensor other = tape_.Watch(Values({1}, {1}));
  tape_.Backward(Sum(Mul(a, a)));
  tape_.Backward(Sum(Mul(a, a)));
  EXPECT_THAT(Elements(tape_.Gradient(a)), ElementsAre(8, 12));
  EXPECT_FALSE(tape_.Gradient(other).defined());
  tape_.ZeroGradients();
  EXPECT_FALSE(tape_.Gradient(a).defined());
  tape_.Backward(Sum(a));
  EXPECT_THAT(Elements(tape_.Gradient(a)), ElementsAre(1, 1));
}

TEST_F(TapeTest, GradientsOfLeavesAreTheirOwnContiguousElements) {
  const Tensor a = tape_.Watch(Values({2}, {2, 3}));
  const Tensor seed = Values({2}, {1, 10});
  tape_.Backward(a, seed);
  EXPECT_FALSE(tape_.Gradient(a).SharesStorage(seed));
  tape_.Backward(a, seed);
  EXPECT_THAT(Elements(tape_.Gradient(a)), ElementsAre(2, 20));
  EXPECT_THAT(Elements(seed), ElementsAre(1, 10));
}

TEST_F(TapeTest, GradientsThatAreSetAddUpWithoutChangingWhatTheyCameFrom) {
  const Tensor a = tape_.Watch(Values({2}, {2, 3}));
  const Tensor loaded = Values({2}, {100, 200});
  tape_.SetGradient(a, loaded);
  tape_.Backward(Sum(a));
  EXPECT_THAT(Elements(tape_.Gradient(a)), ElementsAre(101, 201));
  EXPECT_THAT(Elements(loaded), ElementsAre(100, 200));
}

TEST_F(TapeTest, SeedsWithTheOutputsGradient) {
  const Tensor a = tape_.Watch(Values({2}, {2, 3}));
  tape_.Backward(Mul(a, a), Values({2}, {1, -1}));
  EXPECT_THAT(Elements(tape_.Gradient(a)), ElementsAre(4, -6));
  try {
    tape_.Backward(Mul(a, a));
    FAIL() << "an output of two elements is no loss";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
    EXPECT_THAT(error.what(), testing::HasSubstr("[2]"));
  }
}

TEST_F(TapeTest, SkipsInputsThatLeadToNoLeaf) {
  const Tensor a = tape_.Watch(Values({1}, {2}));
  const Tensor constant = Values({1}, {3});
  Tensor y = Values({1}, {0});
  std::vector<bool> needs;
  RecordBackward({&a, &constant}, {&y}, [&](GradientPass& pass) {
    needs = {pass.Needs(0), pass.Needs(1)};
    pass.Add(0, pass.OutputGradient());
    pass.Add(1, pass.OutputGradient());  // dropped
  });
  tape_.Backward(y);
  EXPECT_THAT(needs, ElementsAre(true, false));
  EXPECT_THAT(Elements(tape_.Gradient(a)), ElementsAre(1));
}

TEST_F(TapeTest, RecordsNothingWithoutALinkedInput) {
  EXPECT_EQ(Mul(Values({1}, {2}), Values({1}, {3})).link().tape, nullptr);
  EXPECT_EQ(tape_.nodes(), 0);
  const Tensor a = tape_.Watch(Values({1}, {2}));
  EXPECT_EQ(Mul(a.Detached(), a.Detached()).link().tape, nullptr);
  EXPECT_EQ(tape_.nodes(), 0);
  EXPECT_EQ(Mul(a, a).link().tape, &tape_);
  EXPECT_EQ(tape_.nodes(), 1);
}

TEST_F(TapeTest, SeveralOutputsGiveTheGradientsThatWereAskedFor) {
  const Tensor a = tape_.Watch(Values({1}, {2}));
  int calls = 0;
  const auto backward = [&](GradientPass& pass) {
    ++calls;
    EXPECT_FALSE(pass.OutputGradient(0).defined());
    pass.Add(0, Tensor(pass.OutputGradient(1)));
  };
  const auto [left, right] = Fork(a, backward);
  tape_.Backward(Mul(right, Values({1}, {7})));
  EXPECT_EQ(calls, 1);
  EXPECT_THAT(Elements(tape_.Gradient(a)), ElementsAre(7));
}

TEST_F(TapeTest, DoesNotCallWhatTheLossDoesNotDependOn) {
  const Tensor a = tape_.Watch(Values({1}, {2}));
  Fork(a, [](GradientPass&) { ADD_FAILURE() << "called"; });
  tape_.Backward(Mul(a, a));
  EXPECT_THAT(Elements(tape_.Gradient(a)), ElementsAre(4));
}

TEST_F(TapeTest, DestroysClosuresOnce) {
  const auto token = std::make_shared<int>(0);
  const auto hold = [token](GradientPass& pass) { pass.Add(0, pass.OutputGradient(0)); };
  {
    Tape tape(ctx);
    const Tensor a = tape.Watch(Values({1}, {2}));
    const Tensor used = Fork(a, hold).first;
    Fork(a, hold);  // leads to no loss
    EXPECT_EQ(token.use_count(), 4);
    tape.Backward(used);
    EXPECT_EQ(token.use_count(), 2);
    Fork(a, hold);
    tape.Clear();
    EXPECT_EQ(token.use_count(), 2);
    EXPECT_TRUE(tape.Gradient(a).defined());
    Fork(a, hold);
    EXPECT_EQ(token.use_count(), 3);
  }
  EXPECT_EQ(token.use_count(), 2);
}

TEST_F(TapeTest, AnErrorInTheMiddleLeavesATapeThatGoesOn) {
  const Tensor a = tape_.Watch(Values({2}, {2, 3}));
  const Tensor square = Mul(a, a);
  const Tensor loss = Sum(Mul(square, square));
  mock->FailCall(2);  // 1: the seed, 2: adding the gradients of both factors
  EXPECT_THROW(tape_.Backward(loss), Error);
  tape_.Clear();
  EXPECT_FALSE(tape_.Gradient(a).defined());
  mock->FailCall(2);  // the copy that makes the gradient the leaf's own
  EXPECT_THROW(tape_.Backward(Sum(a)), Error);
  EXPECT_FALSE(tape_.Gradient(a).defined());
  tape_.Clear();
  tape_.ZeroGradients();
  tape_.Backward(Sum(Mul(a, a)));
  EXPECT_THAT(Elements(tape_.Gradient(a)), ElementsAre(4, 6));
}

TEST_F(TapeTest, GivesAllMemoryBackToThePool) {
  MemoryPool& pool = mock->pool();
  const size_t before = pool.stats().live_bytes;
  {
    Tape tape(ctx);
    const Tensor a = tape.Watch(Values({64}, std::vector<double>(64, 1.5)));
    std::vector<size_t> live;
    for (int step = 0; step < 3; ++step) {
      Tensor y = a;
      for (int i = 0; i < 20; ++i) y = Mul(y, a);
      const Tensor loss = Sum(y);
      y = {};
      EXPECT_GT(pool.stats().of(MemoryTag::kTape).live_bytes, 20 * sizeof(Tensor));
      tape.Backward(loss);
      live.push_back(pool.stats().live_bytes);
    }
    EXPECT_EQ(live[1], live[2]);  // a step leaves nothing but the leaf's gradient
  }
  EXPECT_EQ(pool.stats().live_bytes, before) << pool.LeakReport();
}

using TapeDeathTest = TapeTest;

TEST_F(TapeDeathTest, CatchesMistakes) {
  Tape other(ctx);
  const Tensor a = tape_.Watch(Values({1}, {2}));
  const Tensor b = other.Watch(Values({1}, {2}));
  EXPECT_DEATH(Mul(a, b), "check failed");                  // two tapes
  EXPECT_DEATH(tape_.Watch(a), "check failed");             // linked already
  EXPECT_DEATH(other.Backward(Mul(a, a)), "check failed");  // another's
  const Tensor old = Mul(a, a);
  tape_.Clear();
  EXPECT_DEATH(Mul(old, a), "check failed");  // of a pass that is over
  EXPECT_DEATH(tape_.Backward(old), "check failed");
  Tensor y = Values({1}, {0});
  RecordBackward({&a}, {&y}, [this](GradientPass& pass) { pass.Add(0, Values({2}, {1, 1})); });
  EXPECT_DEATH(tape_.Backward(y), "check failed");  // a gradient of another shape
}

}  // namespace
}  // namespace tern
