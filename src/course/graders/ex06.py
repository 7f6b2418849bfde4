"""Lesson 06: softmax, cross-entropy and its gradient, and a loss to which p - y does not belong."""

from types import ModuleType
from typing import Any

import numpy as np

from common.types import Array
from course.losses import squared_backward as squared
from numpy_ref.ops import cross_entropy as shipped
from numpy_ref.ops import softmax as softmax_shipped

Wrong = str | None


def _batch() -> tuple[Array, Array]:
    """Logits (3, 5) and targets (3,)."""
    return np.random.default_rng(6).normal(size=(3, 5)), np.array([4, 0, 2])


def _same(a: Any, b: Any) -> bool:
    return np.shape(a) == np.shape(b) and bool(np.allclose(a, b, rtol=1e-9, atol=1e-12))


def _first(told: list[tuple[bool, str]]) -> Wrong:
    """The first sentence that is true."""
    return next((sentence for is_so, sentence in told if is_so), None)


def softmax(answer: ModuleType) -> Wrong:
    x, _ = _batch()
    wanted, _ = softmax_shipped.forward(x)
    found = answer.softmax(x.copy())
    if np.shape(found) != x.shape:
        return f"p has shape {np.shape(found)}, and the scores have {x.shape}"
    if not _same(found, wanted):
        told = [
            (_same(np.sum(found, axis=0), np.ones(5)), "the columns sum to 1: the shares are of the last axis"),
            (_same(np.sum(found), 1.0), "all rows together sum to 1: each row has to sum to 1 by itself"),
        ]
        return _first(told) or "not the shares: e^x over the sum of e^x, row by row"
    with np.errstate(all="ignore"):
        large, apart = (
            answer.softmax(np.array(rows)) for rows in ([[1000.0, 1000.0]], [[1000.0, 0.0], [-1000, -1000]])
        )
    return _first(
        [
            (not np.all(np.isfinite(large)), "scores of 1000 overflow: subtract the largest score first"),
            (
                not _same(apart, [[1, 0], [0.5, 0.5]]),
                "a row of -1000 beside one of 1000 fails: each has a maximum of its own",
            ),
        ]
    )


def cross_entropy(answer: ModuleType) -> Wrong:
    logits, targets = _batch()
    wanted = float(shipped.forward(logits, targets_B=targets)[0])
    found = answer.cross_entropy(logits.copy(), targets.copy())
    if np.shape(found) != ():
        return f"return one number, not an array of shape {np.shape(found)}"
    if not _same(found, wanted):
        told = [
            (_same(found, wanted * 3), "the ratio is exactly the batch size: the loss is a mean, divide by it"),
            (_same(found, wanted / np.log(2)), "these are bits: the natural logarithm gives nats"),
            (found < 0, "a loss of probabilities is never negative: -ln p"),
        ]
        return _first(told) or "not the mean of -ln p[target]: does it take one of the picks of every row, or its own?"
    with np.errstate(all="ignore"):
        far = answer.cross_entropy(np.array([[1000.0, 0.0]]), np.array([1]))
    return None if _same(far, 1000.0) else "infinite where p rounds to zero: ln(sum e^z) - z_t never takes ln p"


def cross_entropy_backward(answer: ModuleType) -> Wrong:
    logits, targets = _batch()
    _, saved = shipped.forward(logits, targets_B=targets)
    p, wanted = saved[0], shipped.backward(np.ones(()), saved)
    given = p.copy()
    found = answer.cross_entropy_backward(given, targets.copy())
    if np.shape(found) != p.shape:
        return f"the gradient has shape {np.shape(found)}, and the logits have {p.shape}"
    told = [
        (not _same(given, p), "p is not what it was before: work on a copy, backward changes nothing it was given"),
        (_same(found, wanted), ""),
        (_same(found, 3 * wanted), "the ratio is exactly the batch size: divide by it"),
        (
            _same(found, -wanted),
            "all of it has the wrong sign: the right logit's gradient is negative, so that a step raises it",
        ),
        (
            _same(found, softmax_shipped.backward(wanted, p)),
            "softmax was differentiated twice: p - y has it in it already",
        ),
        (_same(np.multiply(found, 5 / 3), wanted), "divided by the number of classes: the mean is over the rows"),
    ]
    sentence = _first(told)
    return "not p - y over the batch size" if sentence is None else sentence or None


def squared_backward(answer: ModuleType) -> Wrong:
    logits, targets = _batch()
    p, _ = softmax_shipped.forward(logits)
    y = np.eye(5)[targets]
    wanted = squared(np.ones(()), (p, targets))
    found = answer.squared_backward(p.copy(), y.copy())
    if np.shape(found) != p.shape:
        return f"the gradient has shape {np.shape(found)}, and the logits have {p.shape}"
    told = [
        (_same(found, wanted), ""),
        (_same(found, (p - y) / 3), "p - y is the gradient of cross-entropy, and this is another loss"),
        (_same(found, 2 * (p - y) / 3), "that is the gradient with respect to p: the softmax is still to come"),
        (_same(np.multiply(found, 2), wanted), "exactly half: the square has a derivative with a 2"),
        (_same(np.divide(found, 3), wanted), "the ratio is exactly the batch size: divide by it"),
        (
            _same(found, 2 * (p - y) / 3 * p * (1 - p)),
            "as if each logit moved its own probability alone: softmax couples a row",
        ),
    ]
    sentence = _first(told)
    return "not the gradient: dp = 2 (p - y) / B, then softmax's backward" if sentence is None else sentence or None


def predict(answer: ModuleType) -> Wrong:
    found = answer.predict()
    wanted = {"even": np.log(10), "half": np.log(2), "mean": 2 * np.log(2), "push": -0.025}
    wanted["flattened"] = np.log(np.e + 9) - 1
    if not isinstance(found, dict) or set(found) != set(wanted):
        return f"return a dict with {', '.join(wanted)}"
    why = {
        "even": "each of ten classes has p = 1/10",
        "half": "-ln p; 1 would be the logarithm to base 2, which counts bits",
        "mean": "the loss of a batch is the mean of the surprises, not the surprise at the mean",
        "push": "p - y is 0.9 - 1, and the loss is a mean over four rows",
        "flattened": "softmax is applied again, to (1, 0, ..., 0): it cannot give more than e / (e + 9)",
    }
    off = [name for name, value in wanted.items() if abs(found[name] - value) > 0.01 * abs(value)]
    return f"{off[0]}: {found[off[0]]:.4g} is not right; {why[off[0]]}" if off else None
