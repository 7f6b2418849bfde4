"""Encoder and decoder: one reads the question, the other writes the answer and looks across at what was read.

    encoder, each block:  x = norm1(x + dropout(attn(x)))            all positions of the source see each other
                          x = norm2(x + dropout(ffn(x)))
    decoder, each block:  y = norm1(y + dropout(attn(y)))            look back, never ahead
                          y = norm2(y + dropout(cross(y, x)))        the answer asks, the source answers
                          y = norm3(y + dropout(ffn(y)))
    logits = y @ head                tied: the head is the target's embedding, transposed, and has no bias

The norms stand after each sum (post-LN), as in the paper. Padding of the source is masked in both attentions that read
it; padding of the target stands at its end, where the causal mask already hides it.

Backward. The decoder in reverse, then the encoder. The encoder's output was read by every decoder block, so its
gradient is the sum of what each of them sends back through its keys and values.

Vaswani et al. 2017.    Twin: jax_impl/models/seq2seq.py
"""

from typing import Any

import numpy as np

from common import masks, tree
from common.config import Seq2SeqConfig
from common.params import CrossBlock, EncoderBlock, Seq2Seq
from common.positions import sinusoidal
from common.types import Array, Key
from numpy_ref.layers import attention, embedding, ffn, layernorm, linear
from numpy_ref.ops import dropout


def forward(
    params: Seq2Seq,
    *,
    src_BS: Array,
    src_mask_BS: Array,
    tokens_BT: Array,
    config: Seq2SeqConfig,
    key: Key | None = None,
):
    src_key, tgt_key = dropout.keys(key, 2)
    x_BSD, saved_encoder = encode(params, src_BS=src_BS, src_mask_BS=src_mask_BS, config=config, key=src_key)
    T, S = tokens_BT.shape[1], src_BS.shape[1]
    mask_BTT = np.broadcast_to(masks.causal(T), (len(tokens_BT), T, T))
    cross_mask_BTS = np.broadcast_to(src_mask_BS[:, None, :], (len(src_BS), T, S))
    emb_key, *block_keys = dropout.keys(tgt_key, 1 + config.n_decoder)
    y_BTD, saved_emb = _embed(params, "tgt", tokens_BT, config, emb_key)
    ys, saved_blocks = [y_BTD], []
    for block, block_key in zip(params["decoder"], block_keys, strict=True):
        z_BTD, saved_block = decoder_forward(
            block, ys[-1], x_BSD, mask_BTT=mask_BTT, cross_mask_BTS=cross_mask_BTS, config=config, key=block_key
        )
        ys.append(z_BTD)
        saved_blocks.append(saved_block)
    logits_BTV, saved_head = read_out(params, ys[-1], config=config)
    return logits_BTV, (config, saved_encoder, saved_emb, saved_blocks, saved_head)


def backward(dlogits_BTV: Array, saved):
    config, saved_encoder, saved_emb, saved_blocks, saved_head = saved
    d_head, dlast_BTD = linear.backward(dlogits_BTV, saved_head)
    dys, dxs, d_blocks = [dlast_BTD], [], []
    for saved_block in reversed(saved_blocks):
        d_block, dy_BTD, dx_BSD = decoder_backward(dys[-1], saved_block)
        dys.append(dy_BTD)
        dxs.append(dx_BSD)
        d_blocks.append(d_block)
    d_encoder = encode_backward(sum(dxs[1:], start=dxs[0]), saved_encoder)
    d_embedded = _d_embed("tgt", dys[-1], saved_emb)
    d_tgt = {"w": d_embedded["tgt"]["w"] + d_head["w"].T} if config.tied else d_embedded["tgt"]
    grads = d_encoder | d_embedded | {"tgt": d_tgt, "decoder": d_blocks[::-1]}
    order = ("src", "tgt", "src_pos", "tgt_pos", "encoder", "decoder")
    untied = {} if config.tied else {"head": d_head}
    return {name: grads[name] for name in order if name in grads} | untied


def read_out(params: Seq2Seq, y_BTD: Array, *, config: Seq2SeqConfig):
    """The logits of what the last decoder block wrote, at every position."""
    head = {"w": params["tgt"]["w"].T} if config.tied else params["head"]
    logits_BTV, saved_head = linear.forward(head, y_BTD)
    return logits_BTV, saved_head


def encode(params: Seq2Seq, *, src_BS: Array, src_mask_BS: Array, config: Seq2SeqConfig, key: Key | None = None):
    emb_key, *block_keys = dropout.keys(key, 1 + config.n_encoder)
    x_BSD, saved_emb = _embed(params, "src", src_BS, config, emb_key)
    S = src_BS.shape[1]
    mask_BSS = np.broadcast_to(src_mask_BS[:, None, :], (len(src_BS), S, S))
    xs, saved_blocks = [x_BSD], []
    for block, block_key in zip(params["encoder"], block_keys, strict=True):
        y_BSD, saved_block = encoder_forward(block, xs[-1], mask_BSS=mask_BSS, config=config, key=block_key)
        xs.append(y_BSD)
        saved_blocks.append(saved_block)
    return xs[-1], (saved_emb, saved_blocks)


def encode_backward(dx_BSD: Array, saved):
    """The gradients of the source's embedding and of the encoder; the decoder's are not its business."""
    saved_emb, saved_blocks = saved
    dxs, d_blocks = [dx_BSD], []
    for saved_block in reversed(saved_blocks):
        d_block, dbelow_BSD = encoder_backward(dxs[-1], saved_block)
        dxs.append(dbelow_BSD)
        d_blocks.append(d_block)
    return _d_embed("src", dxs[-1], saved_emb) | {"encoder": d_blocks[::-1]}


def encoder_forward(
    params: EncoderBlock, x_BSD: Array, *, mask_BSS: Array, config: Seq2SeqConfig, key: Key | None = None
):
    attn_key, ffn_key = dropout.keys(key, 2)
    heads: dict[str, Any] = {"n_heads": config.n_heads, "n_kv_heads": config.n_heads}
    a_BSD, saved_attn = attention.forward(params["attn"], x_BSD, x_BSD, mask_BTS=mask_BSS, **heads)
    a_dropped_BSD, saved_dropout1 = dropout.forward(a_BSD, rate=config.dropout, key=attn_key)
    m_BSD, saved_norm1 = layernorm.forward(params["norm1"], x_BSD + a_dropped_BSD, eps=config.eps)
    f_BSD, saved_ffn = ffn.forward(params["ffn"], m_BSD, activation=config.activation)
    f_dropped_BSD, saved_dropout2 = dropout.forward(f_BSD, rate=config.dropout, key=ffn_key)
    y_BSD, saved_norm2 = layernorm.forward(params["norm2"], m_BSD + f_dropped_BSD, eps=config.eps)
    return y_BSD, (saved_attn, saved_dropout1, saved_norm1, saved_ffn, saved_dropout2, saved_norm2)


def encoder_backward(dy_BSD: Array, saved):
    saved_attn, saved_dropout1, saved_norm1, saved_ffn, saved_dropout2, saved_norm2 = saved
    d_norm2, dsum2_BSD = layernorm.backward(dy_BSD, saved_norm2)
    d_ffn, dm_ffn_BSD = ffn.backward(dropout.backward(dsum2_BSD, saved_dropout2), saved_ffn)
    d_norm1, dsum1_BSD = layernorm.backward(dsum2_BSD + dm_ffn_BSD, saved_norm1)
    da_BSD = dropout.backward(dsum1_BSD, saved_dropout1)
    d_attn, dx_asked_BSD, dx_answered_BSD = attention.backward(da_BSD, saved_attn)
    dx_BSD = dsum1_BSD + dx_asked_BSD + dx_answered_BSD
    return {"attn": d_attn, "norm1": d_norm1, "ffn": d_ffn, "norm2": d_norm2}, dx_BSD


def decoder_forward(
    params: CrossBlock,
    y_BTD: Array,
    x_BSD: Array,
    *,
    mask_BTT: Array,
    cross_mask_BTS: Array,
    config: Seq2SeqConfig,
    key: Key | None = None,
):
    attn_key, cross_key, ffn_key = dropout.keys(key, 3)
    heads: dict[str, Any] = {"n_heads": config.n_heads, "n_kv_heads": config.n_heads}
    a_BTD, saved_attn = attention.forward(params["attn"], y_BTD, y_BTD, mask_BTS=mask_BTT, **heads)
    a_dropped_BTD, saved_dropout1 = dropout.forward(a_BTD, rate=config.dropout, key=attn_key)
    m_BTD, saved_norm1 = layernorm.forward(params["norm1"], y_BTD + a_dropped_BTD, eps=config.eps)
    c_BTD, saved_cross = attention.forward(params["cross"], m_BTD, x_BSD, mask_BTS=cross_mask_BTS, **heads)
    c_dropped_BTD, saved_dropout2 = dropout.forward(c_BTD, rate=config.dropout, key=cross_key)
    o_BTD, saved_norm2 = layernorm.forward(params["norm2"], m_BTD + c_dropped_BTD, eps=config.eps)
    f_BTD, saved_ffn = ffn.forward(params["ffn"], o_BTD, activation=config.activation)
    f_dropped_BTD, saved_dropout3 = dropout.forward(f_BTD, rate=config.dropout, key=ffn_key)
    z_BTD, saved_norm3 = layernorm.forward(params["norm3"], o_BTD + f_dropped_BTD, eps=config.eps)
    saved_self = (saved_attn, saved_dropout1, saved_norm1)
    return z_BTD, (saved_self, (saved_cross, saved_dropout2, saved_norm2), (saved_ffn, saved_dropout3, saved_norm3))


def decoder_backward(dz_BTD: Array, saved):
    saved_self, saved_across, saved_think = saved
    saved_ffn, saved_dropout3, saved_norm3 = saved_think
    d_norm3, dsum3_BTD = layernorm.backward(dz_BTD, saved_norm3)
    d_ffn, do_ffn_BTD = ffn.backward(dropout.backward(dsum3_BTD, saved_dropout3), saved_ffn)
    saved_cross, saved_dropout2, saved_norm2 = saved_across
    d_norm2, dsum2_BTD = layernorm.backward(dsum3_BTD + do_ffn_BTD, saved_norm2)
    d_cross, dm_cross_BTD, dx_BSD = attention.backward(dropout.backward(dsum2_BTD, saved_dropout2), saved_cross)
    saved_attn, saved_dropout1, saved_norm1 = saved_self
    d_norm1, dsum1_BTD = layernorm.backward(dsum2_BTD + dm_cross_BTD, saved_norm1)
    da_BTD = dropout.backward(dsum1_BTD, saved_dropout1)
    d_attn, dy_asked_BTD, dy_answered_BTD = attention.backward(da_BTD, saved_attn)
    dy_BTD = dsum1_BTD + dy_asked_BTD + dy_answered_BTD
    grads = {"attn": d_attn, "norm1": d_norm1, "cross": d_cross, "norm2": d_norm2, "ffn": d_ffn, "norm3": d_norm3}
    return grads, dy_BTD, dx_BSD


def prefill(
    params: Seq2Seq,
    *,
    src_BS: Array,
    src_mask_BS: Array,
    tokens_BT: Array,
    lengths_B: Array,
    size: int,
    config: Seq2SeqConfig,
) -> tuple[Array, dict[str, Any]]:
    """Read the sources and the beginnings of the answers: the logits after each beginning, (B, V), and the cache.

    Row b's answer begins with `lengths_B[b]` tokens (at least the start token), padded at the end; the cache has room
    for `size` of them (T <= size <= max_len). It is the cache of models/gpt.py and, from the sources, which are read
    once and for all, "cross_k" and "cross_v", per decoder block (B, S, N, K), and "src_mask", (B, S).
    """
    x_BSD, _ = encode(params, src_BS=src_BS, src_mask_BS=src_mask_BS, config=config)
    across = [attention.project_kv(block["cross"], x_BSD, n_kv_heads=config.n_heads) for block in params["decoder"]]
    sources = {"cross_k": [k for k, _ in across], "cross_v": [v for _, v in across], "src_mask": src_mask_BS}
    B, T = tokens_BT.shape
    empty_BTNK = np.zeros((B, T, config.n_heads, config.d_model // config.n_heads), x_BSD.dtype)
    empty = {"k": [empty_BTNK] * config.n_decoder, "v": [empty_BTNK] * config.n_decoder}
    position_BT = np.broadcast_to(np.arange(T), (B, T))
    y_BTD, full = _cached(params, empty | sources, tokens_BT=tokens_BT, position_BT=position_BT, config=config)
    last_B1D = y_BTD[np.arange(B), lengths_B - 1][:, None]
    room = ((0, 0), (0, size - T), (0, 0), (0, 0))
    cache = tree.map(lambda leaf: np.pad(leaf, room), full) | sources | {"position": lengths_B}
    return _logits(params, last_B1D, config), cache


def decode(
    params: Seq2Seq, cache: dict[str, Any], *, tokens_B: Array, config: Seq2SeqConfig
) -> tuple[Array, dict[str, Any]]:
    """Read one more token of every answer: the logits after it, (B, V), and the new cache.

    Raises IndexError where the cache is full.
    """
    position_B1 = cache["position"][:, None]
    y_B1D, grown = _cached(params, cache, tokens_BT=tokens_B[:, None], position_BT=position_B1, config=config)
    return _logits(params, y_B1D, config), cache | grown | {"position": cache["position"] + 1}


def _cached(params: Seq2Seq, cache: dict[str, Any], *, tokens_BT: Array, position_BT: Array, config: Seq2SeqConfig):
    """The tokens through the decoder, beside what the cache holds: their vectors, its keys and values with theirs."""
    e_BTD, _ = embedding.forward(params["tgt"], tokens_BT=tokens_BT)
    places = cache["k"][0].shape[1]
    learned = config.positions == "learned"
    p_PD = params["tgt_pos"]["w"][:places] if learned else sinusoidal(places, config.d_model).astype(e_BTD.dtype)
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
    y_BTD: Array,
    k_BPNK: Array,
    v_BPNK: Array,
    cross_k_BSNK: Array,
    cross_v_BSNK: Array,
    *,
    position_BT: Array,
    src_mask_BS: Array,
    config: Seq2SeqConfig,
) -> tuple[Array, Array, Array]:
    """The cache has P places for the answer's tokens, and S for the source's."""
    heads: dict[str, Any] = {"n_heads": config.n_heads, "n_kv_heads": config.n_heads}
    a_BTD, k_seen_BPNK, v_seen_BPNK = attention.forward_cached(
        params["attn"], y_BTD, k_BPNK, v_BPNK, position_BT=position_BT, **heads
    )
    m_BTD, _ = layernorm.forward(params["norm1"], y_BTD + a_BTD, eps=config.eps)
    cross_mask_BTS = np.broadcast_to(src_mask_BS[:, None, :], (*y_BTD.shape[:2], src_mask_BS.shape[1]))
    c_BTD = attention.forward_projected(
        params["cross"], m_BTD, cross_k_BSNK, cross_v_BSNK, mask_BTS=cross_mask_BTS, **heads
    )
    o_BTD, _ = layernorm.forward(params["norm2"], m_BTD + c_BTD, eps=config.eps)
    f_BTD, _ = ffn.forward(params["ffn"], o_BTD, activation=config.activation)
    z_BTD, _ = layernorm.forward(params["norm3"], o_BTD + f_BTD, eps=config.eps)
    return z_BTD, k_seen_BPNK, v_seen_BPNK


def _logits(params: Seq2Seq, y_B1D: Array, config: Seq2SeqConfig) -> Array:
    """The logits of one position of each answer, (B, V)."""
    logits_B1V, _ = read_out(params, y_B1D, config=config)
    return logits_B1V[:, 0]


def _embed(params: Seq2Seq, side: str, tokens_BT: Array, config: Seq2SeqConfig, key: Key | None):
    table: dict = params  # type: ignore[assignment]
    e_BTD, saved_emb = embedding.forward(table[side], tokens_BT=tokens_BT)
    learned, length = config.positions == "learned", tokens_BT.shape[1]
    p_TD = table[f"{side}_pos"]["w"][:length] if learned else sinusoidal(length, config.d_model).astype(e_BTD.dtype)
    x_BTD, saved_dropout = dropout.forward(e_BTD + p_TD, rate=config.dropout, key=key)
    return x_BTD, (config, saved_emb, saved_dropout)


def _d_embed(side: str, dx_BTD: Array, saved) -> dict:
    """Positions beyond the text got no gradient: exactly zero."""
    config, saved_emb, saved_dropout = saved
    dsum_BTD = dropout.backward(dx_BTD, saved_dropout)
    d_side = {side: embedding.backward(dsum_BTD, saved_emb)}
    if config.positions != "learned":
        return d_side
    unused_UD = np.zeros((config.max_len - dsum_BTD.shape[1], dsum_BTD.shape[2]), dsum_BTD.dtype)
    return d_side | {f"{side}_pos": {"w": np.concatenate([np.sum(dsum_BTD, axis=0), unused_UD])}}
