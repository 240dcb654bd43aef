// SPDX-License-Identifier: MIT
#include "tern/text/chat_template.h"

#include "tern/base/error.h"
#include "tern/text/jinja/interpreter.h"
#include "tern/text/jinja/parser.h"

namespace tern {
namespace {

constexpr size_t kMaxSourceBytes = size_t{1} << 20;

// Nothing but the wrong template says this.
constexpr std::string_view kWrongBitnet = "BITNETAssistant";
// What bitnet-b1.58-2B-4T was trained on: "User: ...<|eot_id|>Assistant: ".
constexpr std::string_view kRightBitnet =
    "{% for message in messages %}{% if loop.first %}{{ bos_token }}{% endif %}"
    "{{ message.role | capitalize + ': ' + message.content | trim + '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant: ' }}{% endif %}";

// About the bytes that variables have as JSON; `depth` is how deep they may still nest.
size_t InputBytes(const nlohmann::ordered_json& json, int depth, const std::string& name) {
  constexpr size_t kScalarBytes = 8;
  if (json.is_string()) return kScalarBytes + json.get_ref<const std::string&>().size();
  if (!json.is_structured()) return kScalarBytes;
  if (depth == 0) {
    Fail(ErrorKind::kInvalidArgument, "{}: the variables of a chat template nest deeper than {}",
         name, jinja::kMaxValueDepth);
  }
  size_t bytes = kScalarBytes;
  for (const auto& [key, item] : json.items()) {
    bytes += InputBytes(item, depth - 1, name) + (json.is_object() ? key.size() : 0);
  }
  return bytes;
}

}  // namespace

struct ChatTemplate::Impl {
  std::string name;
  size_t source_bytes = 0;
  bool replaced = false;
  jinja::Body body;
};

ChatTemplate::ChatTemplate(std::string_view source, std::string name) {
  if (source.size() > kMaxSourceBytes) {
    Fail(ErrorKind::kInvalidFile, "{}: a chat template of {} bytes; at most {} are read", name,
         source.size(), kMaxSourceBytes);
  }
  auto impl = std::make_unique<Impl>();
  impl->replaced = source.find(kWrongBitnet) != std::string_view::npos;
  if (impl->replaced) source = kRightBitnet;
  jinja::Env env(name, source.size());
  impl->body = jinja::Parse(env, source);
  impl->name = std::move(name);
  impl->source_bytes = source.size();
  impl_ = std::move(impl);
}

ChatTemplate::~ChatTemplate() = default;
ChatTemplate::ChatTemplate(ChatTemplate&& other) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&& other) noexcept = default;

std::string ChatTemplate::Render(const nlohmann::ordered_json& variables,
                                 const std::tm& now) const {
  const size_t input_bytes = InputBytes(variables, jinja::kMaxValueDepth, impl_->name);
  jinja::Env env(impl_->name, impl_->source_bytes + input_bytes);
  env.now = now;
  const jinja::Value values = jinja::FromJson(env, variables);
  if (!values.Is(jinja::Kind::kDict)) {
    Fail(ErrorKind::kInvalidArgument, "{}: the variables of a chat template are an object",
         impl_->name);
  }
  return jinja::Run(env, impl_->body, values);
}

bool ChatTemplate::replaced() const noexcept { return impl_->replaced; }

}  // namespace tern
