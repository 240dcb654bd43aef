#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes the golden checkpoints of model families, with what transformers computes from them.

    make_families.py OUT [--only NAME ...] [--seed 1]

Each is a tiny random model in the form that the family is published in (README.md beside this
script). transformers computes the expected values from the same weights in the form that it knows:
masters without quantization_config are given to it as autobitlinear, online; 1bitLLM's model as a
BitNet whose activation is SiLU. Prompts are chosen whose results hold in float64 and whose greedy
steps are no near ties. Needs what make_golden.py needs.
"""
import argparse
import pathlib
import tempfile

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from transformers import (AutoModel, AutoModelForCausalLM, BitNetConfig, Gemma3TextConfig,
                          LlamaConfig, Qwen3Config)

from make_golden import check, deviation, expected_of, greedy_batch, write_checkpoint

HIDDEN, FFN, LAYERS, HEADS, KV_HEADS, HEAD_DIM, VOCAB = 32, 64, 2, 4, 2, 8, 64
LENGTHS = [1, 7, 33, 96]
GREEDY = 24
ONLINE = {"quant_method": "bitnet", "linear_class": "autobitlinear", "quantization_mode": "online"}


def settings(**more):
    return dict(vocab_size=VOCAB, hidden_size=HIDDEN, intermediate_size=FFN,
                num_hidden_layers=LAYERS, num_attention_heads=HEADS,
                num_key_value_heads=KV_HEADS, max_position_embeddings=160, rms_norm_eps=1e-5,
                pad_token_id=None, bos_token_id=0, eos_token_id=1) | more


def rope(theta):
    return {"rope_type": "default", "rope_theta": theta}


def normal(rng, shape, std, mean=0.0):
    return torch.randn(shape, generator=rng) * std + mean


class Weights:
    """Random tensors under their Hugging Face names."""

    def __init__(self, rng, head_dim=HEAD_DIM, norm_mean=1.0):
        self.rng, self.norm_mean, self.tensors = rng, norm_mean, {}
        self.q, self.kv = HEADS * head_dim, KV_HEADS * head_dim
        self.shapes = {
            "self_attn.q_proj": (self.q, HIDDEN), "self_attn.k_proj": (self.kv, HIDDEN),
            "self_attn.v_proj": (self.kv, HIDDEN), "self_attn.o_proj": (HIDDEN, self.q),
            "mlp.gate_proj": (FFN, HIDDEN), "mlp.up_proj": (FFN, HIDDEN),
            "mlp.down_proj": (HIDDEN, FFN)}

    def norm(self, name, size, mean=None):
        mean = self.norm_mean if mean is None else mean
        self.tensors[f"{name}.weight"] = normal(self.rng, (size,), 0.2, mean)

    def fill(self, norms, embed_std, head, matrix):
        """norms: sizes of each block's, by name. matrix(shape) makes a projection."""
        self.tensors["model.embed_tokens.weight"] = normal(self.rng, (VOCAB, HIDDEN), embed_std)
        if head:
            self.tensors["lm_head.weight"] = normal(self.rng, (VOCAB, HIDDEN), 0.1)
        for layer in range(LAYERS):
            prefix = f"model.layers.{layer}"
            for name, shape in self.shapes.items():
                self.tensors[f"{prefix}.{name}.weight"] = matrix(shape)
            for name, size in norms.items():
                self.norm(f"{prefix}.{name}", size)
        self.norm("model.norm", HIDDEN)
        return self

    def add_projection_norms(self):
        for layer in range(LAYERS):
            for name, shape in self.shapes.items():
                self.norm(f"model.layers.{layer}.{name}.rms_norm", shape[1], 1.0)
        return self

    def cast(self, dtype):
        self.tensors = {name: value.to(dtype) for name, value in self.tensors.items()}
        return self.tensors


def master(rng):
    return lambda shape: normal(rng, shape, 0.03)


def ternary(rng, rows=1, columns=None):
    """Trits times a scale for `rows` parts of the rows and each group of `columns`, in float16."""

    def make(shape):
        n, k = shape
        trits = torch.randint(-1, 2, shape, generator=rng).float()
        groups = k // (columns or k)
        scales = (torch.rand((rows, groups), generator=rng) * 0.06 + 0.02).half().float()
        return trits * scales.repeat_interleave(n // rows, 0).repeat_interleave(k // groups, 1)

    return make


BLOCK_NORMS = {"input_layernorm": HIDDEN, "post_attention_layernorm": HIDDEN}


class Golden:
    """What is published, and the same as transformers loads it; `rename` from its names."""

    def __init__(self, config, published, tensors, quantization=None, embeds=False,
                 rename=lambda name: name):
        self.config, self.published, self.tensors = config, published, tensors
        self.quantization, self.embeds, self.rename = quantization, embeds, rename


def one_bit_llm(rng):
    sizes = settings(rope_parameters=rope(10000.0), tie_word_embeddings=True)
    norms = BLOCK_NORMS | {"self_attn.attn_sub_norm": HIDDEN, "mlp.ffn_sub_norm": FFN}
    tensors = Weights(rng).fill(norms, 0.05, False, master(rng)).cast(torch.float16)
    own = {"attn_sub_norm": "inner_attn_ln", "ffn_sub_norm": "ffn_layernorm"}

    def rename(name):
        for theirs, ours in own.items():
            name = name.replace(theirs, ours)
        return name

    published = {k: v for k, v in sizes.items() if k != "rope_parameters"} | dict(
        architectures=["BitnetForCausalLM"], model_type="llama", hidden_act="silu",
        rope_theta=10000.0, rope_scaling=None, input_bits=8, weight_bits=1, torch_dtype="float16")
    return Golden(BitNetConfig(hidden_act="silu", **sizes), published, tensors, ONLINE,
                  rename=rename)


def trilm(rng):
    config = LlamaConfig(hidden_act="silu", head_dim=HEAD_DIM, **settings(
        rope_parameters=rope(10000.0), tie_word_embeddings=False))
    tensors = Weights(rng).fill(BLOCK_NORMS, 0.5, True, ternary(rng, rows=2)).cast(torch.float16)
    return Golden(config, config.to_dict() | {"architectures": ["LlamaForCausalLM"]}, tensors)


def ternary_bonsai(rng):
    config = Qwen3Config(head_dim=HEAD_DIM, **settings(
        rope_parameters=rope(1000000.0), rms_norm_eps=1e-6, tie_word_embeddings=True))
    norms = BLOCK_NORMS | {"self_attn.q_norm": HEAD_DIM, "self_attn.k_norm": HEAD_DIM}
    weights = Weights(rng).fill(norms, 0.5, False, lambda s: ternary(rng, s[0], 32)(s))
    table = weights.tensors["model.embed_tokens.weight"]
    weights.tensors["model.embed_tokens.weight"] = ternary(rng, len(table), 32)(table.shape)
    return Golden(config, config.to_dict() | {"architectures": ["Qwen3ForCausalLM"]},
                  weights.cast(torch.float16))


def released_name(name):
    """As the released embedding models call their tensors."""
    return name.removeprefix("model.").replace(".rms_norm.", ".norm.")


def qwen3_embedding(rng):
    head_dim = 12  # not hidden / heads
    config = Qwen3Config(head_dim=head_dim, **settings(
        rope_parameters=rope(1000000.0), rms_norm_eps=1e-6, tie_word_embeddings=True))
    norms = BLOCK_NORMS | {"self_attn.q_norm": head_dim, "self_attn.k_norm": head_dim}
    weights = Weights(rng, head_dim).fill(norms, 0.5, False, master(rng)).add_projection_norms()
    return Golden(config, config.to_dict() | {"architectures": ["Qwen3Model"]},
                  weights.cast(torch.bfloat16),
                  ONLINE | {"use_rms_norm": True, "rms_norm_eps": 1e-6}, True, released_name)


def gemma3_embedding(rng):
    head_dim = 12
    config = Gemma3TextConfig(head_dim=head_dim, **settings(
        rms_norm_eps=1e-6, query_pre_attn_scalar=10, sliding_window=16, num_hidden_layers=LAYERS,
        layer_types=["sliding_attention", "full_attention"],
        rope_parameters={"full_attention": rope(50000.0), "sliding_attention": rope(1000.0)}))
    norms = {name: HIDDEN for name in (
        "input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm",
        "post_feedforward_layernorm")}
    norms |= {"self_attn.q_norm": head_dim, "self_attn.k_norm": head_dim}
    weights = Weights(rng, head_dim, 0.0).fill(norms, 0.1, False, master(rng))
    return Golden(config, config.to_dict() | {"architectures": ["Gemma3TextModel"]},
                  weights.add_projection_norms().cast(torch.bfloat16),
                  ONLINE | {"use_rms_norm": True, "rms_norm_eps": 1e-6}, True, released_name)


JOBS = {"onebitllm": one_bit_llm, "trilm": trilm, "ternary-bonsai": ternary_bonsai,
        "qwen3-embedding": qwen3_embedding, "gemma3-embedding": gemma3_embedding}


def load(golden, dtype):
    """The weights in transformers, through a file as it writes them."""
    with tempfile.TemporaryDirectory() as name:
        path = pathlib.Path(name)
        config = golden.config.to_dict() | {"dtype": "float32"}
        if golden.quantization:
            config["quantization_config"] = golden.quantization
        tensors = {name: value.float() for name, value in golden.tensors.items()}
        if golden.embeds:
            tensors = {name.removeprefix("model."): value for name, value in tensors.items()}
        write_checkpoint(path, config, tensors)
        kind = AutoModel if golden.embeds else AutoModelForCausalLM
        model, info = kind.from_pretrained(path, dtype=torch.float32, output_loading_info=True)
        missing = [name for name in info["missing_keys"] if name != "lm_head.weight"]
        check(not missing and not info["unexpected_keys"], f"not loaded as made: {info}")
        return model.to(dtype).eval()


def choose_prompts(single, double, golden, rng):
    """For each length the prompt, of some, on which float64 agrees and greedy steps are clear."""

    def outputs(model, ids):
        result = model(input_ids=ids, use_cache=False)
        return result.last_hidden_state if golden.embeds else result.logits

    chosen = []
    for length in LENGTHS:
        ids = torch.randint(0, VOCAB, (12, length), generator=rng)
        pairs = zip(outputs(double, ids)[:, -8:].float(), outputs(single, ids)[:, -8:])
        ids = ids[[deviation(a, b) < 2e-5 for a, b in pairs]]
        check(len(ids), f"no steady prompt of {length} tokens")
        margin = torch.ones(len(ids))
        if not golden.embeds:
            margin = greedy_batch(lambda x: outputs(single, x), ids, GREEDY)[1]
            check(margin.max() > 0.03, f"near tie after {length} tokens ({margin.max():.3f} sd)")
        chosen.append(ids[margin.argmax()])
    return chosen


@torch.no_grad()
def make(path, job, seed):
    rng = torch.Generator().manual_seed(seed)
    golden = job(rng)
    single, double = load(golden, torch.float32), load(golden, torch.float64)
    prompts = choose_prompts(single, double, golden, rng)
    if golden.embeds:
        expected = {}
        for i, ids in enumerate(prompts):
            last = single(input_ids=ids[None], use_cache=False).last_hidden_state[0, -1]
            expected[f"ids.{i}"] = ids.to(torch.int32)
            expected[f"embedding.{i}"] = F.normalize(last, dim=-1)
    else:
        expected = expected_of(single, prompts, GREEDY)
    tensors = {golden.rename(name): value for name, value in golden.tensors.items()}
    write_checkpoint(path, golden.published, tensors)
    save_file(expected, path / "expected.safetensors")
    print(f"{path.name}: made")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--only", nargs="+", choices=JOBS, default=list(JOBS))
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(1)
    for number, (name, job) in enumerate(JOBS.items()):
        if name in args.only:
            make(args.out / name, job, args.seed * 100 + number)


if __name__ == "__main__":
    main()
