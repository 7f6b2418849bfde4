"""The digit transformer: an encoder that reads `Max ( 5 3 9 )` and answers with one token.

    x = emb[tokens] + positions
    twice:  x = norm1(x + attn(x))        look around
            x = norm2(x + ffn(x))         think for yourself
    logits = x[first position] @ head

The norms stand after each sum (post-LN), as in the paper. Only the first position, that of the operation, is read out.

Backward. The same stations in reverse. A residual sum sends its gradient both ways, unchanged: into the sublayer and
past it; where the two ways meet again, they are added.

`forward` computes every position of every block: for lessons, traces and pictures. `forward_pooled` lets the last block
compute the first position alone, since no other is read: the same logits and gradients for a third less work. Training
uses it. `backward` serves both.

Vaswani et al. 2017.    Lesson: lessons/04_stacking.md    Twin: jax_impl/models/classifier.py
"""

from typing import Any

import numpy as np

from common.config import ClassifierConfig
from common.params import Classifier, EncoderBlock
from common.positions import sinusoidal
from common.types import Array
from numpy_ref.layers import attention, embedding, ffn, layernorm, linear


def forward(params: Classifier, *, tokens_BT: Array, mask_BT: Array, config: ClassifierConfig):
    return _forward(params, tokens_BT, mask_BT, config, last=tokens_BT.shape[1])


def forward_pooled(params: Classifier, *, tokens_BT: Array, mask_BT: Array, config: ClassifierConfig):
    return _forward(params, tokens_BT, mask_BT, config, last=1)


def _forward(params: Classifier, tokens_BT: Array, mask_BT: Array, config: ClassifierConfig, last: int):
    e_BTD, saved_emb = embedding.forward(params["emb"], tokens_BT=tokens_BT)
    p_TD = sinusoidal(tokens_BT.shape[1], config.d_model).astype(e_BTD.dtype)
    xs, saved_blocks = [e_BTD + p_TD], []
    for i, block in enumerate(params["blocks"]):
        queries = last if i == config.n_blocks - 1 else tokens_BT.shape[1]
        y_BQD, saved_block = block_forward(block, xs[-1], mask_BS=mask_BT, queries=queries, config=config)
        xs.append(y_BQD)
        saved_blocks.append(saved_block)
    pooled_BD = xs[-1][:, 0]
    logits_BC, saved_head = linear.forward(params["head"], pooled_BD)
    return logits_BC, (saved_emb, saved_blocks, xs[-1].shape, saved_head)


def backward(dlogits_BC: Array, saved):
    saved_emb, saved_blocks, shape, saved_head = saved
    d_head, dpooled_BD = linear.backward(dlogits_BC, saved_head)
    unread_BUD = np.zeros((shape[0], shape[1] - 1, shape[2]), dpooled_BD.dtype)
    dlast_BTD = np.concatenate([dpooled_BD[:, None], unread_BUD], axis=1)
    dxs, d_blocks = [dlast_BTD], []
    for saved_block in reversed(saved_blocks):
        d_block, dx_BSD = block_backward(dxs[-1], saved_block)
        dxs.append(dx_BSD)
        d_blocks.append(d_block)
    d_emb = embedding.backward(dxs[-1], saved_emb)
    return {"emb": d_emb, "blocks": d_blocks[::-1], "head": d_head}


def block_forward(params: EncoderBlock, x_BSD: Array, *, mask_BS: Array, queries: int, config: ClassifierConfig):
    """The first `queries` of S positions, each looking at all S."""
    x_BTD = x_BSD[:, :queries]
    mask_BTS = np.broadcast_to(mask_BS[:, None, :], (*x_BTD.shape[:2], x_BSD.shape[1]))
    heads: dict[str, Any] = {"n_heads": config.n_heads, "n_kv_heads": config.n_heads}
    a_BTD, saved_attn = attention.forward(params["attn"], x_BTD, x_BSD, mask_BTS=mask_BTS, **heads)
    m_BTD, saved_norm1 = layernorm.forward(params["norm1"], x_BTD + a_BTD, eps=config.eps)
    f_BTD, saved_ffn = ffn.forward(params["ffn"], m_BTD)
    y_BTD, saved_norm2 = layernorm.forward(params["norm2"], m_BTD + f_BTD, eps=config.eps)
    return y_BTD, (queries, saved_attn, saved_norm1, saved_ffn, saved_norm2)


def block_backward(dy_BTD: Array, saved):
    queries, saved_attn, saved_norm1, saved_ffn, saved_norm2 = saved
    d_norm2, dsum2_BTD = layernorm.backward(dy_BTD, saved_norm2)
    d_ffn, dm_ffn_BTD = ffn.backward(dsum2_BTD, saved_ffn)
    d_norm1, dsum1_BTD = layernorm.backward(dsum2_BTD + dm_ffn_BTD, saved_norm1)
    d_attn, dx_attn_BTD, dsrc_BSD = attention.backward(dsum1_BTD, saved_attn)
    dasked_BTD = dsum1_BTD + dx_attn_BTD + dsrc_BSD[:, :queries]
    dx_BSD = np.concatenate([dasked_BTD, dsrc_BSD[:, queries:]], axis=1)
    return {"attn": d_attn, "norm1": d_norm1, "ffn": d_ffn, "norm2": d_norm2}, dx_BSD
