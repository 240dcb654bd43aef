// SPDX-License-Identifier: MIT
#include "tern/models/chat_format.h"

#include <algorithm>
#include <filesystem>

#include "tern/base/check.h"
#include "tern/base/error.h"
#include "tern/base/read_file.h"
#include "tern/io/gguf.h"
#include "tern/io/json_file.h"

namespace tern {
namespace {

using Json = nlohmann::ordered_json;

// More than ChatTemplate takes, which says so.
constexpr size_t kMaxTemplateBytes = size_t{2} << 20;

std::string ConfigPath(const std::string& directory) {
  return directory + "/tokenizer_config.json";
}

// A template, or the one named "default" of a list of {name, template}.
std::optional<std::string> TemplateOf(const JsonObject& config) {
  const auto found = config.value().find("chat_template");
  if (found == config.value().end() || !found->is_array()) {
    return config.FindString("chat_template");
  }
  for (const auto& item : *found) {
    const JsonObject named(item, config.place() + ": chat_template");
    if (named.GetString("name") == "default") return named.GetString("template");
  }
  return std::nullopt;
}

// "bos_token" and the like: a text, or an object whose content it is.
void AddTokens(const JsonObject& config, Json* tokens) {
  for (const auto& [key, value] : config.value().items()) {
    if (!key.ends_with("_token")) continue;
    if (value.is_string()) (*tokens)[key] = value.get<std::string>();
    if (value.is_object()) (*tokens)[key] = config.GetObject(key).GetString("content");
  }
}

void AddGgufTokens(const LoadedModel& model, Json* tokens) {
  const GgufFile file(model.path);
  constexpr std::pair<const char*, const char*> kTokens[] = {{"bos", "bos_token"},
                                                             {"eos", "eos_token"},
                                                             {"unknown", "unk_token"},
                                                             {"padding", "pad_token"}};
  for (const auto& [key, name] : kTokens) {
    const std::string metadata_key = fmt::format("tokenizer.ggml.{}_token_id", key);
    const auto id =
        static_cast<int32_t>(file.metadata().FindInt(metadata_key, -1, INT32_MAX).value_or(-1));
    if (model.tokenizer->HasToken(id)) (*tokens)[name] = model.tokenizer->TokenBytes(id);
  }
}

// What the model's configuration knows where the files of the tokenizer say nothing.
void AddModelsOwn(const LoadedModel& model, Json* tokens) {
  const ModelConfig& config = model.model->config();
  const auto add = [&](const char* name, std::optional<int32_t> id) {
    if (!id || tokens->contains(name) || !model.tokenizer->HasToken(*id)) return;
    (*tokens)[name] = model.tokenizer->TokenBytes(*id);
  };
  add("bos_token", config.bos);
  if (!config.eos.empty()) add("eos_token", config.eos.front());
}

}  // namespace

std::string ChatFormat::Render(std::span<const ChatMessage> messages, bool answer,
                               const std::tm& now) const {
  Json variables = tokens_;
  variables["messages"] = Json::array();
  for (const ChatMessage& message : messages) {
    variables["messages"].push_back({{"role", message.role}, {"content", message.content}});
  }
  variables["add_generation_prompt"] = answer;
  return template_.Render(variables, now);
}

std::vector<int32_t> ChatFormat::EndOfTurn(const Tokenizer& tokenizer) const {
  std::vector<int32_t> ids;
  const auto add = [&](std::optional<int32_t> id) {
    const bool fresh = id && std::find(ids.begin(), ids.end(), *id) == ids.end();
    if (fresh && tokenizer.IsSpecial(*id)) ids.push_back(*id);
  };
  if (const auto eos = tokens_.find("eos_token"); eos != tokens_.end()) {
    add(tokenizer.TokenId(eos->get<std::string>()));
  }
  const std::string said = "what an assistant said";
  std::string text;
  try {
    text = Render(std::vector<ChatMessage>{{"user", "a"}, {"assistant", said}, {"user", "b"}},
                  /*answer=*/false, {});
  } catch (const Error&) {
    return ids;  // a template that takes no such conversation has no turn to end
  }
  const size_t at = text.rfind(said);
  if (at == std::string::npos) return ids;
  const size_t end = text.find_first_not_of(" \n", at + said.size());
  if (end == std::string::npos) return ids;
  const std::vector<int32_t> behind = tokenizer.Encode(std::string_view(text).substr(end));
  if (!behind.empty()) add(behind.front());
  return ids;
}

std::optional<ChatSource> FindChatSource(const std::string& model_path) {
  if (IsGgufFile(model_path)) {
    const GgufFile file(model_path);
    const auto text = file.metadata().FindString("tokenizer.chat_template");
    if (!text) return std::nullopt;
    return ChatSource{std::string(*text), model_path + ": tokenizer.chat_template"};
  }
  const std::string path = model_path + "/chat_template.jinja";
  if (std::filesystem::exists(path)) return ChatSource{ReadFile(path, kMaxTemplateBytes), path};
  const std::string config_path = ConfigPath(model_path);
  if (!std::filesystem::exists(config_path)) return std::nullopt;
  const nlohmann::json json = ReadJsonFile(config_path);
  auto text = TemplateOf(JsonObject(json, config_path));
  if (!text) return std::nullopt;
  return ChatSource{std::move(*text), config_path + ": chat_template"};
}

std::optional<ChatFormat> ReadChatFormat(const LoadedModel& model,
                                         const std::string& template_path) {
  TERN_CHECK(model.tokenizer.has_value());
  const std::optional<ChatSource> source =
      template_path.empty() ? FindChatSource(model.path)
                            : ChatSource{ReadFile(template_path, kMaxTemplateBytes), template_path};
  if (!source) return std::nullopt;
  Json tokens = Json::object();
  const std::string config_path = ConfigPath(model.path);
  if (IsGgufFile(model.path)) {
    AddGgufTokens(model, &tokens);
  } else if (std::filesystem::exists(config_path)) {
    const nlohmann::json json = ReadJsonFile(config_path);
    AddTokens(JsonObject(json, config_path), &tokens);
  }
  AddModelsOwn(model, &tokens);
  return ChatFormat(ChatTemplate(source->text, source->name), std::move(tokens));
}

}  // namespace tern
