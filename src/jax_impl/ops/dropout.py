"""Dropout. The math is in numpy_ref/ops/dropout.py.

The probability goes in as float32, so that `jax.random` draws float32 also where the model runs in float64.
"""

import jax
import numpy as np


def forward(x: jax.Array, *, rate: float, key: jax.Array | None) -> jax.Array:
    scale = (
        jax.random.bernoulli(key, np.float32(1 - rate), x.shape).astype(x.dtype) / (1 - rate)
        if key is not None
        else 1.0
    )
    y = x * scale
    return y


def keys(key: jax.Array | None, n: int) -> list[jax.Array | None]:
    """`n` keys for `n` places, or `n` times None."""
    return [None] * n if key is None else list(jax.random.split(key, n))
