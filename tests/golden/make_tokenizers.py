#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes tests/golden/tokenizers: small tokenizers of every kind that Tern reads, trained here on the
text below, and hashes of the ids that Hugging Face tokenizers gives for seeded random strings.

    pip install tokenizers==0.23.3
    python tests/golden/make_tokenizers.py tests/golden/tokenizers
    python tests/golden/make_tokenizers.py tests/golden/tokenizers --show KIND BLOCK

Training Unigram gives another vocabulary each time; the hashes are those of the files made with them.
--show prints the strings of one block with their ids, as JSON lines, to look a difference up.
The strings are drawn by the same generator as in tokenizer_kinds_golden_test.cc. Characters whose
properties changed between the versions of Unicode that the libraries have (this one's parts have 8
to 17, PCRE2 10.42 has 14, libutf8proc 2.8 has 15) are not drawn; "not_drawn" lists them.
"""
import argparse
import json
import pathlib
import unicodedata

from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models, normalizers,
                        pre_tokenizers, processors, trainers)

SEED = 20261125
STRINGS = 10000
BLOCK = 500
SPACE = "\u2581"

TEXT = """
The quick brown fox doesn't jump over 12 lazy dogs; they're asleep, and it'll stay so until 2026.
Once upon a time there was a little robot who liked to count: one, two, three, four, five, 678, 90.
"Hello there," said the fox. "Where are you going?"  The robot said that it was going home to sleep.
for (int i = 0; i < 100; ++i) { sum += a[i] * b[i]; }  // 3.14159 == pi, more or less (x != y)
The theatre's other theme is that the weather there gathers; therefore they gather another feather.
Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich. Où est la bibliothèque, s'il vous
plaît? El pingüino Wenceslao hizo kilómetros bajo exhaustiva lluvia y frío, añoraba a su querido
cachorro. Съешь же ещё этих мягких французских булок да выпей чаю. Ξεσκεπάζω την ψυχοφθόρα βδελυγμία.
いろはにほへと ちりぬるを わかよたれそ つねならむ 東京は日本の首都です。 我能吞下玻璃而不伤身体。
다람쥐 헌 쳇바퀴에 타고파. नमस्ते दुनिया, आप कैसे हैं? สวัสดีชาวโลก مرحبا بالعالم שלום עולם 😀😀👍🏽👩‍👩‍👧
"""

WORDS = [
    " the", "the", " there", "theatre", "Hello", " fox", "  ", "   ", "\n\n", "\r\n", "\t", ", ", "'re",
    "'S", "12", " 345", "67890", "½", "²", "Ⅷ", "...", "!?", "(x)", " +=", "<0x41>", "<s>", "</s>",
    "<unk>", "<pad>", "[tool]", "<|end|>", SPACE, SPACE + SPACE, SPACE + "the", "é", "e\u0301", "ñ",
    "n\u0303", "Å", "\u212b", "ﬁ", "ﬃ", "Ａｂ", "㎏", "가", "\u1100\u1161\u11a8", "각", "ｶﾞ", "İ", "ǅ",
    "ΣΑΣ", "ß", "ẞ", "\u0958", "日本", "东京", "नमस्ते", "สวัสดี", "😀", "👩‍👩‍👧", "🇩🇪", "\u200b", "\u200d", "\ufeff",
    "\u00a0", "\u3000", "\u2028", "\ufffd", "\x00", "\x7f", "\x85", "ö", "ü", "привет", "Привет", "sleep",
]
SPACES = [0x20, 0x20, 0x20, 0x09, 0x0A, 0x0D, 0xA0, 0x2002, 0x3000, 0x2581]


# Characters --------------------------------------------------------------------------------------
def code_points():
    return (c for c in range(0x110000) if not 0xD800 <= c < 0xE000)


def not_drawn():
    """What this library and the Unicode 14 of Python's own tables see differently."""
    unassigned = pre_tokenizers.Split(Regex(r"\p{Cn}"), "removed")
    digits = pre_tokenizers.Digits(individual_digits=True)
    punctuation = pre_tokenizers.Punctuation("removed")
    forms = [(form, getattr(normalizers, form)()) for form in ("NFC", "NFD", "NFKC", "NFKD")]
    lower = normalizers.Lowercase()
    out = []
    for c in code_points():
        ch = chr(c)
        category = unicodedata.category(ch)
        marked = "a\u0345\u0334" + ch + "\u0334\u0327\u0345"
        if (bool(unassigned.pre_tokenize_str(ch)) != (category != "Cn")
                or (len(digits.pre_tokenize_str(ch + ch)) == 2) != category.startswith("N")
                or (c >= 0x80 and
                    (not punctuation.pre_tokenize_str(ch)) != category.startswith("P"))
                or lower.normalize_str(ch) != ch.lower()
                or any(n.normalize_str(s) != unicodedata.normalize(form, s)
                       for form, n in forms for s in (ch, marked))):
            out.append(c)
    ranges = []
    for c in out:
        if ranges and ranges[-1][1] == c - 1:
            ranges[-1][1] = c
        else:
            ranges.append([c, c])
    return ranges


class Random:
    """SplitMix64."""

    def __init__(self, seed):
        self.state = seed

    def below(self, n):
        mask = (1 << 64) - 1
        self.state = (self.state + 0x9E3779B97F4A7C15) & mask
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        return (z ^ (z >> 31)) % n


def random_text(random, excluded):
    text = []
    for _ in range(random.below(14)):
        kind = random.below(9)
        if kind >= 6:
            text.append(WORDS[random.below(len(WORDS))])
            continue
        c = [lambda: random.below(0x80), lambda: random.below(0x800),
             lambda: random.below(0xD800), lambda: 0xE000 + random.below(0x102000),
             lambda: SPACES[random.below(len(SPACES))], lambda: 0x300 + random.below(0x70)][kind]()
        run = random.below(300) if random.below(48) == 0 else 1
        if c not in excluded:
            text.append(chr(c) * run)
    return "".join(text)


def random_texts(ranges):
    excluded = {c for low, high in ranges for c in range(low, high + 1)}
    random = Random(SEED)
    return [random_text(random, excluded) for _ in range(STRINGS)]


def block_hash(encodings):
    """FNV-1a over 32-bit words: the ids of each string and a word of ones behind them."""
    h = 0xCBF29CE484222325
    for ids in encodings:
        for word in ids + [0xFFFFFFFF]:
            h = ((h ^ word) * 0x100000001B3) & ((1 << 64) - 1)
    return f"{h:016x}"


# Tokenizers --------------------------------------------------------------------------------------
def lines():
    return [line + "\n" for line in TEXT.strip().split("\n")]


def train_bpe(tokenizer, vocab_size, alphabet):
    tokenizer.train_from_iterator(lines(), trainers.BpeTrainer(
        vocab_size=vocab_size, initial_alphabet=alphabet, show_progress=False))
    return json.loads(tokenizer.to_str())


def added(token_id, content, special=True, normalized=False, **rules):
    return {"id": token_id, "content": content, "single_word": False, "lstrip": False,
            "rstrip": False, "normalized": normalized, "special": special, **rules}


def more_tokens(model, contents, **rules):
    """Added tokens with their ids in the vocabulary, or else the next ones behind it."""
    vocab = model["vocab"]
    ids = dict(vocab) if isinstance(vocab, dict) else {t: i for i, (t, _) in enumerate(vocab)}
    out = []
    for content in contents:
        out.append(added(ids.setdefault(content, len(ids)), content, **rules))
    return out


def bos_template(name, token_id):
    return {"type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": name, "type_id": 0}},
                       {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"SpecialToken": {"id": name, "type_id": 0}},
                     {"Sequence": {"id": "A", "type_id": 0}},
                     {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {name: {"id": name, "ids": [token_id], "tokens": [name]}}}


def document(model, **parts):
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [],
            "normalizer": None, "pre_tokenizer": None, "post_processor": None, "decoder": None,
            **parts, "model": model}


def all_merges(vocab):
    """The merges of a SentencePiece vocabulary whose scores fall with the id."""
    out = []
    for token, token_id in vocab.items():
        for i in range(1, len(token)):
            if token[:i] in vocab and token[i:] in vocab:
                out.append((token_id, -i, token[:i], token[i:]))
    return [[left, right] for _, _, left, right in sorted(out)]


def sentencepiece_bpe(vocab_size, byte_tokens=True, more=()):
    """<unk>, <s>, </s>, the bytes, characters and what merges make of them, then more pieces."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Replace(" ", SPACE)
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(f"{SPACE}+"), "merged_with_next")
    learned = train_bpe(tokenizer, vocab_size, [SPACE])["model"]["vocab"]
    pieces = sorted(learned, key=learned.get)
    pieces += [piece for piece in more if piece not in learned]
    head = ["<unk>", "<s>", "</s>"]
    if byte_tokens:
        head += [f"<0x{byte:02X}>" for byte in range(256)]
    vocab = {token: i for i, token in enumerate(head + pieces)}
    merges = all_merges({piece: vocab[piece] for piece in pieces})
    return {"type": "BPE", "dropout": None, "unk_token": "<unk>",
            "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": True,
            "byte_fallback": byte_tokens, "ignore_merges": False, "vocab": vocab,
            "merges": merges}


SENTENCEPIECE_DECODER = {"type": "Sequence", "decoders": [
    {"type": "Replace", "pattern": {"String": SPACE}, "content": " "}, {"type": "ByteFallback"},
    {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}
SPECIALS = [added(0, "<unk>"), added(1, "<s>"), added(2, "</s>")]


def llama():
    """Llama 2, 1bitLLM, MiniCPM: the space in front comes from a normalizer."""
    model = sentencepiece_bpe(700)
    return document(
        model, added_tokens=SPECIALS + more_tokens(model, ["<pad>"], special=False),
        normalizer={"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": SPACE},
            {"type": "Replace", "pattern": {"String": " "}, "content": SPACE}]},
        post_processor=bos_template("<s>", 1), decoder=SENTENCEPIECE_DECODER)


def metaspace_first():
    """Mistral's and later Llama 2's; with unknown characters instead of bytes."""
    metaspace = {"type": "Metaspace", "replacement": SPACE, "prepend_scheme": "first",
                 "split": False}
    model = sentencepiece_bpe(500, byte_tokens=False)
    return document(
        model, added_tokens=SPECIALS + more_tokens(model, ["[tool]"], lstrip=True, rstrip=True),
        pre_tokenizer=metaspace, decoder=metaspace)


def metaspace_always():
    """As older files spell it, with unknown characters that do not fuse and few bytes."""
    metaspace = {"type": "Metaspace", "replacement": SPACE, "add_prefix_space": True}
    model = sentencepiece_bpe(500)
    for byte in range(0xC0, 0x100, 3):
        token = f"<0x{byte:02X}>"
        model["vocab"][f"<byte {byte}>"] = model["vocab"].pop(token)
    model["fuse_unk"] = False
    return document(model, added_tokens=SPECIALS, pre_tokenizer=metaspace, decoder=metaspace)


def gemma():
    """Gemma: spaces stay with the word before them; runs of spaces are added tokens."""
    runs = [SPACE * n for n in range(2, 8)] + ["\n\n"]
    model = sentencepiece_bpe(600, more=runs)
    return document(
        model, added_tokens=SPECIALS + more_tokens(model, runs, special=False),
        normalizer={"type": "Replace", "pattern": {"String": " "}, "content": SPACE},
        pre_tokenizer={"type": "Split", "pattern": {"String": " "},
                       "behavior": "MergedWithPrevious", "invert": False},
        post_processor=bos_template("<s>", 1),
        decoder={"type": "Sequence", "decoders": SENTENCEPIECE_DECODER["decoders"][:3]})


def byte_level_bpe(vocab_size, pre_tokenizer, normalizer=None, **rules):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.decoder = decoders.ByteLevel()
    out = train_bpe(tokenizer, vocab_size, pre_tokenizers.ByteLevel.alphabet())
    out["model"].update(rules)
    return out


def gpt2():
    """And GPT-NeoX but for its normal form; a space goes in front of the text."""
    out = byte_level_bpe(450, pre_tokenizers.ByteLevel(add_prefix_space=True))
    out["added_tokens"] = (more_tokens(out["model"], ["<|end|>"])
                           + more_tokens(out["model"], ["<|end|>", "<unk>"], single_word=True)[1:])
    return out


def qwen():
    """Qwen 2 and 3: NFC, digits one by one, tokens looked for in normalized text."""
    pattern = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+"
               r"[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
    out = byte_level_bpe(450, pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(pattern), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]), normalizers.NFC())
    out["added_tokens"] = (more_tokens(out["model"], ["<|end|>", "<s>"])
                           + more_tokens(out["model"], ["<|end|>", "<s>", "n\u0303"], special=False,
                                         normalized=True)[2:])
    return out


def llama3():
    """Whole words of the vocabulary are not merged."""
    pattern = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+"
               r"[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
    out = byte_level_bpe(450, pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(pattern), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]), ignore_merges=True)
    vocab = out["model"]["vocab"]
    for word in ("\u0120there", "theatre", "Hello"):
        vocab.setdefault(word, len(vocab))
    out["added_tokens"] = more_tokens(out["model"], ["<s>", "<|end|>"])
    out["post_processor"] = {"type": "Sequence", "processors": [
        {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True},
        bos_template("<s>", out["added_tokens"][0]["id"])]}
    return out


def falcon():
    """Falcon: punctuation first, digits behind the byte level, in threes."""
    return byte_level_bpe(450, pre_tokenizers.Sequence([
        pre_tokenizers.Punctuation("contiguous"), pre_tokenizers.ByteLevel(add_prefix_space=False),
        pre_tokenizers.Digits(individual_digits=False),
        pre_tokenizers.Split(Regex("[0-9][0-9][0-9]"), "isolated")]))


def pieces():
    """The other ways to cut, and NFD."""
    return byte_level_bpe(450, pre_tokenizers.Sequence([
        pre_tokenizers.Split("\n", "merged_with_previous"),
        pre_tokenizers.Split("the", "merged_with_next"), pre_tokenizers.Whitespace(),
        pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.Punctuation("isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]), normalizers.NFD())


def normalized():
    """The other normalizers; added tokens in normalized text."""
    model = sentencepiece_bpe(500)
    metaspace = {"type": "Metaspace", "replacement": SPACE, "prepend_scheme": "always",
                 "split": True}
    return document(
        model, added_tokens=SPECIALS + more_tokens(model, ["[tool]", "Hello"], special=False,
                                                   normalized=True),
        normalizer={"type": "Sequence", "normalizers": [
            {"type": "NFKC"}, {"type": "Lowercase"},
            {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "},
            {"type": "Strip", "strip_left": False, "strip_right": True}]},
        pre_tokenizer={"type": "Sequence", "pretokenizers": [
            {"type": "WhitespaceSplit"}, metaspace]},
        decoder=metaspace)


def unigram_model(vocab_size, byte_tokens):
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Replace(" ", SPACE)
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(f"{SPACE}+"), "merged_with_next")
    tokenizer.train_from_iterator(lines(), trainers.UnigramTrainer(
        vocab_size=vocab_size, show_progress=False))
    learned = json.loads(tokenizer.to_str())["model"]["vocab"]
    vocab = [["<unk>", 0.0], ["<s>", 0.0], ["</s>", 0.0]]
    if byte_tokens:
        vocab += [[f"<0x{byte:02X}>", 0.0] for byte in range(256)]
    vocab += [[token, round(score, 4)] for token, score in learned]
    return {"type": "Unigram", "unk_id": 0, "vocab": vocab, "byte_fallback": byte_tokens}


def unigram_bytes():
    """Unknown characters become bytes."""
    metaspace = {"type": "Metaspace", "replacement": SPACE, "prepend_scheme": "always",
                 "split": True}
    return document(
        unigram_model(400, byte_tokens=True), added_tokens=SPECIALS,
        normalizer={"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "},
        pre_tokenizer=metaspace, post_processor=bos_template("<s>", 1),
        decoder={"type": "Sequence", "decoders": [{"type": "ByteFallback"}, metaspace]})


def unigram_unknown():
    """Unknown characters join to one token; the whole text is one piece."""
    metaspace = {"type": "Metaspace", "replacement": SPACE, "prepend_scheme": "first",
                 "split": False}
    return document(
        unigram_model(300, byte_tokens=False), added_tokens=SPECIALS,
        normalizer={"type": "Sequence", "normalizers": [{"type": "NFKD"}, {"type": "Lowercase"}]},
        pre_tokenizer=metaspace, decoder=metaspace)


def unigram_spaces():
    """As GGUF's t5 says it: extra spaces go, the text is one piece."""
    return document(
        unigram_model(350, byte_tokens=True), added_tokens=SPECIALS,
        normalizer={"type": "Sequence", "normalizers": [
            {"type": "Replace", "pattern": {"Regex": rf"\A +|[ {SPACE}]+\z"}, "content": ""},
            {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "},
            {"type": "Prepend", "prepend": SPACE},
            {"type": "Replace", "pattern": {"String": " "}, "content": SPACE}]},
        post_processor=bos_template("<s>", 1), decoder=SENTENCEPIECE_DECODER)


KINDS = [llama, metaspace_first, metaspace_always, gemma, gpt2, qwen, llama3, falcon, pieces,
         normalized, unigram_bytes, unigram_unknown, unigram_spaces]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--show", nargs=2, metavar=("KIND", "BLOCK"))
    args = parser.parse_args()
    if args.show:
        kind, block = args.show[0], int(args.show[1])
        cases = json.loads((args.out / "cases.json").read_text())
        tokenizer = Tokenizer.from_file(str(args.out / f"{kind}.json"))
        for text in random_texts(cases["not_drawn"])[block * BLOCK:(block + 1) * BLOCK]:
            print(json.dumps({"text": text, "ids": tokenizer.encode(text).ids}))
        return
    args.out.mkdir(parents=True, exist_ok=True)
    ranges = not_drawn()
    texts = random_texts(ranges)
    kinds = {}
    for make in KINDS:
        content = json.dumps(make(), ensure_ascii=False, separators=(",", ":")) + "\n"
        (args.out / f"{make.__name__}.json").write_text(content)
        tokenizer = Tokenizer.from_str(content)
        encodings = [encoding.ids for encoding in tokenizer.encode_batch(texts)]
        kinds[make.__name__] = [block_hash(encodings[begin:begin + BLOCK])
                                for begin in range(0, STRINGS, BLOCK)]
    cases = {"seed": SEED, "block": BLOCK, "words": WORDS, "spaces": SPACES, "not_drawn": ranges,
             "kinds": kinds}
    (args.out / "cases.json").write_text(json.dumps(cases, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
