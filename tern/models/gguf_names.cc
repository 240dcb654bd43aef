// SPDX-License-Identifier: MIT
#include "tern/models/gguf_names.h"

#include "tern/base/check.h"

namespace tern {
namespace {

// bitnet-25 and bitnet-b1.58 are Microsoft's names for the model with ReLU^2; bitnet is 1bitLLM's
// with SiLU. The first line of a name is how it is read, the first of a family and activation how
// it is written.
constexpr GgufArchitecture kArchitectures[] = {
    {"bitnet-b1.58", "bitnet", Activation::kRelu2, true, false},
    {"bitnet-25", "bitnet", Activation::kRelu2, true, false},
    {"bitnet", "bitnet-1bitllm", Activation::kSilu, true, false},
    {"bitnet", "bitnet", Activation::kSilu, true, false},
    {"llama", "llama", Activation::kSilu, false, true},
    {"qwen3", "qwen3", Activation::kSilu, false, false},
};

struct Name {
  std::string_view hugging_face;
  std::string_view gguf;
};

constexpr Name kOuter[] = {
    {"model.embed_tokens", "token_embd"},
    {"model.norm", "output_norm"},
    {"lm_head", "output"},
};

constexpr Name kInner[] = {
    {"input_layernorm", "attn_norm"},
    {"self_attn.q_proj", "attn_q"},
    {"self_attn.k_proj", "attn_k"},
    {"self_attn.v_proj", "attn_v"},
    {"self_attn.o_proj", "attn_output"},
    {"self_attn.attn_sub_norm", "attn_sub_norm"},
    {"self_attn.inner_attn_ln", "attn_sub_norm"},
    {"self_attn.q_norm", "attn_q_norm"},
    {"self_attn.k_norm", "attn_k_norm"},
    {"post_attention_layernorm", "ffn_norm"},
    {"mlp.gate_proj", "ffn_gate"},
    {"mlp.up_proj", "ffn_up"},
    {"mlp.down_proj", "ffn_down"},
    {"mlp.ffn_sub_norm", "ffn_sub_norm"},
    {"mlp.ffn_layernorm", "ffn_sub_norm"},
};

constexpr std::string_view kLayers = "model.layers.";

std::string Renamed(std::span<const Name> names, std::string_view part, std::string_view whole) {
  const size_t dot = part.rfind('.');
  for (const Name& name : names) {
    if (name.hugging_face == part.substr(0, dot)) {
      return std::string(name.gguf).append(part.substr(dot));
    }
  }
  TERN_CHECK(whole.empty());  // the name of no tensor of a model
  return {};
}

}  // namespace

std::span<const GgufArchitecture> GgufArchitectures() { return kArchitectures; }

std::string GgufTensorName(std::string_view name) {
  if (!name.starts_with(kLayers)) return Renamed(kOuter, name, name);
  const std::string_view rest = name.substr(kLayers.size());
  const size_t dot = rest.find('.');
  return std::string("blk.").append(rest.substr(0, dot + 1)) +
         Renamed(kInner, rest.substr(dot + 1), name);
}

}  // namespace tern
