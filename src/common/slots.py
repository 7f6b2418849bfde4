"""The slots of a server: what is known of the request in each of them, as arrays with a row for each slot."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from common import sampling as shared
from common.sampling import Request, Sampling, Settings
from common.types import AnyArray, Key


class Rows(NamedTuple):
    """What is known of the request in each of B slots."""

    active: AnyArray
    """Whether there is one that goes on, bool, (B,)."""
    token: AnyArray
    """Its newest token, which the model has not read yet, int32, (B,)."""
    number: AnyArray
    """How many tokens it was given, int32, (B,)."""
    limit: AnyArray
    """How many it may be given, int32, (B,)."""
    keys: AnyArray
    """uint32, (B, 2)."""
    seen: AnyArray
    """Which tokens its text holds, bool, (B, V)."""
    ends: AnyArray
    """Which tokens end its answer, bool, (B, V)."""
    settings: Settings
    """(B, 1) each."""


class Slots(NamedTuple):
    """All that goes on: the model's cache, one row a slot, and what is known of the request in it."""

    cache: dict[str, Any]
    rows: Rows


def row(sampling: Sampling, key: Key | None, begun: Request) -> Rows:
    """The row of one request before its first token is chosen, B = 1. Raises UserError as `row_keys` does."""
    vocab = begun.seen.shape[1]
    return Rows(
        active=np.ones(1, bool),
        token=np.zeros(1, np.int32),
        number=np.zeros(1, np.int32),
        limit=np.full(1, sampling.max_new_tokens, np.int32),
        keys=shared.row_keys(None if key is None else np.asarray(key)[None], 1, sampling),
        seen=begun.seen,
        ends=np.isin(np.arange(vocab), sampling.ends)[None],
        settings=shared.settings([sampling], vocab),
    )


def empty(slots: int, vocab: int) -> Rows:
    """The rows of empty slots."""
    nobody = row(Sampling(), None, Request(None, None, np.zeros((1, vocab), bool)))
    return over(lambda leaf: np.repeat(leaf, slots, axis=0), nobody._replace(active=np.zeros(1, bool)))


def over(fn: Callable[..., AnyArray], *rows: Rows) -> Rows:
    """Rows whose arrays are `fn` of those at the same place in `rows`."""
    *plain, settings = zip(*rows, strict=True)
    return Rows._make([*(fn(*leaves) for leaves in plain), Settings._make(map(fn, *settings))])
