"""Lesson 04: counting, the way back through a stack, parts through a norm, a repair, predictions."""

from types import ModuleType
from typing import Any

import numpy as np

from common import random
from common.types import Array


def _drawn(number: int, *shape: int) -> Array:
    return random.normal(random.fold_in(random.key(4), number), shape)


def _same(found: Any, wanted: Array) -> bool:
    return np.shape(found) == wanted.shape and bool(np.max(np.abs(found - wanted)) < 1e-9)


def count(answer: ModuleType) -> str | None:
    d, f, v, n = 6, 10, 7, 3
    block, ends = 4 * d * d + 2 * d * f + f + 5 * d, 2 * v * d + v
    mistakes = {
        ends + block: "it counts one block, however many there are",
        ends + n * (block - f - d): "the biases of the feed-forward are missing: f and d numbers in each block",
        ends + n * (block - 2 * d): "each block has two norms, of a gain and a bias each",
        ends + n * (block - 4 * d): "the norms are missing",
        ends + n * (block + 4 * d): "attention has no biases in this model",
        ends + n * block - v: "the head's biases are missing",
        ends + n * block - v * d: "embedding and head are two tables: v times d each",
    }
    found = answer.count(d, f, v, n)
    if found == ends + n * block and answer.count(64, 256, 20, 2) == 102_036:
        return None
    return mistakes.get(found, f"{found} is not the number for d {d}, f {f}, vocab {v}, {n} blocks")


def stack_backward(answer: ModuleType) -> str | None:
    weights = [_drawn(n, 4, 4) for n in range(3)]
    given: list[Array] = []

    def back(w: Array) -> Any:
        def one(dy: Array) -> tuple[Array, Array]:
            given.append(dy)
            return w * dy, dy @ w.T

        return one

    dys = [_drawn(9, 4)]
    for w in reversed(weights):
        dys.append(dys[-1] @ w.T)
    wanted = [w * dy for w, dy in zip(weights, dys[2::-1], strict=True)]
    grads, dx = answer.backward(dys[0], [back(w) for w in weights])
    if len(given) > 1 and all(dy is dys[0] for dy in given):
        return "every block was given dy: it gets what the block above handed down"
    if len(grads) == 3 and all(map(_same, grads, wanted[::-1])):
        return "every gradient is right, and in the wrong order: block 0 comes first in the list"
    if not _same(dx, dys[-1]):
        return "the walk goes from the first block to the last, or stops early: begin with the last block"
    if len(grads) != 3 or not all(map(_same, grads, wanted)):
        return "the gradients of the weights are not those of blocks 0, 1, 2"
    return None


def through_norm(answer: ModuleType) -> str | None:
    parts, g, b, r = [_drawn(n, 6) + n for n in range(4)], _drawn(7, 6), _drawn(8, 6), 0.7
    found = answer.through_norm(list(parts), g, b, r)
    if len(found) != 5:
        return f"{len(found)} arrays came back: one for each of the four parts, and the bias at the end"
    mistakes = {
        "each part loses its own mean": [g * r * part for part in parts],
        "r of the whole sum stretches every part; no part has a spread of its own here": [
            g * (part - np.mean(part)) / np.std(part) for part in parts
        ],
        "the bias once for every part is too much: it is added once, as a part of its own": [
            g * r * (part - np.mean(part)) + b for part in parts
        ],
        "the gain is missing": [r * (part - np.mean(part)) for part in parts],
    }
    wanted = [*(g * r * (part - np.mean(part)) for part in parts), b]
    if all(map(_same, found, wanted)):
        return None
    return next((told for told, wrong in mistakes.items() if all(map(_same, found, wrong))), "the parts are wrong")


def repair_stack(answer: ModuleType) -> str | None:
    blocks = [lambda x: x + 1, lambda x: 2 * x, lambda x: x - 5]
    x = np.array([1.0, 2.0])
    found = answer.states(x, blocks)
    if len(found) != 4:
        return f"{len(found)} arrays came back: x and what stands behind each of three blocks are 4 arrays"
    if not _same(x, np.array([1.0, 2.0])):
        return "x itself was changed: += works in place, for everyone who holds the array"
    wanted = [x, x + 1, 2 * (x + 1), 2 * (x + 1) - 5]
    if all(map(_same, found, [x, x + 1, 2 * x, x - 5])):
        return "every block reads the first x: it should read what the block before it wrote"
    bad = next((i for i, (one, right) in enumerate(zip(found, wanted, strict=True)) if not _same(one, right)), None)
    if not bad:
        return None if bad is None else "the list begins with x itself"
    return f"entry {bad} is the first wrong one: it should be what block {bad - 1} makes of the entry before it"


_ANSWERS = {
    "a": (256, "a: two sublayers a block are eight in all, and each doubles the ways"),
    "b": (4, "b: both sides of every matrix are doubled"),
    "c": (12, "c: (0, 6, 3) becomes (3, 9, 6), and that has the mean 6"),
    "d": (2, "d: what block 2 hands down goes through blocks 1 and 0; 2 and 3 had theirs before"),
    "e": (500, "e: the first look is hardly missed: about 95 percent stay right"),
}


def predict(answer: ModuleType) -> str | None:
    pairs = zip(answer.answers(), _ANSWERS.values(), strict=True)
    return next((why for found, (right, why) in pairs if not np.isclose(float(found), right)), None)
