"""Dropout: in training, silence each number by chance and make up for it in the others; at rest, do nothing.

    scale = 1 / (1 - rate) with probability 1 - rate, else 0
    y     = x * scale

A key means training, no key means rest. The expected value of y is x in both. The same key draws the same mask, bit for
bit, in the JAX twin.

Backward. The mask is a constant of the pass: dx = dy * scale.

Srivastava et al. 2014.    Twin: jax_impl/ops/dropout.py
"""

from common import random
from common.types import Array, Key


def forward(x: Array, *, rate: float, key: Key | None):
    scale = random.bernoulli(key, 1 - rate, x.shape).astype(x.real.dtype) / (1 - rate) if key is not None else 1.0
    y = x * scale
    return y, scale


def backward(dy: Array, saved):
    scale = saved
    dx = dy * scale
    return dx


def keys(key: Key | None, n: int) -> list[Key | None]:
    """`n` keys for `n` places, or `n` times None."""
    return [None] * n if key is None else list(random.split(key, n))
