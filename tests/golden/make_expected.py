#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Records what transformers computes from a checkpoint that exists, one that Tern wrote say.

    make_expected.py CHECKPOINT OUT.safetensors [--prompts 1,7,33,96] [--greedy 24] [--seed 1]
    make_expected.py CHECKPOINT OUT.safetensors --ids-of OTHER.safetensors

The checkpoint is loaded with dtype float32 on the CPU; OUT takes the form of the golden sets'
expected.safetensors. Of many random prompts of each length one is taken whose greedy continuation
has no near tie; with --ids-of the prompts are OTHER's, and the margins are printed alone.
"""
import argparse
import pathlib

import torch
from safetensors.torch import load_file, save_file

from make_golden import check, expected_of, greedy_batch, load


def choose_prompt(logits_of, vocab, length, args, rng):
    ids = torch.randint(0, vocab, (args.candidates, length), generator=rng)
    _, margin = greedy_batch(logits_of, ids, args.greedy)
    check(margin.max() > args.margin, f"near tie after {length} tokens ({margin.max():.3f} sd)")
    return ids[margin.argmax()]


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("checkpoint", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--prompts", type=lambda t: [int(n) for n in t.split(",")],
                        default=[1, 7, 33, 96], help="lengths, comma separated")
    parser.add_argument("--ids-of", type=pathlib.Path, help="take the prompts of this file")
    parser.add_argument("--greedy", type=int, default=24)
    parser.add_argument("--candidates", type=int, default=16)
    parser.add_argument("--margin", type=float, default=0.02)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    torch.set_num_threads(1)
    model = load(args.checkpoint)
    logits_of = lambda ids: model(input_ids=ids, use_cache=False).logits
    if args.ids_of:
        given = load_file(args.ids_of)
        count = sum(name.startswith("ids.") for name in given)
        prompts = [given[f"ids.{i}"].long() for i in range(count)]
    else:
        rng = torch.Generator().manual_seed(args.seed)
        prompts = [choose_prompt(logits_of, model.config.vocab_size, length, args, rng)
                   for length in args.prompts]
    for ids in prompts:
        _, margin = greedy_batch(logits_of, ids[None], args.greedy)
        print(f"{len(ids)} tokens: smallest greedy margin {margin.item():.3f} sd")
    save_file(expected_of(model, prompts, args.greedy), args.out)


if __name__ == "__main__":
    main()
