"""Repair: this stack is wrong in two places, and raises nothing.

`blocks` is a list of functions from x to y. `states` shall return the list [x, behind block 0, behind block 1, ...],
and leave `x` as it was. Mend `_states`, then let `states` return what it returns.
"""

import numpy as np


def _states(x: np.ndarray, blocks: list) -> list[np.ndarray]:
    xs = [x]
    for block in blocks:
        y = xs[0]
        y += block(xs[0]) - xs[0]  # y becomes block(x)
        xs.append(y)
    return xs


def states(x: np.ndarray, blocks: list) -> list[np.ndarray]:
    raise NotImplementedError


HINTS = [
    "Print what each block is given, for a stack of three.",
    "Which element of the list should a block read: the first, or the newest?",
    "`+=` changes an array in place, for everyone who holds it, the caller too.",
]
