#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the GGUF golden file with the gguf package of ggml's authors.

    python3 -m venv venv && venv/bin/pip install gguf==0.19.0 numpy
    venv/bin/python make_gguf.py gguf/package.gguf

For each type T that Tern shares with the package the file holds `T`, random blocks in that type,
and `T.values`, the f32 values that the package reads from them. Where the package also quantizes,
`T.source` holds f32 values and `T` what it made of them. Metadata has a key of each type.
"""
import sys

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type

ROWS, COLUMNS = 3, 256


def half(rng, count):
    return rng.uniform(0.001, 0.02, count).astype(np.float16).view(np.uint8).reshape(count, 2)


def q6_k_blocks(rng):
    """The package reads Q6_K and does not write it: any bits and scales are a block."""
    codes = rng.integers(0, 256, (ROWS, 208), dtype=np.uint8)
    return np.concatenate([codes, half(rng, ROWS)], axis=1)


def sources(rng):
    floats = rng.standard_normal((ROWS, COLUMNS)).astype(np.float32)
    scales = np.float32([[0.5], [0.02], [1.75]])
    trits = rng.integers(-1, 2, (ROWS, COLUMNS)).astype(np.float32) * scales
    trits[1] = np.abs(trits[1])  # no -1 in a row
    return {Type.BF16: floats, Type.Q4_0: floats, Type.Q8_0: floats, Type.TQ1_0: trits,
            Type.TQ2_0: trits}


def add_metadata(writer):
    writer.add_uint8("test.u8", 200)
    writer.add_int8("test.i8", -100)
    writer.add_uint16("test.u16", 60000)
    writer.add_int16("test.i16", -30000)
    writer.add_uint32("test.u32", 4000000000)
    writer.add_int32("test.i32", -2000000000)
    writer.add_uint64("test.u64", 1 << 52)
    writer.add_int64("test.i64", -(1 << 52))
    writer.add_float32("test.f32", 0.1)
    writer.add_float64("test.f64", 0.1)
    writer.add_bool("test.bool", True)
    writer.add_string("test.string", "Grüße, 世界")
    writer.add_array("test.strings", ["a", "", "ß"])
    writer.add_array("test.ints", [1, -2, 3])


def main():
    rng = np.random.default_rng(7)
    writer = gguf.GGUFWriter(sys.argv[1], "test")
    add_metadata(writer)
    for kind, source in sources(rng).items():
        blocks = gguf.quants.quantize(source, kind)
        writer.add_tensor(f"{kind.name}.source", source)
        writer.add_tensor(kind.name, blocks, raw_dtype=kind)
        writer.add_tensor(f"{kind.name}.values", gguf.quants.dequantize(blocks, kind))
    blocks = q6_k_blocks(rng)
    writer.add_tensor("Q6_K", blocks, raw_dtype=Type.Q6_K)
    writer.add_tensor("Q6_K.values", gguf.quants.dequantize(blocks, Type.Q6_K))
    halves = rng.standard_normal((ROWS, COLUMNS)).astype(np.float16)
    writer.add_tensor("F16", halves)
    writer.add_tensor("F16.values", halves.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


main()
