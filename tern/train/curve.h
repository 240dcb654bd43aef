// SPDX-License-Identifier: MIT
// The curve of a training run as a CSV file: a row for each step, and one for each evaluation whose
// columns of the step are empty. Rows are on their way to the disk when a call returns.
#pragma once

#include <cstdint>
#include <fstream>
#include <string>
#include <string_view>

#include "tern/train/trainer.h"

namespace tern {

class Curve {
 public:
  // Keeps the rows to `step` of a file that is there: a resumed run writes the others again.
  Curve(const std::string& path, int64_t step);

  void Add(const TrainProgress& progress);
  void Add(const TrainEvaluation& evaluation);

 private:
  void Write(std::string_view row);

  std::string path_;
  std::ofstream file_;
};

}  // namespace tern
