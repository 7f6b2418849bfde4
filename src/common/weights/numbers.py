"""How numbers lie in files: plain ones of 16 to 64 bits, and GGML's blocks of four to eight bits with a scale.

A quantized tensor is rows of blocks. A block of 32 numbers holds small integers q and one scale d (and for the _1
formats an offset m), both float16:

    Q4_0, Q5_0    d (q - 8), d (q - 16)
    Q4_1, Q5_1    d q + m
    Q8_0          d q, q signed

The first 16 numbers of a block are the low halves of its 16 bytes, the other 16 the high halves; the fifth bits lie
together in four bytes. The formats with several scales a block (Q4_K, Q6_K, …) are read by the package gguf.
"""

import numpy as np

from common.optional import package
from common.types import Array

PLAIN = {"F64": "<f8", "F32": "<f4", "F16": "<f2"}
_NIBBLES = ("q", np.uint8, 16)
_BLOCKS = {
    "Q4_0": np.dtype([("d", "<f2"), _NIBBLES]),
    "Q4_1": np.dtype([("d", "<f2"), ("m", "<f2"), _NIBBLES]),
    "Q5_0": np.dtype([("d", "<f2"), ("fifth", np.uint8, 4), _NIBBLES]),
    "Q5_1": np.dtype([("d", "<f2"), ("m", "<f2"), ("fifth", np.uint8, 4), _NIBBLES]),
    "Q8_0": np.dtype([("d", "<f2"), ("q", np.int8, 32)]),
}
_BY_PACKAGE = {
    "Q2_K": 84,
    "Q3_K": 110,
    "Q4_K": 144,
    "Q5_K": 176,
    "Q6_K": 210,
    "IQ2_XXS": 66,
    "IQ2_XS": 74,
    "IQ2_S": 82,
    "IQ3_XXS": 98,
    "IQ3_S": 110,
    "IQ1_S": 50,
    "IQ1_M": 56,
    "IQ4_XS": 136,
    "TQ1_0": 54,
    "TQ2_0": 66,
}
"""Bytes of a block of 256 numbers."""
SIZES: dict[str, tuple[int, int]] = (
    {"F64": (1, 8), "F32": (1, 4), "F16": (1, 2), "BF16": (1, 2), "IQ4_NL": (32, 18)}
    | {name: (32, block.itemsize) for name, block in _BLOCKS.items()}
    | {name: (256, size) for name, size in _BY_PACKAGE.items()}
)
"""Numbers and bytes of a block of every format that can be read."""


def decoded(raw_RW: Array, form: str) -> Array:
    """Rows of bytes as rows of numbers, float32 (F64: float64): (rows, bytes of a row) to (rows, numbers of a row)."""
    if form in PLAIN:
        plain = raw_RW.view(PLAIN[form])
        return plain.astype(np.float32) if form == "F16" else plain
    if form == "BF16":
        return (raw_RW.view("<u2").astype(np.uint32) << 16).view(np.float32)
    # infinity times zero: a damaged scale, which whoever reads finds as NaN
    with np.errstate(invalid="ignore", over="ignore"):
        if form in _BLOCKS:
            return _scaled(raw_RW.view(_BLOCKS[form]), form).reshape(len(raw_RW), -1)
        quants = package("gguf.quants", f"a tensor in the format {form}")
        return quants.dequantize(raw_RW, quants.GGMLQuantizationType[form])


def _scaled(blocks: Array, form: str) -> Array:
    """Structured blocks, (rows, blocks), as float32 numbers, (rows, blocks, 32)."""
    d = blocks["d"].astype(np.float32)[..., None]
    if form == "Q8_0":
        return d * blocks["q"]
    q = np.concatenate([blocks["q"] & 15, blocks["q"] >> 4], axis=-1)
    if form in ("Q5_0", "Q5_1"):
        high = np.unpackbits(blocks["fifth"], axis=-1, bitorder="little") << 4
        q = q | high
    if form in ("Q4_1", "Q5_1"):
        return d * q + blocks["m"].astype(np.float32)[..., None]
    return d * (q.astype(np.int8) - np.int8(8 if form == "Q4_0" else 16))
