"""How far apart the twins are on an answer: both read it again, and their logits and probabilities are compared."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from common.checkpoint import Model
from common.data.batching import AnyExamples
from common.types import Array
from console.asking import six
from console.asking.again import Again
from numpy_ref import family
from numpy_ref.ops import softmax


class Apart(NamedTuple):
    """The largest differences between NumPy and JAX, over every place of an answer and every token."""

    logits: float
    probabilities: float
    same: bool
    """Whether JAX, too, finds each token that NumPy said the most probable."""

    def record(self) -> dict[str, Any]:
        return {"logits": six(self.logits), "probabilities": six(self.probabilities), "same_answer": self.same}


def apart(model: Model, answers: Sequence[Again]) -> list[Apart]:
    """Of each answer. Raises UserError where JAX is not installed."""
    examples = _together([again.examples for again in answers], model.config.max_len)
    with np.errstate(all="ignore"):
        mine = family.logits(model.params, examples, model=model.config)[0]
    twin = np.asarray(_jax()(model.params, examples, model=model.config))
    sides = [x if x.ndim == 3 else x[:, None] for x in (mine, twin)]
    return [_one(again, *(x_BTV[row, again.places] for x_BTV in sides)) for row, again in enumerate(answers)]


def _one(again: Again, mine_AV: Array, twin_AV: Array) -> Apart:
    p_AV, p_twin_AV = softmax.forward(mine_AV)[0], softmax.forward(twin_AV)[0]
    same = np.argmax(twin_AV, axis=-1).tolist() == again.ids
    return Apart(float(np.max(np.abs(mine_AV - twin_AV))), float(np.max(np.abs(p_AV - p_twin_AV))), same)


def most(found: Sequence[Apart]) -> Apart:
    """The largest of some differences."""
    return Apart(
        max(one.logits for one in found), max(one.probabilities for one in found), all(one.same for one in found)
    )


_STEP = 16
"""Rows grow by so many places at a time, so that JAX compiles for few lengths."""


def _together(rows: Sequence[AnyExamples], room: int) -> AnyExamples:
    """Single rows as one batch, padded at their ends with token 0 and False."""
    return type(rows[0])(*(_stacked([part[0] for part in parts], room) for parts in zip(*rows, strict=True)))


def _stacked(parts: Sequence[Array], room: int) -> Array:
    if parts[0].ndim == 0:
        return np.stack(parts)
    wide = min(-(-max(map(len, parts)) // _STEP) * _STEP, room)
    return np.stack([np.pad(part, (0, wide - len(part))) for part in parts])


@lru_cache(maxsize=1)
def _jax() -> Callable[..., Any]:
    import jax

    import jax_impl.family

    return jax.jit(jax_impl.family.logits, static_argnames="model")
