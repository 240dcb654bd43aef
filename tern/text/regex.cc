// SPDX-License-Identifier: MIT
#define PCRE2_CODE_UNIT_WIDTH 8
#include "tern/text/regex.h"

#include <pcre2.h>

#include <algorithm>
#include <array>

#include "tern/base/check.h"
#include "tern/base/error.h"
#include "tern/text/utf8.h"

namespace tern {
namespace {

constexpr size_t kMaxPatternBytes = 64 * 1024;
// Backtracking steps that a search may take: a base plus some per byte of text. Patterns of real
// tokenizers stay below 3 per byte; one with exponential backtracking meets the limit at once.
constexpr uint64_t kMatchLimitBase = 1'000'000;
constexpr uint64_t kMatchLimitPerByte = 16;
constexpr uint32_t kHeapLimitKiB = 64 * 1024;

std::string PcreMessage(int code) {
  std::array<PCRE2_UCHAR, 256> buffer{};
  pcre2_get_error_message(code, buffer.data(), buffer.size());
  return reinterpret_cast<const char*>(buffer.data());
}

}  // namespace

struct RegexScratch::Impl {
  pcre2_match_data* data = nullptr;
  pcre2_match_context* context = nullptr;
};

RegexScratch::RegexScratch() : impl_(std::make_unique<Impl>()) {
  impl_->data = pcre2_match_data_create(1, nullptr);
  impl_->context = pcre2_match_context_create(nullptr);
  if (!impl_->data || !impl_->context) {
    pcre2_match_data_free(impl_->data);
    pcre2_match_context_free(impl_->context);
    Fail(ErrorKind::kOutOfMemory, "no memory for a regular expression's match");
  }
  pcre2_set_heap_limit(impl_->context, kHeapLimitKiB);
}

RegexScratch::~RegexScratch() {
  pcre2_match_data_free(impl_->data);
  pcre2_match_context_free(impl_->context);
}

struct Regex::Impl {
  std::string pattern;
  std::string where;
  pcre2_code* code = nullptr;
  ~Impl() { pcre2_code_free(code); }
};

Regex::Regex(std::string_view pattern, std::string_view where) {
  if (pattern.size() > kMaxPatternBytes) {
    Fail(ErrorKind::kInvalidFile, "{}: a regular expression of {} bytes; at most {} are read",
         where, pattern.size(), kMaxPatternBytes);
  }
  auto impl = std::make_unique<Impl>();
  impl->pattern = pattern;
  impl->where = where;
  const std::string translated = TranslateRegex(pattern, where);
  std::unique_ptr<pcre2_compile_context, decltype(&pcre2_compile_context_free)> context(
      pcre2_compile_context_create(nullptr), &pcre2_compile_context_free);
  if (!context) Fail(ErrorKind::kOutOfMemory, "{}: no memory for a regular expression", where);
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  int error = 0;
  PCRE2_SIZE offset = 0;
  impl->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                             PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C,
                             &error, &offset, context.get());
  if (!impl->code) {
    Fail(ErrorKind::kInvalidFile, "{}: invalid regular expression \"{}\": {}, near \"{}\"", where,
         OneLine(pattern), PcreMessage(error),
         OneLine(std::string_view(translated).substr(std::min(offset, translated.size())), 20));
  }
  // Without JIT (refused by the system or not built in) the interpreter gives the same matches.
  pcre2_jit_compile(impl->code, PCRE2_JIT_COMPLETE);
  impl_ = std::move(impl);
}

Regex::~Regex() = default;
Regex::Regex(Regex&& other) noexcept = default;
Regex& Regex::operator=(Regex&& other) noexcept = default;

bool Regex::Find(std::string_view text, size_t start, RegexScratch* scratch, Span* match) const {
  pcre2_match_data* data = scratch->impl_->data;
  pcre2_match_context* context = scratch->impl_->context;
  const uint64_t limit = kMatchLimitBase + kMatchLimitPerByte * text.size();
  pcre2_set_match_limit(context, static_cast<uint32_t>(std::min<uint64_t>(limit, UINT32_MAX)));
  const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  int rc = pcre2_match(impl_->code, subject, text.size(), start, PCRE2_NO_UTF_CHECK, data, context);
  if (rc == PCRE2_ERROR_JIT_STACKLIMIT) {
    rc = pcre2_match(impl_->code, subject, text.size(), start, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT,
                     data, context);
  }
  if (rc == PCRE2_ERROR_NOMATCH) return false;
  if (rc < 0) {
    Fail(ErrorKind::kInvalidArgument,
         "{}: the regular expression \"{}\" gave up at offset {} of a text of {} bytes: {}; use a "
         "pattern that backtracks less",
         impl_->where, OneLine(impl_->pattern), start, text.size(), PcreMessage(rc));
  }
  const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(data);
  *match = {ends[0], ends[1]};
  return true;
}

bool MatchIterator::Next(Span* match) {
  while (position_ <= text_.size() && regex_.Find(text_, position_, scratch_, match)) {
    if (match->begin != match->end || match->end != last_end_) {
      position_ = last_end_ = match->end;
      return true;
    }
    if (position_ == text_.size()) break;
    position_ += FirstUtf8(text_.substr(position_)).size_bytes;
  }
  position_ = text_.size() + 1;
  return false;
}

}  // namespace tern
