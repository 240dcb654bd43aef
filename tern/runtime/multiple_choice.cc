// SPDX-License-Identifier: MIT
#include "tern/runtime/multiple_choice.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>

#include "tern/base/error.h"
#include "tern/io/json_file.h"
#include "tern/runtime/scorer.h"

namespace tern {
namespace {

constexpr JsonLimits kLineLimits = {.max_bytes = size_t{16} << 20, .max_depth = 32};

ChoiceQuestion ParseQuestion(std::string_view line, const std::string& place) {
  const nlohmann::json json = ParseJson(line, place, kLineLimits);
  const JsonObject object(json, place);
  ChoiceQuestion question;
  question.place = place;
  question.context = object.GetString("context");
  question.choices = object.FindStrings("choices").value_or(std::vector<std::string>());
  if (question.choices.size() < 2 || question.choices.size() > kMaxChoices) {
    Fail(ErrorKind::kInvalidFile, "{}: choices: has {} strings; there must be 2 to {}", place,
         question.choices.size(), kMaxChoices);
  }
  for (const std::string& choice : question.choices) {
    if (choice.empty()) Fail(ErrorKind::kInvalidFile, "{}: choices: one is empty", place);
  }
  question.answer = static_cast<size_t>(
      object.GetInt("answer", 0, static_cast<int64_t>(question.choices.size()) - 1));
  return question;
}

size_t CommonPrefix(std::span<const int32_t> a, std::span<const int32_t> b) {
  const size_t most = std::min(a.size(), b.size());
  return static_cast<size_t>(
      std::mismatch(a.begin(), a.begin() + static_cast<int64_t>(most), b.begin()).first -
      a.begin());
}

// Of UTF-8, but for the space that parts a choice from its context.
size_t CountedBytes(const std::string& choice) {
  return choice.size() - (choice.size() > 1 && choice.front() == ' ' ? 1 : 0);
}

// The tokens of context and choice for each choice, and how many they share with the context.
struct Texts {
  std::vector<std::vector<int32_t>> ids;
  size_t shared = 0;  // at least 1
};

Texts Encode(const Model& model, const Tokenizer& tokenizer, const ChoiceQuestion& question) {
  std::optional<int32_t> begin = LeadingToken(tokenizer);
  const auto encode = [&](const std::string& text) {
    std::vector<int32_t> ids = tokenizer.Encode(text);
    if (begin) ids.insert(ids.begin(), *begin);
    return ids;
  };
  const auto encode_all = [&] {
    const std::vector<int32_t> context = encode(question.context);
    Texts texts = {.ids = {}, .shared = context.size()};
    for (const std::string& choice : question.choices) {
      texts.ids.push_back(encode(question.context + choice));
      texts.shared = std::min(texts.shared, CommonPrefix(context, texts.ids.back()));
    }
    return texts;
  };
  Texts texts = encode_all();
  if (texts.shared > 0) return texts;
  begin = FirstContext(model.config());
  if (!begin) {
    Fail(
        ErrorKind::kInvalidArgument,
        "{}: no token stands before the choices, and the model has none that begins a text; give a "
        "longer context",
        question.place);
  }
  return encode_all();
}

void CheckTexts(const Texts& texts, const ModelConfig& config, const ChoiceQuestion& question) {
  const auto most = static_cast<size_t>(config.max_positions);
  for (size_t i = 0; i < texts.ids.size(); ++i) {
    const std::vector<int32_t>& ids = texts.ids[i];
    CheckTokenIds(ids, config);
    if (ids.size() > most) {
      Fail(ErrorKind::kInvalidArgument,
           "{}: the context with choice {} has {} tokens; the model takes {}", question.place, i,
           ids.size(), most);
    }
    if (ids.size() <= texts.shared) {
      Fail(ErrorKind::kInvalidArgument, "{}: choice {} adds no token to the context",
           question.place, i);
    }
  }
}

}  // namespace

std::vector<ChoiceQuestion> ParseChoiceQuestions(std::string_view text, const std::string& path) {
  std::vector<ChoiceQuestion> questions;
  for (int64_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    questions.push_back(ParseQuestion(line, fmt::format("{}: line {}", path, number)));
  }
  if (questions.empty()) {
    Fail(ErrorKind::kInvalidArgument, "{}: holds no questions", path);
  }
  return questions;
}

ChoiceScore ScoreChoices(Context& ctx, const Model& model, const Tokenizer& tokenizer,
                         const ChoiceQuestion& question) {
  const Texts texts = Encode(model, tokenizer, question);
  CheckTexts(texts, model.config(), question);
  size_t longest = 0;
  for (const std::vector<int32_t>& ids : texts.ids) longest = std::max(longest, ids.size());

  Scorer scorer(ctx, model, static_cast<int64_t>(longest));
  scorer.Read(std::span(texts.ids.front()).first(texts.shared - 1));
  ChoiceScore score;
  std::vector<double> per_byte;
  for (size_t i = 0; i < texts.ids.size(); ++i) {
    const std::span<const int32_t> ids = texts.ids[i];
    double nats = 0;
    scorer.Rewind(static_cast<int64_t>(texts.shared) - 1);
    scorer.Score(ids[texts.shared - 1], ids.subspan(texts.shared),
                 [&](float loss) { nats += loss; });
    if (!std::isfinite(nats)) {
      Fail(ErrorKind::kNumeric, "{}: the loss of choice {} is {}: the model overflows there",
           question.place, i, nats);
    }
    score.log_likelihoods.push_back(-nats);
    per_byte.push_back(-nats / static_cast<double>(CountedBytes(question.choices[i])));
  }
  const auto largest = [](const std::vector<double>& values) {
    return static_cast<size_t>(std::max_element(values.begin(), values.end()) - values.begin());
  };
  score.likeliest = largest(score.log_likelihoods);
  score.likeliest_per_byte = largest(per_byte);
  return score;
}

double ChoiceAccuracy::Share() const {
  return static_cast<double>(right) / static_cast<double>(questions);
}

double ChoiceAccuracy::StandardError() const {
  if (questions < 2) return 0;
  const double share = Share();
  return std::sqrt(share * (1 - share) / static_cast<double>(questions - 1));
}

}  // namespace tern
