"""Occlusion: each token of a question hidden from attention in turn, and what becomes of the answer.

A hidden token is one that the model's own mask forbids to look at, in every block: what stands there cannot reach any
other position. A position keeps its own vector, so one that is read out still knows its own token. In a decoder alone a
hidden token may look at itself: a position with nothing to look at has no attention.
"""

import numpy as np

from common.config import ModelConfig
from common.types import Array, Tree
from console.asking import computing
from console.asking.again import Again
from numpy_ref.ops import softmax

_AT_ONCE = 8192
"""Positions that are computed at once."""


def probabilities(params: Tree, again: Again, config: ModelConfig, hidden_RS: Array) -> Array:
    """The probability of every token at each place of the answer, (R, A, V), with some tokens hidden in each of R
    rows."""
    rows = max(1, _AT_ONCE // len(again.reads))
    starts = range(0, len(hidden_RS), rows)
    parts = [computing.hidden(params, again.examples, config, hidden_RS[i : i + rows])[:, again.places] for i in starts]
    return softmax.forward(np.concatenate(parts))[0]


def each(n: int) -> Array:
    """Nothing hidden, then one token after another: (n + 1, n)."""
    return np.eye(n + 1, n, k=-1, dtype=bool)
