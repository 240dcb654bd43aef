// SPDX-License-Identifier: MIT
// Token ids of reference texts. The copy in the tree has its tokenizer reduced by tok/reduce.py to
// what these texts need; an outside set may hold the full one, plain or compressed.
#include <gtest/gtest.h>
#include <stdio.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>

#include "tern/base/read_file.h"
#include "tern/text/tokenizer.h"
#include "tests/golden/golden.h"

namespace tern {
namespace {

constexpr size_t kLimitBytes = size_t{256} << 20;

std::string Gunzip(const std::string& path) {
  if (path.find('\'') != std::string::npos) throw std::runtime_error("a quote in " + path);
  std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(("gzip -dc '" + path + "'").c_str(), "r"),
                                             &pclose);
  if (!pipe) throw std::runtime_error("cannot start gzip");
  std::string content;
  std::vector<char> buffer(1 << 16);
  while (const size_t got = fread(buffer.data(), 1, buffer.size(), pipe.get())) {
    content.append(buffer.data(), got);
  }
  if (pclose(pipe.release()) != 0) throw std::runtime_error("gzip failed on " + path);
  return content;
}

Tokenizer GoldenTokenizer(const std::string& dir) {
  const std::string plain = dir + "/tokenizer.json";
  if (!std::filesystem::exists(plain) && std::filesystem::exists(plain + ".gz")) {
    return Tokenizer::FromJson(Gunzip(plain + ".gz"), plain + ".gz");
  }
  return Tokenizer::FromFile(plain);
}

// The parts of `text` between separators.
std::vector<std::string> SplitBy(const std::string& text, const std::string& separator) {
  std::vector<std::string> out;
  size_t begin = 0;
  for (size_t at; (at = text.find(separator, begin)) != std::string::npos;) {
    out.push_back(text.substr(begin, at - begin));
    begin = at + separator.size();
  }
  out.push_back(text.substr(begin));
  return out;
}

TEST(TokenizerGolden, PeerCases) {
  const std::string dir = GoldenDir("tok");
  const Tokenizer tokenizer = GoldenTokenizer(dir);
  const std::vector<std::string> texts =
      SplitBy(ReadFile(dir + "/llama3.inp", kLimitBytes), "\n__ggml_vocab_test__\n");
  const std::vector<std::string> lines = SplitBy(ReadFile(dir + "/llama3.out", kLimitBytes), "\n");
  ASSERT_EQ(texts.size(), lines.size());
  ASSERT_GT(texts.size(), 1u);
  for (size_t i = 0; i < texts.size(); ++i) {
    std::istringstream line(lines[i]);
    std::vector<int32_t> expected;
    for (int32_t id; line >> id;) expected.push_back(id);
    EXPECT_EQ(tokenizer.Encode(texts[i]), expected) << "case " << i << ": " << texts[i];
    EXPECT_EQ(tokenizer.Decode(expected), texts[i]) << "case " << i;
  }
}

TEST(TokenizerGolden, ExtraCases) {
  const std::string dir = GoldenDir("tok");
  const Tokenizer tokenizer = GoldenTokenizer(dir);
  const auto cases = nlohmann::json::parse(ReadFile(dir + "/llama3_extra.json", kLimitBytes));
  ASSERT_FALSE(cases.empty());
  for (const auto& item : cases) {
    const auto text = item.at("text").get<std::string>();
    const auto expected = item.at("ids").get<std::vector<int32_t>>();
    EXPECT_EQ(tokenizer.Encode(text), expected) << text;
    EXPECT_EQ(tokenizer.Decode(expected), text);
  }
}

}  // namespace
}  // namespace tern
