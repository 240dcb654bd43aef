#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Reduces a large byte-level BPE tokenizer.json to the tokens and merges that a set of texts needs.

    reduce.py tokenizer.json llama3.inp llama3_extra.json > tokenizer.json

What is kept: the 256 bytes; every whole piece of the texts that is a token; every merge that could
apply at any moment while one of the pieces is merged (not only the one that does apply), with the
three tokens that it names. Ids and the order of merges stay, so the reduced tokenizer takes the
same steps as the full one on these texts. Needs the Python package tokenizers, for splitting only.
"""
import json
import sys

import tokenizers

SEPARATOR = "\n__ggml_vocab_test__\n"


def merge_piece(piece, ranks, used):
    """Merges like BPE does and notes in `used` every pair with a rank that ever is adjacent."""
    symbols = list(piece)
    while True:
        pairs = [(symbols[i], symbols[i + 1]) for i in range(len(symbols) - 1)]
        known = [(ranks[p], i) for i, p in enumerate(pairs) if p in ranks]
        used.update(p for p in pairs if p in ranks)
        if not known:
            return
        i = min(known)[1]
        symbols[i : i + 2] = [symbols[i] + symbols[i + 1]]


def main():
    source, cases, extra = sys.argv[1:4]
    with open(source, encoding="utf-8") as f:
        document = json.load(f)
    with open(cases, encoding="utf-8", newline="") as f:
        texts = f.read().split(SEPARATOR)
    with open(extra, encoding="utf-8") as f:
        texts += [case["text"] for case in json.load(f)]

    model = document["model"]
    merges = [tuple(m.split(" ")) if isinstance(m, str) else tuple(m) for m in model["merges"]]
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    vocab = model["vocab"]
    keep = {token for token in vocab if len(token) == 1}
    used = set()
    splitter = tokenizers.Tokenizer.from_file(source).pre_tokenizer
    for text in texts:
        for piece, _ in splitter.pre_tokenize_str(text):
            merge_piece(piece, ranks, used)
            if piece in vocab:
                keep.add(piece)
    for left, right in used:
        keep.update((left, right, left + right))
    model["vocab"] = {t: i for t, i in sorted(vocab.items(), key=lambda x: x[1]) if t in keep}
    model["merges"] = [f"{a} {b}" for a, b in merges if (a, b) in used]
    json.dump(document, sys.stdout, ensure_ascii=False, indent=0)
    sys.stdout.write("\n")


main()
