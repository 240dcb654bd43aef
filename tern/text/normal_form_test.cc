// SPDX-License-Identifier: MIT
#include "tern/text/normal_form.h"

#include <gtest/gtest.h>

namespace tern {
namespace {

std::string Form(NormalForm form, std::string_view text) {
  std::string out;
  AppendNormalForm(form, text, &out);
  return out;
}

// From UAX 15's figures and NormalizationTest.txt.
TEST(NormalForm, KnownTexts) {
  struct Known {
    const char* text;
    const char* nfc;
    const char* nfd;
    const char* nfkc;
    const char* nfkd;
  };
  const Known known[] = {
      {"plain ascii\n", "plain ascii\n", "plain ascii\n", "plain ascii\n", "plain ascii\n"},
      {"\u212B", "\u00C5", "A\u030A", "\u00C5", "A\u030A"},
      {"\u1E9B\u0323", "\u1E9B\u0323", "\u017F\u0323\u0307", "\u1E69", "s\u0323\u0307"},
      {"\uFB01", "\uFB01", "\uFB01", "fi", "fi"},
      {"\uD55C", "\uD55C", "\u1112\u1161\u11AB", "\uD55C", "\u1112\u1161\u11AB"},
      {"d\u0307\u0323", "\u1E0D\u0307", "d\u0323\u0307", "\u1E0D\u0307", "d\u0323\u0307"},
      {"\u0958", "\u0915\u093C", "\u0915\u093C", "\u0915\u093C", "\u0915\u093C"},  // excluded
      {"\u0344", "\u0308\u0301", "\u0308\u0301", "\u0308\u0301", "\u0308\u0301"},
  };
  for (const Known& k : known) {
    EXPECT_EQ(Form(NormalForm::kNfc, k.text), k.nfc) << k.text;
    EXPECT_EQ(Form(NormalForm::kNfd, k.text), k.nfd) << k.text;
    EXPECT_EQ(Form(NormalForm::kNfkc, k.text), k.nfkc) << k.text;
    EXPECT_EQ(Form(NormalForm::kNfkd, k.text), k.nfkd) << k.text;
  }
  EXPECT_EQ(Form(NormalForm::kNfkd, "\uFDFA").size(), 33u);  // the longest
}

// Quadratic time would take minutes.
TEST(NormalForm, LongRunsOfMarks) {
  std::string text = "a", sorted = "a";
  for (int i = 0; i < 200'000; ++i) text += "\u0301\u0327";
  for (int i = 0; i < 200'000; ++i) sorted += "\u0327";
  for (int i = 0; i < 200'000; ++i) sorted += "\u0301";
  EXPECT_EQ(Form(NormalForm::kNfd, text), sorted);
}

TEST(NormalForm, Lowercase) {
  std::string out;
  AppendLowercase("AbC ÄΣΑΣ İ ǅ ẞ 日1", &out);
  EXPECT_EQ(out, "abc äσασ i\u0307 ǆ ß 日1");
}

}  // namespace
}  // namespace tern
