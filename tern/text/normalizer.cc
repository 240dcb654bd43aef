// SPDX-License-Identifier: MIT
#include "tern/text/normalizer.h"

#include "tern/base/error.h"
#include "tern/text/normal_form.h"
#include "tern/text/utf8.h"

namespace tern {
namespace {

constexpr size_t kMaxGrowth = 16;
constexpr size_t kMinLimitBytes = 4096;

// What replaces matches one after the other; stops, too long, behind the limit.
class Replacement {
 public:
  Replacement(std::string_view text, std::string_view content, size_t limit_bytes, std::string* out)
      : text_(text), content_(content), limit_bytes_(limit_bytes), out_(out) {}

  // False once the result is too long.
  bool Replace(Span match) {
    out_->append(text_.substr(done_, match.begin - done_)).append(content_);
    done_ = match.end;
    return out_->size() <= limit_bytes_;
  }
  void Finish() { out_->append(text_.substr(done_)); }

 private:
  std::string_view text_;
  std::string_view content_;
  size_t limit_bytes_;
  std::string* out_;
  size_t done_ = 0;
};

}  // namespace

Normalizer::Normalizer(const std::vector<NormalizerStep>& steps, std::string_view where)
    : where_(where) {
  for (const NormalizerStep& step : steps) {
    const bool regex = step.kind == NormalizerStep::Kind::kReplaceRegex;
    steps_.push_back({step, regex ? std::make_unique<Regex>(step.pattern, where) : nullptr});
  }
}

std::string_view Normalizer::Apply(std::string_view text, RegexScratch* scratch,
                                   std::string* buffer, NormalizedEnds ends) const {
  const size_t limit_bytes = kMaxGrowth * text.size() + kMinLimitBytes;
  const size_t text_bytes = text.size();
  std::string next;
  for (const Step& step : steps_) {
    next.clear();
    Run(step, text, ends, scratch, limit_bytes, &next);
    if (next.size() > limit_bytes) {
      Fail(ErrorKind::kInvalidArgument,
           "{}: a text of {} bytes grows beyond {}; a normalizer may not add more", where_,
           text_bytes, limit_bytes);
    }
    buffer->swap(next);
    text = *buffer;
  }
  return text;
}

void Normalizer::Run(const Step& step, std::string_view text, NormalizedEnds ends,
                     RegexScratch* scratch, size_t limit_bytes, std::string* out) {
  const NormalizerStep& spec = step.spec;
  switch (spec.kind) {
    case NormalizerStep::Kind::kNfc:
      return AppendNormalForm(NormalForm::kNfc, text, out);
    case NormalizerStep::Kind::kNfd:
      return AppendNormalForm(NormalForm::kNfd, text, out);
    case NormalizerStep::Kind::kNfkc:
      return AppendNormalForm(NormalForm::kNfkc, text, out);
    case NormalizerStep::Kind::kNfkd:
      return AppendNormalForm(NormalForm::kNfkd, text, out);
    case NormalizerStep::Kind::kLowercase:
      return AppendLowercase(text, out);
    case NormalizerStep::Kind::kPrepend:
      if (!text.empty() && ends.begins) out->append(spec.content);
      out->append(text);
      return;
    case NormalizerStep::Kind::kReplaceString: {
      Replacement replacement(text, spec.content, limit_bytes, out);
      for (size_t at = 0; (at = text.find(spec.pattern, at)) != std::string_view::npos;) {
        if (!replacement.Replace({at, at + spec.pattern.size()})) return;
        at += spec.pattern.size();
      }
      return replacement.Finish();
    }
    case NormalizerStep::Kind::kReplaceRegex: {
      Replacement replacement(text, spec.content, limit_bytes, out);
      MatchIterator matches(*step.regex, text, scratch);
      for (Span match; matches.Next(&match);) {
        if (!replacement.Replace(match)) return;
      }
      return replacement.Finish();
    }
    case NormalizerStep::Kind::kStrip:
      if (spec.left && ends.begins) text.remove_prefix(LeadingWhiteSpace(text));
      if (spec.right && ends.ends) text.remove_suffix(TrailingWhiteSpace(text));
      out->append(text);
      return;
  }
}

}  // namespace tern
