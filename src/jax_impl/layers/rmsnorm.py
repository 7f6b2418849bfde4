"""RMSNorm. The math is in numpy_ref/layers/rmsnorm.py.

A 16-bit number has 8 or 11 significant bits, too few to square and average, so the norm is computed in float32 and the
result returned in the type of x.
"""

import jax
import jax.numpy as jnp

from common.params import RMSNorm


def forward(params: RMSNorm, x_BTD: jax.Array, *, eps: float = 1e-5) -> jax.Array:
    wide_BTD = x_BTD.astype(jnp.promote_types(x_BTD.dtype, jnp.float32))
    r_BT1 = 1.0 / jnp.sqrt(jnp.mean(wide_BTD * wide_BTD, axis=-1, keepdims=True) + eps)
    n_BTD = (wide_BTD * r_BT1).astype(x_BTD.dtype)
    y_BTD = params["g"] * n_BTD
    return y_BTD
