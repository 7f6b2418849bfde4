"""Generation. The math is in numpy_ref/generate.py; here is only what JAX changes.

`generate` and `beam_search` loop on the device, which hands back whole answers; `stream` loops on the host, a dispatch
a token. The cache is donated: each step writes into the last one's memory.

Sizes are rounded up to powers of two, so that prompts of any length between two of them share one compiled program.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from common import memory, random
from common import sampling as shared
from common.config import GPTConfig, LlamaConfig, Seq2SeqConfig
from common.sampling import Beams, Hypothesis, Kept, Request, Sampling, SequenceConfig, Settings, Step
from common.types import AnyArray, Key, Tree
from jax_impl.device import memory as device
from jax_impl.models import gpt, llama, seq2seq
from jax_impl.ops import softmax

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
    begun, size = _begin(prompts, sampling, model, start_token)
    memory.check_request(params, begun, model=model, size=size, limit=device.limit())
    keys_BW = shared.row_keys(key, len(prompts), sampling)
    logits_BV, cache = _prefill(params, begun, size=size, model=model)
    chosen_BL, _ = _loop(
        params,
        cache,
        logits_BV,
        begun.seen,
        keys_BW,
        sampling.max_new_tokens,
        np.array(sampling.ends, np.int32),
        model=model,
        sampling=_program(sampling),
    )
    return [shared.answer(row, sampling.ends) for row in np.asarray(chosen_BL).tolist()]


def _begin(prompts: Sequence[Sequence[int]], sampling: Sampling, model: SequenceConfig, start_token: int | None):
    return shared.request(
        prompts,
        model=model,
        max_new_tokens=sampling.max_new_tokens,
        start_token=start_token,
        end_token=sampling.end_token,
        width=shared.bucket,
    )


def _program(sampling: Sampling) -> Sampling:
    """The settings that a compiled program depends on: when an answer ends is not among them."""
    return replace(sampling, max_new_tokens=1, end_token=None)


@partial(jax.jit, static_argnames=("model", "sampling"), donate_argnames="cache")
def _loop(
    params: Tree,
    cache: dict[str, Any],
    logits_BV: jax.Array,
    seen_BV: jax.Array,
    keys_BW: jax.Array,
    limit: int,
    ends_E: jax.Array,
    *,
    model: SequenceConfig,
    sampling: Sampling,
) -> tuple[jax.Array, dict[str, Any]]:
    """All tokens of an answer, int32, (B, L), -1 after its end; and the cache, so that its memory can be donated.

    Which tokens end it is data: one program serves any E of them.
    """

    def chosen(number, logits_BV, chosen_BL, seen_BV, ended_B):
        tokens_B = choose(logits_BV, seen_BV, keys_BW, number, sampling=sampling)
        new_BL = chosen_BL.at[:, number].set(jnp.where(ended_B, -1, tokens_B))
        grown_BV = seen_BV | (jnp.arange(seen_BV.shape[1]) == tokens_B[:, None])
        return number + 1, tokens_B, new_BL, grown_BV, ended_B | jnp.isin(tokens_B, ends_E)

    def go_on(state):
        (number, _, _, _, ended_B), _ = state
        return (number < limit) & ~jnp.all(ended_B)

    def one(state):
        (number, tokens_B, *rest), cache = state
        logits_BV, grown = _decode(params, cache, tokens_B, model=model)
        return chosen(number, logits_BV, *rest), grown

    B, L = len(logits_BV), cache["k"][0].shape[1]
    first = chosen(0, logits_BV, jnp.full((B, L), -1, jnp.int32), seen_BV, jnp.zeros(B, bool))
    (_, _, chosen_BL, _, _), filled = jax.lax.while_loop(go_on, one, (first, cache))
    return chosen_BL, filled


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

    With `kept`, the tokens and the cache of an earlier step, only what the one prompt does not share with them is read;
    the cache is used up. Errors are those of `generate`, before the first step.
    """
    begun, size = _begin(prompts, sampling, model, start_token)
    memory.check_request(params, begun, model=model, size=size, limit=device.limit())
    keys_BW = shared.row_keys(key, len(prompts), sampling)
    return _steps(params, begun, keys_BW, size=size, model=model, sampling=sampling, candidates=candidates, kept=kept)


def _steps(
    params: Tree,
    begun: Request,
    keys_BW: AnyArray,
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
        tokens_B = choose(logits_BV, seen_BV, keys_BW, number, sampling=_program(sampling))
        yield shared.step(np.asarray(tokens_B), ended_B, np.asarray(softmax.forward(logits_BV)), candidates, cache)
        ended_B = ended_B | np.isin(np.asarray(tokens_B), sampling.ends)
        if ended_B.all() or number + 1 == sampling.max_new_tokens:
            return
        seen_BV = seen_BV | (np.arange(seen_BV.shape[1]) == np.asarray(tokens_B)[:, None])
        logits_BV, cache = _decode(params, cache, tokens_B, model=model)


@partial(jax.jit, static_argnames=("size", "model"))
def _prefill(params: Tree, begun: Request, *, size: int, model: SequenceConfig) -> tuple[jax.Array, dict[str, Any]]:
    texts = {"tokens_BT": begun.tokens, "lengths_B": begun.lengths, "size": size}
    if isinstance(model, Seq2SeqConfig):
        return seq2seq.prefill(params, src_BS=begun.src, src_mask_BS=begun.src_mask, **texts, config=model)
    return _DECODER[type(model)].prefill(params, **texts, config=model)


def _resume(
    params: Tree, begun: Request, *, kept: Kept, size: int, model: SequenceConfig
) -> tuple[jax.Array, dict[str, Any]]:
    """What was rounded up goes beyond the cache's end at times: those places are dropped."""
    rest, start = shared.rest(begun, kept, shared.bucket)
    held = kept.cache["k"][0].shape[1]
    room = ((0, 0), (0, max(0, size - held)), (0, 0), (0, 0))
    roomy = {name: [jnp.pad(x_BSNK, room) for x_BSNK in kept.cache[name]] for name in ("k", "v")}
    return _extend(params, roomy | {"position": np.full(1, start, np.int32)}, rest, model=model)


@partial(jax.jit, static_argnames="model", donate_argnames="cache")
def _extend(
    params: Tree, cache: dict[str, Any], rest: Request, *, model: SequenceConfig
) -> tuple[jax.Array, dict[str, Any]]:
    return _DECODER[type(model)].extend(params, cache, tokens_BT=rest.tokens, lengths_B=rest.lengths, config=model)


@partial(jax.jit, static_argnames="model", donate_argnames="cache")
def _decode(
    params: Tree, cache: dict[str, Any], tokens_B: jax.Array, *, model: SequenceConfig
) -> tuple[jax.Array, dict[str, Any]]:
    if isinstance(model, Seq2SeqConfig):
        return seq2seq.decode(params, cache, tokens_B=tokens_B, config=model)
    return _DECODER[type(model)].decode(params, cache, tokens_B=tokens_B, config=model)


@partial(jax.jit, static_argnames="sampling")
def choose(
    logits_BV: jax.Array, seen_BV: jax.Array, keys_BW: jax.Array, number: int, *, sampling: Sampling
) -> jax.Array:
    """The next token of every row, int32, (B,). Row b draws with `keys_BW[b]` (W = 2 words) and the step's number."""
    each = shared.settings([sampling] * len(logits_BV), logits_BV.shape[1])
    return choose_each(logits_BV, seen_BV, keys_BW, number, each, level=sampling.level)


def choose_each(
    logits_BV: jax.Array,
    seen_BV: jax.Array,
    keys_BW: jax.Array,
    number: int | jax.Array,
    each: Settings,
    *,
    level: int,
) -> jax.Array:
    """`choose` where each row may have its own settings and its own number; `level` is the highest of any row."""
    x_BV = _adjusted(logits_BV, seen_BV, each, level)
    if level == shared.GREEDY:
        return jnp.argmax(x_BV, axis=-1).astype(jnp.int32)
    noise_BV = _gumbel(keys_BW, number, x_BV.shape[1], x_BV.dtype)
    return jnp.argmax(jnp.where(each.level > shared.GREEDY, x_BV + noise_BV, x_BV), axis=-1).astype(jnp.int32)


def _gumbel(keys_BW: jax.Array, number: int | jax.Array, n: int, dtype: Any) -> jax.Array:
    """common/random.py's `gumbel`, whose bits `jax.random` draws too."""
    number_B = jnp.broadcast_to(jnp.asarray(number), len(keys_BW))
    folded_BW = jax.vmap(jax.random.fold_in)(keys_BW, number_B)
    u_BV = jax.vmap(lambda key: jax.random.uniform(key, (n,), jnp.float32))(folded_BW) + random.HALF_STEP
    return -jnp.log(-jnp.log(u_BV.astype(dtype)))


@partial(jax.jit, static_argnames="sampling")
def adjust(logits_BV: jax.Array, seen_BV: jax.Array, *, sampling: Sampling) -> jax.Array:
    """The logits that a token is drawn from, (B, V): those of the settings, -inf for tokens that are ruled out."""
    return _adjusted(
        logits_BV, seen_BV, shared.settings([sampling] * len(logits_BV), logits_BV.shape[1]), sampling.level
    )


def _adjusted(logits_BV: jax.Array, seen_BV: jax.Array, each: Settings, level: int) -> jax.Array:
    wide_BV = _widened(logits_BV)
    penalty_B1 = jnp.asarray(each.repetition_penalty, wide_BV.dtype)
    penalized_BV = jnp.where(wide_BV > 0, wide_BV / penalty_B1, wide_BV * penalty_B1)
    x_BV = jnp.where(seen_BV, penalized_BV, wide_BV)
    if level == shared.GREEDY:
        return x_BV
    scaled_BV = x_BV / jnp.asarray(each.temperature, x_BV.dtype)
    if level == shared.DRAWN:
        return scaled_BV
    kept_BV = _kept(scaled_BV, each) | (each.level < shared.FILTERED)
    return jnp.where(kept_BV, scaled_BV, -jnp.inf)


def _kept(x_BV: jax.Array, each: Settings) -> jax.Array:
    """Which tokens may be drawn, (B, V)."""
    order_BV = jnp.argsort(-x_BV, axis=-1, stable=True)
    rank_BV = jnp.argsort(order_BV, axis=-1, stable=True)
    first_BV = jnp.arange(x_BV.shape[1]) < each.top_k
    best_BV = jnp.where(first_BV, jnp.take_along_axis(x_BV, order_BV, axis=-1), -jnp.inf)
    p_BV = softmax.forward(best_BV)
    before_BV = jnp.cumsum(p_BV, axis=-1) - p_BV
    top_p_B1, min_p_B1 = jnp.asarray(each.top_p, x_BV.dtype), jnp.asarray(each.min_p, x_BV.dtype)
    kept_BV = first_BV & (before_BV < top_p_B1) & (p_BV >= min_p_B1 * p_BV[:, :1])
    return jnp.take_along_axis(kept_BV, rank_BV, axis=-1)


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
    read = shared.padded(texts, model=model, sources=sources, width=shared.bucket)
    picked_BU = np.asarray(_picked(params, read, model=model), np.float64)
    return [row[: len(text) - 1].tolist() for row, text in zip(picked_BU, texts, strict=True)]


@partial(jax.jit, static_argnames="model")
def _picked(params: Tree, read: Request, *, model: SequenceConfig) -> jax.Array:
    logits_BTV = _forward(params, read, model=model)
    each_BTV = _log_softmax(logits_BTV)
    next_BU1 = read.tokens[:, 1:, None]
    return jnp.take_along_axis(each_BTV[:, :-1], next_BU1, axis=-1)[:, :, 0]


def _forward(params: Tree, read: Request, *, model: SequenceConfig) -> jax.Array:
    if isinstance(model, Seq2SeqConfig):
        sides = {"src_BS": read.src, "src_mask_BS": read.src_mask, "tokens_BT": read.tokens}
        return seq2seq.forward(params, **sides, config=model)
    return _DECODER[type(model)].forward(params, tokens_BT=read.tokens, config=model)


def _log_softmax(logits_BTV: jax.Array) -> jax.Array:
    return jax.nn.log_softmax(_widened(logits_BTV), axis=-1)


def _widened(x: jax.Array) -> jax.Array:
    """16-bit logits as float32: with 8 or 11 significant bits, tokens would be equals that are not."""
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


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
        sources,
        model=model,
        max_new_tokens=max_new_tokens,
        start_token=start_token,
        end_token=end_token,
        width=shared.bucket,
    )
    memory.check_request(params, begun, model=model, size=size, times=width, limit=device.limit())
    logits_BV, cache = _prefill(params, begun, size=size, model=model)
    logits_RV, wide = jax.tree.map(lambda x: jnp.repeat(x, width, axis=0), (logits_BV, cache))
    beams, _ = _search(
        params,
        wide,
        logits_RV,
        max_new_tokens,
        width=width,
        model=model,
        end_token=end_token,
        length_penalty=float(length_penalty),
    )
    return shared.hypotheses(beams, end_token=end_token, length_penalty=length_penalty)


@partial(jax.jit, static_argnames=("width", "model"), donate_argnames="cache")
def _search(
    params: Tree,
    cache: dict[str, Any],
    logits_RV: jax.Array,
    limit: int,
    *,
    width: int,
    model: SequenceConfig,
    end_token: int,
    length_penalty: float,
) -> tuple[Beams, dict[str, Any]]:
    grow = partial(_grow, end_token=end_token, length_penalty=length_penalty)

    def go_on(state):
        number, (beams, _), _ = state
        return (number < limit) & ~jnp.all(beams.ended | jnp.isneginf(beams.log_p))

    def one(state):
        number, (beams, parents_R), cache = state
        tokens_BW = jax.lax.dynamic_index_in_dim(beams.tokens, number - 1, axis=2, keepdims=False)
        logits_RV, grown = _decode(params, _taken(cache, parents_R), tokens_BW.reshape(-1), model=model)
        return number + 1, grow(beams, logits_RV, number), grown

    none = shared.no_beams(len(logits_RV) // width, width, cache["k"][0].shape[1], _widened(logits_RV).dtype)
    first = grow(jax.tree.map(jnp.asarray, none), logits_RV, 0)
    _, (beams, _), filled = jax.lax.while_loop(go_on, one, (1, first, cache))
    return beams, filled


def _grow(
    beams: Beams, logits_RV: jax.Array, number: int, *, end_token: int, length_penalty: float
) -> tuple[Beams, jax.Array]:
    """One token more for each answer, the best W of all; and the row (of R = B W) that each of them goes on from."""
    (B, W, L), V = beams.tokens.shape, logits_RV.shape[1]
    each_BWV = _log_softmax(logits_RV.reshape(B, W, V))
    dtype = beams.log_p.dtype
    # an answer that has ended has one way to go on, at no cost
    stay_V = jnp.where(jnp.arange(V) == end_token, 0.0, -jnp.inf).astype(dtype)
    log_p_BWV = beams.log_p[:, :, None] + jnp.where(beams.ended[:, :, None], stay_V, each_BWV)
    length_BW = beams.length + ~beams.ended
    score_BWV = log_p_BWV / length_BW[:, :, None].astype(dtype) ** length_penalty
    _, best_BW = jax.lax.top_k(score_BWV.reshape(B, -1), W)
    parent_BW, token_BW = jnp.divmod(best_BW, V)
    parents_R = (parent_BW + W * jnp.arange(B)[:, None]).reshape(-1)
    log_p_BW = jnp.take_along_axis(log_p_BWV.reshape(B, -1), best_BW, axis=-1)
    before_BWL, lengths_BW, ended_BW = (
        x.reshape(B * W, *x.shape[2:])[parents_R].reshape(x.shape) for x in (beams.tokens, length_BW, beams.ended)
    )
    tokens_BWL = jnp.where(jnp.arange(L) == number, token_BW[:, :, None], before_BWL).astype(jnp.int32)
    return Beams(tokens_BWL, log_p_BW, lengths_BW, ended_BW | (token_BW == end_token)), parents_R


def _taken(cache: dict[str, Any], rows_R: jax.Array) -> dict[str, Any]:
    """The cache of other rows. What was read from the source is the same for all answers to it."""
    return cache | {name: [x_RSNK[rows_R] for x_RSNK in cache[name]] for name in ("k", "v")}
