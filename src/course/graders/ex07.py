"""Lesson 07: backward passes against those that ship, on sizes that are all different, with random cotangents."""

from types import ModuleType
from typing import Any

import numpy as np

from common import gradcheck, params, random
from common.config import ClassifierConfig
from common.params import FFN
from common.types import Array
from course.graders.ex07_mistakes import counts
from numpy_ref.layers import ffn, linear
from numpy_ref.models import classifier
from numpy_ref.ops import attend, softmax

Wrong = str | None
_RNG = 7


def _normal(*shapes: tuple[int, ...]) -> list[Array]:
    rng = np.random.default_rng(_RNG)
    return [rng.normal(size=shape) for shape in shapes]


def _same(a: Any, b: Array) -> bool:
    return np.shape(a) == b.shape and bool(np.max(np.abs(a - b)) <= 1e-9 * np.max(np.abs(b)))


def _shapes(found: Any, wanted: dict[str, Array]) -> Wrong:
    """What is wrong with the number or the shapes of the arrays in an answer."""
    if not isinstance(found, tuple) or len(found) != len(wanted):
        return f"return {len(wanted)} arrays: {', '.join(wanted)}"
    for (name, right), one in zip(wanted.items(), found, strict=True):
        if np.shape(one) == right.shape[::-1] != right.shape and _same(np.transpose(one), right):
            return f"{name} is transposed: a gradient has the shape of what it is the gradient of, {right.shape}"
        if np.shape(one) != right.shape:
            return f"{name} has shape {np.shape(one)}, and not {right.shape} as what it is the gradient of"
    return None


def linear_backward(answer: ModuleType) -> Wrong:
    for n_in, n_out in ((5, 5), (4, 5)):
        x, dy, w, b = _normal((2, 3, n_in), (2, 3, n_out), (n_in, n_out), (n_out,))
        d_params, dx = linear.backward(dy, linear.forward({"w": w, "b": b}, x)[1])
        wanted = {"dx": dx, "dw": d_params["w"], "db": d_params["b"]}
        found = answer.linear_backward(dy.copy(), x.copy(), w.copy())
        wrong = _shapes(found, wanted) or _of_linear(dict(zip(wanted, found, strict=True)), wanted, dy, w)
        if wrong:
            return wrong
    return None


def _of_linear(found: dict[str, Any], wanted: dict[str, Array], dy: Array, w: Array) -> Wrong:
    if not _same(found["dx"], wanted["dx"]):
        if w.shape[0] == w.shape[1] and _same(found["dx"], dy @ w):
            return (
                "dx is dy @ w: it fits only where w is square; o is summed, and has to come first in the right factor"
            )
        return "dx is not right: dx[b, t, i] is a sum over o"
    for name in ("dw", "db"):
        if _same(np.multiply(found[name], 6), wanted[name]):
            return f"{name} is 6 times too small, and the ratio is exactly the number of rows: a sum, not a mean"
        if name == "dw" and _same(np.transpose(found[name]), wanted[name]):
            return "dw is transposed: it has the shape of w, (in, out)"
        if not _same(found[name], wanted[name]):
            return f"{name} is not right: it is a sum over all rows, B and T alike"
    return None


def softmax_backward(answer: ModuleType) -> Wrong:
    scores, dy = _normal((3, 2, 4), (3, 2, 4))
    y, saved = softmax.forward(scores)
    found, wanted = answer.softmax_backward(dy.copy(), y.copy()), softmax.backward(dy, saved)
    if np.shape(found) != wanted.shape:
        return f"dx has shape {np.shape(found)}, and not that of y, {wanted.shape}"
    if _same(found, wanted):
        return None
    if _same(found, y * (dy - np.sum(dy * y))):
        return "one number was taken from all rows: each row has a sum of its own, over the last axis only"
    if _same(found, y * (dy - np.mean(dy, axis=-1, keepdims=True))):
        return "what is taken from dy is its mean weighted by y, not the plain one: the rows of dx have to sum to zero"
    if _same(found, y * dy) or _same(found, y * (1 - y) * dy):
        return "as if a score moved its own share alone: every score moves every share of its row, as they sum to 1"
    return "not the gradient: dx_j = sum over i of dy_i y_i (delta_ij - y_j)"


def attend_backward(answer: ModuleType) -> Wrong:
    q, do, k, v = _normal((5, 3), (5, 3), (5, 3), (5, 3))
    mask = np.arange(5) < np.array([5, 5, 4, 3, 5])[:, None]
    boxed = [x[None, :, None] for x in (q, k, v)]
    _, saved = attend.forward(boxed[0][:, :, :, None], boxed[1], boxed[2], mask_BTS=mask[None])
    w = saved[4][0, 0, 0]
    grads = attend.backward(do[None, :, None, None], saved)
    wanted = {name: g.reshape(5, 3) for name, g in zip(("dq", "dk", "dv"), grads, strict=True)}
    found = answer.attend_backward(*(x.copy() for x in (do, q, k, v, w, mask)))
    return _shapes(found, wanted) or _of_attend(found, wanted, do @ v.T * mask, k)


def _of_attend(found: tuple, wanted: dict[str, Array], dw: Array, k: Array) -> Wrong:
    dq, dk, dv = found
    if not _same(dv, wanted["dv"]):
        return "dv is not right: dv[s] gathers from every query that looked at s, by w[t, s]: a sum over t"
    if _same(dq, wanted["dv"]) or _same(dk, wanted["dv"]):
        return "dq or dk is equal to dv: queries and keys are reached through the scores, not through the values"
    if _same(dq, wanted["dk"]) and _same(dk, wanted["dq"]):
        return "dq and dk have changed places: dq sums over the keys, dk over the queries"
    root = np.sqrt(k.shape[-1])
    if _same(np.divide(dq, root), wanted["dq"]) and _same(np.divide(dk, root), wanted["dk"]):
        return "dq and dk are exactly sqrt(K) times too large: the scores were divided by it"
    if _same(dq, dw @ k / root) or _same(dq, dw @ k):
        return "dq is made of dw, not of da: you skipped the softmax"
    wrong = {name: one for name, one in zip(wanted, found, strict=True) if not _same(one, wanted[name])}
    told = [_stretched(name, one, wanted[name]) for name, one in wrong.items()]
    asked = f"{' and '.join(wrong)}: not right; do the rows of your da sum to zero?" if wrong else None
    return next(filter(None, told), asked)


def _stretched(name: str, found: Array, wanted: Array) -> Wrong:
    factor = float(np.sum(found * wanted) / np.sum(wanted * wanted))
    told = f"{name} is {factor:.4f} times the right one: the scores were divided by sqrt(K), once"
    return told if _same(found, factor * wanted) else None


def ffn_backward(answer: ModuleType) -> Wrong:
    x, dy, up_w, up_b, down_w, down_b = _normal((6, 4), (6, 4), (4, 5), (5,), (5, 4), (4,))
    block: FFN = {"up": {"w": up_w, "b": up_b}, "down": {"w": down_w, "b": down_b}}
    _, saved = ffn.forward(block, x)
    d_ffn, dx = ffn.backward(dy, saved)
    up, down = d_ffn["up"], d_ffn["down"]
    wanted = {"dx": dx, "d_up_w": up["w"], "d_up_b": up["b"], "d_down_w": down["w"], "d_down_b": down["b"]}
    h = np.maximum(x @ up_w + up_b, 0)
    found = answer.ffn_backward(dy.copy(), x.copy(), h.copy(), up_w.copy(), down_w.copy())
    return _shapes(found, wanted) or _of_ffn(dict(zip(wanted, found, strict=True)), wanted, dy @ down_w.T, h)


def _of_ffn(found: dict[str, Any], wanted: dict[str, Array], dh: Array, h: Array) -> Wrong:
    for name in ("d_down_w", "d_down_b"):
        if not _same(found[name], wanted[name]):
            return f"{name} is not right: y = h @ down_w + down_b, so what came into it is h and what comes back is dy"
    told = [
        (dh, "dh went past the ReLU as it was: a unit that was off has no gradient"),
        (dh * (dh > 0), "the units that were on are known from h, not from dh"),
        (dh * h, "dh was multiplied by h: the derivative of max(a, 0) is 1 or 0, not times h"),
    ]
    for da, sentence in told:
        if _same(found["d_up_b"], np.sum(da, axis=0)):
            return sentence
    for name in ("d_up_b", "d_up_w", "dx"):
        if not _same(found[name], wanted[name]):
            return f"{name} is not right: a = x @ up_w + up_b, so what came into it is x and what comes back is da"
    return None


def numeric_gradient(answer: ModuleType) -> Wrong:
    def fn(x: Array) -> float:
        return float(np.sum(np.sin(x)) * np.exp(x[0, 1]))

    (x,) = _normal((2, 3))
    given = x.copy()
    found = answer.numeric_gradient(fn, given)
    if not np.array_equal(given, x):
        return "x is not what it was before: move a copy"
    if np.shape(found) != x.shape:
        return f"the gradient has shape {np.shape(found)}, and x has {x.shape}"
    exact = np.cos(x) * np.exp(x[0, 1])
    exact[0, 1] += fn(x)
    if np.max(np.abs(np.divide(found, 2) - exact)) < 1e-7:
        return "exactly twice too large: the two points are 2 h apart"
    errors = [float(np.max(np.abs(answer.numeric_gradient(fn, x.copy(), h) - exact))) for h in (1e-3, 1e-4)]
    if 5 < errors[0] / errors[1] < 20:
        return "the error falls with h, not with h squared: go up and down from x, not up alone"
    if np.max(np.abs(found - exact)) > 1e-7:
        return f"off by {np.max(np.abs(found - exact)):.2g}"
    whole = answer.numeric_gradient(lambda x: float(np.sum(x * x)), np.array([[1, 2], [3, 4]]))
    right = np.allclose(whole, [[2, 4], [6, 8]], atol=1e-6)
    return None if right else "wrong for an array of whole numbers, which cannot hold x + h: astype(float)"


def repair_block(answer: ModuleType) -> Wrong:
    config = ClassifierConfig(d_model=8, n_heads=2, d_ffn=12, n_blocks=1)
    block = params.init(random.key(1), config, np.float64)["blocks"][0]
    x, dy = _normal((2, 4, 8), (2, 4, 8))
    _, saved = classifier.block_forward(block, x, mask_BS=np.ones((2, 4), bool), queries=4, config=config)
    right, dx = classifier.block_backward(dy, saved)
    found = answer.repair_block(dy.copy(), *saved[1:])
    wrong = [name for name in right if max(gradcheck.difference(found[0][name], right[name]).values()) > 1e-9]
    told = {
        "norm2": "norm2 is wrong already: dy arrives there first",
        "ffn": "norm2 is right and ffn is wrong: what comes out of norm2 is what goes into the feed-forward",
        "norm1": "ffn is right and norm1 is wrong: m has a second user, the straight way of the sum before norm2",
        "attn": "norm1 is right and attn is wrong: what comes out of norm1 is what goes into attention",
    }
    for name, sentence in told.items():
        if name in wrong:
            return sentence
    return (
        None if _same(found[1], dx) else "every tensor is right, and only dx is wrong: count the ways that lead from x"
    )


def how_many(answer: ModuleType) -> Wrong:
    found, wanted = answer.how_many(), counts()
    if not isinstance(found, dict) or set(found) != set(wanted):
        return f"return a dict with {', '.join(wanted)}"
    for name, number in wanted.items():
        if found[name] > number:
            return f"{name}: {found[name]} is too many; what lies nearer to the loss than the mistake stays right"
        if found[name] < number:
            return f"{name}: {found[name]} is too few; a wrong number that is passed on spoils all that is made of it"
    return None
