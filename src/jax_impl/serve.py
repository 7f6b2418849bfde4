"""Serving: many requests, each with a slot of its own. What happens is in numpy_ref/serve.py; here is what JAX changes.

The state lives on the device and is donated. One program serves every step, whoever has the slots, and one reads
prompts of up to 8 tokens, one up to 16, and so on: what it is to be compiled for is the number of slots, their size
and the stride. With a stride above 1 the device decodes so many tokens of each answer before the host looks again.
"""

from collections.abc import Iterable, Iterator
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from common import memory, sampling, serving, slots
from common.config import GPTConfig, LlamaConfig
from common.sampling import Request
from common.serving import Ask, Piece
from common.slots import Rows, Slots
from common.types import Tree
from jax_impl import generate
from jax_impl.device import memory as device


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
    has no slots, no such positions, or the device no memory for the cache.
    """
    serving.check(model, slots=slots, size=size, stride=stride)
    memory.check_cache(params, model, rows=slots, size=size, limit=device.limit())
    held = jax.tree.map(jnp.asarray, params)
    return serving.run(
        asks,
        _empty(held, model=model, number=slots, size=size),
        join=partial(_join, held, model=model),
        step=partial(_step, held, model=model, stride=stride),
        model=model,
        size=size,
        width=sampling.bucket,
    )


def _empty(params: Tree, *, model: GPTConfig | LlamaConfig, number: int, size: int) -> Slots:
    begun = Request(np.zeros((number, 1), np.int32), np.ones(number, np.int32), None)
    _, shapes = jax.eval_shape(partial(generate._prefill, size=size, model=model), params, begun)
    cache = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
    return Slots(cache, jax.tree.map(jnp.asarray, slots.empty(number, model.vocab)))


@partial(jax.jit, static_argnames="model", donate_argnames="state")
def _join(
    params: Tree, state: Slots, begun: Request, row: Rows, slot: int, *, model: GPTConfig | LlamaConfig
) -> tuple[Slots, jax.Array]:
    logits_BV, one = generate._prefill(params, begun, size=begun.tokens.shape[1], model=model)
    tokens_B, read = _chosen(logits_BV, row)
    return jax.tree.map(partial(_placed, slot=slot), state, Slots(one, read)), tokens_B[0]


def _placed(many: jax.Array, one: jax.Array, *, slot: int) -> jax.Array:
    return jax.lax.dynamic_update_slice(many, one, (slot, *[0] * (many.ndim - 1)))


@partial(jax.jit, static_argnames=("model", "stride"), donate_argnames="state")
def _step(params: Tree, state: Slots, *, model: GPTConfig | LlamaConfig, stride: int) -> tuple[Slots, jax.Array]:
    def go_on(carry):
        number, (_, rows), _ = carry
        return (number < stride) & jnp.any(rows.active)

    def one(carry):
        number, (cache, rows), chosen_LB = carry
        begun = cache | {"position": jnp.where(rows.active, cache["position"], 0)}
        logits_BV, grown = generate._decode(params, begun, rows.token, model=model)
        tokens_B, after = _chosen(logits_BV, rows)
        return number + 1, Slots(grown, after), chosen_LB.at[number].set(tokens_B)

    none_LB = jnp.full((stride, len(state.rows.active)), -1, jnp.int32)
    _, after, chosen_LB = jax.lax.while_loop(go_on, one, (0, state, none_LB))
    return after, chosen_LB


def _chosen(logits_BV: jax.Array, rows: Rows) -> tuple[jax.Array, Rows]:
    """The next token of every slot, -1 where nobody goes on, and the rows with it."""
    level = jnp.max(jnp.where(rows.active[:, None], rows.settings.level, 0))
    how = (rows.seen, rows.keys, rows.number, rows.settings)
    kinds = [partial(generate.choose_each, level=kind) for kind in (sampling.GREEDY, sampling.DRAWN, sampling.FILTERED)]
    tokens_B = jax.lax.switch(level, kinds, logits_BV, *how)
    said_BV = jnp.arange(logits_BV.shape[1]) == tokens_B[:, None]
    number_B = rows.number + 1
    goes_on_B = rows.active & ~jnp.any(rows.ends & said_BV, axis=-1) & (number_B < rows.limit)
    after = rows._replace(active=goes_on_B, token=tokens_B, number=number_B, seen=rows.seen | said_BV)
    return jnp.where(rows.active, tokens_B, -1), after
