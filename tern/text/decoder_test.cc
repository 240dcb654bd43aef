// SPDX-License-Identifier: MIT
#include "tern/text/decoder.h"

#include <gtest/gtest.h>

namespace tern {
namespace {

using Kind = DecoderStep::Kind;

std::vector<DecoderStep> SentencePiece() {
  return {{.kind = Kind::kReplace, .pattern = "\u2581", .content = " ", .metaspace = {}},
          {.kind = Kind::kByteFallback, .pattern = "", .content = "", .metaspace = {}},
          {.kind = Kind::kFuse, .pattern = "", .content = "", .metaspace = {}},
          {.kind = Kind::kStrip, .pattern = "", .content = " ", .start = 1, .metaspace = {}}};
}

TEST(Decoder, SentencePieceTokens) {
  const Decoder decoder(SentencePiece());
  EXPECT_EQ(decoder.Bytes("\u2581the\u2581"), " the ");
  EXPECT_EQ(decoder.Bytes("<0x0A>"), "\n");
  EXPECT_EQ(decoder.Bytes("<0xfF>"), "\xFF");
  for (const char* text : {"<0xG0>", "<0x0A", "<0x00A>", "<0x+1>", "0x0A>>"}) {
    EXPECT_EQ(decoder.Bytes(text), text);
  }
}

TEST(Decoder, OnlyTheSpaceInFrontIsNotText) {
  const Decoder decoder(SentencePiece());
  EXPECT_EQ(decoder.StartBytes("  a "), 1u);
  EXPECT_EQ(decoder.StartBytes("a"), 0u);
  EXPECT_EQ(decoder.StartBytes(""), 0u);
  MetaspaceSpec metaspace{.replacement = "_"};
  DecoderStep step{.kind = Kind::kMetaspace, .pattern = "", .content = "", .metaspace = metaspace};
  EXPECT_EQ(Decoder({step}).Bytes("_a_"), " a ");
  EXPECT_EQ(Decoder({step}).StartBytes("  a"), 1u);
  step.metaspace.prepend = MetaspaceSpec::Prepend::kNever;
  EXPECT_EQ(Decoder({step}).StartBytes(" a"), 0u);
}

TEST(Decoder, ByteLevelTokens) {
  const Decoder decoder({DecoderStep{}});
  EXPECT_EQ(decoder.Bytes("\u0120a"), " a");
  EXPECT_EQ(decoder.Bytes("日"), "日");  // not in the byte alphabet
}

}  // namespace
}  // namespace tern
