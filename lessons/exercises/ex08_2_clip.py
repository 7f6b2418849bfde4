"""Clip a gradient that is spread over several arrays.

grads is a list of arrays of any shapes. All their numbers together are one long vector. If it is longer than limit,
return the arrays scaled so that its length is limit; if not, return them as they are. Return a list; change nothing
that you are given.
"""

import numpy as np


def clip(grads: list[np.ndarray], limit: float) -> list[np.ndarray]:
    raise NotImplementedError


HINTS = [
    "The direction of the whole vector must not change, so one factor for all arrays.",
    "The squared length is the sum over the arrays of np.sum(g * g).",
    "The factor is min(1, limit / length). What is it when every gradient is zero?",
]
