"""GPT: a decoder alone. It reads a text from left to right and at every position names the token that comes next.

    x = dropout(emb[tokens] + positions)
    each block:  x = x + dropout(attn(norm1(x)))      look back, never ahead
                 x = x + dropout(ffn(norm2(x)))
    logits = norm(x) @ head          tied: the head is the embedding, transposed

The norms stand before each sublayer (pre-LN), so that the sum of the residuals runs from bottom to top untouched: one
more norm before the head. Every position is a training example at once, since the mask hides what comes after it; with
padding at the end, no real position ever sees it.

Backward. A pre-LN residual sum sends its gradient past the sublayer and, through the norm, into it; the two are added.
A tied embedding is used twice, at both ends, and its gradient is the sum of the two.

Radford et al. 2019 (GPT-2).    Twin: jax_impl/models/gpt.py
"""

from typing import Any

import numpy as np

from common import masks, tree
from common.config import GPTConfig
from common.params import GPT, DecoderBlock
from common.positions import sinusoidal
from common.types import Array, Key
from numpy_ref.layers import attention, embedding, ffn, layernorm, linear
from numpy_ref.ops import dropout


def forward(params: GPT, *, tokens_BT: Array, config: GPTConfig, key: Key | None = None):
    emb_key, *block_keys = dropout.keys(key, 1 + config.n_blocks)
    e_BTD, saved_emb = embedding.forward(params["emb"], tokens_BT=tokens_BT)
    p_TD = _positions(params, tokens_BT.shape[1], config).astype(e_BTD.dtype)
    x_BTD, saved_dropout = dropout.forward(e_BTD + p_TD, rate=config.dropout, key=emb_key)
    T = tokens_BT.shape[1]
    mask_BTS = np.broadcast_to(masks.causal(T), (len(tokens_BT), T, T))
    xs, saved_blocks = [x_BTD], []
    for block, block_key in zip(params["blocks"], block_keys, strict=True):
        y_BTD, saved_block = block_forward(block, xs[-1], mask_BTS=mask_BTS, config=config, key=block_key)
        xs.append(y_BTD)
        saved_blocks.append(saved_block)
    logits_BTV, (saved_norm, saved_head) = read_out(params, xs[-1], config=config)
    return logits_BTV, (config, saved_emb, saved_dropout, saved_blocks, saved_norm, saved_head)


def backward(dlogits_BTV: Array, saved):
    config, saved_emb, saved_dropout, saved_blocks, saved_norm, saved_head = saved
    d_head, dn_BTD = linear.backward(dlogits_BTV, saved_head)
    d_norm, dlast_BTD = layernorm.backward(dn_BTD, saved_norm)
    dxs, d_blocks = [dlast_BTD], []
    for saved_block in reversed(saved_blocks):
        d_block, dx_BTD = block_backward(dxs[-1], saved_block)
        dxs.append(dx_BTD)
        d_blocks.append(d_block)
    dsum_BTD = dropout.backward(dxs[-1], saved_dropout)
    d_read = embedding.backward(dsum_BTD, saved_emb)
    d_emb = {"w": d_read["w"] + d_head["w"].T} if config.tied else d_read
    d_pos = _d_positions(dsum_BTD, config)
    d_untied = {} if config.tied else {"head": d_head}
    return {"emb": d_emb} | d_pos | {"blocks": d_blocks[::-1], "norm": d_norm} | d_untied


def read_out(params: GPT, x_BTD: Array, *, config: GPTConfig):
    """The logits of what the last block wrote, at every position."""
    n_BTD, saved_norm = layernorm.forward(params["norm"], x_BTD, eps=config.eps)
    head = {"w": params["emb"]["w"].T} if config.tied else params["head"]
    logits_BTV, saved_head = linear.forward(head, n_BTD)
    return logits_BTV, (saved_norm, saved_head)


def block_forward(params: DecoderBlock, x_BTD: Array, *, mask_BTS: Array, config: GPTConfig, key: Key | None = None):
    attn_key, ffn_key = dropout.keys(key, 2)
    heads: dict[str, Any] = {"n_heads": config.n_heads, "n_kv_heads": config.n_heads}
    n_BTD, saved_norm1 = layernorm.forward(params["norm1"], x_BTD, eps=config.eps)
    a_BTD, saved_attn = attention.forward(params["attn"], n_BTD, n_BTD, mask_BTS=mask_BTS, **heads)
    a_dropped_BTD, saved_dropout1 = dropout.forward(a_BTD, rate=config.dropout, key=attn_key)
    m_BTD = x_BTD + a_dropped_BTD
    o_BTD, saved_norm2 = layernorm.forward(params["norm2"], m_BTD, eps=config.eps)
    f_BTD, saved_ffn = ffn.forward(params["ffn"], o_BTD, activation=config.activation)
    f_dropped_BTD, saved_dropout2 = dropout.forward(f_BTD, rate=config.dropout, key=ffn_key)
    y_BTD = m_BTD + f_dropped_BTD
    return y_BTD, (saved_norm1, saved_attn, saved_dropout1, saved_norm2, saved_ffn, saved_dropout2)


def block_backward(dy_BTD: Array, saved):
    saved_norm1, saved_attn, saved_dropout1, saved_norm2, saved_ffn, saved_dropout2 = saved
    df_BTD = dropout.backward(dy_BTD, saved_dropout2)
    d_ffn, do_BTD = ffn.backward(df_BTD, saved_ffn)
    d_norm2, dm_ffn_BTD = layernorm.backward(do_BTD, saved_norm2)
    dm_BTD = dy_BTD + dm_ffn_BTD
    da_BTD = dropout.backward(dm_BTD, saved_dropout1)
    d_attn, dn_asked_BTD, dn_answered_BTD = attention.backward(da_BTD, saved_attn)
    d_norm1, dx_attn_BTD = layernorm.backward(dn_asked_BTD + dn_answered_BTD, saved_norm1)
    dx_BTD = dm_BTD + dx_attn_BTD
    return {"norm1": d_norm1, "attn": d_attn, "norm2": d_norm2, "ffn": d_ffn}, dx_BTD


def prefill(
    params: GPT, *, tokens_BT: Array, lengths_B: Array, size: int, config: GPTConfig
) -> tuple[Array, dict[str, Any]]:
    """Read whole prompts at once: the logits after each prompt's last token, (B, V), and the cache for `decode`.

    Row b is a prompt of `lengths_B[b]` tokens, padded at its end; the cache has room for `size` tokens (T <= size <=
    max_len). It is {"k": per block (B, size, N, K), "v": the same, "position": (B,), where each next token stands}.
    """
    B, T = tokens_BT.shape
    empty_BTNK = np.zeros((B, T, config.n_heads, config.d_model // config.n_heads), params["emb"]["w"].dtype)
    empty = {"k": [empty_BTNK] * config.n_blocks, "v": [empty_BTNK] * config.n_blocks}
    position_BT = np.broadcast_to(np.arange(T), (B, T))
    x_BTD, full = _cached(params, empty, tokens_BT=tokens_BT, position_BT=position_BT, config=config)
    last_B1D = x_BTD[np.arange(B), lengths_B - 1][:, None]
    room = ((0, 0), (0, size - T), (0, 0), (0, 0))
    cache = tree.map(lambda leaf: np.pad(leaf, room), full) | {"position": lengths_B}
    return _logits(params, last_B1D, config), cache


def decode(params: GPT, cache: dict[str, Any], *, tokens_B: Array, config: GPTConfig) -> tuple[Array, dict[str, Any]]:
    """Read one more token of every sequence: the logits after it, (B, V), and the new cache.

    The keys and values of all earlier tokens are in the cache, since nothing later can change them; only the new token
    passes through the blocks. Raises IndexError where the cache is full.
    """
    position_B1 = cache["position"][:, None]
    x_B1D, grown = _cached(params, cache, tokens_BT=tokens_B[:, None], position_BT=position_B1, config=config)
    return _logits(params, x_B1D, config), grown | {"position": cache["position"] + 1}


def extend(
    params: GPT, cache: dict[str, Any], *, tokens_BT: Array, lengths_B: Array, config: GPTConfig
) -> tuple[Array, dict[str, Any]]:
    """Read several more tokens of every sequence: the logits after the last of them, (B, V), and the new cache.

    Row b goes on with `lengths_B[b]` tokens, padded at its end. A conversation that grows is not read again from its
    beginning. Raises IndexError where the cache has no room for T more.
    """
    B, T = tokens_BT.shape
    position_BT = cache["position"][:, None] + np.arange(T)
    x_BTD, grown = _cached(params, cache, tokens_BT=tokens_BT, position_BT=position_BT, config=config)
    last_B1D = x_BTD[np.arange(B), lengths_B - 1][:, None]
    return _logits(params, last_B1D, config), grown | {"position": cache["position"] + lengths_B}


def _cached(params: GPT, cache: dict[str, Any], *, tokens_BT: Array, position_BT: Array, config: GPTConfig):
    """The tokens through all blocks, beside what the cache holds: their vectors, its keys and values with theirs."""
    e_BTD, _ = embedding.forward(params["emb"], tokens_BT=tokens_BT)
    p_SD = _positions(params, cache["k"][0].shape[1], config).astype(e_BTD.dtype)
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
    params: DecoderBlock, x_BTD: Array, k_BSNK: Array, v_BSNK: Array, *, position_BT: Array, config: GPTConfig
) -> tuple[Array, Array, Array]:
    heads: dict[str, Any] = {"n_heads": config.n_heads, "n_kv_heads": config.n_heads}
    n_BTD, _ = layernorm.forward(params["norm1"], x_BTD, eps=config.eps)
    a_BTD, k_seen_BSNK, v_seen_BSNK = attention.forward_cached(
        params["attn"], n_BTD, k_BSNK, v_BSNK, position_BT=position_BT, **heads
    )
    m_BTD = x_BTD + a_BTD
    o_BTD, _ = layernorm.forward(params["norm2"], m_BTD, eps=config.eps)
    f_BTD, _ = ffn.forward(params["ffn"], o_BTD, activation=config.activation)
    return m_BTD + f_BTD, k_seen_BSNK, v_seen_BSNK


def _logits(params: GPT, x_B1D: Array, config: GPTConfig) -> Array:
    """The logits of one position of each sequence, (B, V)."""
    logits_B1V, _ = read_out(params, x_B1D, config=config)
    return logits_B1V[:, 0]


def _positions(params: GPT, length: int, config: GPTConfig) -> Array:
    return params["pos"]["w"][:length] if config.positions == "learned" else sinusoidal(length, config.d_model)


def _d_positions(dsum_BTD: Array, config: GPTConfig) -> dict:
    """Positions beyond the text got no gradient: exactly zero."""
    if config.positions != "learned":
        return {}
    unused_UD = np.zeros((config.max_len - dsum_BTD.shape[1], dsum_BTD.shape[2]), dsum_BTD.dtype)
    return {"pos": {"w": np.concatenate([np.sum(dsum_BTD, axis=0), unused_UD])}}
