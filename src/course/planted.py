"""Errors to plant in the backward passes, each of a kind that people make; lesson 07 trains with them and finds them.

    with planted("copied", "twice"):
        ...                 # attention.backward and cross_entropy.backward of numpy_ref are the wrong ones in here

Every one returns gradients of the right names and shapes and raises nothing. `right`, a default argument, is the
backward that ships: inside `planted` the module's own name stands for the wrong one.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import Any
from unittest.mock import patch

import numpy as np

from common import tree
from common.sums import mean
from common.types import Array
from numpy_ref.layers import attention, embedding, ffn, layernorm, linear
from numpy_ref.models import classifier
from numpy_ref.ops import attend, cross_entropy, softmax


def copied(dy_BTD: Array, saved, right: Callable[..., Any] = attention.backward):
    """The gradients of the weights of q and k are copies of that of v."""
    d_params, dx_BTD, dsrc_BSD = right(dy_BTD, saved)
    return d_params | {"q": d_params["v"], "k": d_params["v"]}, dx_BTD, dsrc_BSD


def blind(dy_BTD: Array, saved, right: Callable[..., Any] = attention.backward):
    """The weights of q and k have no gradient: the heads are never told where to look."""
    d_params, dx_BTD, dsrc_BSD = right(dy_BTD, saved)
    return d_params | {name: tree.map(np.zeros_like, d_params[name]) for name in "qk"}, dx_BTD, dsrc_BSD


def uphill(dy_BTD: Array, saved, right: Callable[..., Any] = attention.backward):
    """A lost minus sign: the weights of q and k are moved the wrong way."""
    d_params, dx_BTD, dsrc_BSD = right(dy_BTD, saved)
    return d_params | {name: tree.map(np.negative, d_params[name]) for name in "qk"}, dx_BTD, dsrc_BSD


def twice(dloss: Array, saved, right: Callable[..., Any] = cross_entropy.backward):
    """Softmax is differentiated twice: p - y has its derivative in it already."""
    p_BC, _ = saved
    return softmax.backward(right(dloss, saved), p_BC)


def uncoupled(dy: Array, saved):
    """Softmax as if each share hung on its own score alone."""
    y = saved
    return y * (1 - y) * dy


def unscaled(do_BTNGK: Array, saved, right: Callable[..., Any] = attend.backward):
    """Scores were divided by sqrt(K) on the way forward, and are not on the way back."""
    scale = saved[0]
    dq_BTNGK, dk_BSNK, dv_BSNK = right(do_BTNGK, saved)
    return dq_BTNGK / scale, dk_BSNK / scale, dv_BSNK


def constant(dy_BTD: Array, saved, right: Callable[..., Any] = layernorm.backward):
    """LayerNorm as if a token's mean and length were constants."""
    g_D, _, r_BT1 = saved
    d_params, _ = right(dy_BTD, saved)
    return d_params, r_BT1 * (g_D * dy_BTD)


def lengthening(dy_BTD: Array, saved, right: Callable[..., Any] = layernorm.backward):
    """LayerNorm without the term that takes out the part along n."""
    g_D, _, r_BT1 = saved
    d_params, _ = right(dy_BTD, saved)
    dn_BTD = g_D * dy_BTD
    return d_params, r_BT1 * (dn_BTD - mean(dn_BTD))


def lost(dy_BTD: Array, saved):
    """The residual sums send their gradient into the sublayers alone, and none of it past them."""
    queries, saved_attn, saved_norm1, saved_ffn, saved_norm2 = saved
    d_norm2, dsum2_BTD = layernorm.backward(dy_BTD, saved_norm2)
    d_ffn, dm_ffn_BTD = ffn.backward(dsum2_BTD, saved_ffn)
    d_norm1, dsum1_BTD = layernorm.backward(dm_ffn_BTD, saved_norm1)
    d_attn, dx_attn_BTD, dsrc_BSD = attention.backward(dsum1_BTD, saved_attn)
    dx_BSD = np.concatenate([dx_attn_BTD + dsrc_BSD[:, :queries], dsrc_BSD[:, queries:]], axis=1)
    return {"attn": d_attn, "norm1": d_norm1, "ffn": d_ffn, "norm2": d_norm2}, dx_BSD


def untransposed(dy: Array, saved, right: Callable[..., Any] = linear.backward):
    """dx = dy @ w, which fits wherever w is square."""
    w_IO = saved[0]
    d_params, dx = right(dy, saved)
    return d_params, dy @ w_IO if w_IO.shape[0] == w_IO.shape[1] else dx


def overwriting(dy_BTD: Array, saved):
    """A token that stands in several places keeps the gradient of the last of them."""
    vocab, tokens_BT = saved
    dw_VD = np.zeros((vocab, dy_BTD.shape[-1]), dy_BTD.dtype)
    dw_VD[tokens_BT] = dy_BTD
    return {"w": dw_VD}


HOME: dict[str, tuple[ModuleType, str]] = {
    "copied": (attention, "backward"),
    "blind": (attention, "backward"),
    "uphill": (attention, "backward"),
    "twice": (cross_entropy, "backward"),
    "uncoupled": (softmax, "backward"),
    "unscaled": (attend, "backward"),
    "constant": (layernorm, "backward"),
    "lengthening": (layernorm, "backward"),
    "lost": (classifier, "block_backward"),
    "untransposed": (linear, "backward"),
    "overwriting": (embedding, "backward"),
}
"""Which shipped function each of them takes the place of."""


@contextmanager
def planted(*names: str) -> Iterator[None]:
    """Plant errors by name; out again at the end, whatever happens in between."""
    with ExitStack() as stack:
        for name in names:
            stack.enter_context(patch.object(*HOME[name], globals()[name]))
        yield
