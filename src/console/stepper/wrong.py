"""Wrong backward passes for the model families that `course.planted` leaves alone, and two more kinds of error.

Each takes the place of the shipped function it is named after in console/stepper/breaking.py. `right`, a default
argument, is the one that ships.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from common import tree
from common.types import Array
from course import planted
from numpy_ref.layers import attention, ffn, layernorm, linear, rmsnorm, swiglu
from numpy_ref.ops import attend, cross_entropy, dropout, softmax


def copied(dy_BTD: Array, saved, right: Callable[..., Any] = planted.copied):
    """The weights of q and k get copies of the gradient of v; q as many side by side as heads share a key."""
    d_params, dx_BTD, dsrc_BSD = right(dy_BTD, saved)
    (w_IO, *_), shared = saved[1], d_params["v"]["w"].shape[1]
    copies = tree.map(lambda dv: np.tile(dv, w_IO.shape[1] // shared), d_params["v"])
    return d_params | ({"q": copies} if w_IO.shape[1] > shared else {}), dx_BTD, dsrc_BSD


def twice_weighted(dloss: Array, saved, right: Callable[..., Any] = cross_entropy.backward_weighted):
    """Softmax is differentiated twice, over the positions that count."""
    p_RV, _, _, shape = saved
    return softmax.backward(right(dloss, saved), p_RV.reshape(shape))


def constant_length(dy_BTD: Array, saved, right: Callable[..., Any] = rmsnorm.backward):
    """RMSNorm as if a token's length were a constant."""
    g_D, _, r_BT1 = saved
    d_params, _ = right(dy_BTD, saved)
    return d_params, r_BT1 * (g_D * dy_BTD)


def unmasked(do_BTNGK: Array, saved, right: Callable[..., Any] = attend.backward):
    """The shares are computed again for the way back, and nobody masks them."""
    scale, q_BNGTK, k_BN1SK, v_BN1SK, _, _ = saved
    w_BNGTS, saved_softmax = softmax.forward((q_BNGTK @ k_BN1SK.swapaxes(-1, -2)) * scale)
    return right(do_BTNGK, (scale, q_BNGTK, k_BN1SK, v_BN1SK, w_BNGTS, saved_softmax))


def scaled(dy: Array, saved, right: Callable[..., Any] = linear.backward):
    """The gradient of every weight matrix is a thousandth too large."""
    d_params, dx = right(dy, saved)
    return d_params | {"w": d_params["w"] * np.asarray(1.001, dx.dtype)}, dx


def lost_gpt(dy_BTD: Array, saved):
    """The residual sums send their gradient into the sublayers alone, and none of it past them."""
    saved_norm1, saved_attn, saved_dropout1, saved_norm2, saved_ffn, saved_dropout2 = saved
    d_ffn, do_BTD = ffn.backward(dropout.backward(dy_BTD, saved_dropout2), saved_ffn)
    d_norm2, dm_ffn_BTD = layernorm.backward(do_BTD, saved_norm2)
    da_BTD = dropout.backward(dm_ffn_BTD, saved_dropout1)
    d_attn, dn_asked_BTD, dn_answered_BTD = attention.backward(da_BTD, saved_attn)
    d_norm1, dx_BTD = layernorm.backward(dn_asked_BTD + dn_answered_BTD, saved_norm1)
    return {"norm1": d_norm1, "attn": d_attn, "norm2": d_norm2, "ffn": d_ffn}, dx_BTD


def lost_llama(dy_BTD: Array, saved):
    """The same in a LLaMA block."""
    saved_norm1, saved_attn, saved_norm2, saved_ffn = saved
    d_ffn, do_BTD = swiglu.backward(dy_BTD, saved_ffn)
    d_norm2, dm_ffn_BTD = rmsnorm.backward(do_BTD, saved_norm2)
    d_attn, dn_asked_BTD, dn_answered_BTD = attention.backward(dm_ffn_BTD, saved_attn)
    d_norm1, dx_BTD = rmsnorm.backward(dn_asked_BTD + dn_answered_BTD, saved_norm1)
    return {"norm1": d_norm1, "attn": d_attn, "norm2": d_norm2, "ffn": d_ffn}, dx_BTD


def lost_encoder(dy_BSD: Array, saved):
    """The same in an encoder block."""
    saved_attn, saved_dropout1, saved_norm1, saved_ffn, saved_dropout2, saved_norm2 = saved
    d_norm2, dsum2_BSD = layernorm.backward(dy_BSD, saved_norm2)
    d_ffn, dm_ffn_BSD = ffn.backward(dropout.backward(dsum2_BSD, saved_dropout2), saved_ffn)
    d_norm1, dsum1_BSD = layernorm.backward(dm_ffn_BSD, saved_norm1)
    da_BSD = dropout.backward(dsum1_BSD, saved_dropout1)
    d_attn, dx_asked_BSD, dx_answered_BSD = attention.backward(da_BSD, saved_attn)
    dx_BSD = dx_asked_BSD + dx_answered_BSD
    return {"attn": d_attn, "norm1": d_norm1, "ffn": d_ffn, "norm2": d_norm2}, dx_BSD


def lost_decoder(dz_BTD: Array, saved):
    """The same in a decoder block that looks across."""
    (saved_attn, saved_dropout1, saved_norm1), saved_across, saved_think = saved
    saved_ffn, saved_dropout3, saved_norm3 = saved_think
    d_norm3, dsum3_BTD = layernorm.backward(dz_BTD, saved_norm3)
    d_ffn, do_ffn_BTD = ffn.backward(dropout.backward(dsum3_BTD, saved_dropout3), saved_ffn)
    saved_cross, saved_dropout2, saved_norm2 = saved_across
    d_norm2, dsum2_BTD = layernorm.backward(do_ffn_BTD, saved_norm2)
    d_cross, dm_cross_BTD, dx_BSD = attention.backward(dropout.backward(dsum2_BTD, saved_dropout2), saved_cross)
    d_norm1, dsum1_BTD = layernorm.backward(dm_cross_BTD, saved_norm1)
    da_BTD = dropout.backward(dsum1_BTD, saved_dropout1)
    d_attn, dy_asked_BTD, dy_answered_BTD = attention.backward(da_BTD, saved_attn)
    dy_BTD = dy_asked_BTD + dy_answered_BTD
    grads = {"attn": d_attn, "norm1": d_norm1, "cross": d_cross, "norm2": d_norm2, "ffn": d_ffn, "norm3": d_norm3}
    return grads, dy_BTD, dx_BSD
