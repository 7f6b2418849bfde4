"""Lesson 03: layer norm, the residual sum, the feed-forward."""

from types import ModuleType
from typing import Any

import numpy as np

from common import random
from common.types import Array
from numpy_ref.layers import ffn, layernorm


def _drawn(number: int, *shape: int) -> Array:
    return random.normal(random.fold_in(random.key(3), number), shape)


def _same(found: Any, wanted: Array) -> bool:
    return np.shape(found) == wanted.shape and bool(np.max(np.abs(found - wanted)) < 1e-9)


def _told(found: Any, right: Array, mistakes: dict[str, Array], otherwise: str) -> str | None:
    """None for the right numbers; else the name of the mistake that gives these, or `otherwise`."""
    if _same(found, right):
        return None
    return next((name for name, wrong in mistakes.items() if _same(found, wrong)), otherwise)


def layernorm_forward(answer: ModuleType) -> str | None:
    x, g, b = 3 * _drawn(0, 2, 5, 8) + 1, _drawn(1, 8), _drawn(2, 8)
    right, _ = layernorm.forward({"g": g, "b": b}, x)
    over, _ = layernorm.forward({"g": np.ones(5), "b": np.zeros(5)}, x.swapaxes(1, 2))
    c = x - np.mean(x, axis=-1, keepdims=True)
    v, square = np.mean(c * c, axis=-1, keepdims=True), np.mean(x * x, axis=-1, keepdims=True)
    found = answer.forward(x, g, b)
    if np.shape(found) != x.shape:
        return f"y has the shape {np.shape(found)}, x has {x.shape}"
    mistakes = {
        "the mean is taken over the positions: each token is normalized by itself, along the last axis": g
        * over.swapaxes(1, 2)
        + b,
        "x was not centred: subtract the mean first": g * x / np.sqrt(square + 1e-5) + b,
        "the squares are divided by D - 1: it is their mean here, no estimate from a sample": g
        * c
        / np.sqrt(v * 8 / 7 + 1e-5)
        + b,
        "gain and bias are missing": c / np.sqrt(v + 1e-5),
        "eps is missing: it is added to the mean of the squares, under the root": g * c / np.sqrt(v) + b,
        "eps is added outside the root: it belongs under it": g * c / (np.sqrt(v) + 1e-5) + b,
    }
    return _told(found, right, mistakes, "the numbers are not those of a layer norm")


def layernorm_backward(answer: ModuleType) -> str | None:
    x, g, dy = _drawn(3, 2, 5, 8), _drawn(4, 8), _drawn(5, 2, 5, 8)
    _, saved = layernorm.forward({"g": g, "b": np.zeros(8)}, x)
    _, n, r = saved
    wanted, dx = layernorm.backward(dy, saved)
    dg_found, db_found, dx_found = answer.backward(dy, g, n, r)
    dn = g * dy
    mean, along = np.mean(dn, axis=-1, keepdims=True), np.mean(dn * n, axis=-1, keepdims=True)
    mistakes = {
        "dx took the mean and the spread for constants: every x_j moves both": r * dn,
        "the part along n is still in dx: the term n * mean(dn * n) is missing": r * (dn - mean),
        "the mean is still in dx: the term mean(dn) is missing": r * (dn - n * along),
        "the means are taken over the whole batch: each token has its own, along the last axis": r
        * (dn - np.mean(dn) - n * np.mean(dn * n)),
        "dx forgets the gain: dn is g * dy": layernorm.backward(dy, (np.ones(8), n, r))[1],
    }
    return (
        _summed("dg", dg_found, wanted["g"])
        or _summed("db", db_found, wanted["b"])
        or _told(dx_found, dx, mistakes, "dx is wrong")
    )


def _summed(name: str, found: Any, right: Array) -> str | None:
    """Of a parameter that all ten tokens share."""
    if np.shape(found) != right.shape:
        return f"{name} has the shape {np.shape(found)}, its parameter has {right.shape}: sum over batch and positions"
    small = f"{name} is too small by the number of tokens: it is a sum, not a mean"
    return _told(found, right, {small: right / 10}, f"{name} is wrong")


def residual_backward(answer: ModuleType) -> str | None:
    dy, a, b = _drawn(6, 2, 3, 4), _drawn(7, 4, 4), _drawn(8, 4, 4)
    dsum = dy @ a
    mistakes = {
        "the way past the sublayer is lost: x is also a part of the sum itself": dsum @ b,
        "the way through the sublayer is lost: f read x too": dsum,
        "the way past the sublayer also passes through the norm, which stands behind the sum": dy + dsum @ b,
    }
    found = answer.backward(dy, lambda d: d @ a, lambda d: d @ b)
    return _told(found, dsum + dsum @ b, mistakes, "dx is wrong")


def repair_ffn(answer: ModuleType) -> str | None:
    x, dy = _drawn(9, 2, 3, 4), _drawn(10, 2, 3, 4)
    up_w, up_b, down_w = _drawn(11, 4, 7), _drawn(12, 7), _drawn(13, 7, 4)
    _, saved = ffn.forward({"up": {"w": up_w, "b": up_b}, "down": {"w": down_w, "b": np.zeros(4)}}, x)
    d_params, dx = ffn.backward(dy, saved)
    found = answer.backward(dy, x, up_w, up_b, down_w)
    kink = {"the kink is lost: units that were off pass nothing on": dy @ down_w.T @ up_w.T}
    small = {"up_b is too small by the number of tokens: a bias sums over all of them": d_params["up"]["b"] / 6}
    on = "dx is wrong: a unit passes its gradient on where it was on, whatever the gradient's own sign"
    told = _told(found["x"], dx, kink, on) or _told(found["up_b"], d_params["up"]["b"], small, "up_b is wrong")
    for part, key in (("up", "w"), ("down", "w"), ("down", "b")):
        told = told or _told(found[f"{part}_{key}"], d_params[part][key], {}, f"{part}_{key} is wrong")
    return told


_WHY = {
    "a": "a: c is (-2, -2, 2, 2) and the mean of its squares is 4, so n is c / 2",
    "b": "b: the norm forgets the length of its input: ten times x gives the same",
    "c": "c: 256 is the sum of the squares; the length is its root",
    "d": "d: the mean of a gradient is removed, and nothing else is left of this one",
    "e": "e: that would be attention; a feed-forward sees one position at a time",
}


def predict(answer: ModuleType) -> str | None:
    wanted = {"a": 1, "b": 1, "c": 16, "d": 0, "e": 1}
    for (name, right), found in zip(wanted.items(), answer.answers(), strict=True):
        if not np.isclose(float(found), right):
            return _WHY[name]
    return None
