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

    gpt
      emb.w                         V D
      pos.w                         max_len D    learned positions only
      blocks.i.norm1, .norm2        D
      blocks.i.attn.{q,k,v,o}.{w,b} D D, D
      blocks.i.ffn                  as above
      norm.{g,b}                    D
      head.w                        D V          untied only

    seq2seq
      src.w, tgt.w                  V D          one row for each token of either side
      src_pos.w, tgt_pos.w          max_len D    learned positions only
      encoder.i                     as a block of the classifier
      decoder.i.{attn,cross}.{q,k,v,o}.w         D D
      decoder.i.{norm1,norm2,norm3}, .ffn
      head.{w,b}                    D V, V       untied only

    llama
      emb.w                         V D
      blocks.i.norm1.g, .norm2.g    D
      blocks.i.attn.q.w             D H K        biases only where the configuration has them
      blocks.i.attn.{k,v}.w         D N K
      blocks.i.attn.o.w             H K D
      blocks.i.ffn.{gate,up}.w      D F
      blocks.i.ffn.down.w           F D
      norm.g                        D
      head.w                        D V          untied only

Classifier and seq2seq: weights uniform in ±sqrt(6 / (in + out)) (Glorot and Bengio 2010); embeddings normal, of
variance one, as large as the positions added to them. gpt and llama: all weights normal with a spread of 0.02; those
that write into the residual sum (attn.o, ffn.down) divided by sqrt(2 blocks), so that the sum does not grow with depth
(Radford
et al. 2019). Everywhere biases zero, gains one.
"""

from functools import partial
from typing import NotRequired, TypedDict

import numpy as np
from numpy.typing import DTypeLike

from common import random, tree
from common.config import ClassifierConfig, GPTConfig, LlamaConfig, ModelConfig, Seq2SeqConfig
from common.types import AnyArray, Array, Key, Tree


class Linear(TypedDict):
    w: AnyArray  # in, out
    b: NotRequired[AnyArray]  # out


class Embedding(TypedDict):
    w: AnyArray  # V D


class LayerNorm(TypedDict):
    g: AnyArray  # D
    b: AnyArray  # D


class RMSNorm(TypedDict):
    g: AnyArray  # D


class Attention(TypedDict):
    q: Linear  # D, H K
    k: Linear  # D, N K
    v: Linear  # D, N K
    o: Linear  # H K, D


class FFN(TypedDict):
    up: Linear  # D F
    down: Linear  # F D


class SwiGLU(TypedDict):
    gate: Linear  # D F
    up: Linear  # D F
    down: Linear  # F D


class EncoderBlock(TypedDict):
    attn: Attention
    norm1: LayerNorm
    ffn: FFN
    norm2: LayerNorm


class DecoderBlock(TypedDict):
    norm1: LayerNorm
    attn: Attention
    norm2: LayerNorm
    ffn: FFN


class CrossBlock(TypedDict):
    attn: Attention
    norm1: LayerNorm
    cross: Attention
    norm2: LayerNorm
    ffn: FFN
    norm3: LayerNorm


class LlamaBlock(TypedDict):
    norm1: RMSNorm
    attn: Attention
    norm2: RMSNorm
    ffn: SwiGLU


class Classifier(TypedDict):
    emb: Embedding
    blocks: list[EncoderBlock]
    head: Linear  # D V


class GPT(TypedDict):
    emb: Embedding
    pos: NotRequired[Embedding]  # max_len D, learned positions only
    blocks: list[DecoderBlock]
    norm: LayerNorm
    head: NotRequired[Linear]  # D V, no bias, untied only


class Seq2Seq(TypedDict):
    src: Embedding
    tgt: Embedding
    src_pos: NotRequired[Embedding]  # max_len D, learned positions only
    tgt_pos: NotRequired[Embedding]
    encoder: list[EncoderBlock]
    decoder: list[CrossBlock]
    head: NotRequired[Linear]  # D V, untied only


class Llama(TypedDict):
    emb: Embedding
    blocks: list[LlamaBlock]
    norm: RMSNorm
    head: NotRequired[Linear]  # D V, no bias, untied only


def shapes(config: ModelConfig) -> Tree:
    """The tree of shapes (tuples) that belongs to a configuration."""
    if isinstance(config, GPTConfig):
        return _gpt(config)
    if isinstance(config, Seq2SeqConfig):
        return _seq2seq(config)
    if isinstance(config, LlamaConfig):
        return _llama(config)
    d, v = config.d_model, config.vocab
    block = {"attn": _attn(d), "norm1": _norm(d), "ffn": _ffn(config), "norm2": _norm(d)}
    return {"emb": {"w": (v, d)}, "blocks": [block] * config.n_blocks, "head": _linear(d, v)}


def _gpt(config: GPTConfig) -> Tree:
    d = config.d_model
    block = {"norm1": _norm(d), "attn": _attn(d, bias=True), "norm2": _norm(d), "ffn": _ffn(config)}
    pos = {"pos": {"w": (config.max_len, d)}} if config.positions == "learned" else {}
    head = {} if config.tied else {"head": {"w": (d, config.vocab)}}
    return {"emb": {"w": (config.vocab, d)}} | pos | {"blocks": [block] * config.n_blocks, "norm": _norm(d)} | head


def _seq2seq(config: Seq2SeqConfig) -> Tree:
    d = config.d_model
    encoder = {"attn": _attn(d), "norm1": _norm(d), "ffn": _ffn(config), "norm2": _norm(d)}
    decoder = {"attn": _attn(d), "norm1": _norm(d), "cross": _attn(d), "norm2": _norm(d)}
    decoder |= {"ffn": _ffn(config), "norm3": _norm(d)}
    table = {"w": (config.max_len, d)}
    pos = {"src_pos": table, "tgt_pos": table} if config.positions == "learned" else {}
    head = {} if config.tied else {"head": _linear(d, config.tgt_vocab)}
    ends = {"src": {"w": (config.src_vocab, d)}, "tgt": {"w": (config.tgt_vocab, d)}}
    return ends | pos | {"encoder": [encoder] * config.n_encoder, "decoder": [decoder] * config.n_decoder} | head


def _llama(config: LlamaConfig) -> Tree:
    d, f, bias = config.d_model, config.d_ffn, config.bias
    asked, kept = config.n_heads * config.d_head, config.n_kv_heads * config.d_head
    attn = {"q": _linear(d, asked, bias), "k": _linear(d, kept, bias), "v": _linear(d, kept, bias)}
    attn |= {"o": _linear(asked, d, bias)}
    ffn = {"gate": _linear(d, f, False), "up": _linear(d, f, False), "down": _linear(f, d, False)}
    block = {"norm1": {"g": (d,)}, "attn": attn, "norm2": {"g": (d,)}, "ffn": ffn}
    head = {} if config.tied else {"head": {"w": (d, config.vocab)}}
    return {"emb": {"w": (config.vocab, d)}, "blocks": [block] * config.n_blocks, "norm": {"g": (d,)}} | head


def _norm(d: int) -> Tree:
    return {"g": (d,), "b": (d,)}


def _linear(n_in: int, n_out: int, bias: bool = True) -> Tree:
    return {"w": (n_in, n_out), "b": (n_out,)} if bias else {"w": (n_in, n_out)}


def _attn(d: int, bias: bool = False) -> Tree:
    return {name: _linear(d, d, bias) for name in "qkvo"}


def _ffn(config: ClassifierConfig | GPTConfig | Seq2SeqConfig) -> Tree:
    return {"up": _linear(config.d_model, config.d_ffn), "down": _linear(config.d_ffn, config.d_model)}


def depth(config: ModelConfig) -> int:
    """How many blocks a model has, those of encoder and decoder together."""
    return config.n_encoder + config.n_decoder if isinstance(config, Seq2SeqConfig) else config.n_blocks


def names(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Dotted name to shape, in tree order."""
    return dict(tree.items(shapes(config)))


def without_gradient(config: ModelConfig) -> list[str]:
    """The tensors whose gradient is zero by mathematics, whatever rounding leaves of it: the biases of keys.

    Such a bias adds the same to all scores of a query, and softmax does not see that. Not so in llama, where keys are
    turned by their positions after it was added.
    """
    return [] if isinstance(config, LlamaConfig) else [name for name in names(config) if name.endswith(".k.b")]


def init(key: Key, config: ModelConfig, dtype: DTypeLike = np.float32) -> Tree:
    """Fresh parameters. Tensor number i draws from `fold_in(key, i)`, in float64, and is then rounded to `dtype`."""
    pre = isinstance(config, (GPTConfig, LlamaConfig))
    draw = partial(_draw_gpt, n_blocks=depth(config)) if pre else _draw
    drawn = {
        name: draw(random.fold_in(key, i), name, shape).astype(dtype)
        for i, (name, shape) in enumerate(names(config).items())
    }
    return tree.build(drawn)


def _draw(key: Key, name: str, shape: tuple[int, ...]) -> Array:
    if name.startswith(("emb.", "src", "tgt")):
        return random.normal(key, shape)
    if name.endswith(".g"):
        return np.ones(shape)
    if name.endswith(".b"):
        return np.zeros(shape)
    bound = np.sqrt(6.0 / sum(shape))
    return random.uniform(key, shape, -1.0, 1.0).astype(np.float64) * bound


def _draw_gpt(key: Key, name: str, shape: tuple[int, ...], *, n_blocks: int) -> Array:
    if name.endswith((".g", ".b")):
        return _draw(key, name, shape)
    writes = name.endswith(("attn.o.w", "ffn.down.w"))
    return random.normal(key, shape) * (0.02 / np.sqrt(2 * n_blocks) if writes else 0.02)
