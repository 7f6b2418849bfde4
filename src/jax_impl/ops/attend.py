"""Scaled dot-product attention. The math is in numpy_ref/ops/attend.py.

This is the plain form. It makes the whole table of weights; a fused kernel, where a device has one, is chosen on the
host in jax_impl/device/, never in here.
"""

import math

import jax
import jax.numpy as jnp

from jax_impl.ops import softmax


def forward(q_BTNGK: jax.Array, k_BSNK: jax.Array, v_BSNK: jax.Array, *, mask_BTS: jax.Array) -> jax.Array:
    scale = 1.0 / math.sqrt(q_BTNGK.shape[-1])
    q_BNGTK = q_BTNGK.transpose(0, 2, 3, 1, 4)
    k_BN1SK = k_BSNK.transpose(0, 2, 1, 3)[:, :, None]
    v_BN1SK = v_BSNK.transpose(0, 2, 1, 3)[:, :, None]
    a_BNGTS = (q_BNGTK @ k_BN1SK.swapaxes(-1, -2)) * scale
    w_BNGTS = softmax.forward(jnp.where(mask_BTS[:, None, None], a_BNGTS, -jnp.inf))
    o_BNGTK = w_BNGTS @ v_BN1SK
    return o_BNGTK.transpose(0, 3, 1, 2, 4)
