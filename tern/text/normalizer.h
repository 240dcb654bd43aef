// SPDX-License-Identifier: MIT
// The normalizers of tokenizer.json in sequence: they rewrite the text between added tokens before
// it is cut. Immutable; threads share it.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tern/text/regex.h"
#include "tern/text/tokenizer_spec.h"

namespace tern {

// Whether a text begins and ends where that does which it is a part of.
struct NormalizedEnds {
  bool begins = true;
  bool ends = true;
};

class Normalizer {
 public:
  // `where` starts the messages.
  Normalizer(const std::vector<NormalizerStep>& steps, std::string_view where);

  // `text` is valid UTF-8, and so is the result: `text` itself where there are no steps, else
  // *buffer. Throws Error(kInvalidArgument) when the text grows beyond 16 times its size, which no
  // normal form does and chained replacements can. Nothing is put or taken away where a part does
  // not begin or end the text.
  std::string_view Apply(std::string_view text, RegexScratch* scratch, std::string* buffer,
                         NormalizedEnds ends = {}) const;

 private:
  struct Step {
    NormalizerStep spec;
    std::unique_ptr<const Regex> regex;  // of kReplaceRegex
  };

  // Appends what the step makes of `text` to *out.
  static void Run(const Step& step, std::string_view text, NormalizedEnds ends,
                  RegexScratch* scratch, size_t limit_bytes, std::string* out);

  std::vector<Step> steps_;
  std::string where_;
};

}  // namespace tern
