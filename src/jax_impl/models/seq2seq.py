"""Encoder and decoder. The math is in numpy_ref/models/seq2seq.py."""

import jax
import jax.numpy as jnp

from common import masks
from common.config import Seq2SeqConfig
from common.params import CrossBlock, EncoderBlock, Seq2Seq
from common.positions import sinusoidal
from jax_impl.layers import attention, embedding, ffn, layernorm, linear
from jax_impl.ops import dropout


def forward(
    params: Seq2Seq,
    *,
    src_BS: jax.Array,
    src_mask_BS: jax.Array,
    tokens_BT: jax.Array,
    config: Seq2SeqConfig,
    key: jax.Array | None = None,
) -> jax.Array:
    src_key, tgt_key = dropout.keys(key, 2)
    x_BSD = encode(params, src_BS=src_BS, src_mask_BS=src_mask_BS, config=config, key=src_key)
    T, S = tokens_BT.shape[1], src_BS.shape[1]
    mask_BTT = jnp.broadcast_to(masks.causal(T), (len(tokens_BT), T, T))
    cross_mask_BTS = jnp.broadcast_to(src_mask_BS[:, None, :], (len(src_BS), T, S))
    emb_key, *block_keys = dropout.keys(tgt_key, 1 + config.n_decoder)
    y_BTD = _embed(params, "tgt", tokens_BT, config, emb_key)
    ys = [y_BTD]
    for block, block_key in zip(params["decoder"], block_keys, strict=True):
        z_BTD = decoder_forward(
            block, ys[-1], x_BSD, mask_BTT=mask_BTT, cross_mask_BTS=cross_mask_BTS, config=config, key=block_key
        )
        ys.append(z_BTD)
    head = {"w": params["tgt"]["w"].T} if config.tied else params["head"]
    logits_BTV = linear.forward(head, ys[-1])
    return logits_BTV


def encode(
    params: Seq2Seq,
    *,
    src_BS: jax.Array,
    src_mask_BS: jax.Array,
    config: Seq2SeqConfig,
    key: jax.Array | None = None,
) -> jax.Array:
    emb_key, *block_keys = dropout.keys(key, 1 + config.n_encoder)
    x_BSD = _embed(params, "src", src_BS, config, emb_key)
    S = src_BS.shape[1]
    mask_BSS = jnp.broadcast_to(src_mask_BS[:, None, :], (len(src_BS), S, S))
    xs = [x_BSD]
    for block, block_key in zip(params["encoder"], block_keys, strict=True):
        y_BSD = encoder_forward(block, xs[-1], mask_BSS=mask_BSS, config=config, key=block_key)
        xs.append(y_BSD)
    return xs[-1]


def encoder_forward(
    params: EncoderBlock, x_BSD: jax.Array, *, mask_BSS: jax.Array, config: Seq2SeqConfig, key: jax.Array | None = None
) -> jax.Array:
    attn_key, ffn_key = dropout.keys(key, 2)
    heads = {"n_heads": config.n_heads, "n_kv_heads": config.n_heads}
    a_BSD = attention.forward(params["attn"], x_BSD, x_BSD, mask_BTS=mask_BSS, **heads)
    a_dropped_BSD = dropout.forward(a_BSD, rate=config.dropout, key=attn_key)
    m_BSD = layernorm.forward(params["norm1"], x_BSD + a_dropped_BSD, eps=config.eps)
    f_BSD = ffn.forward(params["ffn"], m_BSD, activation=config.activation)
    f_dropped_BSD = dropout.forward(f_BSD, rate=config.dropout, key=ffn_key)
    y_BSD = layernorm.forward(params["norm2"], m_BSD + f_dropped_BSD, eps=config.eps)
    return y_BSD


def decoder_forward(
    params: CrossBlock,
    y_BTD: jax.Array,
    x_BSD: jax.Array,
    *,
    mask_BTT: jax.Array,
    cross_mask_BTS: jax.Array,
    config: Seq2SeqConfig,
    key: jax.Array | None = None,
) -> jax.Array:
    attn_key, cross_key, ffn_key = dropout.keys(key, 3)
    heads = {"n_heads": config.n_heads, "n_kv_heads": config.n_heads}
    a_BTD = attention.forward(params["attn"], y_BTD, y_BTD, mask_BTS=mask_BTT, **heads)
    a_dropped_BTD = dropout.forward(a_BTD, rate=config.dropout, key=attn_key)
    m_BTD = layernorm.forward(params["norm1"], y_BTD + a_dropped_BTD, eps=config.eps)
    c_BTD = attention.forward(params["cross"], m_BTD, x_BSD, mask_BTS=cross_mask_BTS, **heads)
    c_dropped_BTD = dropout.forward(c_BTD, rate=config.dropout, key=cross_key)
    o_BTD = layernorm.forward(params["norm2"], m_BTD + c_dropped_BTD, eps=config.eps)
    f_BTD = ffn.forward(params["ffn"], o_BTD, activation=config.activation)
    f_dropped_BTD = dropout.forward(f_BTD, rate=config.dropout, key=ffn_key)
    z_BTD = layernorm.forward(params["norm3"], o_BTD + f_dropped_BTD, eps=config.eps)
    return z_BTD


def _embed(params: Seq2Seq, side: str, tokens_BT: jax.Array, config: Seq2SeqConfig, key: jax.Array | None) -> jax.Array:
    table: dict = params  # type: ignore[assignment]
    e_BTD = embedding.forward(table[side], tokens_BT=tokens_BT)
    learned, length = config.positions == "learned", tokens_BT.shape[1]
    p_TD = table[f"{side}_pos"]["w"][:length] if learned else sinusoidal(length, config.d_model).astype(e_BTD.dtype)
    x_BTD = dropout.forward(e_BTD + p_TD, rate=config.dropout, key=key)
    return x_BTD
