"""A LLaMA in a GGUF file: its configuration from the metadata, its tensors in our layout.

Two things lie otherwise than here. The rows of a query or key weight are ordered for rotation of neighbours (pair i of
a head is rows 2i and 2i + 1), where we turn halves (rows i and i + R / 2): they are put back. And LLaMA 3's scaling of
slow frequencies is a tensor of divisors, rope_freqs.weight, from which its one unknown, the factor, is read; a file
whose divisors are not those that the factor gives is refused.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from common import positions
from common.config import LlamaConfig
from common.errors import UserError
from common.files import FileError
from common.types import Array, Tree
from common.weights import filling, names, numbers
from common.weights.filling import Progress, Stored
from common.weights.gguf import GGUF, Tensor

_DIVISORS = "rope_freqs.weight"


def load(file: GGUF, dtype: DTypeLike = np.float32, progress: Progress | None = None) -> tuple[LlamaConfig, Tree]:
    """Configuration and parameters, in `dtype`. Raises FileError where the file is no LLaMA, or a damaged one."""
    config = configuration(file)
    found = {name: _stored(name, tensor, config) for name, tensor in file.tensors.items() if name != _DIVISORS}
    return config, filling.fill(file.path, found, config, names.GGUF, dtype, progress)


def configuration(file: GGUF) -> LlamaConfig:
    """What the metadata says."""
    told = _Told(file.path, file.metadata)
    architecture = told.get("general.architecture", str)
    if architecture != "llama":
        raise FileError(file.path, f"holds a model of the architecture {architecture!r}; only 'llama' can be read")
    if told.number("expert_count", 0):
        raise FileError(file.path, "is a mixture of experts, which cannot be read")
    heads, d_model = told.number("attention.head_count"), told.number("embedding_length")
    d_head = told.number("attention.key_length", d_model // max(heads, 1))
    if told.number("attention.value_length", d_head) != d_head:
        raise FileError(file.path, "has values of another width than its keys, which cannot be read")
    embedding = file.tensors.get("token_embd.weight")
    try:
        config = LlamaConfig(
            vocab=told.number("vocab_size", embedding.shape[0] if embedding else 0),
            d_model=d_model,
            n_blocks=told.number("block_count"),
            n_heads=heads,
            n_kv_heads=told.number("attention.head_count_kv", heads),
            d_head=d_head,
            d_ffn=told.number("feed_forward_length"),
            max_len=told.number("context_length"),
            eps=told.real("attention.layer_norm_rms_epsilon"),
            rope_base=told.real("rope.freq_base", 10_000.0),
            rope_share=told.number("rope.dimension_count", d_head) / max(d_head, 1),
            tied="output.weight" not in file.tensors,
            bias="blk.0.attn_q.bias" in file.tensors,
            window=told.number("attention.sliding_window", 0),
        )
        return _scaled(file, told, config)
    except FileError:
        raise
    except UserError as error:
        raise FileError(file.path, f"describes a model that cannot be: {error}") from None


class _Told:
    """The metadata, asked for by name and type."""

    def __init__(self, path: Path, metadata: Mapping[str, Any]):
        self.path, self.metadata = path, metadata

    def get(self, key: str, kind: type, default: Any = None) -> Any:
        value = self.metadata.get(key, default)
        if value is None:
            raise FileError(self.path, f"does not say its {key}")
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise FileError(self.path, f"has a {key} that cannot be read: {str(value)[:40]!r}")
        return value

    def number(self, key: str, default: int | None = None) -> int:
        return self.get(f"llama.{key}", int, default)

    def real(self, key: str, default: float | None = None) -> float:
        """A float32 as the shortest decimal that rounds to it: 1e-05 where the file holds 9.99999975e-06."""
        return float(str(np.float32(self.get(f"llama.{key}", float, default))))


def _scaled(file: GGUF, told: _Told, config: LlamaConfig) -> LlamaConfig:
    """The configuration with the scaling of its frequencies, if there is one."""
    kind = told.get("llama.rope.scaling.type", str, "none")
    if kind != "none" or told.get("llama.rope.scale_linear", float, 1.0) != 1.0:
        raise FileError(file.path, f"scales its positions in a way that cannot be read: {kind!r}")
    tensor = file.tensors.get(_DIVISORS)
    if tensor is None:
        return config
    divisors = numbers.decoded(tensor.raw, tensor.format).astype(np.float64).ravel()
    if not np.isfinite(divisors).all() or divisors.min() < 1:
        raise FileError(file.path, f"has divisors of frequencies, {_DIVISORS}, that cannot be right")
    length = told.number("rope.scaling.original_context_length", config.rope_trained_len)
    scaled = replace(config, rope_factor=float(divisors.max()), rope_trained_len=length)
    wanted = positions.speeds(config) / positions.speeds(scaled)
    if divisors.shape != wanted.shape or not np.allclose(divisors, wanted, rtol=1e-5, atol=0):
        raise FileError(file.path, f"divides its frequencies, {_DIVISORS}, in another way than LLaMA 3, unknown here")
    return scaled


def _stored(name: str, tensor: Tensor, config: LlamaConfig) -> Stored:
    if len(tensor.shape) == 1:
        rows = partial(_elements, tensor, _order(name, tensor.shape[0], config))
    else:
        rows = partial(_rows, tensor, _order(name, tensor.shape[0], config))
    return Stored(tensor.shape, tensor.format, rows)


def _rows(tensor: Tensor, order: Array | None, start: int, stop: int) -> Array:
    raw = tensor.raw[start:stop] if order is None else tensor.raw[order[start:stop]]
    return numbers.decoded(raw, tensor.format)


def _elements(tensor: Tensor, order: Array | None, start: int, stop: int) -> Array:
    every = numbers.decoded(tensor.raw, tensor.format)[0]
    return every[start:stop] if order is None else every[order[start:stop]]


def _order(name: str, rows: int, config: LlamaConfig) -> Array | None:
    """Which row of the file each of our rows is: of every two neighbours that turn, first the ones, then the others."""
    heads = {"attn_q": config.n_heads, "attn_k": config.n_kv_heads}.get(name.split(".")[-2] if "." in name else "")
    if heads is None or rows != heads * config.d_head:
        return None
    place = np.arange(config.d_head)
    turning = place[: config.turning]
    mixed = np.concatenate([turning[0::2], turning[1::2], place[config.turning :]])
    return (np.arange(heads)[:, None] * config.d_head + mixed).ravel()


def end_ids(metadata: Mapping[str, Any]) -> frozenset[int]:
    """The ids after which an answer is over, by the metadata."""
    told = [metadata.get(f"tokenizer.ggml.{name}_token_id") for name in ("eos", "eot", "eom")]
    return frozenset(i for i in told if isinstance(i, int) and not isinstance(i, bool))
