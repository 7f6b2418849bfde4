"""Multi-head attention. The math is in numpy_ref/layers/attention.py.

`kernel` does what `attend.forward` does; jax_impl/device/fused.py chooses one for the device at hand.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from common import masks
from common.params import Attention
from jax_impl.layers import linear
from jax_impl.ops import attend, rope


def forward(
    params: Attention,
    x_BTD: jax.Array,
    src_BSD: jax.Array,
    *,
    n_heads: int,
    n_kv_heads: int,
    mask_BTS: jax.Array,
    turn: tuple[jax.Array, jax.Array] | None = None,
    kernel: Callable[..., jax.Array] = attend.forward,
) -> jax.Array:
    q_BTX = linear.forward(params["q"], x_BTD)
    k_BSY = linear.forward(params["k"], src_BSD)
    v_BSY = linear.forward(params["v"], src_BSD)
    q_BTNGK = q_BTX.reshape(*q_BTX.shape[:2], n_kv_heads, n_heads // n_kv_heads, -1)
    k_BSNK = k_BSY.reshape(*k_BSY.shape[:2], n_kv_heads, -1)
    v_BSNK = v_BSY.reshape(*v_BSY.shape[:2], n_kv_heads, -1)
    q_turned_BTNGK = rope.forward(q_BTNGK, turn=turn)
    k_turned_BSNK = rope.forward(k_BSNK, turn=turn)
    o_BTNGK = kernel(q_turned_BTNGK, k_turned_BSNK, v_BSNK, mask_BTS=mask_BTS)
    o_BTX = o_BTNGK.reshape(q_BTX.shape)
    y_BTD = linear.forward(params["o"], o_BTX)
    return y_BTD


def project_kv(params: Attention, src_BSD: jax.Array, *, n_kv_heads: int) -> tuple[jax.Array, jax.Array]:
    k_BSY = linear.forward(params["k"], src_BSD)
    v_BSY = linear.forward(params["v"], src_BSD)
    shape = (*src_BSD.shape[:2], n_kv_heads, -1)
    return k_BSY.reshape(shape), v_BSY.reshape(shape)


def forward_projected(
    params: Attention,
    x_BTD: jax.Array,
    k_BSNK: jax.Array,
    v_BSNK: jax.Array,
    *,
    n_heads: int,
    n_kv_heads: int,
    mask_BTS: jax.Array,
    turn: tuple[jax.Array, jax.Array] | None = None,
) -> jax.Array:
    q_BTX = linear.forward(params["q"], x_BTD)
    q_BTNGK = q_BTX.reshape(*q_BTX.shape[:2], n_kv_heads, n_heads // n_kv_heads, -1)
    q_turned_BTNGK = rope.forward(q_BTNGK, turn=turn)
    o_BTNGK = attend.forward(q_turned_BTNGK, k_BSNK, v_BSNK, mask_BTS=mask_BTS)
    y_BTD = linear.forward(params["o"], o_BTNGK.reshape(q_BTX.shape))
    return y_BTD


def forward_cached(
    params: Attention,
    x_BTD: jax.Array,
    k_BSNK: jax.Array,
    v_BSNK: jax.Array,
    *,
    n_heads: int,
    n_kv_heads: int,
    position_BT: jax.Array,
    turn: tuple[jax.Array, jax.Array] | None = None,
    window: int = 0,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """A position that the cache has no place for is left out, and what comes of it is NaN: an overrun is loud, where
    a scatter would write over the last place.
    """
    k_new_BTNK, v_new_BTNK = project_kv(params, x_BTD, n_kv_heads=n_kv_heads)
    k_turned_BTNK = rope.forward(k_new_BTNK, turn=turn)
    k_seen_BSNK = _written(k_BSNK, k_turned_BTNK, position_BT)
    v_seen_BSNK = _written(v_BSNK, v_new_BTNK, position_BT)
    mask_BTS = masks.seen(position_BT, k_BSNK.shape[1], window)
    heads: dict[str, Any] = {"n_heads": n_heads, "n_kv_heads": n_kv_heads}
    y_BTD = forward_projected(params, x_BTD, k_seen_BSNK, v_seen_BSNK, mask_BTS=mask_BTS, turn=turn, **heads)
    loud_BTD = jnp.where(position_BT[:, :, None] < k_BSNK.shape[1], y_BTD, jnp.nan)
    return loud_BTD, k_seen_BSNK, v_seen_BSNK


def _written(cache_BSNK: jax.Array, new_BTNK: jax.Array, position_BT: jax.Array) -> jax.Array:
    return cache_BSNK.at[jnp.arange(len(cache_BSNK))[:, None], position_BT].set(new_BTNK, mode="drop")
