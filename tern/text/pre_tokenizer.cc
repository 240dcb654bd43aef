// SPDX-License-Identifier: MIT
#include "tern/text/pre_tokenizer.h"

#include <algorithm>

#include "tern/base/check.h"
#include "tern/text/byte_level.h"

namespace tern {
namespace {

// Rust's \w, which knows joiners as word characters, and runs of what is neither word nor space.
constexpr std::string_view kWhitespacePattern =
    R"([\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\x{200c}\x{200d}]+|)"
    R"([^\s\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\x{200c}\x{200d}]+)";

// The matches and the gaps between them, which may be empty, in order.
void ForEachPart(const Regex& regex, std::string_view text, RegexScratch* scratch,
                 FunctionRef<void(Span)> sink) {
  MatchIterator matches(regex, text, scratch);
  Span match;
  size_t done = 0;
  while (matches.Next(&match)) {
    sink({done, match.begin});
    sink(match);
    done = match.end;
  }
  sink({done, text.size()});
}

// Joins each segment to the one before it in the order given when `joins` says so for
// (this is a match, the previous one was).
template <typename Segment, typename Joins>
std::vector<Span> Join(const std::vector<Segment>& segments, Joins joins) {
  std::vector<Span> out;
  bool previous = false;
  for (const Segment& segment : segments) {
    if (joins(segment.is_match, previous) && !out.empty()) {
      out.back().begin = std::min(out.back().begin, segment.span.begin);
      out.back().end = std::max(out.back().end, segment.span.end);
    } else {
      out.push_back(segment.span);
    }
    previous = segment.is_match;
  }
  return out;
}

}  // namespace

PreTokenizer::SplitStep PreTokenizer::MakeSplit(const SplitSpec& spec, std::string_view where) {
  SplitStep step{nullptr, "", spec.behavior, spec.invert};
  switch (spec.pattern_kind) {
    case SplitSpec::Pattern::kString:
      step.literal = spec.pattern;
      return step;
    case SplitSpec::Pattern::kRegex:
      step.regex = std::make_unique<Regex>(spec.pattern, where);
      return step;
    case SplitSpec::Pattern::kDigits:
      step.regex = std::make_unique<Regex>("\\p{N}", where);
      return step;
    case SplitSpec::Pattern::kPunctuation:
      step.regex = std::make_unique<Regex>("[\\p{P}$+<=>^`|~]", where);
      return step;
    case SplitSpec::Pattern::kWhitespace:
      // Inverted: what is between the matches is removed.
      step.regex = std::make_unique<Regex>(kWhitespacePattern, where);
      step.invert = true;
      step.behavior = SplitBehavior::kRemoved;
      return step;
    case SplitSpec::Pattern::kWhitespaceSplit:
      step.regex = std::make_unique<Regex>("\\s", where);
      step.behavior = SplitBehavior::kRemoved;
      return step;
  }
  return step;
}

PreTokenizer::PreTokenizer(const PreTokenizerSpec& spec, std::string_view where) {
  for (const PreTokenizerStep& step : spec.steps) {
    if (const auto* split = std::get_if<SplitSpec>(&step)) {
      steps_.emplace_back(MakeSplit(*split, where));
    } else if (const auto* metaspace = std::get_if<MetaspaceSpec>(&step)) {
      steps_.emplace_back(
          MetaspaceStep{metaspace->replacement, metaspace->prepend, metaspace->split});
    } else {
      const auto& byte_level = std::get<ByteLevelSpec>(step);
      auto regex = byte_level.use_regex ? std::make_unique<Regex>(kGpt2Pattern, where) : nullptr;
      steps_.emplace_back(ByteLevelStep{std::move(regex), byte_level.add_prefix_space});
      spelled_ = &step != &spec.steps.back();
    }
  }
}

void PreTokenizer::Split(std::string_view text, StretchStart start, RegexScratch* scratch,
                         Sink sink) const {
  if (text.empty()) return;
  if (!spelled_) return RunFrom(0, {text, start}, scratch, sink);
  std::string bytes;
  RunFrom(0, {text, start}, scratch, [&](std::string_view piece) {
    TERN_CHECK(ByteLevelUnspell(piece, &bytes));
    sink(bytes);
  });
}

std::vector<PreTokenizer::Segment> PreTokenizer::Segments(const SplitStep& step,
                                                          std::string_view text,
                                                          RegexScratch* scratch) {
  std::vector<Segment> out;
  size_t done = 0;
  const auto add = [&](Span match) {
    if (done != match.begin) out.push_back({{done, match.begin}, step.invert});
    out.push_back({match, !step.invert});
    done = match.end;
  };
  if (step.regex) {
    MatchIterator matches(*step.regex, text, scratch);
    Span match;
    while (matches.Next(&match)) add(match);
  } else {
    for (size_t at = 0; (at = text.find(step.literal, at)) != std::string_view::npos;) {
      add({at, at + step.literal.size()});
      at += step.literal.size();
    }
  }
  if (done != text.size()) out.push_back({{done, text.size()}, step.invert});
  return out;
}

void PreTokenizer::RunFrom(size_t index, Piece piece, RegexScratch* scratch, Sink sink) const {
  if (index == steps_.size()) return sink(piece.text);
  const auto next = [&](Piece part) { RunFrom(index + 1, part, scratch, sink); };
  if (const auto* byte_level = std::get_if<ByteLevelStep>(&steps_[index])) {
    if (!spelled_) return Run(*byte_level, piece, scratch, next);
    return Run(*byte_level, piece, scratch, [&](Piece bytes) {
      next({ByteLevelSpell(bytes.text), bytes.start});
    });
  }
  if (const auto* split = std::get_if<SplitStep>(&steps_[index])) {
    return Run(*split, piece, scratch, next);
  }
  Run(std::get<MetaspaceStep>(steps_[index]), piece, scratch, next);
}

void PreTokenizer::Run(const SplitStep& step, Piece piece, RegexScratch* scratch, PieceSink sink) {
  const std::string_view text = piece.text;
  // The line's end that stood before the part was removed, so a word begins.
  const bool word =
      step.behavior == SplitBehavior::kRemoved && piece.start == StretchStart::kWithin;
  if (word) piece.start = StretchStart::kBehindToken;
  const auto emit = [&](Span span) {
    if (span.begin == span.end) return;
    sink({text.substr(span.begin, span.end - span.begin), piece.StartAt(span.begin)});
  };
  if (step.behavior == SplitBehavior::kIsolated && step.regex) {
    return ForEachPart(*step.regex, text, scratch, emit);
  }
  std::vector<Segment> segments = Segments(step, text, scratch);
  std::vector<Span> spans;
  switch (step.behavior) {
    case SplitBehavior::kIsolated:
      spans = Join(segments, [](bool, bool) { return false; });
      break;
    case SplitBehavior::kRemoved:
      std::erase_if(segments, [](const Segment& segment) { return segment.is_match; });
      spans = Join(segments, [](bool, bool) { return false; });
      break;
    case SplitBehavior::kContiguous:
      spans = Join(segments, [](bool match, bool previous) { return match == previous; });
      break;
    case SplitBehavior::kMergedWithPrevious:
      spans = Join(segments, [](bool match, bool previous) { return match && !previous; });
      break;
    case SplitBehavior::kMergedWithNext:
      std::reverse(segments.begin(), segments.end());
      spans = Join(segments, [](bool match, bool previous) { return match && !previous; });
      std::reverse(spans.begin(), spans.end());
      break;
  }
  for (const Span span : spans) emit(span);
}

void PreTokenizer::Run(const MetaspaceStep& step, Piece piece, RegexScratch*, PieceSink sink) {
  std::string spaced;
  spaced.reserve(piece.text.size() + step.replacement.size());
  for (const char c : piece.text) {
    if (c == ' ') {
      spaced += step.replacement;
    } else {
      spaced.push_back(c);
    }
  }
  using Prepend = MetaspaceSpec::Prepend;
  const bool prepend = (step.prepend == Prepend::kAlways && piece.start != StretchStart::kWithin) ||
                       (step.prepend == Prepend::kFirst && piece.start == StretchStart::kText);
  if (prepend && !spaced.starts_with(step.replacement)) spaced.insert(0, step.replacement);
  if (!step.split) return sink({spaced, piece.start});
  for (size_t begin = 0; begin < spaced.size();) {
    const bool at_space = spaced.compare(begin, step.replacement.size(), step.replacement) == 0;
    const size_t from = begin + (at_space ? step.replacement.size() : 0);
    const size_t end = std::min(spaced.find(step.replacement, from), spaced.size());
    sink({std::string_view(spaced).substr(begin, end - begin), piece.StartAt(begin)});
    begin = end;
  }
}

void PreTokenizer::Run(const ByteLevelStep& step, Piece piece, RegexScratch* scratch,
                       PieceSink sink) {
  std::string prefixed;
  const bool within = piece.start == StretchStart::kWithin;
  if (step.add_prefix_space && !within && piece.text.front() != ' ') {
    prefixed.reserve(piece.text.size() + 1);
    prefixed.push_back(' ');
    prefixed.append(piece.text);
    piece.text = prefixed;
  }
  if (!step.regex) return sink(piece);
  ForEachPart(*step.regex, piece.text, scratch, [&](Span span) {
    if (span.begin == span.end) return;
    sink({piece.text.substr(span.begin, span.end - span.begin), piece.StartAt(span.begin)});
  });
}

}  // namespace tern
