"""Lesson 05: the head, the ways back through two poolings, a repair, predictions."""

from types import ModuleType
from typing import Any

import numpy as np

from common import random
from common.types import Array

_MASK = np.array([[True, True, True, False], [True, False, False, False]])


def _drawn(number: int, *shape: int) -> Array:
    return random.normal(random.fold_in(random.key(5), number), shape)


def _same(found: Any, wanted: Array) -> bool:
    return np.shape(found) == wanted.shape and bool(np.max(np.abs(found - wanted)) < 1e-9)


def _told(found: Any, right: Array, mistakes: dict[str, Array], name: str) -> str | None:
    """None for the right numbers; else what is wrong with these."""
    if _same(found, right):
        return None
    named = next((told for told, wrong in mistakes.items() if _same(found, wrong)), None)
    shape = f"{name} has the shape {np.shape(found)}, and not {right.shape}"
    return named or (shape if np.shape(found) != right.shape else f"{name} is wrong")


def head(answer: ModuleType) -> str | None:
    x, w, b, dlogits = _drawn(0, 3, 5), _drawn(1, 5, 4), _drawn(2, 4), _drawn(3, 3, 4)
    wrong = _told(answer.forward(x, w, b), x @ w + b, {"the bias is missing": x @ w}, "logits")
    if wrong:
        return wrong
    dw, db, dx = answer.backward(dlogits, x, w)
    right = x.T @ dlogits
    of_w = {"dw is too small by the batch size: it is a sum": right / 3, "dw is transposed: w is (in, out)": right.T}
    of_b = {"db is a sum over the batch, not a mean": np.mean(dlogits, axis=0)}
    return (
        _told(dw, right, of_w, "dw")
        or _told(db, np.sum(dlogits, axis=0), of_b, "db")
        or _told(dx, dlogits @ w.T, {"dx is too small by the batch size": dlogits @ w.T / 3}, "dx")
    )


def unpool(answer: ModuleType) -> str | None:
    dpooled, place = _drawn(4, 2, 3), np.eye(5)
    everywhere = np.repeat(dpooled[:, None], 5, axis=1)
    right = place[0][:, None] * everywhere
    mistakes = {
        "every position was given the gradient, and only one was read": everywhere,
        "that is the way back of a mean: here one position was read whole": everywhere / 5,
        "the last position was given the gradient: the first was read": place[-1][:, None] * everywhere,
        "the first row of the batch only was given a gradient: every row has a position 0": right * [[[1.0]], [[0.0]]],
    }
    return _told(answer.backward(dpooled, 5), right, mistakes, "dx")


def masked_mean(answer: ModuleType) -> str | None:
    x, dpooled = _drawn(5, 2, 4, 3), _drawn(6, 2, 3)
    count = np.sum(_MASK, axis=1)[:, None]
    kept, spread = np.sum(_MASK[:, :, None] * x, axis=1), np.repeat(dpooled[:, None], 4, axis=1)
    forward = {
        "the padding is part of the mean": np.mean(x, axis=1),
        "the sum leaves the padding out, and is divided by all positions: count the real ones": kept / 4,
        "that is the sum of the real positions, not their mean": kept,
    }
    backward = {
        "backward divides by the same count as forward": _MASK[:, :, None] * spread,
        "padding gets a gradient: nothing that stood there was read": spread / count[:, :, None],
        "padding gets a gradient, and all positions are counted": spread / 4,
    }
    right = _MASK[:, :, None] * spread / count[:, :, None]
    return _told(answer.forward(x, _MASK), kept / count, forward, "the mean") or _told(
        answer.backward(dpooled, _MASK), right, backward, "dx"
    )


def repair_answers(answer: ModuleType) -> str | None:
    x, w, b, words = _drawn(7, 4, 3, 6), _drawn(8, 6, 5), _drawn(9, 5), list("abcde")
    found = list(answer.answers(x, w, b, words))
    first, last = (x[:, place] @ w + b for place in (0, -1))

    def read(tokens: Array) -> list[str]:
        return [words[token] for token in tokens]

    mistakes = {
        "the last position is read: in a padded row that is padding": read(np.argmax(last, axis=1)),
        "argmax looks over the rows of the batch: each row has an answer of its own": read(
            np.argmax(first, axis=0)[:4]
        ),
        "that is the word with the smallest logit": read(np.argmin(first, axis=1)),
    }
    if found == read(np.argmax(first, axis=1)):
        return None
    return next((told for told, wrong in mistakes.items() if found == wrong), "the answers are wrong")


_ANSWERS = {
    "a": (2, "a: the logits are 3, 3 and 4, and tokens count from 0"),
    "b": (0, "b: every logit grows by ten, so no lead does"),
    "c": (1, "c: what was not read has moved nothing"),
    "d": (6, "d: position 0 looked at all of them on the way"),
    "e": (0.5, "e: a mean spreads its gradient evenly: 3 / 6"),
}


def predict(answer: ModuleType) -> str | None:
    pairs = zip(answer.answers(), _ANSWERS.values(), strict=True)
    return next((why for found, (right, why) in pairs if not np.isclose(float(found), right)), None)
