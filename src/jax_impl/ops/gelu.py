"""GELU. The math is in numpy_ref/ops/gelu.py."""

import math

import jax
import jax.numpy as jnp

_C = math.sqrt(2 / math.pi)
_A = 0.044715


def forward(x: jax.Array, *, exact: bool = False) -> jax.Array:
    if exact:
        s = 0.5 * (1 + jax.scipy.special.erf(x * math.sqrt(0.5)))
    else:
        t = jnp.tanh(_C * (x + _A * (x * x * x)))
        s = 0.5 * (1 + t)
    y = x * s
    return y
