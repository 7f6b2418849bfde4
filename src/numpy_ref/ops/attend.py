"""Scaled dot-product attention: each query takes a weighted mean of the values, weighted by how well the keys fit it.

    a_ts = q_t . k_s / sqrt(K)        how well position s fits what position t looks for
    w_t  = softmax over s of a_t      shares; zero where the mask forbids to look
    o_t  = sum over s of w_ts v_s

H query heads share N key/value heads, G = H / N queries to each (G = 1 is ordinary multi-head attention). The dot
product of two vectors of K random signs has a spread of sqrt(K); dividing by it keeps the softmax from saturating.

Backward. o is linear in w and in v, a is linear in q and in k, so four products undo two:
    dw_ts = do_t . v_s        dv_s = sum over t (and the G queries) of w_ts do_t
    da    = softmax's backward of dw: zero wherever w is zero, so nothing flows through the mask
    dq_t  = sum over s of da_ts k_s / sqrt(K)        dk_s = sum over t (and G) of da_ts q_t / sqrt(K)

Vaswani et al. 2017, section 3.2.1.    Lesson: lessons/02_attention.md    Twin: jax_impl/ops/attend.py
"""

import numpy as np

from common.types import Array
from numpy_ref.ops import softmax


def forward(q_BTNGK: Array, k_BSNK: Array, v_BSNK: Array, *, mask_BTS: Array):
    scale = 1.0 / np.sqrt(q_BTNGK.shape[-1]).item()
    q_BNGTK = q_BTNGK.transpose(0, 2, 3, 1, 4)
    k_BN1SK = k_BSNK.transpose(0, 2, 1, 3)[:, :, None]
    v_BN1SK = v_BSNK.transpose(0, 2, 1, 3)[:, :, None]
    a_BNGTS = (q_BNGTK @ k_BN1SK.swapaxes(-1, -2)) * scale
    w_BNGTS, saved_softmax = softmax.forward(np.where(mask_BTS[:, None, None], a_BNGTS, -np.inf))
    # out=: laid in memory as q is, so that the next layer, which reads it in the order BTNGK, need not copy it
    o_BNGTK = np.matmul(w_BNGTS, v_BN1SK, out=np.empty_like(q_BNGTK))
    return o_BNGTK.transpose(0, 3, 1, 2, 4), (scale, q_BNGTK, k_BN1SK, v_BN1SK, w_BNGTS, saved_softmax)


def backward(do_BTNGK: Array, saved):
    scale, q_BNGTK, k_BN1SK, v_BN1SK, w_BNGTS, saved_softmax = saved
    do_BNGTK = do_BTNGK.transpose(0, 2, 3, 1, 4)
    dv_BNSK = _over_queries(w_BNGTS, do_BNGTK, like_BNSK=v_BN1SK[:, :, 0])
    dw_BNGTS = do_BNGTK @ v_BN1SK.swapaxes(-1, -2)
    da_BNGTS = softmax.backward(dw_BNGTS, saved_softmax) * scale
    dk_BNSK = _over_queries(da_BNGTS, q_BNGTK, like_BNSK=k_BN1SK[:, :, 0])
    dq_BNGTK = np.matmul(da_BNGTS, k_BN1SK, out=np.empty_like(q_BNGTK))
    return dq_BNGTK.transpose(0, 3, 1, 2, 4), dk_BNSK.transpose(0, 2, 1, 3), dv_BNSK.transpose(0, 2, 1, 3)


def _over_queries(w_BNGTS: Array, x_BNGTK: Array, *, like_BNSK: Array) -> Array:
    """The sum over all queries of a key: T of them in each of G heads, here R = G T rows of one product."""
    w_BNRS = w_BNGTS.reshape(*w_BNGTS.shape[:2], -1, w_BNGTS.shape[-1])
    x_BNRK = x_BNGTK.reshape(*x_BNGTK.shape[:2], -1, x_BNGTK.shape[-1])
    return np.matmul(w_BNRS.swapaxes(-1, -2), x_BNRK, out=np.empty_like(like_BNSK))
