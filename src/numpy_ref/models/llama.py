"""LLaMA: a decoder alone, as GPT, with four parts exchanged.

    x = emb[tokens]                              no positions are added
    each block:  x = x + attn(norm1(x))          RMSNorm; queries and keys are turned by their positions;
                 x = x + ffn(norm2(x))           several query heads share a key/value head; SwiGLU
    logits = norm(x) @ head                      tied: the head is the embedding, transposed

Nothing has a bias but, where the configuration says so, the projections of attention. With a window, a token looks back
at so many positions and no further.

Backward. As in GPT: a residual sum sends its gradient past the sublayer and, through the norm, into it.

Touvron et al. 2023; Grattafiori et al. 2024.    Twin: jax_impl/models/llama.py
"""

from typing import Any

import numpy as np

from common import masks, tree
from common.config import LlamaConfig
from common.params import Llama, LlamaBlock
from common.positions import rotary
from common.types import Array
from numpy_ref.layers import attention, embedding, linear, rmsnorm, swiglu


def forward(params: Llama, *, tokens_BT: Array, config: LlamaConfig):
    x_BTD, saved_emb = embedding.forward(params["emb"], tokens_BT=tokens_BT)
    position_BT = np.broadcast_to(np.arange(tokens_BT.shape[1]), tokens_BT.shape)
    turn = turns(position_BT, tokens_BT.shape[1], config, x_BTD.dtype)
    mask_BTS = masks.seen(position_BT, tokens_BT.shape[1], config.window)
    xs, saved_blocks = [x_BTD], []
    for block in params["blocks"]:
        y_BTD, saved_block = block_forward(block, xs[-1], mask_BTS=mask_BTS, turn=turn, config=config)
        xs.append(y_BTD)
        saved_blocks.append(saved_block)
    logits_BTV, (saved_norm, saved_head) = read_out(params, xs[-1], config=config)
    return logits_BTV, (config, saved_emb, saved_blocks, saved_norm, saved_head)


def backward(dlogits_BTV: Array, saved):
    config, saved_emb, saved_blocks, saved_norm, saved_head = saved
    d_head, dn_BTD = linear.backward(dlogits_BTV, saved_head)
    d_norm, dlast_BTD = rmsnorm.backward(dn_BTD, saved_norm)
    dxs, d_blocks = [dlast_BTD], []
    for saved_block in reversed(saved_blocks):
        d_block, dx_BTD = block_backward(dxs[-1], saved_block)
        dxs.append(dx_BTD)
        d_blocks.append(d_block)
    d_read = embedding.backward(dxs[-1], saved_emb)
    d_emb = {"w": d_read["w"] + d_head["w"].T} if config.tied else d_read
    d_untied = {} if config.tied else {"head": d_head}
    return {"emb": d_emb, "blocks": d_blocks[::-1], "norm": d_norm} | d_untied


def read_out(params: Llama, x_BTD: Array, *, config: LlamaConfig):
    """The logits of what the last block wrote, at every position."""
    n_BTD, saved_norm = rmsnorm.forward(params["norm"], x_BTD, eps=config.eps)
    head = {"w": params["emb"]["w"].T} if config.tied else params["head"]
    logits_BTV, saved_head = linear.forward(head, n_BTD)
    return logits_BTV, (saved_norm, saved_head)


def block_forward(params: LlamaBlock, x_BTD: Array, *, mask_BTS: Array, turn: tuple[Array, Array], config: LlamaConfig):
    heads: dict[str, Any] = {"n_heads": config.n_heads, "n_kv_heads": config.n_kv_heads}
    n_BTD, saved_norm1 = rmsnorm.forward(params["norm1"], x_BTD, eps=config.eps)
    a_BTD, saved_attn = attention.forward(params["attn"], n_BTD, n_BTD, mask_BTS=mask_BTS, turn=turn, **heads)
    m_BTD = x_BTD + a_BTD
    o_BTD, saved_norm2 = rmsnorm.forward(params["norm2"], m_BTD, eps=config.eps)
    f_BTD, saved_ffn = swiglu.forward(params["ffn"], o_BTD, gate=config.gate)
    y_BTD = m_BTD + f_BTD
    return y_BTD, (saved_norm1, saved_attn, saved_norm2, saved_ffn)


def block_backward(dy_BTD: Array, saved):
    saved_norm1, saved_attn, saved_norm2, saved_ffn = saved
    d_ffn, do_BTD = swiglu.backward(dy_BTD, saved_ffn)
    d_norm2, dm_ffn_BTD = rmsnorm.backward(do_BTD, saved_norm2)
    dm_BTD = dy_BTD + dm_ffn_BTD
    d_attn, dn_asked_BTD, dn_answered_BTD = attention.backward(dm_BTD, saved_attn)
    d_norm1, dx_attn_BTD = rmsnorm.backward(dn_asked_BTD + dn_answered_BTD, saved_norm1)
    dx_BTD = dm_BTD + dx_attn_BTD
    return {"norm1": d_norm1, "attn": d_attn, "norm2": d_norm2, "ffn": d_ffn}, dx_BTD


def prefill(
    params: Llama, *, tokens_BT: Array, lengths_B: Array, size: int, config: LlamaConfig
) -> tuple[Array, dict[str, Any]]:
    """Read whole prompts at once: the logits after each prompt's last token, (B, V), and the cache for `decode`.

    Row b is a prompt of `lengths_B[b]` tokens, padded at its end; the cache has room for `size` tokens (T <= size <=
    max_len). It is {"k": per block (B, size, N, K), "v": the same, "position": (B,), where each next token stands}.
    Keys are kept as they were turned.
    """
    B, T = tokens_BT.shape
    empty_BTNK = np.zeros((B, T, config.n_kv_heads, config.d_head), params["emb"]["w"].dtype)
    empty = {"k": [empty_BTNK] * config.n_blocks, "v": [empty_BTNK] * config.n_blocks}
    position_BT = np.broadcast_to(np.arange(T), (B, T))
    x_BTD, full = _cached(params, empty, tokens_BT=tokens_BT, position_BT=position_BT, config=config)
    last_B1D = x_BTD[np.arange(B), lengths_B - 1][:, None]
    room = ((0, 0), (0, size - T), (0, 0), (0, 0))
    cache = tree.map(lambda leaf: np.pad(leaf, room), full) | {"position": lengths_B}
    return _logits(params, last_B1D, config), cache


def decode(
    params: Llama, cache: dict[str, Any], *, tokens_B: Array, config: LlamaConfig
) -> tuple[Array, dict[str, Any]]:
    """Read one more token of every sequence: the logits after it, (B, V), and the new cache.

    Raises IndexError where the cache is full.
    """
    position_B1 = cache["position"][:, None]
    x_B1D, grown = _cached(params, cache, tokens_BT=tokens_B[:, None], position_BT=position_B1, config=config)
    return _logits(params, x_B1D, config), grown | {"position": cache["position"] + 1}


def extend(
    params: Llama, cache: dict[str, Any], *, tokens_BT: Array, lengths_B: Array, config: LlamaConfig
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


def _cached(params: Llama, cache: dict[str, Any], *, tokens_BT: Array, position_BT: Array, config: LlamaConfig):
    """The tokens through all blocks, beside what the cache holds: their vectors, its keys and values with theirs."""
    x_BTD, _ = embedding.forward(params["emb"], tokens_BT=tokens_BT)
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
    x_BTD: Array,
    k_BSNK: Array,
    v_BSNK: Array,
    *,
    position_BT: Array,
    turn: tuple[Array, Array],
    config: LlamaConfig,
) -> tuple[Array, Array, Array]:
    how: dict[str, Any] = {"n_heads": config.n_heads, "n_kv_heads": config.n_kv_heads, "window": config.window}
    n_BTD, _ = rmsnorm.forward(params["norm1"], x_BTD, eps=config.eps)
    a_BTD, k_seen_BSNK, v_seen_BSNK = attention.forward_cached(
        params["attn"], n_BTD, k_BSNK, v_BSNK, position_BT=position_BT, turn=turn, **how
    )
    m_BTD = x_BTD + a_BTD
    o_BTD, _ = rmsnorm.forward(params["norm2"], m_BTD, eps=config.eps)
    f_BTD, _ = swiglu.forward(params["ffn"], o_BTD, gate=config.gate)
    return m_BTD + f_BTD, k_seen_BSNK, v_seen_BSNK


def _logits(params: Llama, x_B1D: Array, config: LlamaConfig) -> Array:
    """The logits of one position of each sequence, (B, V)."""
    logits_B1V, _ = read_out(params, x_B1D, config=config)
    return logits_B1V[:, 0]


def turns(position_BT: Array, size: int, config: LlamaConfig, dtype: np.dtype) -> tuple[Array, Array]:
    """The cosine and sine of each position's angles, both (B, T, pairs); positions are below `size`."""
    real = np.zeros(0, dtype).real.dtype
    cos_BTP, sin_BTP = (table_SP[position_BT].astype(real) for table_SP in rotary(size, config))
    return cos_BTP, sin_BTP
