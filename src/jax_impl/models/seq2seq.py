"""Encoder and decoder. The math is in numpy_ref/models/seq2seq.py."""

from typing import Any

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
    logits_BTV = read_out(params, ys[-1], config=config)
    return logits_BTV


def read_out(params: Seq2Seq, y_BTD: jax.Array, *, config: Seq2SeqConfig) -> jax.Array:
    head = {"w": params["tgt"]["w"].T} if config.tied else params["head"]
    logits_BTV = linear.forward(head, y_BTD)
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
    heads: dict[str, Any] = {"n_heads": config.n_heads, "n_kv_heads": config.n_heads}
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
    heads: dict[str, Any] = {"n_heads": config.n_heads, "n_kv_heads": config.n_heads}
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


def prefill(
    params: Seq2Seq,
    *,
    src_BS: jax.Array,
    src_mask_BS: jax.Array,
    tokens_BT: jax.Array,
    lengths_B: jax.Array,
    size: int,
    config: Seq2SeqConfig,
) -> tuple[jax.Array, dict[str, Any]]:
    x_BSD = encode(params, src_BS=src_BS, src_mask_BS=src_mask_BS, config=config)
    across = [attention.project_kv(block["cross"], x_BSD, n_kv_heads=config.n_heads) for block in params["decoder"]]
    sources = {"cross_k": [k for k, _ in across], "cross_v": [v for _, v in across], "src_mask": src_mask_BS}
    B, T = tokens_BT.shape
    empty_BTNK = jnp.zeros((B, T, config.n_heads, config.d_model // config.n_heads), x_BSD.dtype)
    empty = {"k": [empty_BTNK] * config.n_decoder, "v": [empty_BTNK] * config.n_decoder}
    position_BT = jnp.broadcast_to(jnp.arange(T), (B, T))
    y_BTD, full = _cached(params, empty | sources, tokens_BT=tokens_BT, position_BT=position_BT, config=config)
    last_B1D = y_BTD[jnp.arange(B), lengths_B - 1][:, None]
    room = ((0, 0), (0, size - T), (0, 0), (0, 0))
    cache = jax.tree.map(lambda leaf: jnp.pad(leaf, room), full) | sources | {"position": lengths_B}
    return _logits(params, last_B1D, config), cache


def decode(
    params: Seq2Seq, cache: dict[str, Any], *, tokens_B: jax.Array, config: Seq2SeqConfig
) -> tuple[jax.Array, dict[str, Any]]:
    position_B1 = cache["position"][:, None]
    y_B1D, grown = _cached(params, cache, tokens_BT=tokens_B[:, None], position_BT=position_B1, config=config)
    return _logits(params, y_B1D, config), cache | grown | {"position": cache["position"] + 1}


def _cached(
    params: Seq2Seq, cache: dict[str, Any], *, tokens_BT: jax.Array, position_BT: jax.Array, config: Seq2SeqConfig
):
    """The tokens through the decoder, beside what the cache holds: their vectors, its keys and values with theirs."""
    e_BTD = embedding.forward(params["tgt"], tokens_BT=tokens_BT)
    places = cache["k"][0].shape[1]
    learned = config.positions == "learned"
    p_PD = jnp.asarray(params["tgt_pos"]["w"][:places] if learned else sinusoidal(places, config.d_model), e_BTD.dtype)
    ys, ks, vs = [e_BTD + p_PD[position_BT]], [], []
    held = zip(cache["k"], cache["v"], cache["cross_k"], cache["cross_v"], strict=True)
    for block, kvs in zip(params["decoder"], held, strict=True):
        z_BTD, k_seen_BPNK, v_seen_BPNK = decoder_cached(
            block, ys[-1], *kvs, position_BT=position_BT, src_mask_BS=cache["src_mask"], config=config
        )
        ys.append(z_BTD)
        ks.append(k_seen_BPNK)
        vs.append(v_seen_BPNK)
    return ys[-1], {"k": ks, "v": vs}


def decoder_cached(
    params: CrossBlock,
    y_BTD: jax.Array,
    k_BPNK: jax.Array,
    v_BPNK: jax.Array,
    cross_k_BSNK: jax.Array,
    cross_v_BSNK: jax.Array,
    *,
    position_BT: jax.Array,
    src_mask_BS: jax.Array,
    config: Seq2SeqConfig,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    heads: dict[str, Any] = {"n_heads": config.n_heads, "n_kv_heads": config.n_heads}
    a_BTD, k_seen_BPNK, v_seen_BPNK = attention.forward_cached(
        params["attn"], y_BTD, k_BPNK, v_BPNK, position_BT=position_BT, **heads
    )
    m_BTD = layernorm.forward(params["norm1"], y_BTD + a_BTD, eps=config.eps)
    cross_mask_BTS = jnp.broadcast_to(src_mask_BS[:, None, :], (*y_BTD.shape[:2], src_mask_BS.shape[1]))
    c_BTD = attention.forward_projected(
        params["cross"], m_BTD, cross_k_BSNK, cross_v_BSNK, mask_BTS=cross_mask_BTS, **heads
    )
    o_BTD = layernorm.forward(params["norm2"], m_BTD + c_BTD, eps=config.eps)
    f_BTD = ffn.forward(params["ffn"], o_BTD, activation=config.activation)
    z_BTD = layernorm.forward(params["norm3"], o_BTD + f_BTD, eps=config.eps)
    return z_BTD, k_seen_BPNK, v_seen_BPNK


def _logits(params: Seq2Seq, y_B1D: jax.Array, config: Seq2SeqConfig) -> jax.Array:
    """The logits of one position of each answer, (B, V)."""
    logits_B1V = read_out(params, y_B1D, config=config)
    return logits_B1V[:, 0]


def _embed(params: Seq2Seq, side: str, tokens_BT: jax.Array, config: Seq2SeqConfig, key: jax.Array | None) -> jax.Array:
    table: dict = params  # type: ignore[assignment]
    e_BTD = embedding.forward(table[side], tokens_BT=tokens_BT)
    learned, length = config.positions == "learned", tokens_BT.shape[1]
    p_TD = table[f"{side}_pos"]["w"][:length] if learned else sinusoidal(length, config.d_model).astype(e_BTD.dtype)
    x_BTD = dropout.forward(e_BTD + p_TD, rate=config.dropout, key=key)
    return x_BTD
