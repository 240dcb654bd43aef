# SPDX-License-Identifier: MIT
"""An independent reference of the two golden architectures, in any float type of PyTorch.

It shares no code with transformers: the golden files are made only where both agree. Weights are a
dictionary of tensors under their Hugging Face names. A linear layer's weight is either a master
(quantized here, with a straight-through gradient) or trits with a multiplier. Not built for speed.
"""
import math

import torch
import torch.nn.functional as F

PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


class Dims:
    """Sizes of one checkpoint; `bitnet` has sub-norms, ReLU squared and a tied head."""

    def __init__(self, arch, hidden, ffn, layers, heads, kv_heads, vocab, positions):
        self.arch, self.hidden, self.ffn, self.layers = arch, hidden, ffn, layers
        self.heads, self.kv_heads, self.vocab, self.positions = heads, kv_heads, vocab, positions
        self.head_dim = hidden // heads
        self.eps, self.rope_theta = 1e-5, 500000.0

    def projection_shapes(self):
        kv = self.kv_heads * self.head_dim
        return {
            "self_attn.q_proj": (self.hidden, self.hidden),
            "self_attn.k_proj": (kv, self.hidden),
            "self_attn.v_proj": (kv, self.hidden),
            "self_attn.o_proj": (self.hidden, self.hidden),
            "mlp.gate_proj": (self.ffn, self.hidden),
            "mlp.up_proj": (self.ffn, self.hidden),
            "mlp.down_proj": (self.hidden, self.ffn),
        }

    def norm_sizes(self):
        sizes = {"input_layernorm": self.hidden, "post_attention_layernorm": self.hidden}
        if self.arch == "bitnet":
            sizes["self_attn.attn_sub_norm"] = self.hidden
            sizes["mlp.ffn_sub_norm"] = self.ffn
        return sizes


class Trits:
    """A packed weight: y = (quantized x . codes) * multiplier."""

    def __init__(self, codes, multiplier):
        self.codes, self.multiplier = codes, multiplier


def absmean(weight):
    """Codes in {-1, 0, 1} and the scale that they are multiplied by."""
    scale = 1.0 / weight.abs().mean().clamp(min=1e-5)
    return (weight * scale).round().clamp(-1, 1), 1.0 / scale


def straight_through(value, quantized):
    return value + (quantized - value).detach()


def quantize_rows(x):
    scale = 127.0 / x.abs().amax(dim=-1, keepdim=True).clamp(min=1e-5)
    return (x * scale).round().clamp(-128, 127), scale


def bit_linear(x, weight):
    codes, scale = quantize_rows(x)
    if isinstance(weight, Trits):
        return (codes @ weight.codes.to(x.dtype).T) / scale * weight.multiplier
    trits, multiplier = absmean(weight)
    return straight_through(x, codes / scale) @ straight_through(weight, trits * multiplier).T


def rms_norm(x, weight, eps):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps) * weight


def rope(x, theta):
    """x: [batch, heads, tokens, head_dim]; element i turns with element i + head_dim / 2."""
    half = x.shape[-1] // 2
    angle = torch.arange(half, dtype=torch.float64) * (-math.log(theta) / half)
    position = torch.arange(x.shape[-2], dtype=torch.float64)
    phase = position[:, None] * angle.exp()[None, :]
    cos, sin = phase.cos().to(x.dtype), phase.sin().to(x.dtype)
    low, high = x[..., :half], x[..., half:]
    return torch.cat((low * cos - high * sin, high * cos + low * sin), dim=-1)


def attention(dims, w, prefix, x):
    batch, tokens, _ = x.shape

    def heads(name, count):
        y = bit_linear(x, w[f"{prefix}.{name}.weight"])
        return y.view(batch, tokens, count, dims.head_dim).transpose(1, 2)

    q = rope(heads("q_proj", dims.heads), dims.rope_theta)
    group = dims.heads // dims.kv_heads
    k = rope(heads("k_proj", dims.kv_heads), dims.rope_theta).repeat_interleave(group, dim=1)
    v = heads("v_proj", dims.kv_heads).repeat_interleave(group, dim=1)
    scores = q @ k.transpose(-1, -2) / math.sqrt(dims.head_dim)
    future = torch.ones(tokens, tokens, dtype=torch.bool).triu(1)
    mixed = scores.masked_fill(future, -math.inf).softmax(-1) @ v
    mixed = mixed.transpose(1, 2).reshape(batch, tokens, dims.hidden)
    if dims.arch == "bitnet":
        mixed = rms_norm(mixed, w[f"{prefix}.attn_sub_norm.weight"], dims.eps)
    return bit_linear(mixed, w[f"{prefix}.o_proj.weight"])


def mlp(dims, w, prefix, x):
    gate = bit_linear(x, w[f"{prefix}.gate_proj.weight"])
    up = bit_linear(x, w[f"{prefix}.up_proj.weight"])
    if dims.arch == "bitnet":
        inner = rms_norm(F.relu(gate).pow(2) * up, w[f"{prefix}.ffn_sub_norm.weight"], dims.eps)
    else:
        inner = F.silu(gate) * up
    return bit_linear(inner, w[f"{prefix}.down_proj.weight"])


def forward(dims, w, ids):
    """Logits [batch, tokens, vocab] of ids [batch, tokens]."""
    x = w["model.embed_tokens.weight"][ids]
    for layer in range(dims.layers):
        p = f"model.layers.{layer}"
        normed = rms_norm(x, w[f"{p}.input_layernorm.weight"], dims.eps)
        x = x + attention(dims, w, f"{p}.self_attn", normed)
        normed = rms_norm(x, w[f"{p}.post_attention_layernorm.weight"], dims.eps)
        x = x + mlp(dims, w, f"{p}.mlp", normed)
    x = rms_norm(x, w["model.norm.weight"], dims.eps)
    head = w.get("lm_head.weight", w["model.embed_tokens.weight"])
    return x @ head.T


def to_dtype(weights, dtype):
    """The same weights in another float type; trits keep their codes."""
    return {
        name: Trits(value.codes, value.multiplier.to(dtype))
        if isinstance(value, Trits)
        else value.to(dtype)
        for name, value in weights.items()
    }


def adamw(weight, grad, mean, square, step, run):
    """One decoupled AdamW step (step counts from 1) in the tensors' type; returns all three."""
    beta1, beta2 = run["betas"]
    mean = beta1 * mean + (1 - beta1) * grad
    square = beta2 * square + (1 - beta2) * grad * grad
    corrected = (square / (1 - beta2**step)).sqrt() + run["eps"]
    weight = weight * (1 - run["lr"] * run["weight_decay"])
    return weight - run["lr"] * (mean / (1 - beta1**step)) / corrected, mean, square
