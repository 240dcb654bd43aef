// SPDX-License-Identifier: MIT
// Chat templates against jinja2, case by case as make_chat.py recorded them. Where jinja2 refuses,
// so does Tern.
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "tern/base/error.h"
#include "tern/base/read_file.h"
#include "tern/text/chat_template.h"
#include "tests/golden/golden.h"

namespace tern {
namespace {

void ExpectJinjasOutputs(const std::string& path) {
  std::tm now = {};
  now.tm_year = 124;
  now.tm_mon = 6;
  now.tm_mday = 26;
  now.tm_hour = 9;
  now.tm_min = 5;
  now.tm_sec = 3;
  now.tm_wday = 5;
  now.tm_yday = 207;
  const auto cases = nlohmann::ordered_json::parse(ReadFile(path, size_t{64} << 20));
  ASSERT_GT(cases.size(), 100U);
  for (const auto& item : cases) {
    const auto name = item.at("name").get<std::string>();
    SCOPED_TRACE(name + ": " + item.at("template").get<std::string>().substr(0, 2000));
    std::optional<std::string> output;
    std::string refusal;
    try {
      output = ChatTemplate(item.at("template").get<std::string>(), name)
                   .Render(item.at("variables"), now);
    } catch (const Error& error) {
      refusal = error.what();
    }
    if (item.contains("error")) {
      EXPECT_FALSE(output.has_value()) << *output;
    } else {
      EXPECT_EQ(output.value_or(refusal), item.at("output").get<std::string>());
    }
  }
}

TEST(ChatGolden, IsWhatJinjaMakes) {
  ExpectJinjasOutputs(std::string(TERN_GOLDEN_IN_TREE) + "/chat/cases.json");
  // A set of models and a tokenizer need not hold templates.
  const std::string outside = GoldenDir("chat");
  if (std::filesystem::exists(outside)) ExpectJinjasOutputs(outside + "/cases.json");
}

}  // namespace
}  // namespace tern
