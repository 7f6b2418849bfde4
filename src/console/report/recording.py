"""The moments of a run: its parameters as they were, a bounded number of times. Nothing is computed while it trains.

A run is watched often at its beginning, where it changes fastest, and at the end of epochs.
"""

import math
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from common import tree
from common.config import TrainConfig
from common.run import TrainState
from common.types import Tree

MOST = 24
"""Moments that are kept."""
MEMORY = 2**28
"""Bytes that they may take together; the first and the last are kept whatever they take."""
EARLY, EPOCHS = 14, 8
"""So many moments lie ever farther apart, and so many are ends of epochs."""

Moments = list[tuple[int, Tree]]
"""(updates made, parameters as NumPy arrays), in order."""


@dataclass
class Recorder:
    """What a run's report is made from."""

    moments: Moments = field(default_factory=list)

    def see(self, state: TrainState, train: TrainConfig, *, always: bool = False) -> None:
        """Keep the parameters if a planned moment has come since the last ones, or `always`."""
        last = self.moments[-1][0] if self.moments else -1
        due = any(last < step <= state.step for step in plan(train))
        if state.step > last and (always or due or last < 0):
            # copies: another twin may reuse the memory of its parameters for the next update
            self.moments.append((state.step, tree.map(np.array, state.params)))
            self.moments = thinned(self.moments, min(MOST, MEMORY // max(1, _bytes(self.moments[-1][1]))))


def thinned(moments: Moments, most: int) -> Moments:
    """At most so many moments, but two at least, the first and the last: those with near neighbours go first."""
    kept = list(moments)
    while len(kept) > max(2, most):
        steps = [step + 1 for step, _ in kept]
        gaps = [math.log(after / before) for before, after in zip(steps, steps[2:], strict=False)]
        del kept[1 + int(np.argmin(gaps))]
    return kept


@lru_cache(maxsize=8)
def plan(train: TrainConfig) -> tuple[int, ...]:
    """After how many updates a run is watched: 0, ever farther apart, at ends of epochs, at the end."""
    early = np.geomspace(1, train.steps, EARLY).round().astype(int).tolist()
    epochs = np.linspace(1, train.epochs, min(EPOCHS, train.epochs)).round().astype(int) * train.steps_per_epoch
    return tuple(sorted({0, train.steps, *early, *epochs.tolist()}))


def _bytes(params: Tree) -> int:
    return sum(leaf.nbytes for leaf in tree.leaves(params))
