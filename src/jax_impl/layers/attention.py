"""Multi-head attention. The math is in numpy_ref/layers/attention.py."""

import jax

from common.params import Attention
from jax_impl.layers import linear
from jax_impl.ops import attend


def forward(
    params: Attention, x_BTD: jax.Array, src_BSD: jax.Array, *, n_heads: int, n_kv_heads: int, mask_BTS: jax.Array
) -> jax.Array:
    q_BTX = linear.forward(params["q"], x_BTD)
    k_BSY = linear.forward(params["k"], src_BSD)
    v_BSY = linear.forward(params["v"], src_BSD)
    q_BTNGK = q_BTX.reshape(*q_BTX.shape[:2], n_kv_heads, n_heads // n_kv_heads, -1)
    k_BSNK = k_BSY.reshape(*k_BSY.shape[:2], n_kv_heads, -1)
    v_BSNK = v_BSY.reshape(*v_BSY.shape[:2], n_kv_heads, -1)
    o_BTNGK = attend.forward(q_BTNGK, k_BSNK, v_BSNK, mask_BTS=mask_BTS)
    o_BTX = o_BTNGK.reshape(q_BTX.shape)
    y_BTD = linear.forward(params["o"], o_BTX)
    return y_BTD
