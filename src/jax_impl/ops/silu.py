"""SiLU. The math is in numpy_ref/ops/silu.py."""

import jax
import jax.numpy as jnp


def forward(x: jax.Array) -> jax.Array:
    s = 0.5 * (1 + jnp.tanh(0.5 * x))
    y = x * s
    return y
