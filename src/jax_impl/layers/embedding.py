"""Embedding. The math is in numpy_ref/layers/embedding.py.

A token id out of range is clamped in silence by JAX, so ids are checked on the host before (common/data/batching.py).
"""

import jax

from common.params import Embedding


def forward(params: Embedding, *, tokens_BT: jax.Array) -> jax.Array:
    y_BTD = params["w"][tokens_BT]
    return y_BTD
