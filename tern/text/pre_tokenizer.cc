// SPDX-License-Identifier: MIT
#include "tern/text/pre_tokenizer.h"

#include <algorithm>

namespace tern {
namespace {

void Emit(std::string_view text, Span span, PreTokenizer::Sink sink) {
  if (span.begin < span.end) sink(text.substr(span.begin, span.end - span.begin));
}

// The matches and the gaps between them, each a piece of its own.
void EmitIsolated(const Regex& regex, std::string_view text, RegexScratch* scratch,
                  PreTokenizer::Sink sink) {
  MatchIterator matches(regex, text, scratch);
  Span match;
  size_t done = 0;
  while (matches.Next(&match)) {
    Emit(text, {done, match.begin}, sink);
    Emit(text, match, sink);
    done = match.end;
  }
  Emit(text, {done, text.size()}, sink);
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

PreTokenizer::PreTokenizer(const PreTokenizerSpec& spec, std::string_view where)
    : add_prefix_space_(spec.add_prefix_space) {
  for (const SplitSpec& split : spec.splits) {
    Step step{nullptr, "", split.behavior, split.invert};
    if (split.pattern_kind == SplitSpec::Pattern::kString) {
      step.literal = split.pattern;
    } else {
      const bool digits = split.pattern_kind == SplitSpec::Pattern::kDigits;
      step.regex = std::make_unique<Regex>(digits ? "\\p{N}" : split.pattern, where);
    }
    steps_.push_back(std::move(step));
  }
  if (spec.use_regex) byte_level_regex_ = std::make_unique<Regex>(kGpt2Pattern, where);
}

void PreTokenizer::Split(std::string_view text, RegexScratch* scratch, Sink sink) const {
  if (!text.empty()) RunStep(0, text, scratch, sink);
}

std::vector<PreTokenizer::Segment> PreTokenizer::Segments(const Step& step, std::string_view text,
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

void PreTokenizer::RunStep(size_t index, std::string_view text, RegexScratch* scratch,
                           Sink sink) const {
  if (index == steps_.size()) return RunByteLevel(text, scratch, sink);
  const Step& step = steps_[index];
  const auto next = [&](std::string_view piece) { RunStep(index + 1, piece, scratch, sink); };
  if (step.behavior == SplitBehavior::kIsolated && step.regex) {
    return EmitIsolated(*step.regex, text, scratch, next);
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
  for (const Span span : spans) Emit(text, span, next);
}

void PreTokenizer::RunByteLevel(std::string_view text, RegexScratch* scratch, Sink sink) const {
  std::string prefixed;
  if (add_prefix_space_ && text.front() != ' ') {
    prefixed.reserve(text.size() + 1);
    prefixed.push_back(' ');
    prefixed.append(text);
    text = prefixed;
  }
  if (byte_level_regex_) {
    EmitIsolated(*byte_level_regex_, text, scratch, sink);
  } else {
    sink(text);
  }
}

}  // namespace tern
