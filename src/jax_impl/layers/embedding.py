"""Embedding. The math is in numpy_ref/layers/embedding.py.

A token id out of range raises in NumPy and is clamped in silence by JAX: ids are checked on the host, before either.
"""

import jax

from common.params import Embedding


def forward(params: Embedding, *, tokens_BT: jax.Array) -> jax.Array:
    y_BTD = params["w"][tokens_BT]
    return y_BTD
