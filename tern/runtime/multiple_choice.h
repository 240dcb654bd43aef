// SPDX-License-Identifier: MIT
// Multiple choice: questions whose answer is the continuation that a model finds likeliest.
//
// Questions are lines of JSON: {"context": "The sky is", "choices": [" blue", " a verb"], "answer":
// 0} where a choice is appended to the context as it is, so it mostly begins with a space, and the
// answer counts from 0. Other keys are passed over, empty lines too.
//
// A choice is scored by its log-likelihood: of the tokens of context and choice together, behind
// those that all the question's texts begin with, the context's own included. Where the tokenizer
// joins the end of the context with a choice, that token thus counts for every choice. Two choices
// count: the likeliest, and the likeliest for each byte of UTF-8 (but for a space in front), which
// does not favour short ones.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tern/core/context.h"
#include "tern/models/model.h"
#include "tern/text/tokenizer.h"

namespace tern {

struct ChoiceQuestion {
  std::string context;
  std::vector<std::string> choices;
  size_t answer = 0;
  std::string place;  // for messages: the file and the line
};

// `path` is what messages call the text. Error(kInvalidFile) that names line and key for what is
// not as above: fewer than 2 or more than kMaxChoices choices, an empty one, an answer that is none
// of them. Error(kInvalidArgument) for a text without questions.
inline constexpr size_t kMaxChoices = 256;
std::vector<ChoiceQuestion> ParseChoiceQuestions(std::string_view text, const std::string& path);

struct ChoiceScore {
  std::vector<double> log_likelihoods;  // of the choices
  // Of equals the first.
  size_t likeliest = 0;
  size_t likeliest_per_byte = 0;
};

// The tokenizer's own token in front is added. Error that names the question's place where a text
// is longer than the model's context, or begins with no token at all.
ChoiceScore ScoreChoices(Context& ctx, const Model& model, const Tokenizer& tokenizer,
                         const ChoiceQuestion& question);

// A share of right answers.
struct ChoiceAccuracy {
  int64_t questions = 0;
  int64_t right = 0;

  void Add(bool is_right) {
    ++questions;
    right += is_right ? 1 : 0;
  }
  double Share() const;
  double StandardError() const;  // of the share; 0 for fewer than two questions
};

}  // namespace tern
