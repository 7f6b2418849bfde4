"""The map of the weights: what a parameter tree holds, in which shapes, and the only initializer.

Both twins take their parameters from here, so that any tree runs in either of them unchanged. Weights are (in, out).

    classifier
      emb.w                         V D     one row for each token
      blocks.i.attn.{q,k,v,o}.w     D D
      blocks.i.norm1.{g,b}          D
      blocks.i.ffn.up.{w,b}         D F, F
      blocks.i.ffn.down.{w,b}       F D, D
      blocks.i.norm2.{g,b}          D
      head.{w,b}                    D V, V

Weights: uniform in ±sqrt(6 / (in + out)) (Glorot and Bengio 2010). Embeddings: normal, of variance one, as large as the
positions added to them. Biases zero, gains one.
"""

from typing import NotRequired, TypedDict

import numpy as np
from numpy.typing import DTypeLike

from common import random, tree
from common.config import ClassifierConfig
from common.types import AnyArray, Array, Key, Tree


class Linear(TypedDict):
    w: AnyArray  # in, out
    b: NotRequired[AnyArray]  # out


class Embedding(TypedDict):
    w: AnyArray  # V D


class LayerNorm(TypedDict):
    g: AnyArray  # D
    b: AnyArray  # D


class Attention(TypedDict):
    q: Linear  # D, H K
    k: Linear  # D, N K
    v: Linear  # D, N K
    o: Linear  # H K, D


class FFN(TypedDict):
    up: Linear  # D F
    down: Linear  # F D


class EncoderBlock(TypedDict):
    attn: Attention
    norm1: LayerNorm
    ffn: FFN
    norm2: LayerNorm


class Classifier(TypedDict):
    emb: Embedding
    blocks: list[EncoderBlock]
    head: Linear  # D V


def shapes(config: ClassifierConfig) -> Tree:
    """The tree of shapes (tuples) that belongs to a configuration."""
    d, f, v = config.d_model, config.d_ffn, config.vocab
    norm = {"g": (d,), "b": (d,)}
    block = {
        "attn": {name: {"w": (d, d)} for name in "qkvo"},
        "norm1": norm,
        "ffn": {"up": {"w": (d, f), "b": (f,)}, "down": {"w": (f, d), "b": (d,)}},
        "norm2": norm,
    }
    return {"emb": {"w": (v, d)}, "blocks": [block] * config.n_blocks, "head": {"w": (d, v), "b": (v,)}}


def names(config: ClassifierConfig) -> dict[str, tuple[int, ...]]:
    """Dotted name to shape, in tree order."""
    return dict(tree.items(shapes(config)))


def init(key: Key, config: ClassifierConfig, dtype: DTypeLike = np.float32) -> Classifier:
    """Fresh parameters. Tensor number i draws from `fold_in(key, i)`, in float64, and is then rounded to `dtype`."""
    drawn = {
        name: _draw(random.fold_in(key, i), name, shape).astype(dtype)
        for i, (name, shape) in enumerate(names(config).items())
    }
    return tree.build(drawn)


def _draw(key: Key, name: str, shape: tuple[int, ...]) -> Array:
    if name.startswith("emb."):
        return random.normal(key, shape)
    if name.endswith(".g"):
        return np.ones(shape)
    if name.endswith(".b"):
        return np.zeros(shape)
    bound = np.sqrt(6.0 / sum(shape))
    return random.uniform(key, shape, -1.0, 1.0).astype(np.float64) * bound
