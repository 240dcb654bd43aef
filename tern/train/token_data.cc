// SPDX-License-Identifier: MIT
#include "tern/train/token_data.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <string_view>
#include <utility>

#include "tern/base/atomic_file.h"
#include "tern/base/error.h"
#include "tern/base/random.h"
#include "tern/text/utf8.h"

namespace tern {
namespace {

static_assert(std::endian::native == std::endian::little, "token files are little-endian");

constexpr std::string_view kMagic = "ternids1";
constexpr size_t kTrailerBytes = 32;
constexpr size_t kChunkBytes = size_t{1} << 18;

std::string_view Text(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

int IdBytes(const Tokenizer& tokenizer) { return tokenizer.vocab_size() <= 65536 ? 2 : 4; }

std::array<char, kTrailerBytes> Trailer(int id_bytes, uint64_t count, uint64_t hash) {
  std::array<char, kTrailerBytes> trailer = {};
  const auto width = static_cast<uint32_t>(id_bytes);
  std::memcpy(trailer.data(), kMagic.data(), kMagic.size());
  std::memcpy(trailer.data() + 8, &width, 4);
  std::memcpy(trailer.data() + 16, &count, 8);
  std::memcpy(trailer.data() + 24, &hash, 8);
  return trailer;
}

// A cut is right where no pre-tokenizer joins what it parts: before a special token, which always
// stands alone, or between a line's end and a character that is not white space.
class ChunkCutter {
 public:
  explicit ChunkCutter(const Tokenizer& tokenizer) {
    for (int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
      if (tokenizer.HasToken(id) && tokenizer.IsSpecial(id)) {
        specials_.emplace_back(tokenizer.TokenBytes(id));
      }
    }
  }

  struct Cut {
    size_t at;
    bool within;  // what stands on both sides is one stretch of text
  };

  // The end of the chunk that starts `text`: all of a short text, else about kChunkBytes.
  Cut End(std::string_view text) const {
    if (text.size() <= kChunkBytes) return {text.size(), false};
    const std::string_view window = text.substr(0, kChunkBytes);
    size_t cut = 0;
    for (const std::string& special : specials_) {
      const size_t at = window.rfind(special);
      if (at != std::string_view::npos) cut = std::max(cut, at);
    }
    if (cut != 0) return {cut, false};
    for (size_t at = window.size() - 1; at > 0; --at) {
      const auto next = static_cast<unsigned char>(window[at]);
      if (window[at - 1] == '\n' && next > ' ' && next < 0x80) {
        return {at, !BeginsWithSpecial(text.substr(at))};
      }
    }
    // One line longer than a chunk: cut between two characters.
    size_t at = window.size();
    while (at > window.size() - 4 && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80) --at;
    return {at, true};
  }

 private:
  bool BeginsWithSpecial(std::string_view text) const {
    return std::any_of(specials_.begin(), specials_.end(),
                       [&](const std::string& special) { return text.starts_with(special); });
  }

  std::vector<std::string> specials_;
};

class TokenFileWriter {
 public:
  TokenFileWriter(ThreadPool& threads, const Tokenizer& tokenizer, const std::string& path)
      : threads_(threads), tokenizer_(tokenizer), cutter_(tokenizer), file_(path) {}

  void AddText(const std::string& path, Poll poll) {
    const MappedFile text_file(path);
    RequireUtf8(text_file, poll);
    const std::string_view text = Text(text_file);
    const size_t wave = 4 * static_cast<size_t>(threads_.threads());
    std::vector<Chunk> chunks;
    for (size_t done = 0; done < text.size();) {
      poll();
      const size_t begin = done;
      chunks.clear();
      while (chunks.size() < wave && done < text.size()) {
        const std::string_view rest = text.substr(done);
        const ChunkCutter::Cut end = cutter_.End(rest);
        EncodeOptions options;
        options.continues = done > 0;
        options.goes_on = end.within;
        chunks.push_back({rest.substr(0, end.at), options});
        done += end.at;
      }
      AddChunks(chunks);
      text_file.Release(text_file.bytes().subspan(begin, done - begin));
    }
  }

  void Commit() {
    const std::array<char, kTrailerBytes> trailer =
        Trailer(IdBytes(tokenizer_), count_, TokenizerHash(tokenizer_));
    file_.Write(std::string_view(trailer.data(), trailer.size()));
    file_.Commit();
  }

 private:
  struct Chunk {
    std::string_view text;
    EncodeOptions options;
  };

  void AddChunks(std::span<const Chunk> chunks) {
    encoded_.resize(std::max(encoded_.size(), chunks.size()));
    threads_.ParallelFor(static_cast<int64_t>(chunks.size()), 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        encoded_[i] = tokenizer_.Encode(chunks[i].text, chunks[i].options);
      }
    });
    for (size_t i = 0; i < chunks.size(); ++i) WriteIds(encoded_[i]);
  }

  void WriteIds(const std::vector<int32_t>& ids) {
    count_ += ids.size();
    if (IdBytes(tokenizer_) == 4) {
      file_.Write(std::as_bytes(std::span(ids)));
      return;
    }
    narrow_.resize(ids.size());
    std::transform(ids.begin(), ids.end(), narrow_.begin(),
                   [](int32_t id) { return static_cast<uint16_t>(id); });
    file_.Write(std::as_bytes(std::span(std::as_const(narrow_))));
  }

  ThreadPool& threads_;
  const Tokenizer& tokenizer_;
  ChunkCutter cutter_;
  AtomicFile file_;
  uint64_t count_ = 0;
  std::vector<std::vector<int32_t>> encoded_;  // by chunk of the wave
  std::vector<uint16_t> narrow_;
};

}  // namespace

// FNV-1a in 64 bits.
uint64_t TokenizerHash(const Tokenizer& tokenizer) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : tokenizer.ToJson()) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  }
  return hash;
}

void RequireUtf8(const MappedFile& text, Poll poll) {
  constexpr size_t kPartBytes = size_t{1} << 24;
  constexpr size_t kMaxCharacterBytes = 4;
  const std::string_view whole = Text(text);
  for (size_t done = 0; done < whole.size();) {
    poll();
    const std::string_view part = whole.substr(done, kPartBytes);
    const size_t valid = ValidUtf8Prefix(part);
    done += valid;
    // A character may be cut where the part ends, and then begins the next one.
    const bool cut = part.size() == kPartBytes && part.size() - valid < kMaxCharacterBytes;
    if (valid != part.size() && !cut) {
      Fail(ErrorKind::kInvalidFile, "{}: byte {} is not UTF-8; convert the text to UTF-8 first",
           text.path(), done);
    }
  }
}

void WriteTokenFile(ThreadPool& threads, const Tokenizer& tokenizer,
                    std::span<const std::string> text_paths, const std::string& path, Poll poll) {
  TokenFileWriter writer(threads, tokenizer, path);
  for (const std::string& text_path : text_paths) writer.AddText(text_path, poll);
  writer.Commit();
}

int32_t TokenSpan::operator[](int64_t index) const {
  TERN_CHECK(index >= 0 && index < size_);
  int32_t id = 0;
  std::memcpy(&id, data_ + index * id_bytes_, static_cast<size_t>(id_bytes_));
  return id;
}

void TokenSpan::CopyTo(int64_t begin, std::span<int32_t> out) const {
  for (size_t i = 0; i < out.size(); ++i) out[i] = (*this)[begin + static_cast<int64_t>(i)];
}

TokenSpan TokenSpan::Part(int64_t begin, int64_t end) const {
  TERN_CHECK(0 <= begin && begin <= end && end <= size_);
  return {data_ + begin * id_bytes_, end - begin, id_bytes_};
}

TokenFile::TokenFile(const std::string& path, const Tokenizer& tokenizer) : file_(path) {
  const std::span<const std::byte> bytes = file_.bytes();
  const int id_bytes = IdBytes(tokenizer);
  const uint64_t hash = TokenizerHash(tokenizer);
  if (bytes.size() < kTrailerBytes ||
      std::memcmp(bytes.data() + bytes.size() - kTrailerBytes, kMagic.data(), kMagic.size()) != 0) {
    Fail(ErrorKind::kInvalidFile, "{}: not a token file; delete it and start again from the text",
         path);
  }
  const size_t data_bytes = bytes.size() - kTrailerBytes;
  const uint64_t count = data_bytes / static_cast<size_t>(id_bytes);
  const std::array<char, kTrailerBytes> expected = Trailer(id_bytes, count, hash);
  if (std::memcmp(bytes.data() + data_bytes, expected.data(), kTrailerBytes) != 0 ||
      count * static_cast<size_t>(id_bytes) != data_bytes) {
    Fail(ErrorKind::kInvalidFile,
         "{}: made with another tokenizer, or damaged; delete it and start again from the text",
         path);
  }
  ids_ = TokenSpan(bytes.data(), static_cast<int64_t>(count), id_bytes);
  for (int64_t i = 0; i < ids_.size(); ++i) {
    if (ids_[i] < 0 || ids_[i] >= tokenizer.vocab_size()) {
      Fail(ErrorKind::kInvalidFile, "{}: id {} at {} is outside of the vocabulary of {}", path,
           ids_[i], i, tokenizer.vocab_size());
    }
  }
}

TokenBytes::TokenBytes(const Tokenizer& tokenizer) : bytes_(tokenizer.vocab_size()) {
  for (int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
    if (tokenizer.HasToken(id)) bytes_[id] = static_cast<int32_t>(tokenizer.TokenBytes(id).size());
  }
}

int64_t TokenBytes::Count(const TokenSpan& ids) const {
  int64_t count = 0;
  for (int64_t i = 0; i < ids.size(); ++i) count += bytes_[ids[i]];
  return count;
}

TokenBatch TokenBatch::Empty(Context& ctx, int64_t sequences, int64_t length) {
  return {ctx.Empty({sequences, length}, DType::kI32),
          ctx.Empty({sequences * length}, DType::kI32)};
}

TokenBatch TokenBatch::Part(int64_t begin, int64_t end) const {
  const int64_t length = inputs.dim(1);
  return {inputs.Sliced(0, begin, end), targets.Sliced(0, begin * length, end * length)};
}

// One window less than the text holds gives the offset a whole window's room.
WindowSampler::WindowSampler(TokenSpan ids, int64_t length, uint64_t seed)
    : ids_(ids), length_(length), seed_(seed) {
  if (ids.size() < length + 1) {
    Fail(ErrorKind::kInvalidArgument,
         "the training text is too short: a window takes {} tokens, and it has {}; give more text "
         "or make \"sequence_length\" smaller",
         length + 1, ids.size());
  }
  order_.resize(static_cast<size_t>(std::max<int64_t>(1, (ids.size() - 1) / length - 1)));
}

void WindowSampler::StartEpoch(int64_t epoch) {
  if (epoch == epoch_) return;
  epoch_ = epoch;
  Random random(seed_, static_cast<uint64_t>(epoch));
  const int64_t room = ids_.size() - 1 - windows_per_epoch() * length_;
  offset_ =
      static_cast<int64_t>(random.Below(static_cast<uint64_t>(std::min(room, length_ - 1)) + 1));
  random.Permutation(order_);
}

void WindowSampler::Fill(int64_t step, const TokenBatch& batch) {
  const int64_t sequences = batch.inputs.dim(0);
  TERN_CHECK(step >= 0 && batch.inputs.dim(1) == length_);
  const std::span<int32_t> inputs = batch.inputs.span<int32_t>();
  const std::span<int32_t> targets = batch.targets.span<int32_t>();
  for (int64_t i = 0; i < sequences; ++i) {
    const int64_t drawn = step * sequences + i;
    StartEpoch(drawn / windows_per_epoch());
    const int64_t begin = offset_ + order_[drawn % windows_per_epoch()] * length_;
    const auto row = static_cast<size_t>(i * length_);
    ids_.CopyTo(begin, inputs.subspan(row, static_cast<size_t>(length_)));
    ids_.CopyTo(begin + 1, targets.subspan(row, static_cast<size_t>(length_)));
  }
}

}  // namespace tern
