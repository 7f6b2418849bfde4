"""Generation: a model names the next token, the token joins the text, and the model is asked again.

    prefill    read the prompt, all positions at once; keep every position's keys and values
    choose     logits -> token: the most probable one, or a draw
    decode     read that token alone, beside what is kept

What a causal model computed for a position never changes when the text grows, so a token costs one position's work
instead of the whole text's. Prompts of a batch may differ in length: each row has its own position.

A draw is the largest of log p + Gumbel noise (common/random.py), from the row's own key and the number of the step:
what a row draws does not depend on its batch, and the JAX twin draws the same.

Holtzman et al. 2020 (top-p).    Twin: jax_impl/generate.py
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from common import memory, random, tree
from common import sampling as shared
from common.config import GPTConfig, LlamaConfig, Seq2SeqConfig
from common.sampling import Beams, Hypothesis, Kept, Request, Sampling, SequenceConfig, Settings, Step
from common.sums import largest, total
from common.types import Array, Key, Tree
from numpy_ref.models import gpt, llama, seq2seq
from numpy_ref.ops import softmax

_DECODER: dict[type, Any] = {GPTConfig: gpt, LlamaConfig: llama}
"""The families that are a decoder alone."""


def generate(
    params: Tree,
    prompts: Sequence[Sequence[int]],
    *,
    model: SequenceConfig,
    sampling: Sampling,
    key: Key | None = None,
    start_token: int | None = None,
) -> list[list[int]]:
    """The token ids that the model adds to each prompt, without the end token (an answer may be empty).

    For an encoder-decoder the prompts are sources, and `start_token` is what every answer begins with. `key` is one
    key, of which row b takes `fold_in(key, b)`, or one for each row, (B, 2); greedy generation needs none. Raises
    UserError for prompts that the model cannot read or that leave no room for `max_new_tokens` (common/sampling.py),
    and where there is no memory for the cache (common/memory.py).
    """
    steps = stream(params, prompts, model=model, sampling=sampling, key=key, start_token=start_token)
    rows = zip(*(step.tokens for step in steps), strict=True)
    return [shared.answer([-1 if token is None else token for token in row], sampling.ends) for row in rows]


def stream(
    params: Tree,
    prompts: Sequence[Sequence[int]],
    *,
    model: SequenceConfig,
    sampling: Sampling,
    key: Key | None = None,
    start_token: int | None = None,
    candidates: int = 0,
    kept: Kept | None = None,
) -> Iterator[Step]:
    """`generate` step by step: one token for every sequence at a time, and the `candidates` most probable ones.

    With `kept`, the tokens and the cache of an earlier step, only what the one prompt does not share with them is read.
    Errors are those of `generate`, before the first step.
    """
    begun, size = shared.request(
        prompts,
        model=model,
        max_new_tokens=sampling.max_new_tokens,
        start_token=start_token,
        end_token=sampling.end_token,
    )
    memory.check_request(params, begun, model=model, size=size)
    keys_BW = shared.row_keys(key, len(prompts), sampling)
    return _steps(params, begun, keys_BW, size=size, model=model, sampling=sampling, candidates=candidates, kept=kept)


def _steps(
    params: Tree,
    begun: Request,
    keys_BW: Array,
    *,
    size: int,
    model: SequenceConfig,
    sampling: Sampling,
    candidates: int,
    kept: Kept | None,
) -> Iterator[Step]:
    read = _prefill if kept is None else partial(_resume, kept=kept)
    logits_BV, cache = read(params, begun, size=size, model=model)
    seen_BV, ended_B = begun.seen, np.zeros(len(begun.seen), bool)
    for number in range(sampling.max_new_tokens):
        tokens_B = choose(logits_BV, seen_BV, keys_BW, number, sampling=sampling)
        p_BV = softmax.forward(logits_BV)[0]
        yield shared.step(tokens_B, ended_B, p_BV, candidates, cache)
        ended_B = ended_B | np.isin(tokens_B, sampling.ends)
        if ended_B.all() or number + 1 == sampling.max_new_tokens:
            return
        seen_BV = seen_BV | (np.arange(seen_BV.shape[1]) == tokens_B[:, None])
        logits_BV, cache = _decode(params, cache, tokens_B, model=model)


def _prefill(params: Tree, begun: Request, *, size: int, model: SequenceConfig) -> tuple[Array, dict[str, Any]]:
    texts = {"tokens_BT": begun.tokens, "lengths_B": begun.lengths, "size": size}
    if isinstance(model, Seq2SeqConfig):
        return seq2seq.prefill(params, src_BS=begun.src, src_mask_BS=begun.src_mask, **texts, config=model)
    return _DECODER[type(model)].prefill(params, **texts, config=model)


def _resume(
    params: Tree, begun: Request, *, kept: Kept, size: int, model: SequenceConfig
) -> tuple[Array, dict[str, Any]]:
    """`_prefill` where the beginning is kept: what the cache holds beyond it is written over before it is seen."""
    rest, start = shared.rest(begun, kept)
    held = kept.cache["k"][0].shape[1]
    room = ((0, 0), (0, max(0, size - held)), (0, 0), (0, 0))
    roomy = {name: [np.pad(x_BSNK, room) for x_BSNK in kept.cache[name]] for name in ("k", "v")}
    cache = roomy | {"position": np.full(1, start, np.int32)}
    return _DECODER[type(model)].extend(params, cache, tokens_BT=rest.tokens, lengths_B=rest.lengths, config=model)


def _decode(
    params: Tree, cache: dict[str, Any], tokens_B: Array, *, model: SequenceConfig
) -> tuple[Array, dict[str, Any]]:
    if isinstance(model, Seq2SeqConfig):
        return seq2seq.decode(params, cache, tokens_B=tokens_B, config=model)
    return _DECODER[type(model)].decode(params, cache, tokens_B=tokens_B, config=model)


def choose(logits_BV: Array, seen_BV: Array, keys_BW: Array, number: int, *, sampling: Sampling) -> Array:
    """The next token of every row, int32, (B,). Row b draws with `keys_BW[b]` (W = 2 words) and the step's number."""
    each = shared.settings([sampling] * len(logits_BV), logits_BV.shape[1])
    return choose_each(logits_BV, seen_BV, keys_BW, number, each, level=sampling.level)


def choose_each(
    logits_BV: Array, seen_BV: Array, keys_BW: Array, number: int | Array, each: Settings, *, level: int
) -> Array:
    """`choose` where each row may have its own settings and its own number; `level` is the highest of any row."""
    x_BV = _adjusted(logits_BV, seen_BV, each, level)
    if level == shared.GREEDY:
        return np.argmax(x_BV, axis=-1).astype(np.int32)
    noise_BV = random.gumbel(keys_BW, number, x_BV.shape[1], x_BV.dtype)
    return np.argmax(np.where(each.level > shared.GREEDY, x_BV + noise_BV, x_BV), axis=-1).astype(np.int32)


def adjust(logits_BV: Array, seen_BV: Array, *, sampling: Sampling) -> Array:
    """The logits that a token is drawn from, (B, V): those of the settings, -inf for tokens that are ruled out."""
    return _adjusted(
        logits_BV, seen_BV, shared.settings([sampling] * len(logits_BV), logits_BV.shape[1]), sampling.level
    )


def _adjusted(logits_BV: Array, seen_BV: Array, each: Settings, level: int) -> Array:
    penalty_B1 = each.repetition_penalty.astype(logits_BV.dtype)
    penalized_BV = np.where(logits_BV > 0, logits_BV / penalty_B1, logits_BV * penalty_B1)
    x_BV = np.where(seen_BV, penalized_BV, logits_BV)
    if level == shared.GREEDY:
        return x_BV
    scaled_BV = x_BV / each.temperature.astype(x_BV.dtype)
    if level == shared.DRAWN:
        return scaled_BV
    kept_BV = _kept(scaled_BV, each) | (each.level < shared.FILTERED)
    return np.where(kept_BV, scaled_BV, -np.inf)


def _kept(x_BV: Array, each: Settings) -> Array:
    """Which tokens may be drawn, (B, V)."""
    order_BV = np.argsort(-x_BV, axis=-1, kind="stable")
    rank_BV = np.argsort(order_BV, axis=-1, kind="stable")
    first_BV = np.arange(x_BV.shape[1]) < each.top_k
    best_BV = np.where(first_BV, np.take_along_axis(x_BV, order_BV, axis=-1), -np.inf)
    p_BV = softmax.forward(best_BV)[0]
    before_BV = np.cumsum(p_BV, axis=-1) - p_BV
    top_p_B1, min_p_B1 = each.top_p.astype(x_BV.dtype), each.min_p.astype(x_BV.dtype)
    kept_BV = first_BV & (before_BV < top_p_B1) & (p_BV >= min_p_B1 * p_BV[:, :1])
    return np.take_along_axis(kept_BV, rank_BV, axis=-1)


def log_probabilities(
    params: Tree,
    texts: Sequence[Sequence[int]],
    *,
    model: SequenceConfig,
    sources: Sequence[Sequence[int]] | None = None,
) -> list[list[float]]:
    """The log-probability, in nats, of each token of each text but the first, given those before it.

    A text begins with what is given: for an encoder-decoder, whose `sources` are needed, with the start token. Raises
    UserError for texts that the model cannot read.
    """
    read = shared.padded(texts, model=model, sources=sources)
    logits_BTV = _forward(params, read, model=model)
    each_BTV = _log_softmax(logits_BTV)
    next_BU1 = read.tokens[:, 1:, None]  # U = T - 1: what the last position names is not in the text
    picked_BU = np.take_along_axis(each_BTV[:, :-1], next_BU1, axis=-1)[:, :, 0]
    return [row[: len(text) - 1].tolist() for row, text in zip(picked_BU, texts, strict=True)]


def _forward(params: Tree, read: Request, *, model: SequenceConfig) -> Array:
    if isinstance(model, Seq2SeqConfig):
        sides = {"src_BS": read.src, "src_mask_BS": read.src_mask, "tokens_BT": read.tokens}
        return seq2seq.forward(params, **sides, config=model)[0]
    return _DECODER[type(model)].forward(params, tokens_BT=read.tokens, config=model)[0]


def _log_softmax(logits_BTV: Array) -> Array:
    z_BTV = logits_BTV - largest(logits_BTV)
    return z_BTV - np.log(total(np.exp(z_BTV)))


def beam_search(
    params: Tree,
    sources: Sequence[Sequence[int]],
    *,
    model: SequenceConfig,
    width: int,
    max_new_tokens: int,
    start_token: int | None,
    end_token: int,
    length_penalty: float = 0.0,
) -> list[list[Hypothesis]]:
    """The best answers to each source that were found, at most `width`, best first.

    Every step continues each of the `width` answers by every token and keeps the `width` of the highest score,
    log-probability / length ** length_penalty. An answer that has ended stays as it is, and stays only as long as it is
    among them. The search ends when all have ended, or after `max_new_tokens`. A width of 1 is greedy generation.
    Raises UserError as `generate` does.
    """
    shared.check_beams(width, max_new_tokens, length_penalty)
    begun, size = shared.request(
        sources, model=model, max_new_tokens=max_new_tokens, start_token=start_token, end_token=end_token
    )
    memory.check_request(params, begun, model=model, size=size, times=width)
    logits_BV, cache_one = _prefill(params, begun, size=size, model=model)
    logits_RV, cache = np.repeat(logits_BV, width, axis=0), tree.map(lambda x: np.repeat(x, width, axis=0), cache_one)
    beams = shared.no_beams(len(sources), width, max_new_tokens, logits_BV.dtype)
    for number in range(max_new_tokens):
        beams, parents_R = _grow(beams, logits_RV, number, end_token=end_token, length_penalty=length_penalty)
        if np.all(beams.ended | np.isneginf(beams.log_p)) or number + 1 == max_new_tokens:
            break
        logits_RV, cache = _decode(
            params, _taken(cache, parents_R), beams.tokens[:, :, number].reshape(-1), model=model
        )
    return shared.hypotheses(beams, end_token=end_token, length_penalty=length_penalty)


def _grow(beams: Beams, logits_RV: Array, number: int, *, end_token: int, length_penalty: float) -> tuple[Beams, Array]:
    """One token more for each answer, the best W of all; and the row (of R = B W) that each of them goes on from."""
    (B, W, L), V = beams.tokens.shape, logits_RV.shape[1]
    each_BWV = _log_softmax(logits_RV.reshape(B, W, V))
    dtype = beams.log_p.dtype
    # an answer that has ended has one way to go on, at no cost
    stay_V = np.where(np.arange(V) == end_token, 0.0, -np.inf).astype(dtype)
    log_p_BWV = beams.log_p[:, :, None] + np.where(beams.ended[:, :, None], stay_V, each_BWV)
    length_BW = beams.length + ~beams.ended
    score_BWV = log_p_BWV / length_BW[:, :, None].astype(dtype) ** length_penalty
    best_BW = np.argsort(-score_BWV.reshape(B, -1), axis=-1, kind="stable")[:, :W]
    parent_BW, token_BW = np.divmod(best_BW, V)
    parents_R = (parent_BW + W * np.arange(B)[:, None]).reshape(-1)
    log_p_BW = np.take_along_axis(log_p_BWV.reshape(B, -1), best_BW, axis=-1)
    before_BWL, lengths_BW, ended_BW = (
        x.reshape(B * W, *x.shape[2:])[parents_R].reshape(x.shape) for x in (beams.tokens, length_BW, beams.ended)
    )
    tokens_BWL = np.where(np.arange(L) == number, token_BW[:, :, None], before_BWL).astype(np.int32)
    return Beams(tokens_BWL, log_p_BW, lengths_BW, ended_BW | (token_BW == end_token)), parents_R


def _taken(cache: dict[str, Any], rows_R: Array) -> dict[str, Any]:
    """The cache of other rows. What was read from the source is the same for all answers to it."""
    return cache | {name: [x_RSNK[rows_R] for x_RSNK in cache[name]] for name in ("k", "v")}
