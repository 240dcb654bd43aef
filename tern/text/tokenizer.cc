// SPDX-License-Identifier: MIT
#include "tern/text/tokenizer.h"

#include <algorithm>
#include <unordered_set>
#include <variant>

#include "tern/base/check.h"
#include "tern/base/error.h"
#include "tern/base/read_file.h"
#include "tern/text/added_tokens.h"
#include "tern/text/bpe.h"
#include "tern/text/byte_level.h"
#include "tern/text/decoder.h"
#include "tern/text/normalizer.h"
#include "tern/text/pre_tokenizer.h"
#include "tern/text/tokenizer_json.h"
#include "tern/text/unigram.h"
#include "tern/text/utf8.h"

namespace tern {
namespace {

constexpr size_t kMaxFileBytes = size_t{256} << 20;

std::vector<AddedToken> RawTokens(const std::vector<AddedToken>& tokens) {
  std::vector<AddedToken> out;
  std::copy_if(tokens.begin(), tokens.end(), std::back_inserter(out),
               [&](const AddedToken& token) { return !token.normalized; });
  return out;
}

// The tokens that are looked for in normalized text, as the normalizer leaves them. Of two that it
// makes equal, a special one goes first, then the earlier one.
std::vector<AddedToken> NormalizedTokens(const TokenizerSpec& spec, const Normalizer& normalizer) {
  std::vector<AddedToken> out;
  std::unordered_set<std::string> contents;
  RegexScratch scratch;
  std::string buffer;
  for (const bool special : {true, false}) {
    for (const AddedToken& token : spec.added_tokens) {
      if (!token.normalized || token.special != special) continue;
      AddedToken normalized = token;
      normalized.content = normalizer.Apply(token.content, &scratch, &buffer);
      if (normalized.content.empty()) {
        Fail(ErrorKind::kInvalidFile, "{}: /added_tokens: the normalizer leaves nothing of \"{}\"",
             spec.name, OneLine(token.content));
      }
      if (contents.insert(normalized.content).second) out.push_back(std::move(normalized));
    }
  }
  return out;
}

// One id's bytes within Impl::bytes.
struct TokenSlice {
  static constexpr uint32_t kAbsent = ~uint32_t{0};
  uint32_t begin = kAbsent;
  uint32_t size = 0;
  bool special = false;
};

}  // namespace

struct Tokenizer::Impl {
  explicit Impl(TokenizerSpec s)
      : spec(std::move(s)),
        model(MakeModel(spec)),
        normalizer(spec.normalizer, spec.name + ": /normalizer"),
        pre_tokenizer(spec.pre_tokenizer, spec.name + ": /pre_tokenizer"),
        decoder(spec.decoder),
        raw_tokens(RawTokens(spec.added_tokens)),
        normalized_tokens(NormalizedTokens(spec, normalizer)) {
    for (const VocabEntry& entry : spec.vocab) {
      SetToken(entry.id, decoder.Bytes(entry.spelling), false);
    }
    // An added token's text is not in the byte alphabet.
    const bool byte_level = spec.pre_tokenizer.byte_level();
    for (const AddedToken& added : spec.added_tokens) {
      SetToken(added.id, byte_level ? added.content : decoder.Bytes(added.content), added.special);
    }
  }

  static std::variant<Bpe, Unigram> MakeModel(const TokenizerSpec& spec) {
    if (spec.model == TokenizerModel::kUnigram) return Unigram(spec);
    return Bpe(spec);
  }

  void SetToken(int32_t id, std::string_view token_bytes, bool special) {
    TERN_CHECK(id >= 0 && id < kMaxVocabSize);
    const auto index = static_cast<size_t>(id);
    if (index >= slices.size()) slices.resize(index + 1);
    slices[index] = {static_cast<uint32_t>(bytes.size()), static_cast<uint32_t>(token_bytes.size()),
                     special};
    bytes.append(token_bytes);
  }

  const TokenSlice* Slice(int32_t id) const noexcept {
    if (id < 0 || static_cast<size_t>(id) >= slices.size()) return nullptr;
    const TokenSlice& slice = slices[static_cast<size_t>(id)];
    return slice.begin == TokenSlice::kAbsent ? nullptr : &slice;
  }

  void EncodeText(std::string_view text, const EncodeOptions& options,
                  std::vector<int32_t>* out) const {
    RegexScratch regex_scratch;
    BpeScratch bpe_scratch(text.size());
    std::string buffer;
    StretchStart start = StretchStart::kText;  // of the stretch at hand
    UnigramScratch unigram_scratch;
    const auto encode_piece = [&](std::string_view piece) {
      if (piece.size() > UINT32_MAX) {
        Fail(ErrorKind::kInvalidArgument,
             "the tokenizer does not cut {} bytes, normalized; encode parts of less than 4 GiB",
             piece.size());
      }
      if (const Bpe* bpe = std::get_if<Bpe>(&model)) {
        bpe->Encode(piece, &bpe_scratch, out);
      } else {
        std::get<Unigram>(model).Encode(piece, &unigram_scratch, out);
      }
    };
    const auto normalized_stretch = [&](std::string_view stretch, int32_t id) {
      if (id >= 0) {
        out->push_back(id);
      } else {
        pre_tokenizer.Split(stretch, start, &regex_scratch, encode_piece);
      }
      start = StretchStart::kBehindToken;
    };
    const auto raw_stretch = [&](std::string_view stretch, int32_t id) {
      if (id >= 0) return out->push_back(id);
      const bool first = stretch.data() == text.data();
      const bool last = stretch.end() == text.end();
      start = StretchStart::kBehindToken;
      if (first) start = options.continues ? StretchStart::kWithin : StretchStart::kText;
      const NormalizedEnds ends = {.begins = !(first && options.continues),
                                   .ends = !(last && options.goes_on)};
      normalized_tokens.Split(normalizer.Apply(stretch, &regex_scratch, &buffer, ends),
                              options.special, &regex_scratch, normalized_stretch);
    };
    raw_tokens.Split(text, options.special, &regex_scratch, raw_stretch);
  }

  TokenizerSpec spec;
  std::variant<Bpe, Unigram> model;
  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
  Decoder decoder;
  AddedTokenMatcher raw_tokens;
  AddedTokenMatcher normalized_tokens;
  std::string bytes;
  std::vector<TokenSlice> slices;  // by id
};

Tokenizer::Tokenizer(TokenizerSpec spec) : impl_(std::make_unique<Impl>(std::move(spec))) {}
Tokenizer::~Tokenizer() = default;
Tokenizer::Tokenizer(Tokenizer&& other) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&& other) noexcept = default;

Tokenizer Tokenizer::FromJson(std::string_view json, std::string_view name) {
  return Tokenizer(ReadTokenizerJson(json, name));
}

Tokenizer Tokenizer::FromFile(const std::string& path) {
  return FromJson(ReadFile(path, kMaxFileBytes), path);
}

std::string Tokenizer::ToJson() const { return WriteTokenizerJson(impl_->spec); }

std::vector<int32_t> Tokenizer::Encode(std::string_view text, const EncodeOptions& options) const {
  CheckUtf8(text, "text to tokenize");
  std::vector<int32_t> out;
  out.reserve(text.size() / 4 + 8);
  const std::vector<TemplatePart>& parts = impl_->spec.post_processor.single;
  if (!options.add_special || parts.empty()) {
    impl_->EncodeText(text, options, &out);
    return out;
  }
  for (const TemplatePart& part : parts) {
    if (part.name.empty()) {
      impl_->EncodeText(text, options, &out);
    } else {
      out.insert(out.end(), part.ids.begin(), part.ids.end());
    }
  }
  return out;
}

std::string Tokenizer::Decode(std::span<const int32_t> ids, bool skip_special) const {
  std::string out;
  for (const int32_t id : ids) {
    const std::string_view token = TokenBytes(id);
    if (!(skip_special && IsSpecial(id))) out.append(token);
  }
  out.erase(0, impl_->decoder.StartBytes(out));
  return out;
}

std::string_view Tokenizer::TokenBytes(int32_t id) const {
  const TokenSlice* slice = impl_->Slice(id);
  if (!slice) {
    Fail(ErrorKind::kInvalidArgument,
         "token id {} names no token of {}; ids go from 0 to {}, some may be unused", id,
         impl_->spec.name, vocab_size() - 1);
  }
  return std::string_view(impl_->bytes).substr(slice->begin, slice->size);
}

bool Tokenizer::HasToken(int32_t id) const noexcept { return impl_->Slice(id) != nullptr; }

bool Tokenizer::IsSpecial(int32_t id) const noexcept {
  const TokenSlice* slice = impl_->Slice(id);
  return slice && slice->special;
}

int32_t Tokenizer::vocab_size() const noexcept {
  return static_cast<int32_t>(impl_->slices.size());
}

std::optional<int32_t> Tokenizer::TokenId(std::string_view text) const {
  for (const AddedToken& token : impl_->spec.added_tokens) {
    if (token.content == text) return token.id;
  }
  const bool byte_level = impl_->spec.pre_tokenizer.byte_level();
  const std::string spelling = byte_level ? ByteLevelSpell(text) : std::string(text);
  for (const VocabEntry& entry : impl_->spec.vocab) {
    if (entry.spelling == spelling) return entry.id;
  }
  return std::nullopt;
}

std::string StreamDecoder::Push(int32_t id) {
  const std::string_view token = tokenizer_->TokenBytes(id);
  if (skip_special_ && tokenizer_->IsSpecial(id)) return "";
  pending_.append(token);
  std::string out;
  pending_.erase(0, AppendRepairedUtf8(pending_, /*final=*/false, &out));
  return out;
}

std::string StreamDecoder::Finish() {
  std::string out;
  AppendRepairedUtf8(pending_, /*final=*/true, &out);
  pending_.clear();
  return out;
}

}  // namespace tern
