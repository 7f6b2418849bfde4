"""GPT. The math is in numpy_ref/models/gpt.py."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from common import masks
from common.config import GPTConfig
from common.params import GPT, DecoderBlock
from common.positions import sinusoidal
from common.types import AnyArray
from jax_impl.layers import attention, embedding, ffn, layernorm, linear
from jax_impl.ops import attend, dropout


def forward(
    params: GPT,
    *,
    tokens_BT: jax.Array,
    config: GPTConfig,
    key: jax.Array | None = None,
    kernel: Callable[..., jax.Array] = attend.forward,
) -> jax.Array:
    emb_key, *block_keys = dropout.keys(key, 1 + config.n_blocks)
    e_BTD = embedding.forward(params["emb"], tokens_BT=tokens_BT)
    p_TD = _positions(params, tokens_BT.shape[1], config).astype(e_BTD.dtype)
    x_BTD = dropout.forward(e_BTD + p_TD, rate=config.dropout, key=emb_key)
    T = tokens_BT.shape[1]
    mask_BTS = jnp.broadcast_to(masks.causal(T), (len(tokens_BT), T, T))
    xs = [x_BTD]
    for block, block_key in zip(params["blocks"], block_keys, strict=True):
        y_BTD = block_forward(block, xs[-1], mask_BTS=mask_BTS, config=config, key=block_key, kernel=kernel)
        xs.append(y_BTD)
    logits_BTV = read_out(params, xs[-1], config=config)
    return logits_BTV


def read_out(params: GPT, x_BTD: jax.Array, *, config: GPTConfig) -> jax.Array:
    n_BTD = layernorm.forward(params["norm"], x_BTD, eps=config.eps)
    head = {"w": params["emb"]["w"].T} if config.tied else params["head"]
    logits_BTV = linear.forward(head, n_BTD)
    return logits_BTV


def block_forward(
    params: DecoderBlock,
    x_BTD: jax.Array,
    *,
    mask_BTS: jax.Array,
    config: GPTConfig,
    key: jax.Array | None = None,
    kernel: Callable[..., jax.Array] = attend.forward,
) -> jax.Array:
    attn_key, ffn_key = dropout.keys(key, 2)
    heads: dict[str, Any] = {"n_heads": config.n_heads, "n_kv_heads": config.n_heads}
    n_BTD = layernorm.forward(params["norm1"], x_BTD, eps=config.eps)
    a_BTD = attention.forward(params["attn"], n_BTD, n_BTD, mask_BTS=mask_BTS, kernel=kernel, **heads)
    a_dropped_BTD = dropout.forward(a_BTD, rate=config.dropout, key=attn_key)
    m_BTD = x_BTD + a_dropped_BTD
    o_BTD = layernorm.forward(params["norm2"], m_BTD, eps=config.eps)
    f_BTD = ffn.forward(params["ffn"], o_BTD, activation=config.activation)
    f_dropped_BTD = dropout.forward(f_BTD, rate=config.dropout, key=ffn_key)
    y_BTD = m_BTD + f_dropped_BTD
    return y_BTD


def prefill(
    params: GPT, *, tokens_BT: jax.Array, lengths_B: jax.Array, size: int, config: GPTConfig
) -> tuple[jax.Array, dict[str, Any]]:
    B, T = tokens_BT.shape
    empty_BTNK = jnp.zeros((B, T, config.n_heads, config.d_model // config.n_heads), params["emb"]["w"].dtype)
    empty = {"k": [empty_BTNK] * config.n_blocks, "v": [empty_BTNK] * config.n_blocks}
    position_BT = jnp.broadcast_to(jnp.arange(T), (B, T))
    x_BTD, full = _cached(params, empty, tokens_BT=tokens_BT, position_BT=position_BT, config=config)
    last_B1D = x_BTD[jnp.arange(B), lengths_B - 1][:, None]
    room = ((0, 0), (0, size - T), (0, 0), (0, 0))
    cache = jax.tree.map(lambda leaf: jnp.pad(leaf, room), full) | {"position": lengths_B}
    return _logits(params, last_B1D, config), cache


def decode(
    params: GPT, cache: dict[str, Any], *, tokens_B: jax.Array, config: GPTConfig
) -> tuple[jax.Array, dict[str, Any]]:
    position_B1 = cache["position"][:, None]
    x_B1D, grown = _cached(params, cache, tokens_BT=tokens_B[:, None], position_BT=position_B1, config=config)
    return _logits(params, x_B1D, config), grown | {"position": cache["position"] + 1}


def extend(
    params: GPT, cache: dict[str, Any], *, tokens_BT: jax.Array, lengths_B: jax.Array, config: GPTConfig
) -> tuple[jax.Array, dict[str, Any]]:
    B, T = tokens_BT.shape
    position_BT = cache["position"][:, None] + jnp.arange(T)
    x_BTD, grown = _cached(params, cache, tokens_BT=tokens_BT, position_BT=position_BT, config=config)
    last_B1D = x_BTD[jnp.arange(B), lengths_B - 1][:, None]
    return _logits(params, last_B1D, config), grown | {"position": cache["position"] + lengths_B}


def _cached(params: GPT, cache: dict[str, Any], *, tokens_BT: jax.Array, position_BT: jax.Array, config: GPTConfig):
    """The tokens through all blocks, beside what the cache holds: their vectors, its keys and values with theirs."""
    e_BTD = embedding.forward(params["emb"], tokens_BT=tokens_BT)
    p_SD = jnp.asarray(_positions(params, cache["k"][0].shape[1], config), e_BTD.dtype)
    xs, ks, vs = [e_BTD + p_SD[position_BT]], [], []
    for block, k_BSNK, v_BSNK in zip(params["blocks"], cache["k"], cache["v"], strict=True):
        y_BTD, k_seen_BSNK, v_seen_BSNK = block_cached(
            block, xs[-1], k_BSNK, v_BSNK, position_BT=position_BT, config=config
        )
        xs.append(y_BTD)
        ks.append(k_seen_BSNK)
        vs.append(v_seen_BSNK)
    return xs[-1], {"k": ks, "v": vs}


def block_cached(
    params: DecoderBlock,
    x_BTD: jax.Array,
    k_BSNK: jax.Array,
    v_BSNK: jax.Array,
    *,
    position_BT: jax.Array,
    config: GPTConfig,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    heads: dict[str, Any] = {"n_heads": config.n_heads, "n_kv_heads": config.n_heads}
    n_BTD = layernorm.forward(params["norm1"], x_BTD, eps=config.eps)
    a_BTD, k_seen_BSNK, v_seen_BSNK = attention.forward_cached(
        params["attn"], n_BTD, k_BSNK, v_BSNK, position_BT=position_BT, **heads
    )
    m_BTD = x_BTD + a_BTD
    o_BTD = layernorm.forward(params["norm2"], m_BTD, eps=config.eps)
    f_BTD = ffn.forward(params["ffn"], o_BTD, activation=config.activation)
    return m_BTD + f_BTD, k_seen_BSNK, v_seen_BSNK


def _logits(params: GPT, x_B1D: jax.Array, config: GPTConfig) -> jax.Array:
    """The logits of one position of each sequence, (B, V)."""
    logits_B1V = read_out(params, x_B1D, config=config)
    return logits_B1V[:, 0]


def _positions(params: GPT, length: int, config: GPTConfig) -> AnyArray:
    return params["pos"]["w"][:length] if config.positions == "learned" else sinusoidal(length, config.d_model)
