"""GPT. The math is in numpy_ref/models/gpt.py."""

import jax
import jax.numpy as jnp

from common import masks
from common.config import GPTConfig
from common.params import GPT, DecoderBlock
from common.positions import sinusoidal
from common.types import AnyArray
from jax_impl.layers import attention, embedding, ffn, layernorm, linear
from jax_impl.ops import dropout


def forward(params: GPT, *, tokens_BT: jax.Array, config: GPTConfig, key: jax.Array | None = None) -> jax.Array:
    emb_key, *block_keys = dropout.keys(key, 1 + config.n_blocks)
    e_BTD = embedding.forward(params["emb"], tokens_BT=tokens_BT)
    p_TD = _positions(params, tokens_BT.shape[1], config).astype(e_BTD.dtype)
    x_BTD = dropout.forward(e_BTD + p_TD, rate=config.dropout, key=emb_key)
    T = tokens_BT.shape[1]
    mask_BTS = jnp.broadcast_to(masks.causal(T), (len(tokens_BT), T, T))
    xs = [x_BTD]
    for block, block_key in zip(params["blocks"], block_keys, strict=True):
        y_BTD = block_forward(block, xs[-1], mask_BTS=mask_BTS, config=config, key=block_key)
        xs.append(y_BTD)
    n_BTD = layernorm.forward(params["norm"], xs[-1], eps=config.eps)
    head = {"w": params["emb"]["w"].T} if config.tied else params["head"]
    logits_BTV = linear.forward(head, n_BTD)
    return logits_BTV


def block_forward(
    params: DecoderBlock, x_BTD: jax.Array, *, mask_BTS: jax.Array, config: GPTConfig, key: jax.Array | None = None
) -> jax.Array:
    attn_key, ffn_key = dropout.keys(key, 2)
    heads = {"n_heads": config.n_heads, "n_kv_heads": config.n_heads}
    n_BTD = layernorm.forward(params["norm1"], x_BTD, eps=config.eps)
    a_BTD = attention.forward(params["attn"], n_BTD, n_BTD, mask_BTS=mask_BTS, **heads)
    a_dropped_BTD = dropout.forward(a_BTD, rate=config.dropout, key=attn_key)
    m_BTD = x_BTD + a_dropped_BTD
    o_BTD = layernorm.forward(params["norm2"], m_BTD, eps=config.eps)
    f_BTD = ffn.forward(params["ffn"], o_BTD, activation=config.activation)
    f_dropped_BTD = dropout.forward(f_BTD, rate=config.dropout, key=ffn_key)
    y_BTD = m_BTD + f_dropped_BTD
    return y_BTD


def _positions(params: GPT, length: int, config: GPTConfig) -> AnyArray:
    return params["pos"]["w"][:length] if config.positions == "learned" else sinusoidal(length, config.d_model)
