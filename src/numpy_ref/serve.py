"""Serving: many requests, each with a slot of its own, decoded together one token a step (common/serving.py).

    join    prefill a prompt, and put its keys and values into a free slot; its first token
    step    decode the newest token of every slot beside what the slot holds; the next token of each

Every slot has its own position in its own text, its own settings, key and number of tokens. An empty slot is decoded
with the others, at place 0, where whoever comes next writes first; what it says is not heard.

Twin: jax_impl/serve.py
"""

from collections.abc import Iterable, Iterator
from functools import partial

import numpy as np

from common import memory, serving, slots, tree
from common.config import GPTConfig, LlamaConfig
from common.sampling import Request
from common.serving import Ask, Piece
from common.slots import Rows, Slots
from common.types import Array, Tree
from numpy_ref import generate


def serve(
    params: Tree,
    asks: Iterable[Ask | None],
    *,
    model: GPTConfig | LlamaConfig,
    slots: int,
    size: int,
    stride: int = 1,
) -> Iterator[list[Piece]]:
    """Answer requests as they come, `slots` at a time, each with room for `size` tokens, prompt and answer together.

    `asks` is looked into before every step: None says that nobody is there now, its end that nobody will come any more;
    one that blocks makes all wait. Each item is what a step has brought: nothing ([]) where nobody is there, else
    a piece of the answer of one request that was read, or of each that goes on: `stride` tokens, fewer at its end.
    A request that cannot be answered comes back with the reason, and the others go on.

    Every answer is that of `generate` to the request alone. Raises UserError, before the first step, where the model
    has no slots, no such positions, or the machine no memory for the cache.
    """
    serving.check(model, slots=slots, size=size, stride=stride)
    memory.check_cache(params, model, rows=slots, size=size)
    return serving.run(
        asks,
        _empty(params, model=model, number=slots, size=size),
        join=partial(_join, params, model=model),
        step=partial(_step, params, model=model, stride=stride),
        model=model,
        size=size,
    )


def _empty(params: Tree, *, model: GPTConfig | LlamaConfig, number: int, size: int) -> Slots:
    """Slots with the cache of a prompt of one token, which nobody sees."""
    begun = Request(np.zeros((number, 1), np.int32), np.ones(number, np.int32), None)
    cache = generate._prefill(params, begun, size=size, model=model)[1]
    return Slots(cache, slots.empty(number, model.vocab))


def _join(
    params: Tree, state: Slots, begun: Request, row: Rows, slot: int, *, model: GPTConfig | LlamaConfig
) -> tuple[Slots, int]:
    logits_BV, one = generate._prefill(params, begun, size=begun.tokens.shape[1], model=model)
    tokens_B, read = _chosen(logits_BV, row)
    placed = partial(_placed, slot=slot)
    return Slots(tree.map(placed, state.cache, one), slots.over(placed, state.rows, read)), tokens_B[0]


def _placed(many: Array, one: Array, *, slot: int) -> Array:
    """A copy of `many` whose row `slot` begins with the only row of `one`."""
    copy = many.copy()
    copy[slot : slot + 1][tuple(slice(n) for n in one.shape)] = one
    return copy


def _step(params: Tree, state: Slots, *, model: GPTConfig | LlamaConfig, stride: int) -> tuple[Slots, Array]:
    (cache, rows), chosen = state, list[Array]()
    while len(chosen) < stride and rows.active.any():
        begun = cache | {"position": np.where(rows.active, cache["position"], 0)}
        logits_BV, cache = generate._decode(params, begun, rows.token, model=model)
        tokens_B, rows = _chosen(logits_BV, rows)
        chosen.append(tokens_B)
    return Slots(cache, rows), np.stack(chosen)


def _chosen(logits_BV: Array, rows: Rows) -> tuple[Array, Rows]:
    """The next token of every slot, -1 where nobody goes on, and the rows with it."""
    level = int(np.max(np.where(rows.active[:, None], rows.settings.level, 0)))
    how = (rows.seen, rows.keys, rows.number, rows.settings)
    tokens_B = generate.choose_each(logits_BV, *how, level=level)
    said_BV = np.arange(logits_BV.shape[1]) == tokens_B[:, None]
    number_B = rows.number + 1
    goes_on_B = rows.active & ~np.any(rows.ends & said_BV, axis=-1) & (number_B < rows.limit)
    after = rows._replace(active=goes_on_B, token=tokens_B, number=number_B, seen=rows.seen | said_BV)
    return np.where(rows.active, tokens_B, -1), after
