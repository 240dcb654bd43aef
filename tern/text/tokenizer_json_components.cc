// SPDX-License-Identifier: MIT
#include "tern/text/tokenizer_json_components.h"

#include <array>

#include "tern/text/utf8.h"

namespace tern::internal {
namespace {

using nlohmann::ordered_json;

// Each step costs a pass over the text.
constexpr size_t kMaxSteps = 64;

// "String" or "Regex", which of them *is_regex says.
std::string ReadPattern(const JsonCursor& pattern, bool* is_regex) {
  pattern.ExpectOnlyKeys({"Regex", "String"});
  if (pattern.value().size() != 1) {
    pattern.Refuse(ErrorKind::kInvalidFile, "either \"Regex\" or \"String\" is needed");
  }
  *is_regex = pattern.Has("Regex");
  const std::string& text = pattern.At(*is_regex ? "Regex" : "String").String();
  if (!*is_regex && text.empty()) {
    pattern.Refuse(ErrorKind::kInvalidFile, "an empty string matches nothing");
  }
  return text;
}

ordered_json WritePattern(const std::string& pattern, bool is_regex) {
  ordered_json out = ordered_json::object();
  out[is_regex ? "Regex" : "String"] = pattern;
  return out;
}

// The steps of a component, those of a Sequence in order.
template <typename Read>
void ReadSteps(const JsonCursor& component, const std::string& parts, Read read) {
  const std::string& type = component.At("type").String();
  if (type != "Sequence") return read(component, type);
  component.ExpectOnlyKeys({"type", parts});
  for (const JsonCursor& part : component.At(parts).Elements()) ReadSteps(part, parts, read);
}

void CheckStepCount(const JsonCursor& component, size_t count) {
  if (count > kMaxSteps) {
    component.Refuse(ErrorKind::kUnsupported, "{} steps; at most {} are run", count, kMaxSteps);
  }
}

template <typename Step, typename Write>
ordered_json WriteSteps(const std::vector<Step>& steps, const char* parts, Write write) {
  if (steps.empty()) return nullptr;
  if (steps.size() == 1) return write(steps[0]);
  ordered_json all = ordered_json::array();
  for (const Step& step : steps) all.push_back(write(step));
  ordered_json out = {{"type", "Sequence"}};
  out[parts] = std::move(all);
  return out;
}

// The normalizers that have no fields.
constexpr std::array<std::pair<std::string_view, NormalizerStep::Kind>, 5> kPlainNormalizers = {{
    {"NFC", NormalizerStep::Kind::kNfc},
    {"NFD", NormalizerStep::Kind::kNfd},
    {"NFKC", NormalizerStep::Kind::kNfkc},
    {"NFKD", NormalizerStep::Kind::kNfkd},
    {"Lowercase", NormalizerStep::Kind::kLowercase},
}};

NormalizerStep ReadNormalizerStep(const JsonCursor& step, const std::string& type) {
  using Kind = NormalizerStep::Kind;
  NormalizerStep out;
  for (const auto& [name, kind] : kPlainNormalizers) {
    if (type != name) continue;
    step.ExpectOnlyKeys({"type"});
    out.kind = kind;
    return out;
  }
  if (type == "Prepend") {
    step.ExpectOnlyKeys({"type", "prepend"});
    out.kind = Kind::kPrepend;
    out.content = step.At("prepend").String();
  } else if (type == "Replace") {
    step.ExpectOnlyKeys({"type", "pattern", "content"});
    bool is_regex = false;
    out.pattern = ReadPattern(step.At("pattern"), &is_regex);
    out.kind = is_regex ? Kind::kReplaceRegex : Kind::kReplaceString;
    out.content = step.At("content").String();
  } else if (type == "Strip") {
    step.ExpectOnlyKeys({"type", "strip_left", "strip_right"});
    out.kind = Kind::kStrip;
    out.left = BoolOr(step, "strip_left", true);
    out.right = BoolOr(step, "strip_right", true);
  } else {
    RefuseComponent(step, type, "normalizer",
                    "Lowercase, NFC, NFD, NFKC, NFKD, Prepend, Replace, Strip, Sequence");
  }
  return out;
}

ordered_json WriteNormalizerStep(const NormalizerStep& step) {
  using Kind = NormalizerStep::Kind;
  for (const auto& [name, kind] : kPlainNormalizers) {
    if (step.kind == kind) return {{"type", name}};
  }
  switch (step.kind) {
    case Kind::kNfc:
    case Kind::kNfd:
    case Kind::kNfkc:
    case Kind::kNfkd:
    case Kind::kLowercase:
      break;
    case Kind::kPrepend:
      return {{"type", "Prepend"}, {"prepend", step.content}};
    case Kind::kReplaceString:
    case Kind::kReplaceRegex:
      return {{"type", "Replace"},
              {"pattern", WritePattern(step.pattern, step.kind == Kind::kReplaceRegex)},
              {"content", step.content}};
    case Kind::kStrip:
      return {{"type", "Strip"}, {"strip_left", step.left}, {"strip_right", step.right}};
  }
  return nullptr;
}

constexpr std::array<std::pair<std::string_view, SplitBehavior>, 5> kBehaviors = {{
    {"Removed", SplitBehavior::kRemoved},
    {"Isolated", SplitBehavior::kIsolated},
    {"MergedWithPrevious", SplitBehavior::kMergedWithPrevious},
    {"MergedWithNext", SplitBehavior::kMergedWithNext},
    {"Contiguous", SplitBehavior::kContiguous},
}};

SplitBehavior ReadBehavior(const JsonCursor& behavior) {
  for (const auto& [name, value] : kBehaviors) {
    if (behavior.String() == name) return value;
  }
  RefuseComponent(behavior, behavior.String(), "split behavior",
                  "Removed, Isolated, MergedWithPrevious, MergedWithNext, Contiguous");
}

std::string_view BehaviorName(SplitBehavior behavior) {
  for (const auto& [name, value] : kBehaviors) {
    if (behavior == value) return name;
  }
  return "";
}

constexpr std::array<std::pair<std::string_view, MetaspaceSpec::Prepend>, 3> kPrepends = {{
    {"always", MetaspaceSpec::Prepend::kAlways},
    {"first", MetaspaceSpec::Prepend::kFirst},
    {"never", MetaspaceSpec::Prepend::kNever},
}};

// Older files say add_prefix_space, newer ones prepend_scheme and split.
MetaspaceSpec ReadMetaspace(const JsonCursor& metaspace) {
  metaspace.ExpectOnlyKeys(
      {"type", "replacement", "str_rep", "add_prefix_space", "prepend_scheme", "split"});
  MetaspaceSpec out;
  const JsonCursor replacement = metaspace.At("replacement");
  out.replacement = replacement.String();
  if (out.replacement.empty() || FirstUtf8(out.replacement).size_bytes != out.replacement.size()) {
    replacement.Refuse(ErrorKind::kInvalidFile, "one character is needed");
  }
  const JsonCursor scheme = metaspace.Get("prepend_scheme");
  if (!scheme.IsNull()) {
    bool known = false;
    for (const auto& [name, value] : kPrepends) {
      if (scheme.String() != name) continue;
      out.prepend = value;
      known = true;
    }
    if (!known) {
      RefuseComponent(scheme, scheme.String(), "prepend scheme", "always, first, never");
    }
  }
  if (!BoolOr(metaspace, "add_prefix_space", true)) {
    if (!scheme.IsNull() && out.prepend != MetaspaceSpec::Prepend::kNever) {
      metaspace.Refuse(ErrorKind::kInvalidFile,
                       "add_prefix_space is false, but prepend_scheme is \"{}\"", scheme.String());
    }
    out.prepend = MetaspaceSpec::Prepend::kNever;
  }
  out.split = BoolOr(metaspace, "split", true);
  return out;
}

ordered_json WriteMetaspace(const MetaspaceSpec& spec) {
  std::string_view scheme;
  for (const auto& [name, value] : kPrepends) {
    if (value == spec.prepend) scheme = name;
  }
  return {{"type", "Metaspace"},
          {"replacement", spec.replacement},
          {"prepend_scheme", scheme},
          {"split", spec.split}};
}

ByteLevelSpec ReadByteLevel(const JsonCursor& step) {
  step.ExpectOnlyKeys({"type", "add_prefix_space", "trim_offsets", "use_regex"});
  return {.add_prefix_space = BoolOr(step, "add_prefix_space", true),
          .use_regex = BoolOr(step, "use_regex", true),
          .trim_offsets = BoolOr(step, "trim_offsets", true)};
}

SplitSpec ReadSplit(const JsonCursor& split) {
  split.ExpectOnlyKeys({"type", "pattern", "behavior", "invert"});
  SplitSpec out;
  bool is_regex = false;
  out.pattern = ReadPattern(split.At("pattern"), &is_regex);
  out.pattern_kind = is_regex ? SplitSpec::Pattern::kRegex : SplitSpec::Pattern::kString;
  out.behavior = ReadBehavior(split.At("behavior"));
  out.invert = BoolOr(split, "invert", false);
  return out;
}

PreTokenizerStep ReadPreTokenizerStep(const JsonCursor& step, const std::string& type) {
  if (type == "ByteLevel") return ReadByteLevel(step);
  if (type == "Metaspace") return ReadMetaspace(step);
  if (type == "Split") return ReadSplit(step);
  SplitSpec out;
  if (type == "Digits") {
    step.ExpectOnlyKeys({"type", "individual_digits"});
    out.pattern_kind = SplitSpec::Pattern::kDigits;
    out.behavior = BoolOr(step, "individual_digits", false) ? SplitBehavior::kIsolated
                                                            : SplitBehavior::kContiguous;
  } else if (type == "Punctuation") {
    step.ExpectOnlyKeys({"type", "behavior"});
    out.pattern_kind = SplitSpec::Pattern::kPunctuation;
    if (step.Has("behavior")) out.behavior = ReadBehavior(step.At("behavior"));
  } else if (type == "Whitespace" || type == "WhitespaceSplit") {
    step.ExpectOnlyKeys({"type"});
    out.pattern_kind = type == "Whitespace" ? SplitSpec::Pattern::kWhitespace
                                            : SplitSpec::Pattern::kWhitespaceSplit;
  } else {
    RefuseComponent(step, type, "pre-tokenizer",
                    "ByteLevel, Digits, Metaspace, Punctuation, Split, Whitespace, "
                    "WhitespaceSplit, Sequence");
  }
  return out;
}

ordered_json WriteSplit(const SplitSpec& split) {
  switch (split.pattern_kind) {
    case SplitSpec::Pattern::kDigits:
      return {{"type", "Digits"},
              {"individual_digits", split.behavior == SplitBehavior::kIsolated}};
    case SplitSpec::Pattern::kPunctuation:
      return {{"type", "Punctuation"}, {"behavior", BehaviorName(split.behavior)}};
    case SplitSpec::Pattern::kWhitespace:
      return {{"type", "Whitespace"}};
    case SplitSpec::Pattern::kWhitespaceSplit:
      return {{"type", "WhitespaceSplit"}};
    case SplitSpec::Pattern::kRegex:
    case SplitSpec::Pattern::kString:
      break;
  }
  const bool is_regex = split.pattern_kind == SplitSpec::Pattern::kRegex;
  return {{"type", "Split"},
          {"pattern", WritePattern(split.pattern, is_regex)},
          {"behavior", BehaviorName(split.behavior)},
          {"invert", split.invert}};
}

ordered_json WritePreTokenizerStep(const PreTokenizerStep& step) {
  if (const auto* split = std::get_if<SplitSpec>(&step)) return WriteSplit(*split);
  if (const auto* metaspace = std::get_if<MetaspaceSpec>(&step)) return WriteMetaspace(*metaspace);
  return WriteByteLevel(std::get<ByteLevelSpec>(step));
}

// What may be decoded token by token: a Strip only at the start of the whole text, which Fuse
// makes.
DecoderStep ReadDecoderStep(const JsonCursor& step, const std::string& type, bool fused) {
  using Kind = DecoderStep::Kind;
  DecoderStep out;
  if (type == "ByteLevel") {
    ReadByteLevel(step);
  } else if (type == "Metaspace") {
    out.kind = Kind::kMetaspace;
    out.metaspace = ReadMetaspace(step);
  } else if (type == "Replace") {
    step.ExpectOnlyKeys({"type", "pattern", "content"});
    out.kind = Kind::kReplace;
    bool is_regex = false;
    out.pattern = ReadPattern(step.At("pattern"), &is_regex);
    out.content = step.At("content").String();
    if (is_regex || out.content.size() > out.pattern.size()) {
      step.Refuse(ErrorKind::kUnsupported,
                  "a decoder may replace a \"String\" by another that is not longer, as "
                  "SentencePiece's does");
    }
  } else if (type == "ByteFallback" || type == "Fuse") {
    step.ExpectOnlyKeys({"type"});
    out.kind = type == "Fuse" ? Kind::kFuse : Kind::kByteFallback;
  } else if (type == "Strip") {
    step.ExpectOnlyKeys({"type", "content", "start", "stop"});
    out.kind = Kind::kStrip;
    out.content = step.At("content").String();
    out.start = static_cast<int32_t>(step.At("start").Int(0, INT32_MAX));
    if (!fused || step.At("stop").Int(0, INT32_MAX) != 0 || out.content.empty()) {
      step.Refuse(ErrorKind::kUnsupported,
                  "only a Strip at the start of the text, behind Fuse, is supported");
    }
  } else {
    RefuseComponent(step, type, "decoder",
                    "ByteFallback, ByteLevel, Fuse, Metaspace, Replace, Strip, Sequence");
  }
  return out;
}

ordered_json WriteDecoderStep(const DecoderStep& step) {
  using Kind = DecoderStep::Kind;
  switch (step.kind) {
    case Kind::kByteLevel:
      return WriteByteLevel({.add_prefix_space = true, .use_regex = true, .trim_offsets = true});
    case Kind::kMetaspace:
      return WriteMetaspace(step.metaspace);
    case Kind::kReplace:
      return {{"type", "Replace"},
              {"pattern", WritePattern(step.pattern, /*is_regex=*/false)},
              {"content", step.content}};
    case Kind::kByteFallback:
      return {{"type", "ByteFallback"}};
    case Kind::kFuse:
      return {{"type", "Fuse"}};
    case Kind::kStrip:
      return {{"type", "Strip"}, {"content", step.content}, {"start", step.start}, {"stop", 0}};
  }
  return nullptr;
}

}  // namespace

bool BoolOr(const JsonCursor& object, const std::string& key, bool otherwise) {
  const JsonCursor member = object.Get(key);
  return member.IsNull() ? otherwise : member.Bool();
}

void RefuseComponent(const JsonCursor& component, const std::string& type, std::string_view kind,
                     std::string_view known) {
  component.Refuse(ErrorKind::kUnsupported, "the {} \"{}\" is not supported; known: {}", kind, type,
                   known);
}

std::vector<NormalizerStep> ReadNormalizer(const JsonCursor& normalizer) {
  std::vector<NormalizerStep> out;
  if (normalizer.IsNull()) return out;
  ReadSteps(normalizer, "normalizers", [&](const JsonCursor& step, const std::string& type) {
    out.push_back(ReadNormalizerStep(step, type));
  });
  CheckStepCount(normalizer, out.size());
  return out;
}

PreTokenizerSpec ReadPreTokenizer(const JsonCursor& pre_tokenizer) {
  PreTokenizerSpec out;
  if (pre_tokenizer.IsNull()) return out;
  ReadSteps(pre_tokenizer, "pretokenizers", [&](const JsonCursor& step, const std::string& type) {
    if (out.byte_level() && (type == "ByteLevel" || type == "Metaspace")) {
      step.Refuse(ErrorKind::kUnsupported, "the pre-tokenizer \"{}\" behind ByteLevel", type);
    }
    out.steps.push_back(ReadPreTokenizerStep(step, type));
  });
  CheckStepCount(pre_tokenizer, out.steps.size());
  return out;
}

std::vector<DecoderStep> ReadDecoder(const JsonCursor& decoder) {
  std::vector<DecoderStep> out;
  bool fused = false;
  ReadSteps(decoder, "decoders", [&](const JsonCursor& step, const std::string& type) {
    out.push_back(ReadDecoderStep(step, type, fused));
    fused = fused || type == "Fuse";
  });
  CheckStepCount(decoder, out.size());
  return out;
}

ordered_json WriteNormalizer(const std::vector<NormalizerStep>& steps) {
  return WriteSteps(steps, "normalizers", WriteNormalizerStep);
}

ordered_json WritePreTokenizer(const PreTokenizerSpec& spec) {
  return WriteSteps(spec.steps, "pretokenizers", WritePreTokenizerStep);
}

ordered_json WriteDecoder(const std::vector<DecoderStep>& steps) {
  return WriteSteps(steps, "decoders", WriteDecoderStep);
}

ordered_json WriteByteLevel(const ByteLevelSpec& spec) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", spec.add_prefix_space},
          {"trim_offsets", spec.trim_offsets},
          {"use_regex", spec.use_regex}};
}

}  // namespace tern::internal
