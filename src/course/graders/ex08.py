"""Lesson 08: AdamW, clipping, a schedule, the batches of an epoch, a repair, six numbers."""

from itertools import pairwise
from types import ModuleType
from typing import Any

import numpy as np

from common import random
from common.config import TrainConfig
from common.schedule import learning_rate
from common.types import Array
from numpy_ref import optim

Wrong = str | None
Told = list[tuple[bool, str]]
RATES = {"lr": 0.01, "beta1": 0.8, "beta2": 0.95, "eps": 1e-6}


def _same(a: Any, b: Any) -> bool:
    return np.shape(a) == np.shape(b) and bool(np.allclose(a, b, rtol=1e-9, atol=1e-12))


def _first(told: Told) -> Wrong:
    """The first sentence that is true."""
    return next((sentence for is_so, sentence in told if is_so), None)


# ---- AdamW


def _by_the_book(p: Array, g: Array, m: Array, v: Array, t: int, *, decay: float, name: str = "adamw"):
    """What the shipped optimizer makes of the same numbers: new p, m and v."""
    b1, b2, eps = (RATES[rate] for rate in ("beta1", "beta2", "eps"))
    rule = TrainConfig(optimizer=name, weight_decay=decay, beta1=b1, beta2=b2, eps=eps)
    new, state = optim.update(
        {"w": p}, {"w": g}, {"step": t - 1, "m": m.copy(), "v": v.copy()}, lr=RATES["lr"], config=rule
    )
    return new["w"], state["m"], state["v"]


def adamw(answer: ModuleType) -> Wrong:
    rng = np.random.default_rng(8)
    p, g, m = rng.normal(size=(3, 7))
    v = rng.uniform(0.1, 1.0, size=7)
    for t, m_before, v_before in ((1, 0 * m, 0 * v), (3, m, v)):
        given = tuple(x.copy() for x in (p, g, m_before, v_before))
        found = answer.adamw(*given, t, decay=0.3, **RATES)
        if not all(map(_same, given, (p, g, m_before, v_before))):
            return "it changed an array that it was given: the old p, g, m and v belong to the caller"
        if len(found) != 3 or any(np.shape(part) != p.shape for part in found):
            return "return three arrays of the shape of p: the new p, m and v"
        wrong = _of_adamw(found, p, g, m_before, v_before, t)
        if wrong:
            return wrong
    return None


def _of_adamw(found: Any, p: Array, g: Array, m: Array, v: Array, t: int) -> Wrong:
    b1, b2, eps, lr = RATES["beta1"], RATES["beta2"], RATES["eps"], RATES["lr"]
    wanted = _by_the_book(p, g, m, v, t, decay=0.3)
    if all(map(_same, found, wanted)):
        return None
    _, new_m, new_v = wanted
    m_hat, v_hat = new_m / (1 - b1**t), new_v / (1 - b2**t)
    shrunk = p - lr * 0.3 * p
    late = (new_m / (1 - b1 ** (t + 1))) / (np.sqrt(new_v / (1 - b2 ** (t + 1))) + eps)
    told: Told = [
        (_same(found[0], _by_the_book(p, g, m, v, t, decay=0.3, name="adam")[0]),
         "the decay went through Adam: it belongs to the weight alone, and m and v never see it"),
        (_same(found[1], m_hat), "m is returned corrected: keep it as it is, the correction is for the step alone"),
        (_same(found[0], shrunk - lr * new_m / (np.sqrt(new_v) + eps)),
         "the step is made of m and v without the corrections: divide by 1 - beta ** t"),
        (_same(found[0], shrunk - lr * late), "the corrections are one update late: t is 1 in the first"),
        (_same(found[0], p - 0.3 * p - lr * m_hat / (np.sqrt(v_hat) + eps)), "the decay is not multiplied by lr"),
        (_same(found[0], shrunk - lr * m_hat / (v_hat + eps)), "divide by the root of v: v is a mean of squares"),
        (not _same(found[1], new_m), "m is not beta1 * m + (1 - beta1) * g"),
        (not _same(found[2], new_v), "v is not beta2 * v + (1 - beta2) * g * g"),
    ]  # fmt: skip
    return _first(told) or "m and v are right, and p is not: p - lr * decay * p - lr * m_hat / (sqrt(v_hat) + eps)"


# ---- clipping


def clip(answer: ModuleType) -> Wrong:
    rng = np.random.default_rng(2)
    grads = [rng.normal(size=shape) for shape in ((3, 4), (5,), (2, 2, 2))]
    length = float(np.sqrt(sum(np.sum(g * g) for g in grads)))
    given = [g.copy() for g in grads]
    found = answer.clip(given, 2.0)
    if not all(map(_same, given, grads)):
        return "it changed an array that it was given"
    if not isinstance(found, list) or [np.shape(g) for g in found] != [g.shape for g in grads]:
        return "return a list of arrays of the same shapes"
    if not all(map(_same, found, [g * 2.0 / length for g in grads])):
        alone = [g * min(1.0, 2.0 / np.sqrt(np.sum(g * g))) for g in grads]
        told: Told = [
            (all(map(_same, found, alone)), "each array was clipped by itself: that turns the whole vector"),
            (all(map(_same, found, [np.clip(g, -2.0, 2.0) for g in grads])),
             "each number was cut by itself: that turns the whole vector"),
            (all(map(_same, found, [g * 2.0 / length**2 for g in grads])),
             "this is limit over the squared length: a root is missing"),
        ]  # fmt: skip
        return _first(told) or "the length of all arrays together is not the limit, or the direction has changed"
    if not all(map(_same, answer.clip([g.copy() for g in grads], 100.0), grads)):
        return "a short gradient was made longer: below the limit it stays as it is"
    with np.errstate(all="ignore"):
        still = answer.clip([0 * g for g in grads], 2.0)
    return None if all(np.all(g == 0) for g in still) else "it fails where all gradients are zero: 0 / 0"


# ---- the schedule


def schedule(answer: ModuleType) -> Wrong:
    steps, lr, warmup = 60, 0.5, 10
    found = [answer.schedule(step, steps=steps, lr=lr, warmup=warmup) for step in range(steps)]
    wanted = [learning_rate(step, steps=steps, lr=lr, schedule="cosine", warmup=warmup) for step in range(steps)]
    straight = [learning_rate(step, steps=steps, lr=lr, schedule="linear", warmup=warmup) for step in range(steps)]
    fall = np.arange(warmup, steps)

    def cosine(done: Array) -> Array:
        return lr * 0.5 * (1 + np.cos(np.pi * done))

    told: Told = [
        (_same(found, wanted), ""),
        (found[0] == 0, "the first update has a rate of zero, and is wasted: it should be lr / warmup"),
        (not _same(found[:warmup], wanted[:warmup]), "the warm-up is not lr * (step + 1) / warmup"),
        (min(found) < 0, "the rate becomes negative: the cosine ends at -1, and the rate should end at zero"),
        (_same(found, straight), "it falls in a straight line, and not as a cosine"),
        (_same(found[warmup:], cosine(fall / steps)),
         "the cosine is as if it had begun at update 0: it begins where the warm-up ends"),
        (_same(found[warmup:], lr * np.cos(np.pi / 2 * (fall - warmup) / (steps - warmup))),
         "this is a quarter of a cosine: it ends with a jump, half a cosine settles"),
        (_same(found[warmup:], cosine((fall - warmup) / (steps - 1 - warmup))),
         "it reaches zero one update too soon: the last update would do nothing"),
    ]  # fmt: skip
    sentence = _first(told)
    return "the fall is not lr * (1 + cos(pi * done)) / 2" if sentence is None else sentence or None


# ---- the batches of an epoch


def rows(answer: ModuleType) -> Wrong:
    key, n, batch = random.key(5), 103, 10
    epochs = [np.asarray(answer.rows(key, n, batch, epoch)) for epoch in range(4)]
    if any(found.shape != (10, batch) for found in epochs):
        return f"the rows have shape {epochs[0].shape}, and not {(10, batch)}"
    if any(found.min() < 0 or found.max() >= n for found in epochs):
        return "the numbers of the examples are 0 to n - 1"
    if any(len(np.unique(found)) < found.size for found in epochs):
        return "within an epoch an example comes twice: an epoch is a permutation, not a draw"
    if not np.array_equal(epochs[1], answer.rows(key, n, batch, 1)):
        return "asked for again, epoch 1 is another: all chance has to come from the key"
    left = [set(range(n)) - set(found.ravel().tolist()) for found in epochs]
    neighbours = np.mean(np.diff(epochs[0].ravel()) == 1)
    told: Told = [
        (neighbours > 0.5, "this is not shuffled: neighbours stay neighbours"),
        (np.array_equal(epochs[0], epochs[1]), "the same order in every epoch: the epoch has to reach the key"),
        (_together(epochs[0], epochs[1]) > 0.5, "the same batches, begun elsewhere: shuffle anew"),
        (len(set.union(*left)) == n % batch, "the same examples are left out in every epoch: shuffle first, then cut"),
        (np.array_equal(epochs[0], answer.rows(random.key(6), n, batch, 0)), "another key gives the same order"),
    ]
    return _first(told)


def _together(one: Array, other: Array) -> float:
    """The share of neighbours of one epoch that are neighbours in another."""
    pairs, again = (set(pairwise(order.ravel().tolist())) for order in (one, other))
    return len(pairs & again) / len(pairs)


# ---- the repair


def _descent(
    w: Array, x: Array, y: Array, key: Array, *, epochs: int, batch: int, lr: float, mu: float, slips: tuple[str, ...]
) -> Array:
    """The loop, with some of the three slips that the stub has."""
    m = np.zeros_like(w)
    for epoch in range(epochs):
        order = random.permutation(key if "order" in slips else random.fold_in(key, epoch), len(x))
        m = 0 * m if "moments" in slips else m
        for start in range(0, len(x), batch):
            taken = order[start : start + batch]
            answers = y[start : start + batch] if "answers" in slips else y[taken]
            m = mu * m + x[taken].T @ (x[taken] @ w - answers) / batch
            w = w - lr * m
    return w


SLIPS = {
    "answers": "the questions do not get their own answers: y is taken in another order than x",
    "order": "every epoch still has the same order: the epoch has to reach the key",
    "moments": "the momentum still begins anew in every epoch",
}


def repair_loop(answer: ModuleType) -> Wrong:
    rng = np.random.default_rng(3)
    x, w, key = rng.normal(size=(24, 3)), rng.normal(size=3), random.key(9)
    y = x @ np.array([1.0, -2.0, 0.5]) + 0.1 * rng.normal(size=24)
    how: dict[str, Any] = {"epochs": 4, "batch": 4, "lr": 0.02, "mu": 0.8}
    given = w.copy()
    found = answer.repair_loop(given, x.copy(), y.copy(), key, **how)
    if not _same(given, w):
        return "it changed the weights that it was given: `w -= ...` writes into the caller's array"
    if _same(found, _descent(w, x, y, key, **how, slips=())):
        return None
    for number in range(1, 8):
        slips = tuple(name for bit, name in enumerate(SLIPS) if number >> bit & 1)
        told = "; ".join(SLIPS[name] for name in slips)
        if _same(found, _descent(w, x, y, key, **how, slips=slips)):
            return told
        if _same(found, _descent(w, x, y, random.fold_in(key, 0), **how, slips=slips)) and "order" in slips:
            return told
    plain = _descent(w, x, y, key, **{**how, "mu": 0.0}, slips=())
    return "there is no momentum left: m has to live from update to update" if _same(found, plain) else (
        "another end than that of the right loop, and of each with some of the three mistakes"
    )  # fmt: skip


# ---- predictions


def predict(answer: ModuleType) -> Wrong:
    wanted = {"first": 0.001, "louder": 0.001, "steady": 20.0, "shrunk": 2.985, "updates": 45, "share": 0.6}
    found = answer.predict()
    if not isinstance(found, dict) or set(found) != set(wanted):
        return f"return a dict with {', '.join(wanted)}"
    why = {
        "first": "the first step is lr: of the gradient only its sign counts",
        "louder": "a factor in front of the gradient stands above and below, and cancels",
        "steady": "1 + mu + mu^2 + ... is 1 / (1 - mu)",
        "shrunk": "it loses lr times decay of itself; a mixed decay would go through Adam and take lr",
        "updates": "15 in each epoch: each epoch leaves its own remainder out",
        "share": "a mean of two means would count each of the 40 more than each of the 60",
    }
    # the share that is lost, not what is left of it, has to be right
    error = {name: abs(found[name] - value) / (0.015 if name == "shrunk" else value) for name, value in wanted.items()}
    off = [name for name in wanted if error[name] > 0.01]
    return f"{off[0]}: {found[off[0]]:.4g} is not right; {why[off[0]]}" if off else None
