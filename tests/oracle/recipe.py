"""What the makers and the readers of the golden files have in common. Needs no PyTorch."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors import safe_open

from common import gradcheck, masks, params, random, tree
from common.config import GPTConfig, LlamaConfig, ModelConfig, Seq2SeqConfig
from common.sampling import SequenceConfig
from common.types import Array, Tree
from numpy_ref.models import gpt, llama, seq2seq
from numpy_ref.ops import cross_entropy

GOLDEN = Path(__file__).parents[1] / "golden"
DECODERS: dict[type, Any] = {GPTConfig: gpt, LlamaConfig: llama}


def load(name: str) -> tuple[dict[str, Array], Any]:
    """The tensors of a golden file by name, and what it says about itself."""
    with safe_open(GOLDEN / f"{name}.safetensors", framework="numpy") as file:
        return {key: file.get_tensor(key) for key in sorted(file.keys())}, json.loads(file.metadata()["about"])


def generic(config: ModelConfig, seed: int) -> Tree:
    """Initial weights, each moved a little, so that no gain is one and no bias zero."""
    key = random.key(seed)
    fresh = tree.named(params.init(key, config, np.float64))
    moved = {
        n: w + 0.1 * random.normal(random.fold_in(key, 100 + i), w.shape) for i, (n, w) in enumerate(fresh.items())
    }
    return tree.build(moved)


def projected(grads: Tree) -> Tree:
    """The products of each tensor with three random directions; all the default model's gradients are 816 kB."""
    return tree.build(
        {
            name: random.normal(random.fold_in(random.key(77), i), (3, g.size)) @ g.ravel()
            for i, (name, g) in enumerate(tree.items(grads))
        }
    )


class Row(NamedTuple):
    """One tensor of another library and those of ours that lie in it, side by side along the last axis."""

    theirs: str
    ours: tuple[str, ...]
    turned: bool = False
    """Theirs is (out, in)."""


def to_theirs(table: Iterable[Row], weights: Mapping[str, Array]) -> dict[str, Array]:
    """Our tensors under their names; raises ValueError unless the table has each of them once."""
    rows = list(table)
    if sorted(name for row in rows for name in row.ours) != sorted(weights):
        raise ValueError("the table of names and the weights do not hold the same tensors")
    joined = {row: np.concatenate([weights[name] for name in row.ours], axis=-1) for row in rows}
    return {row.theirs: value.T if row.turned else value for row, value in joined.items()}


def from_theirs(table: Iterable[Row], tensors: Mapping[str, Array]) -> dict[str, Array]:
    """The inverse."""
    found: dict[str, Array] = {}
    for row in table:
        joined = tensors[row.theirs].T if row.turned else tensors[row.theirs]
        found |= zip(row.ours, np.split(joined, len(row.ours), axis=-1), strict=True)
    return found


class Sequences(NamedTuple):
    """A batch for a sequence model. Padding stands at the end of each row; `src` is there for seq2seq alone."""

    tokens: Array
    """What the decoder reads, (B, T)."""
    mask: Array
    """True where `tokens` are real, (B, T)."""
    targets: Array
    """What it shall say, (B, T)."""
    counts: Array
    """True where that is part of the loss, (B, T): some of the real positions."""
    src: Array | None = None
    """What the encoder reads, (B, S)."""
    src_mask: Array | None = None
    """True where `src` is real, (B, S)."""


def sequences(config: SequenceConfig, seed: int) -> Sequences:
    """Random tokens: three rows of different lengths, the longest shorter than the model allows."""
    rng = np.random.default_rng(seed)
    vocab = config.tgt_vocab if isinstance(config, Seq2SeqConfig) else config.vocab
    size = max(4, config.max_len - 2)
    mask = masks.padding(np.array([size, 2, size - 1]), size)
    counts = mask & (rng.random(mask.shape) < 0.6)
    counts[:, 0] = [True, False, True]
    batch = Sequences(rng.integers(0, vocab, mask.shape), mask, rng.integers(0, vocab, mask.shape), counts)
    if not isinstance(config, Seq2SeqConfig):
        return batch
    src_mask = masks.padding(np.array([3, size - 1, 1]), size - 1)
    return batch._replace(src=rng.integers(0, config.src_vocab, src_mask.shape), src_mask=src_mask)


def numpy_run(config: SequenceConfig, weights: Tree, batch: Sequences) -> dict[str, Any]:
    """Logits of the real positions (R, V), loss and gradients by numpy_ref, in the form of a golden file."""
    module = DECODERS.get(type(config), seq2seq)
    sides = {} if batch.src is None else {"src_BS": batch.src, "src_mask_BS": batch.src_mask}
    logits_BTV, saved = module.forward(weights, **sides, tokens_BT=batch.tokens, config=config)
    loss, saved_loss = cross_entropy.forward_weighted(logits_BTV, targets_BT=batch.targets, weights_BT=batch.counts)
    dlogits_BTV = cross_entropy.backward_weighted(np.ones_like(loss), saved_loss)
    return {"logits": logits_BTV[batch.mask], "loss": loss, "grads": module.backward(dlogits_BTV, saved)}


def worst(found: Tree, wanted: Tree) -> float:
    """The largest error of logits, loss and gradients, each relative to its own kind."""
    parts = [{"logits": x["logits"], "loss": x["loss"]} for x in (found, wanted)]
    grads = gradcheck.difference(found["grads"], wanted["grads"])
    return max(*gradcheck.difference(*parts).values(), *grads.values())
