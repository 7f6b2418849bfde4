"""GGUF files made byte by byte, right ones and wrong ones, for the tests of the reader."""

import struct

import numpy as np

from common import params, random, tree
from common.config import LlamaConfig
from common.weights import names

U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 = range(13)
_SCALARS = {U8: "B", I8: "b", U16: "H", I16: "h", U32: "I", I32: "i", F32: "f", BOOL: "?", U64: "Q", I64: "q", F64: "d"}
_CODES = {"F32": 0, "F16": 1, "F64": 28, "BF16": 30}


def string(text):
    body = text if isinstance(text, bytes) else text.encode()
    return struct.pack("<Q", len(body)) + body


def value(kind, content):
    """The bytes of a value; of an array the kind is (ARRAY, kind of its entries)."""
    if isinstance(kind, tuple):
        inner = kind[1]
        return struct.pack("<IQ", inner, len(content)) + b"".join(value(inner, each) for each in content)
    return string(content) if kind == STRING else struct.pack("<" + _SCALARS[kind], content)


def entry(key, kind, content):
    return string(key) + struct.pack("<I", kind[0] if isinstance(kind, tuple) else kind) + value(kind, content)


def listed(name, shape, code, offset):
    """A line of the table of tensors; the shape as NumPy has it."""
    return string(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape[::-1], code, offset)


def file(entries, tensors, *, magic=b"GGUF", version=3, align=32, counts=None):
    """A whole file: entries as (key, kind, content), tensors as {name: array, or (code, shape, bytes)}."""
    table, data = b"", b""
    for name, tensor in tensors.items():
        code, shape, body = tensor if isinstance(tensor, tuple) else plain(tensor)
        data += b"\0" * (-len(data) % align)
        table += listed(name, shape, code, len(data))
        data += body
    head = magic + struct.pack("<IQQ", version, *(counts or (len(tensors), len(entries))))
    head += b"".join(entry(*each) for each in entries) + table
    return head + b"\0" * (-len(head) % align) + data


def plain(array):
    return (
        _CODES[{"float32": "F32", "float16": "F16", "float64": "F64"}[array.dtype.name]],
        array.shape,
        array.tobytes(),
    )


def neighbours(w, heads):
    """The rows of a query or key weight, (out, in), as llama.cpp's converter orders them."""
    return w.reshape(heads, 2, w.shape[0] // heads // 2, *w.shape[1:]).swapaxes(1, 2).reshape(w.shape)


def described(config, **others):
    """The metadata of a LLaMA."""
    told = {
        "block_count": (U32, config.n_blocks),
        "context_length": (U32, config.max_len),
        "embedding_length": (U32, config.d_model),
        "feed_forward_length": (U32, config.d_ffn),
        "attention.head_count": (U32, config.n_heads),
        "attention.head_count_kv": (U32, config.n_kv_heads),
        "attention.key_length": (U32, config.d_head),
        "attention.value_length": (U32, config.d_head),
        "attention.layer_norm_rms_epsilon": (F32, config.eps),
        "rope.freq_base": (F32, config.rope_base),
        "rope.dimension_count": (U32, config.turning),
        "vocab_size": (U32, config.vocab),
    } | others
    entries = [("general.architecture", STRING, "llama"), ("general.name", STRING, "a small one")]
    return entries + [(f"llama.{key}", *kind_and_content) for key, kind_and_content in told.items() if kind_and_content]


def llama(config, seed=0, spread=0.3):
    """Parameters of a small model, and the tensors of a file that holds them."""
    weights = tree.map(
        lambda w: (spread * random.normal(random.key(seed), w.shape)).astype(np.float32),
        params.init(random.key(seed), config),
    )
    called, tensors = names.theirs(config, names.GGUF), {}
    for name, w in tree.items(weights):
        lying = w.T if names.turned(name) else w
        heads = {"q": config.n_heads, "k": config.n_kv_heads}.get(name.split(".")[-2])
        if heads and config.turning == config.d_head:
            lying = neighbours(lying, heads)
        tensors[called[name]] = np.ascontiguousarray(lying)
    return weights, tensors


SMALL = LlamaConfig(vocab=13, d_model=12, n_heads=4, n_kv_heads=2, d_head=6, d_ffn=20, max_len=32, eps=1e-5)
