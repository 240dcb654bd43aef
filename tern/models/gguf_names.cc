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
    {"gemma3", "gemma3_text", Activation::kGeluTanh, false, false},
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

// bitnet.cpp's names for the norms in front of projections end in "_norm_in".
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
    {"self_attn.q_proj.rms_norm", "attn_q_norm_in"},
    {"self_attn.k_proj.rms_norm", "attn_k_norm_in"},
    {"self_attn.v_proj.rms_norm", "attn_v_norm_in"},
    {"self_attn.o_proj.rms_norm", "attn_output_norm_in"},
    {"mlp.gate_proj.rms_norm", "ffn_gate_norm_in"},
    {"mlp.up_proj.rms_norm", "ffn_up_norm_in"},
    {"mlp.down_proj.rms_norm", "ffn_down_norm_in"},
};

// Those of a block with norms behind attention and MLP, which go before the others.
constexpr Name kPostNorms[] = {
    {"post_attention_layernorm", "post_attention_norm"},
    {"pre_feedforward_layernorm", "ffn_norm"},
    {"post_feedforward_layernorm", "post_ffw_norm"},
};

constexpr std::string_view kLayers = "model.layers.";

// Empty where there is none.
std::string Renamed(std::span<const Name> names, std::string_view part) {
  const size_t dot = part.rfind('.');
  for (const Name& name : names) {
    if (name.hugging_face == part.substr(0, dot)) {
      return std::string(name.gguf).append(part.substr(dot));
    }
  }
  return {};
}

}  // namespace

std::span<const GgufArchitecture> GgufArchitectures() { return kArchitectures; }

std::string GgufTensorName(const ModelFamily& family, std::string_view name) {
  if (!name.starts_with(kLayers)) {
    std::string outer = Renamed(kOuter, name);
    TERN_CHECK(!outer.empty());
    return outer;
  }
  const std::string_view rest = name.substr(kLayers.size());
  const size_t dot = rest.find('.');
  std::string inner;
  if (family.post_norms) inner = Renamed(kPostNorms, rest.substr(dot + 1));
  if (inner.empty()) inner = Renamed(kInner, rest.substr(dot + 1));
  TERN_CHECK(!inner.empty());
  return std::string("blk.").append(rest.substr(0, dot + 1)) + inner;
}

float GgufNormOffset(const ModelFamily& family, std::string_view name) {
  return family.norms_add_one && name.find("_proj.rms_norm.") == std::string_view::npos ? 1.0f
                                                                                        : 0.0f;
}

int64_t GgufQueryScalar(const ModelConfig& config) {
  constexpr int64_t kLayersOf27B = 62;  // the one Gemma 3 where it is not the size of a head
  return config.layers == kLayersOf27B ? config.hidden_size / config.heads : config.head_dim;
}

}  // namespace tern
