#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes a golden set: checkpoints with what transformers computes from them, and a training run.

    make_golden.py OUT [--hidden 64 --ffn 160 --layers 2 ...] [--only NAME ...]

OUT gets bitnet-online, bitnet-packed, llama-packed and qat-train, in the form that README.md
beside this script describes; TERN_GOLDEN=OUT points the golden tests at it. Needs torch,
transformers, accelerate and safetensors; runs on the CPU in float32. Prompts are chosen so that no
greedy step is a near tie and the independent reference (reference.py) reaches the tight tolerance
in float32 and float64; where transformers and the reference disagree, it stops.
"""
import argparse
import json
import os
import pathlib
import sys

os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")  # the quantizers run as written, not fused

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, BitNetConfig, LlamaConfig

import reference as ref

TIGHT = 1e-4  # of a case's standard deviation


def check(condition, message):
    if not condition:
        sys.exit(f"make_golden: {message}; try another --seed")


def random_weights(dims, rng, embed_std):
    def normal(shape, std, mean=0.0):
        return torch.randn(shape, generator=rng) * std + mean

    weights = {"model.embed_tokens.weight": normal((dims.vocab, dims.hidden), embed_std)}
    if dims.arch == "llama":
        weights["lm_head.weight"] = normal((dims.vocab, dims.hidden), 0.1)
    for layer in range(dims.layers):
        for name, shape in dims.projection_shapes().items():
            weights[f"model.layers.{layer}.{name}.weight"] = normal(shape, 0.03)
        for name, size in dims.norm_sizes().items():
            weights[f"model.layers.{layer}.{name}.weight"] = normal((size,), 0.2, 1.0)
    weights["model.norm.weight"] = normal((dims.hidden,), 0.2, 1.0)
    return weights


def is_projection(name):
    return any(f".{projection}.weight" in name for projection in ref.PROJECTIONS)


def pack(codes):
    """Hugging Face's layout: bits 2i..2i+1 of byte [r, c] hold row i * (rows / 4) + r, plus 1."""
    quarters = (codes + 1).to(torch.uint8).chunk(4, dim=0)
    return sum(quarter << (2 * i) for i, quarter in enumerate(quarters)).to(torch.uint8)


def file_and_reference(masters, linear_class, mode):
    """Tensors as stored, and as reference.py takes them (float32)."""
    stored, weights = {}, {}
    for name, master in masters.items():
        master = master.to(torch.bfloat16)
        if mode == "online" or not is_projection(name):
            stored[name], weights[name] = master, master.float()
            continue
        codes, multiplier = ref.absmean(master.float())
        scale = multiplier if linear_class == "autobitlinear" else 1.0 / multiplier
        scale = scale.to(torch.bfloat16).reshape(1)
        stored[name], stored[f"{name}_scale"] = pack(codes), scale
        used = scale.float() if linear_class == "autobitlinear" else 1.0 / scale.float()
        weights[name] = ref.Trits(codes, used)
    return stored, weights


def config_of(dims, quantization, dtype, architecture):
    settings = dict(
        vocab_size=dims.vocab, hidden_size=dims.hidden, intermediate_size=dims.ffn,
        num_hidden_layers=dims.layers, num_attention_heads=dims.heads,
        num_key_value_heads=dims.kv_heads, max_position_embeddings=dims.positions,
        rms_norm_eps=dims.eps, rope_parameters={"rope_type": "default",
                                                "rope_theta": dims.rope_theta},
        pad_token_id=None, bos_token_id=0, eos_token_id=1,
        tie_word_embeddings=dims.arch == "bitnet")
    if dims.arch == "bitnet":
        config = BitNetConfig(hidden_act="relu2", **settings).to_dict()
    else:
        config = LlamaConfig(hidden_act="silu", head_dim=dims.head_dim, **settings).to_dict()
    config["architectures"] = architecture and [architecture]
    config["quantization_config"] = dict(quant_method="bitnet", **quantization)
    config["dtype"] = config["torch_dtype"] = dtype
    return config


def write_checkpoint(path, config, tensors):
    path.mkdir(parents=True, exist_ok=True)
    (path / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    save_file({name: value.contiguous() for name, value in tensors.items()},
              path / "model.safetensors", metadata={"format": "pt"})


def load(path):
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32).eval()


def greedy_batch(logits_of, ids, steps):
    """Greedy tokens [batch, steps] and each row's smallest top-2 gap in its logits' sd."""
    margin, count = torch.full((len(ids),), float("inf")), ids.shape[1]
    for _ in range(steps):
        last = logits_of(ids)[:, -1]
        top = last.topk(2, dim=-1)
        margin = margin.minimum((top.values[:, 0] - top.values[:, 1]) / last.std(dim=-1))
        ids = torch.cat((ids, top.indices[:, :1]), dim=1)
    return ids[:, count:], margin


def deviation(a, b):
    """Largest difference in standard deviations of b."""
    return ((a - b).abs().max() / b.std()).item()


def steady(dims, weights, ids, rng):
    """Which prompts keep their last logits in float64 and under noise of a few ulp: in the others
    the rounding of some activation hangs in the balance."""
    last = min(8, ids.shape[1])
    single = ref.to_dtype(weights, torch.float32)
    wanted = ref.forward(dims, single, ids)[:, -last:].double()
    variants = [ref.to_dtype(weights, torch.float64)]
    for _ in range(4):
        noisy = {n: v if isinstance(v, ref.Trits)
                 else v * (1 + 3e-7 * torch.randn(v.shape, generator=rng))
                 for n, v in single.items()}
        variants.append(noisy)
    agree = torch.ones(len(ids), dtype=torch.bool)
    for variant in variants:
        got = ref.forward(dims, variant, ids)[:, -last:].double()
        agree &= torch.tensor([deviation(a, b) < TIGHT / 5 for a, b in zip(got, wanted)])
    return ids[agree]


def choose_prompt(dims, weights, length, args, rng):
    """Of many random prompts: steady, no near tie on the greedy path, and then the one whose
    continuation has more different tokens, up to 6, or the wider margin."""
    ids = torch.randint(0, dims.vocab, (args.candidates, length), generator=rng)
    if length == 1:
        ids = torch.arange(dims.vocab).reshape(-1, 1)
    ids = steady(dims, weights, ids, rng)
    check(len(ids), f"no steady prompt of {length} tokens")
    single = ref.to_dtype(weights, torch.float32)
    tokens, margin = greedy_batch(lambda x: ref.forward(dims, single, x), ids, args.greedy)
    check(margin.max() > args.margin, f"near tie after {length} tokens ({margin.max():.3f} sd)")
    distinct = torch.tensor([len(set(row.tolist())) for row in tokens])
    score = distinct.clamp(max=6) + margin.clamp(max=0.9)
    best = torch.where(margin > args.margin, score, 0).argmax()
    return ids[best], (margin[best].item(), distinct[best].item())


@torch.no_grad()
def expected_of(model, prompts, steps):
    """What transformers computes: logits of the last positions, and greedy continuations."""
    logits_of = lambda ids: model(input_ids=ids, use_cache=False).logits
    tensors = {}
    for i, ids in enumerate(prompts):
        tensors[f"ids.{i}"] = ids.to(torch.int32)
        tensors[f"logits.{i}"] = logits_of(ids[None])[0, -min(8, len(ids)):].contiguous()
        tokens, _ = greedy_batch(logits_of, ids[None].long(), steps)
        tensors[f"greedy.{i}"] = tokens[0].to(torch.int32)
    return tensors


@torch.no_grad()
def make_checkpoint(path, dims, linear_class, mode, args, rng):
    masters = random_weights(dims, rng, 0.5 if dims.arch == "llama" else args.embed_std)
    stored, weights = file_and_reference(masters, linear_class, mode)
    quantization = {"linear_class": linear_class, "quantization_mode": mode}
    architecture = "BitNetForCausalLM" if dims.arch == "bitnet" else "LlamaForCausalLM"
    write_checkpoint(path, config_of(dims, quantization, "bfloat16", architecture), stored)
    chosen = [choose_prompt(dims, weights, length, args, rng) for length in args.prompts]
    tensors = expected_of(load(path), [ids for ids, _ in chosen], args.greedy)
    worst = 0.0
    for dtype in (torch.float32, torch.float64):
        cast = ref.to_dtype(weights, dtype)
        for i, (ids, _) in enumerate(chosen):
            wanted = tensors[f"logits.{i}"]
            got = ref.forward(dims, cast, ids[None])[0, -len(wanted):].float()
            worst = max(worst, deviation(got, wanted))
            tokens, _ = greedy_batch(lambda x: ref.forward(dims, cast, x), ids[None], args.greedy)
            check(torch.equal(tokens[0].int(), tensors[f"greedy.{i}"]),
                  f"{path.name}: greedy tokens of case {i} differ from the reference's")
    check(worst < TIGHT, f"{path.name}: transformers and the reference differ by {worst:.1e} sd")
    save_file(tensors, path / "expected.safetensors")
    greedy = ", ".join(f"{margin:.2f} sd ({distinct} different)" for _, (margin, distinct) in chosen)
    print(f"{path.name}: reference within {worst:.1e} sd; smallest greedy margins {greedy}")


def batches_of(run, vocab, rng):
    """Tokens with something to learn: half of them follow from the one before."""
    follow = torch.randperm(vocab, generator=rng)
    shape = (run["steps"], run["batch"])
    tokens = [torch.randint(0, vocab, shape, generator=rng)]
    for _ in range(run["seq"]):
        fresh = torch.randint(0, vocab, shape, generator=rng)
        keep = torch.rand(shape, generator=rng) < 0.5
        tokens.append(torch.where(keep, follow[tokens[-1]], fresh))
    return torch.stack(tokens, dim=-1)


def loss_and_grads(dims, weights, batch):
    leaves = {name: value.clone().requires_grad_() for name, value in weights.items()}
    logits = ref.forward(dims, leaves, batch[:, :-1])
    loss = F.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())
    loss.backward()
    return loss.item(), {name: value.grad for name, value in leaves.items()}


def relative_errors(a, b):
    return torch.tensor([((a[n].double() - b[n].double()).norm() / b[n].double().norm()).item()
                         for n in b])


def write_step(path, step, dims, batch, run, state):
    """The state rounded to float32, and what one step in float64 makes of exactly that."""
    weights, means, squares = ({n: v.float().double() for n, v in part.items()} for part in state)
    loss, grads = loss_and_grads(dims, weights, batch)
    single_loss, single = loss_and_grads(dims, ref.to_dtype(weights, torch.float32), batch)
    errors = relative_errors(single, grads)
    check(abs(single_loss - loss) < 1e-4 * loss and errors.median() < 2e-3 and errors.max() < 2e-2,
          f"step {step}: float32 gradients off by {errors.median():.1e}, at most "
          f"{errors.max():.1e}: a rounding hangs in the balance")
    tensors = {}
    for name, weight in weights.items():
        grad = grads[name].float().double()
        after, _, _ = ref.adamw(weight, grad, means[name], squares[name], step + 1, run)
        tensors[f"weight.{name}"], tensors[f"grad.{name}"] = weight, grad
        tensors[f"after.{name}"] = after
        if step > 0:
            tensors[f"exp_avg.{name}"] = means[name]
            tensors[f"exp_avg_sq.{name}"] = squares[name]
    tensors["loss"] = torch.tensor([loss])
    save_file({n: v.float().contiguous() for n, v in tensors.items()},
              path / f"step{step:02}.safetensors")
    return loss


def reference_run(dims, weights, batches, run, on_step=None):
    zeros = {name: torch.zeros_like(value) for name, value in weights.items()}
    state, losses = (weights, zeros, dict(zeros)), []
    for step in range(run["steps"]):
        if on_step:
            on_step(step, state)
        loss, grads = loss_and_grads(dims, state[0], batches[step])
        losses.append(loss)
        stepped = {n: ref.adamw(w, grads[n], state[1][n], state[2][n], step + 1, run)
                   for n, w in state[0].items()}
        state = tuple({n: parts[i] for n, parts in stepped.items()} for i in range(3))
    return losses


def transformers_run(path, batches, run):
    model = load(path).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=run["lr"], betas=run["betas"],
                                  eps=run["eps"], weight_decay=run["weight_decay"])
    losses = []
    for batch in batches:
        logits = model(input_ids=batch[:, :-1], use_cache=False).logits
        loss = F.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def check_losses(got, wanted, name):
    """A third of what README.md allows a correct program."""
    error = [abs(a - b) / b for a, b in zip(got, wanted)]
    tail = abs(sum(got[-5:]) - sum(wanted[-5:])) / sum(wanted[-5:])
    check(max(error[:3]) < 5e-3 / 3 and max(error[:10]) < 3e-2 / 3 and tail < 5e-2 / 3,
          f"qat-train: {name} strays: {max(error[:3]):.1e}, {max(error[:10]):.1e}, {tail:.1e}")
    print(f"qat-train: {name}: losses within {max(error[:3]):.1e} (3 steps), "
          f"{max(error[:10]):.1e} (10 steps), {tail:.1e} (mean of the last 5)")


def make_training(path, dims, args, rng):
    run = {"optimizer": "AdamW", "lr": args.train_lr, "betas": [0.9, 0.95], "eps": 1e-8,
           "weight_decay": 0.1, "decay": "all parameters, decoupled", "steps": 30, "batch": 4,
           "seq": args.train_seq}
    init = random_weights(dims, rng, 0.5)
    batches = batches_of(run, dims.vocab, rng)
    quantization = {"linear_class": "autobitlinear", "quantization_mode": "online"}
    config = config_of(dims, quantization, None, None)
    del config["torch_dtype"]
    write_checkpoint(path, {**config, "architectures": ["BitNetForCausalLM"]}, init)
    run["losses"] = transformers_run(path, batches, run)
    (path / "model.safetensors").unlink()
    (path / "config.json").write_text(json.dumps(config, indent=1) + "\n")

    def on_step(step, state):
        if step in (0, 10, 20):
            write_step(path, step, dims, batches[step], run, state)

    double = ref.to_dtype(init, torch.float64)
    check_losses(reference_run(dims, double, batches, run, on_step), run["losses"], "float64")
    check_losses(reference_run(dims, init, batches, run), run["losses"], "float32")
    nudged = {n: v * (1 + 1e-7 * torch.randn(v.shape, generator=rng)) for n, v in init.items()}
    check_losses(reference_run(dims, nudged, batches, run), run["losses"], "perturbed by 1e-7")
    save_file(init, path / "init.safetensors")
    save_file({"losses": torch.tensor(run["losses"]), "batches": batches.to(torch.int32)},
              path / "run.safetensors")
    (path / "run.json").write_text(json.dumps(run, indent=1) + "\n")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--only", nargs="+", help="make these directories alone")
    for name, default in dict(hidden=64, ffn=160, layers=2, heads=4, kv_heads=2, vocab=256,
                              positions=128, greedy=24, candidates=1024, seed=1, train_hidden=32,
                              train_ffn=40, train_vocab=64, train_seq=48).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=default)
    parser.add_argument("--prompts", type=lambda t: [int(n) for n in t.split(",")],
                        default=[1, 7, 33, 96], help="lengths, comma separated")
    parser.add_argument("--embed-std", type=float, default=0.05,
                        help="of the checkpoints with a tied head; the larger, the more the "
                        "greedy continuation repeats the last token")
    parser.add_argument("--margin", type=float, default=0.07,
                        help="smallest top-2 gap of a greedy step, in sd of the logits")
    parser.add_argument("--train-lr", type=float, default=2e-3)
    args = parser.parse_args()
    sizes = (args.hidden, args.ffn, args.train_hidden, args.train_ffn,
             args.kv_heads * (args.hidden // args.heads))
    if any(size % 4 for size in sizes) or args.hidden % (2 * args.heads):
        parser.error("sizes must be multiples of 4, and heads of even size")
    return args


def main():
    args = parse_arguments()
    torch.set_num_threads(1)

    def dims(arch):
        return ref.Dims(arch, args.hidden, args.ffn, args.layers, args.heads, args.kv_heads,
                        args.vocab, args.positions)

    jobs = {
        "bitnet-online": lambda path, rng: make_checkpoint(
            path, dims("bitnet"), "autobitlinear", "online", args, rng),
        "bitnet-packed": lambda path, rng: make_checkpoint(
            path, dims("bitnet"), "autobitlinear", "offline", args, rng),
        "llama-packed": lambda path, rng: make_checkpoint(
            path, dims("llama"), "bitlinear", "offline", args, rng),
        "qat-train": lambda path, rng: make_training(
            path, ref.Dims("bitnet", args.train_hidden, args.train_ffn, 2, 4, 2,
                           args.train_vocab, 128), args, rng),
    }
    for number, (name, job) in enumerate(jobs.items()):
        if not args.only or name in args.only:
            job(args.out / name, torch.Generator().manual_seed(args.seed * 100 + number))


if __name__ == "__main__":
    main()
