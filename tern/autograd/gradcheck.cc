// SPDX-License-Identifier: MIT
#include "tern/autograd/gradcheck.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "tern/autograd/tape.h"
#include "tern/base/check.h"
#include "tern/base/random.h"

namespace tern {
namespace {

template <typename T>
void AppendValues(const Tensor& tensor, int axis, const T* first, std::vector<double>* values) {
  if (axis == tensor.rank()) {
    values->push_back(*first);
    return;
  }
  for (int64_t i = 0; i < tensor.dim(axis); ++i) {
    AppendValues(tensor, axis + 1, first + i * tensor.stride(axis), values);
  }
}

// The elements of any view, in row-major order.
std::vector<double> HostValues(Context& ctx, const Tensor& tensor) {
  ctx.backend(tensor.device()).Synchronize();
  std::vector<double> values;
  if (tensor.dtype() == DType::kF64) {
    AppendValues(tensor, 0, tensor.data<double>(), &values);
  } else {
    AppendValues(tensor, 0, tensor.data<float>(), &values);
  }
  return values;
}

Tensor FromValues(Context& ctx, const Tensor& like, DType dtype, std::span<const double> values) {
  Tensor tensor = ctx.EmptyLike(like, like.shape(), dtype);
  if (dtype == DType::kF64) {
    std::ranges::copy(values, tensor.data<double>());
  } else {
    std::ranges::transform(values, tensor.data<float>(),
                           [](double value) { return static_cast<float>(value); });
  }
  return tensor;
}

// Exact in f32 too, so that both precisions weigh alike.
std::vector<double> Coefficients(int64_t count, uint64_t seed) {
  Random random(seed);
  std::vector<double> coefficients(static_cast<size_t>(count));
  for (double& c : coefficients) {
    c = 0.5f + random.UniformF32();
    if (random.Below(2) == 1) c = -c;
  }
  return coefficients;
}

// The function around its leaves, one element moved at a time.
class Differences {
 public:
  Differences(Context& ctx, const GradCheckFunction& function, std::span<const Tensor> leaves)
      : ctx_(ctx), function_(function) {
    for (const Tensor& leaf : leaves) {
      leaves_.push_back(FromValues(ctx, leaf, DType::kF64, HostValues(ctx, leaf)));
    }
  }

  std::vector<double> Output() const {
    const Tensor output = function_(leaves_);
    TERN_CHECK(output.dtype() == DType::kF64);
    return HostValues(ctx_, output);
  }

  double Derivative(int leaf, int64_t element, double step,
                    std::span<const double> coefficients) const {
    double& x = leaves_[leaf].data<double>()[element];
    const double kept = x;
    const double h = step * std::max(1.0, std::abs(kept));
    const auto difference = [&](double by) {
      x = kept + by;
      const std::vector<double> above = Output();
      x = kept - by;
      const std::vector<double> below = Output();
      x = kept;
      double sum = 0;
      for (size_t i = 0; i < coefficients.size(); ++i) {
        sum += coefficients[i] * (above[i] - below[i]);
      }
      return sum;
    };
    return (8 * difference(h) - difference(2 * h)) / (12 * h);
  }

 private:
  Context& ctx_;
  const GradCheckFunction& function_;
  std::vector<Tensor> leaves_;
};

double RelativeError(double analytic, double numeric, double scale) {
  if (!std::isfinite(analytic) || !std::isfinite(numeric) || !std::isfinite(scale)) {
    return std::numeric_limits<double>::infinity();
  }
  const double difference = std::abs(analytic - numeric);
  return difference == 0 ? 0
                         : difference / std::max({std::abs(analytic), std::abs(numeric), scale});
}

}  // namespace

std::string GradCheckResult::ToString() const {
  return fmt::format(
      "worst relative error {:.3g} at element {} of leaf {}: analytic {:.12g}, numeric {:.12g} "
      "(seed {})",
      worst_error, element, leaf, analytic, numeric, seed);
}

GradCheckResult GradCheck(Context& ctx, const GradCheckFunction& function,
                          std::span<const Tensor> leaves, const GradCheckOptions& options) {
  Tape tape(ctx);
  std::vector<Tensor> watched;
  for (const Tensor& leaf : leaves) watched.push_back(tape.Watch(leaf));
  const Tensor output = function(watched);
  const std::vector<double> values = HostValues(ctx, output);
  const std::vector<double> coefficients = Coefficients(output.elements(), options.seed);

  double scale = 0;
  for (size_t i = 0; i < values.size(); ++i) scale += std::abs(coefficients[i] * values[i]);
  scale *= 1e-3;

  GradCheckResult worst = {.worst_error = -1, .seed = options.seed};
  if (HostValues(ctx, function(leaves)) != values) {
    worst.worst_error = std::numeric_limits<double>::infinity();
    return worst;
  }
  tape.Backward(output, FromValues(ctx, output, output.dtype(), coefficients));

  const Differences differences(ctx, options.surrogate ? options.surrogate : function, leaves);
  TERN_CHECK(differences.Output().size() == values.size());
  for (size_t leaf = 0; leaf < leaves.size(); ++leaf) {
    const Tensor& gradient = tape.Gradient(watched[leaf]);
    const std::vector<double> analytic =
        gradient.defined() ? HostValues(ctx, gradient)
                           : std::vector<double>(static_cast<size_t>(leaves[leaf].elements()), 0.0);
    for (size_t i = 0; i < analytic.size(); ++i) {
      const auto element = static_cast<int64_t>(i);
      const int index = static_cast<int>(leaf);
      const double numeric = differences.Derivative(index, element, options.step, coefficients);
      const double error = RelativeError(analytic[i], numeric, scale);
      if (error > worst.worst_error) {
        worst = {false, error, index, element, analytic[i], numeric, options.seed};
      }
    }
  }
  TERN_CHECK(worst.leaf >= 0);  // nothing to check is no check
  worst.ok = worst.worst_error <= options.tolerance;
  return worst;
}

}  // namespace tern
