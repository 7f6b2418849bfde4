"""LLaMA. The math is in numpy_ref/models/llama.py."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from common import masks
from common.config import LlamaConfig
from common.params import Llama, LlamaBlock
from common.positions import rotary
from jax_impl.layers import attention, embedding, linear, rmsnorm, swiglu
from jax_impl.ops import attend


def forward(
    params: Llama, *, tokens_BT: jax.Array, config: LlamaConfig, kernel: Callable[..., jax.Array] = attend.forward
) -> jax.Array:
    x_BTD = embedding.forward(params["emb"], tokens_BT=tokens_BT)
    position_BT = jnp.broadcast_to(jnp.arange(tokens_BT.shape[1]), tokens_BT.shape)
    turn = turns(position_BT, tokens_BT.shape[1], config, x_BTD.dtype)
    mask_BTS = masks.seen(position_BT, tokens_BT.shape[1], config.window)
    xs = [x_BTD]
    for block in params["blocks"]:
        y_BTD = block_forward(block, xs[-1], mask_BTS=mask_BTS, turn=turn, config=config, kernel=kernel)
        xs.append(y_BTD)
    logits_BTV = read_out(params, xs[-1], config=config)
    return logits_BTV


def read_out(params: Llama, x_BTD: jax.Array, *, config: LlamaConfig) -> jax.Array:
    n_BTD = rmsnorm.forward(params["norm"], x_BTD, eps=config.eps)
    head = {"w": params["emb"]["w"].T} if config.tied else params["head"]
    logits_BTV = linear.forward(head, n_BTD)
    return logits_BTV


def block_forward(
    params: LlamaBlock,
    x_BTD: jax.Array,
    *,
    mask_BTS: jax.Array,
    turn: tuple[jax.Array, jax.Array],
    config: LlamaConfig,
    kernel: Callable[..., jax.Array] = attend.forward,
) -> jax.Array:
    heads: dict[str, Any] = {"n_heads": config.n_heads, "n_kv_heads": config.n_kv_heads}
    n_BTD = rmsnorm.forward(params["norm1"], x_BTD, eps=config.eps)
    a_BTD = attention.forward(params["attn"], n_BTD, n_BTD, mask_BTS=mask_BTS, turn=turn, kernel=kernel, **heads)
    m_BTD = x_BTD + a_BTD
    o_BTD = rmsnorm.forward(params["norm2"], m_BTD, eps=config.eps)
    f_BTD = swiglu.forward(params["ffn"], o_BTD, gate=config.gate)
    y_BTD = m_BTD + f_BTD
    return y_BTD


def prefill(
    params: Llama, *, tokens_BT: jax.Array, lengths_B: jax.Array, size: int, config: LlamaConfig
) -> tuple[jax.Array, dict[str, Any]]:
    B, T = tokens_BT.shape
    empty_BTNK = jnp.zeros((B, T, config.n_kv_heads, config.d_head), params["emb"]["w"].dtype)
    empty = {"k": [empty_BTNK] * config.n_blocks, "v": [empty_BTNK] * config.n_blocks}
    position_BT = jnp.broadcast_to(jnp.arange(T), (B, T))
    x_BTD, full = _cached(params, empty, tokens_BT=tokens_BT, position_BT=position_BT, config=config)
    last_B1D = x_BTD[jnp.arange(B), lengths_B - 1][:, None]
    room = ((0, 0), (0, size - T), (0, 0), (0, 0))
    cache = jax.tree.map(lambda leaf: jnp.pad(leaf, room), full) | {"position": lengths_B}
    return _logits(params, last_B1D, config), cache


def decode(
    params: Llama, cache: dict[str, Any], *, tokens_B: jax.Array, config: LlamaConfig
) -> tuple[jax.Array, dict[str, Any]]:
    position_B1 = cache["position"][:, None]
    x_B1D, grown = _cached(params, cache, tokens_BT=tokens_B[:, None], position_BT=position_B1, config=config)
    return _logits(params, x_B1D, config), grown | {"position": cache["position"] + 1}


def extend(
    params: Llama, cache: dict[str, Any], *, tokens_BT: jax.Array, lengths_B: jax.Array, config: LlamaConfig
) -> tuple[jax.Array, dict[str, Any]]:
    B, T = tokens_BT.shape
    position_BT = cache["position"][:, None] + jnp.arange(T)
    x_BTD, grown = _cached(params, cache, tokens_BT=tokens_BT, position_BT=position_BT, config=config)
    last_B1D = x_BTD[jnp.arange(B), lengths_B - 1][:, None]
    return _logits(params, last_B1D, config), grown | {"position": cache["position"] + lengths_B}


def _cached(params: Llama, cache: dict[str, Any], *, tokens_BT: jax.Array, position_BT: jax.Array, config: LlamaConfig):
    """The tokens through all blocks, beside what the cache holds: their vectors, its keys and values with theirs."""
    x_BTD = embedding.forward(params["emb"], tokens_BT=tokens_BT)
    turn = turns(position_BT, cache["k"][0].shape[1], config, x_BTD.dtype)
    xs, ks, vs = [x_BTD], [], []
    for block, k_BSNK, v_BSNK in zip(params["blocks"], cache["k"], cache["v"], strict=True):
        y_BTD, k_seen_BSNK, v_seen_BSNK = block_cached(
            block, xs[-1], k_BSNK, v_BSNK, position_BT=position_BT, turn=turn, config=config
        )
        xs.append(y_BTD)
        ks.append(k_seen_BSNK)
        vs.append(v_seen_BSNK)
    return xs[-1], {"k": ks, "v": vs}


def block_cached(
    params: LlamaBlock,
    x_BTD: jax.Array,
    k_BSNK: jax.Array,
    v_BSNK: jax.Array,
    *,
    position_BT: jax.Array,
    turn: tuple[jax.Array, jax.Array],
    config: LlamaConfig,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    how: dict[str, Any] = {"n_heads": config.n_heads, "n_kv_heads": config.n_kv_heads, "window": config.window}
    n_BTD = rmsnorm.forward(params["norm1"], x_BTD, eps=config.eps)
    a_BTD, k_seen_BSNK, v_seen_BSNK = attention.forward_cached(
        params["attn"], n_BTD, k_BSNK, v_BSNK, position_BT=position_BT, turn=turn, **how
    )
    m_BTD = x_BTD + a_BTD
    o_BTD = rmsnorm.forward(params["norm2"], m_BTD, eps=config.eps)
    f_BTD = swiglu.forward(params["ffn"], o_BTD, gate=config.gate)
    return m_BTD + f_BTD, k_seen_BSNK, v_seen_BSNK


def _logits(params: Llama, x_B1D: jax.Array, config: LlamaConfig) -> jax.Array:
    """The logits of one position of each sequence, (B, V)."""
    logits_B1V = read_out(params, x_B1D, config=config)
    return logits_B1V[:, 0]


def turns(position_BT: jax.Array, size: int, config: LlamaConfig, dtype: jnp.dtype) -> tuple[jax.Array, jax.Array]:
    wide = jnp.promote_types(dtype, jnp.float32)
    cos_BTP, sin_BTP = (jnp.asarray(table_SP, wide)[position_BT] for table_SP in rotary(size, config))
    return cos_BTP, sin_BTP
