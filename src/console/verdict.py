"""What `console.compare` has found, in words: how far apart the twins came, and what explains it."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

MARKS = (1e-12, 1e-9, 1e-5)
"""Differences by which the twins are said to have parted; of them, those that the dtype can resolve."""


class Look(NamedTuple):
    """The largest difference after an update, relative to the tensor's largest entry; infinite if one is no number."""

    step: int
    difference: float
    tensor: str


def sentences(looks: Sequence[Look], dtype: str) -> list[str]:
    """The verdict on a run that was looked at so often, at least once, in `float32` or `float64`."""
    rounding = float(np.finfo(dtype).eps) / 2
    worst = max(looks, key=lambda look: look.difference)
    if math.isinf(worst.difference):
        return [f"After update {worst.step} {worst.tensor} is no longer finite: training diverges; try a smaller --lr."]
    at = f"{worst.tensor}, after update {worst.step}"
    largest = f"The largest difference is {worst.difference:.1e} ({at}): {_roundings(worst, rounding, dtype)}."
    marks = [mark for mark in MARKS if mark > rounding]
    steps = {mark: parted(looks, mark) for mark in marks}
    said = [f"by {mark:.0e} at update {step}" for mark, step in steps.items() if step is not None]
    if not said:
        words = f"They did not part by {marks[0]:.0e}: both round, each in its own order, and nothing else differs."
        return [largest, words] if dtype == "float64" else [largest, words, _other_dtype()]
    last = [f"never by {mark:.0e}" for mark, step in steps.items() if step is None][:1]
    away = f"They parted {', '.join(said + last)}."
    return [largest, away, _why(looks, steps[marks[0]], rounding, dtype)]


def parted(looks: Sequence[Look], mark: float) -> int | None:
    """The first update looked at after which the difference is larger than `mark`."""
    return next((look.step for look in looks if look.difference > mark), None)


def _why(looks: Sequence[Look], step: int | None, rounding: float, dtype: str) -> str:
    first, most = looks[0], max(look.difference for look in looks)
    if dtype == "float32":
        return _other_dtype()
    if step == first.step:
        return (
            f"No rounding explains that much by update {first.step}, unless the learning rate is far too large: if it "
            "is so at a tenth of it too, the twins do not compute the same."
        )
    return (
        f"At the first look, after update {first.step}, it was {_roundings(first, rounding, dtype)}; from there the "
        f"run multiplied it by {most / (first.difference or rounding):.0e}. Training at this rate does that to any "
        "difference, so two roundings of one mathematics end as two runs. A smaller --lr keeps them together longer."
    )


def _other_dtype() -> str:
    wide = float(np.finfo("float32").eps) / float(np.finfo("float64").eps)
    return (
        f"Is it rounding? The same command with --dtype float64 tells: rounding is {wide:.0e} times smaller there, so "
        "the first look should be about as much smaller. A mistake would stay as large as it is."
    )


def _roundings(look: Look, rounding: float, dtype: str) -> str:
    """A difference as so many roundings: half the step from 1 to the next number."""
    times = look.difference / rounding
    how_many = f"{times:,.0f}" if times < 1e6 else f"{times:.0e}"
    return f"{how_many} roundings of {dtype} ({rounding:.1e} each)"
