"""Multi-head attention: project to queries, keys and values, attend in every head, project the heads' answers back.

    q = x @ wq        k = src @ wk        v = src @ wv
    y = attend(q, k, v), heads side by side, @ wo

`x` asks and `src` answers. In self-attention they are the same array, given twice, and its two gradients are added by
the caller; in cross-attention `src` is the encoder's output. T positions may ask of S positions. Where positions are
rotary, `turn` turns queries and keys of self-attention before they meet (ops/rope.py).

Backward. The chain in reverse: o, attend, then q, k, v. `src` was read twice, by k and by v, so its gradient is a sum.

Vaswani et al. 2017, section 3.2.2.    Lesson: lessons/02_attention.md    Twin: jax_impl/layers/attention.py
"""

from typing import Any

import numpy as np

from common import masks
from common.params import Attention
from common.types import Array
from numpy_ref.layers import linear
from numpy_ref.ops import attend, rope


def forward(
    params: Attention,
    x_BTD: Array,
    src_BSD: Array,
    *,
    n_heads: int,
    n_kv_heads: int,
    mask_BTS: Array,
    turn: tuple[Array, Array] | None = None,
):
    q_BTX, saved_q = linear.forward(params["q"], x_BTD)
    k_BSY, saved_k = linear.forward(params["k"], src_BSD)
    v_BSY, saved_v = linear.forward(params["v"], src_BSD)
    q_BTNGK = q_BTX.reshape(*q_BTX.shape[:2], n_kv_heads, n_heads // n_kv_heads, -1)
    k_BSNK = k_BSY.reshape(*k_BSY.shape[:2], n_kv_heads, -1)
    v_BSNK = v_BSY.reshape(*v_BSY.shape[:2], n_kv_heads, -1)
    q_turned_BTNGK, saved_q_turn = rope.forward(q_BTNGK, turn=turn)
    k_turned_BSNK, saved_k_turn = rope.forward(k_BSNK, turn=turn)
    o_BTNGK, saved_attend = attend.forward(q_turned_BTNGK, k_turned_BSNK, v_BSNK, mask_BTS=mask_BTS)
    o_BTX = o_BTNGK.reshape(q_BTX.shape)
    y_BTD, saved_o = linear.forward(params["o"], o_BTX)
    return y_BTD, (o_BTNGK.shape, saved_q, saved_k, saved_v, saved_q_turn, saved_k_turn, saved_attend, saved_o)


def backward(dy_BTD: Array, saved):
    shape, saved_q, saved_k, saved_v, saved_q_turn, saved_k_turn, saved_attend, saved_o = saved
    d_o, do_BTX = linear.backward(dy_BTD, saved_o)
    dq_turned_BTNGK, dk_turned_BSNK, dv_BSNK = attend.backward(do_BTX.reshape(shape), saved_attend)
    dq_BTNGK = rope.backward(dq_turned_BTNGK, saved_q_turn)
    dk_BSNK = rope.backward(dk_turned_BSNK, saved_k_turn)
    d_q, dx_BTD = linear.backward(dq_BTNGK.reshape(*shape[:2], -1), saved_q)
    d_k, dsrc_k_BSD = linear.backward(dk_BSNK.reshape(*dk_BSNK.shape[:2], -1), saved_k)
    d_v, dsrc_v_BSD = linear.backward(dv_BSNK.reshape(*dv_BSNK.shape[:2], -1), saved_v)
    return {"q": d_q, "k": d_k, "v": d_v, "o": d_o}, dx_BTD, dsrc_k_BSD + dsrc_v_BSD


def project_kv(params: Attention, src_BSD: Array, *, n_kv_heads: int) -> tuple[Array, Array]:
    """The keys and values of `src`, both (B, S, N, K): all that attention ever asks of it, so all that is kept."""
    k_BSY, _ = linear.forward(params["k"], src_BSD)
    v_BSY, _ = linear.forward(params["v"], src_BSD)
    shape = (*src_BSD.shape[:2], n_kv_heads, -1)
    return k_BSY.reshape(shape), v_BSY.reshape(shape)


def forward_projected(
    params: Attention,
    x_BTD: Array,
    k_BSNK: Array,
    v_BSNK: Array,
    *,
    n_heads: int,
    n_kv_heads: int,
    mask_BTS: Array,
    turn: tuple[Array, Array] | None = None,
) -> Array:
    """`forward` for inference, with the keys and values already there."""
    q_BTX, _ = linear.forward(params["q"], x_BTD)
    q_BTNGK = q_BTX.reshape(*q_BTX.shape[:2], n_kv_heads, n_heads // n_kv_heads, -1)
    q_turned_BTNGK, _ = rope.forward(q_BTNGK, turn=turn)
    o_BTNGK, _ = attend.forward(q_turned_BTNGK, k_BSNK, v_BSNK, mask_BTS=mask_BTS)
    y_BTD, _ = linear.forward(params["o"], o_BTNGK.reshape(q_BTX.shape))
    return y_BTD


def forward_cached(
    params: Attention,
    x_BTD: Array,
    k_BSNK: Array,
    v_BSNK: Array,
    *,
    n_heads: int,
    n_kv_heads: int,
    position_BT: Array,
    turn: tuple[Array, Array] | None = None,
    window: int = 0,
) -> tuple[Array, Array, Array]:
    """Causal self-attention of T tokens at their positions, beside the cached keys and values of those before them.

    Returns the output and the cache with the new keys and values written in. What stands beyond a token's position is
    never seen: padding, or places not yet filled. Raises IndexError at a position that the cache has no place for.
    """
    k_new_BTNK, v_new_BTNK = project_kv(params, x_BTD, n_kv_heads=n_kv_heads)
    k_turned_BTNK, _ = rope.forward(k_new_BTNK, turn=turn)
    k_seen_BSNK = _written(k_BSNK, k_turned_BTNK, position_BT)
    v_seen_BSNK = _written(v_BSNK, v_new_BTNK, position_BT)
    mask_BTS = masks.seen(position_BT, k_BSNK.shape[1], window)
    heads: dict[str, Any] = {"n_heads": n_heads, "n_kv_heads": n_kv_heads}
    y_BTD = forward_projected(params, x_BTD, k_seen_BSNK, v_seen_BSNK, mask_BTS=mask_BTS, turn=turn, **heads)
    return y_BTD, k_seen_BSNK, v_seen_BSNK


def _written(cache_BSNK: Array, new_BTNK: Array, position_BT: Array) -> Array:
    """A copy of the cache with the new entries at their positions."""
    copy_BSNK = cache_BSNK.copy()
    copy_BSNK[np.arange(len(cache_BSNK))[:, None], position_BT] = new_BTNK
    return copy_BSNK
