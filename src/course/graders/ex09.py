"""Lesson 09: pairs of runs, learned for good, what decay leaves, the number line, a split that leaks, predictions."""

from types import ModuleType
from typing import Any

import numpy as np

from common import random
from common.types import Array


def pairs(answer: ModuleType) -> str | None:
    a, b = np.array([95.0, 97.0, 96.0, 93.0]), np.array([93.0, 94.0, 99.0])
    better, tied = float(np.mean(a[:, None] > b)), float(np.mean(a[:, None] == b))
    found, wanted = float(answer.share(a, b)), better + tied / 2
    mistakes = {
        better: "a tie is half a win: it was counted as a loss",
        better + tied: "a tie is half a win: it was counted as a whole one",
        1 - wanted: "this is the share in which b is better",
        float(np.mean(a[:3] > b)): "every run of a meets every run of b, whatever its seed: 12 pairs here",
        float(a.mean() > b.mean()): "the means are compared; what is asked is how single runs fall",
    }
    if np.isclose(found, wanted):
        return None
    return _named(found, mistakes) or f"{found:g} is not the share of the 12 pairs of {a} and {b}"


def _named(found: float, mistakes: dict[float, str]) -> str | None:
    return next((told for wrong, told in mistakes.items() if np.isclose(found, wrong)), None)


def for_good(answer: ModuleType) -> str | None:
    steps = np.array([0, 6, 12, 18, 24, 30])
    mistakes = {
        12: "it fell below the bar again: 0.95, then 0.8",
        4: "this is a place in the list, and a step was asked for",
        18: "one too early: there the share is still below the bar",
        30: "a share that equals the bar has reached it",
    }

    def asked(*shares: float) -> float:
        return float(answer.for_good(np.array(shares), steps, 0.9))

    found = asked(0.1, 0.5, 0.95, 0.8, 0.9, 1.0)
    if found != 24:
        return mistakes.get(int(found) if np.isfinite(found) else -1, f"{found:g} is not the step: it is 24")
    if asked(0.1, 0.5, 0.95, 0.8, 0.95, 0.6) != float("inf"):
        return "shares that end below the bar: this model never reaches the bar for good"
    always = asked(0.9, 0.95, 1.0, 1.0, 1.0, 1.0)
    return None if always == 0 else "a model that is never below the bar has learned it at the first step"


def shrink(answer: ModuleType) -> str | None:
    lrs, decay = np.linspace(0.3, 0.01, 12), 0.8
    wanted, found = float(np.prod(1 - lrs * decay)), float(answer.left(lrs, decay))
    mistakes = {
        1 - decay * float(np.sum(lrs)): "each update shrinks what the one before it has left: a product, not a sum",
        float((1 - lrs.max() * decay) ** 12): "the rate changes from update to update",
        float((1 - decay) ** 12): "AdamW multiplies the decay by the learning rate",
        float(np.exp(-decay * np.sum(lrs))): "close, and not exact: (1 - a)(1 - b) is not exp(-a - b)",
        1 - wanted: "this is what is lost; what is left was asked for",
    }
    return (
        None if np.isclose(found, wanted, rtol=1e-12) else _named(found, mistakes) or f"{found:g} is not what is left"
    )


def number_line(answer: ModuleType) -> str | None:
    drawn = [_with_a_line(number) for number in range(8)]  # which way a decomposition points is chance: ask it often
    wanted = np.array([_straight(rows_ND - rows_ND.mean(axis=0)) for rows_ND in drawn])
    every = np.array([float(answer.number_line(rows_ND)) for rows_ND in drawn])
    rows_ND, found = drawn[0], float(every[0])
    lengths = abs(np.corrcoef(np.arange(10), np.linalg.norm(rows_ND, axis=1))[0, 1])
    mistakes = {
        _straight(rows_ND): "take the mean row away from each row first",
        _straight(
            rows_ND - rows_ND.mean(axis=1, keepdims=True)
        ): "the mean of each row was taken away, not the mean row",
        abs(
            float(np.corrcoef(np.arange(10), rows_ND[:, 0])[0, 1])
        ): "this is one column of the table, not its direction",
        float(lengths): "the length of a row is not its place along a direction",
    }
    if np.allclose(every, wanted):
        return None
    if np.allclose(abs(every), wanted):
        return "the direction has no sign: |r| is from 0 to 1"
    return _named(found, mistakes) or f"{found:g} is not the correlation for rows that were drawn with a line in them"


def _with_a_line(number: int) -> Array:
    noise_ND = random.normal(random.fold_in(random.key(9), number), (10, 6)).astype(np.float64)
    return 0.4 * noise_ND + np.outer(np.arange(10.0) - 2, [0, 0.2, 0, -0.3, 0.1, 0]) + [4, 0, 0, 1, 0, 2]


def _straight(rows_ND: Array) -> float:
    return float(abs(np.corrcoef(np.arange(10), np.linalg.svd(rows_ND, full_matrices=False)[0][:, 0])[0, 1]))


def repair_split(answer: ModuleType) -> str | None:
    drawn = np.asarray(random.randint(random.key(9), (4_000,), 0, 1_000)).tolist()
    rows = [f"Max ( {n // 100} {n // 10 % 10} {n % 10} )" for n in drawn]
    train, held = answer.split(list(rows), 0)
    if set(train) & set(held):
        return f"{len(set(train) & set(held))} texts stand in both parts"
    if sorted(train + held) != sorted(rows):
        return "rows are lost: a text that was drawn four times is four rows"
    if not 0.1 < len(held) / len(rows) < 0.3:
        return f"about a fifth is to be held out, not {len(held) / len(rows):.2f}"
    alone: list[list[Any]] = [answer.split([row], 0)[1] for row in sorted(set(rows))[:200]]
    if any(bool(found) != (row in set(held)) for row, found in zip(sorted(set(rows))[:200], alone, strict=True)):
        return "whether a text is held out depends on what else was drawn"
    return "the seed changes nothing: another seed shall hold out others" if answer.split(rows, 1)[1] == held else None


_ANSWERS = {
    "a": (70, "a: the order in which the four are chosen makes no difference: 8! / (4! 4!)"),
    "b": (2.5 / 9, "b: 95 beats 94, 96 beats 94 and ties with 96: two and a half of nine"),
    "c": (0.05, "c: the spread is the root of p (1 - p) / n"),
    "d": (0.95**3, "d: each update shrinks what the one before it has left: 0.95 three times"),
    "e": (0.4, "e: it rises to 0.7 and more, and under decay it falls again, to about 0.4"),
}


def predict(answer: ModuleType) -> str | None:
    pairs = zip(answer.answers(), _ANSWERS.values(), strict=True)
    return next((why for found, (right, why) in pairs if not np.isclose(float(found), right, rtol=0.005)), None)
