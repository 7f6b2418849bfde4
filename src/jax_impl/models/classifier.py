"""The digit transformer. The math is in numpy_ref/models/classifier.py; here is only what JAX changes.

The positions are a constant of the compiled program, computed by NumPy while it is traced.
"""

from typing import Any

import jax
import jax.numpy as jnp

from common.config import ClassifierConfig
from common.params import Classifier, EncoderBlock
from common.positions import sinusoidal
from jax_impl.layers import attention, embedding, ffn, layernorm, linear


def forward(params: Classifier, *, tokens_BT: jax.Array, mask_BT: jax.Array, config: ClassifierConfig) -> jax.Array:
    return _forward(params, tokens_BT, mask_BT, config, last=tokens_BT.shape[1])


def forward_pooled(
    params: Classifier, *, tokens_BT: jax.Array, mask_BT: jax.Array, config: ClassifierConfig
) -> jax.Array:
    return _forward(params, tokens_BT, mask_BT, config, last=1)


def _forward(
    params: Classifier, tokens_BT: jax.Array, mask_BT: jax.Array, config: ClassifierConfig, last: int
) -> jax.Array:
    e_BTD = embedding.forward(params["emb"], tokens_BT=tokens_BT)
    p_TD = sinusoidal(tokens_BT.shape[1], config.d_model).astype(e_BTD.dtype)
    xs = [e_BTD + p_TD]
    for i, block in enumerate(params["blocks"]):
        queries = last if i == config.n_blocks - 1 else tokens_BT.shape[1]
        y_BQD = block_forward(block, xs[-1], mask_BS=mask_BT, queries=queries, config=config)
        xs.append(y_BQD)
    pooled_BD = xs[-1][:, 0]
    logits_BC = linear.forward(params["head"], pooled_BD)
    return logits_BC


def block_forward(
    params: EncoderBlock, x_BSD: jax.Array, *, mask_BS: jax.Array, queries: int, config: ClassifierConfig
) -> jax.Array:
    x_BTD = x_BSD[:, :queries]
    mask_BTS = jnp.broadcast_to(mask_BS[:, None, :], (*x_BTD.shape[:2], x_BSD.shape[1]))
    heads: dict[str, Any] = {"n_heads": config.n_heads, "n_kv_heads": config.n_heads}
    a_BTD = attention.forward(params["attn"], x_BTD, x_BSD, mask_BTS=mask_BTS, **heads)
    m_BTD = layernorm.forward(params["norm1"], x_BTD + a_BTD, eps=config.eps)
    f_BTD = ffn.forward(params["ffn"], m_BTD)
    y_BTD = layernorm.forward(params["norm2"], m_BTD + f_BTD, eps=config.eps)
    return y_BTD
