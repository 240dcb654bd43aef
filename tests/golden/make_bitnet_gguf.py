#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the golden embedding model as bitnet.cpp's own converter does, without a tokenizer.

    git clone https://github.com/microsoft/BitNet && git -C BitNet checkout 16da220a
    python3 -m venv venv && venv/bin/pip install gguf==0.19.0 torch safetensors numpy
    venv/bin/python make_bitnet_gguf.py BitNet qwen3-embedding gguf/bitnet-embedding.gguf
"""
import importlib.util
import json
import pathlib
import shutil
import sys
import tempfile


def converter(checkout):
    path = pathlib.Path(checkout) / "utils" / "convert-bitnet-embedding-to-gguf.py"
    spec = importlib.util.spec_from_file_location("converter", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.set_vocab = lambda writer, *_: writer.add_tokenizer_model("no_vocab")
    return module


def prepare(source, directory):
    """The checkpoint with what the released ones have: rope_theta, and their pooling."""
    for name in ("config.json", "model.safetensors"):
        shutil.copy(source / name, directory / name)
    config = json.loads((directory / "config.json").read_text())
    config["rope_theta"] = config["rope_parameters"]["rope_theta"]
    (directory / "config.json").write_text(json.dumps(config))
    (directory / "1_Pooling").mkdir()
    (directory / "1_Pooling" / "config.json").write_text('{"pooling_mode_lasttoken": true}')
    (directory / "modules.json").write_text('[{"path": "1_Pooling", "type": "Pooling"}]')


def main():
    checkout, source, out = sys.argv[1:]
    module = converter(checkout)
    with tempfile.TemporaryDirectory() as scratch:
        directory = pathlib.Path(scratch) / "embedding"
        directory.mkdir()
        prepare(pathlib.Path(source), directory)
        sys.argv = ["convert", str(directory), "--outtype", "f16", "--outfile", out]
        module.main()


if __name__ == "__main__":
    main()
