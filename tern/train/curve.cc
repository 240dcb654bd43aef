// SPDX-License-Identifier: MIT
#include "tern/train/curve.h"

#include <fmt/format.h>

#include <charconv>
#include <filesystem>

#include "tern/base/atomic_file.h"
#include "tern/base/error.h"
#include "tern/base/read_file.h"

namespace tern {
namespace {

constexpr std::string_view kHeader =
    "step,loss,smoothed_loss,learning_rate,gradient_norm,tokens_per_second,"
    "validation_nats_per_token,validation_bits_per_byte\n";
constexpr size_t kMaxCurveBytes = size_t{1} << 30;

// The header and the rows to `step`; a last row that was cut off goes.
std::string KeptRows(std::string_view text, int64_t step) {
  std::string kept(kHeader);
  size_t begin = text.find('\n');
  while (begin != std::string_view::npos) {
    const size_t end = text.find('\n', ++begin);
    if (end == std::string_view::npos) break;
    int64_t row_step = 0;
    const char* const row = text.data() + begin;
    const auto parsed = std::from_chars(row, text.data() + end, row_step);
    if (parsed.ec == std::errc() && row_step <= step) kept.append(row, end + 1 - begin);
    begin = end;
  }
  return kept;
}

}  // namespace

Curve::Curve(const std::string& path, int64_t step) : path_(path) {
  const bool exists = std::filesystem::exists(path);
  WriteFileAtomically(path, KeptRows(exists ? ReadFile(path, kMaxCurveBytes) : "", step));
  file_.open(path, std::ios::binary | std::ios::app);
  Write("");
}

void Curve::Add(const TrainProgress& p) {
  Write(fmt::format("{},{:.6f},{:.6f},{:.6g},{:.6g},{:.0f},,\n", p.step, p.loss, p.smoothed_loss,
                    p.learning_rate, p.gradient_norm, p.tokens_per_second));
}

void Curve::Add(const TrainEvaluation& e) {
  Write(fmt::format("{},,,,,,{:.6f},{:.6f}\n", e.step, e.nats_per_token, e.bits_per_byte));
}

void Curve::Write(std::string_view row) {
  file_ << row << std::flush;
  if (!file_) {
    Fail(ErrorKind::kIo, "{}: cannot be written; see that the disk has room and takes files",
         path_);
  }
}

}  // namespace tern
