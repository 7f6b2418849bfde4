"""Occlusion: each token of a question hidden from attention in turn, and what becomes of the answer.

A hidden token is one that the model's own mask forbids to look at, in every block: what stands there cannot reach any
other position. A position keeps its own vector, so one that is read out still knows its own token. In a decoder alone a
hidden token may look at itself: a position with nothing to look at has no attention.
"""

import numpy as np

from common.config import ClassifierConfig, GPTConfig, ModelConfig, Seq2SeqConfig
from common.trace import Trace
from common.types import Array, Tree
from console.asking.again import Again
from console.asking.inside import logits, read_out
from numpy_ref.models import gpt, llama
from numpy_ref.ops import softmax

_AT_ONCE = 8192
"""Positions that are computed at once."""


def probabilities(params: Tree, again: Again, config: ModelConfig, hidden_RS: Array) -> Array:
    """The probability of every token at each place of the answer, (R, A, V), with some tokens hidden in each of R
    rows."""
    rows = max(1, _AT_ONCE // len(again.reads))
    parts = [
        _logits(params, again, config, hidden_RS[i : i + rows])[:, again.places] for i in range(0, len(hidden_RS), rows)
    ]
    return softmax.forward(np.concatenate(parts))[0]


def each(n: int) -> Array:
    """Nothing hidden, then one token after another: (n + 1, n)."""
    return np.eye(n + 1, n, k=-1, dtype=bool)


def _logits(params: Tree, again: Again, config: ModelConfig, hidden_RS: Array) -> Array:
    if isinstance(config, (ClassifierConfig, Seq2SeqConfig)):
        many = again.examples.take(np.zeros(len(hidden_RS), np.int64))
        found = logits(params, many._replace(mask=many.mask & ~hidden_RS), config)
        return found if found.ndim == 3 else found[:, None]
    return _decoder(params, again, config, hidden_RS)


def _decoder(params: Tree, again: Again, config: ModelConfig, hidden_RS: Array) -> Array:
    """The stations of a decoder alone once more, from its first block on, with fewer tokens to look at."""
    module, name = (gpt, "gpt") if isinstance(config, GPTConfig) else (llama, "llama")
    with Trace(params) as trace:
        logits(params, again.examples, config)
    begun = next(call for call in trace.calls if call.name == f"blocks.0/{name}.block_forward").locals
    R, T = len(hidden_RS), begun["x_BTD"].shape[1]
    unseen_RS = np.pad(hidden_RS, ((0, 0), (0, T - hidden_RS.shape[1])))
    left_RTS = begun["mask_BTS"] & (~unseen_RS[:, None] | np.eye(T, dtype=bool))
    rest = {"turn": begun["turn"]} if name == "llama" else {}
    xs = [np.repeat(begun["x_BTD"], R, axis=0)]
    for block in params["blocks"]:
        xs.append(module.block_forward(block, xs[-1], mask_BTS=left_RTS, config=config, **rest)[0])
    return read_out(params, xs[-1], config)
