"""Lesson 02: shares, one head, heads cut and joined, masks, and a layer that tries to hide padding."""

from types import ModuleType

import numpy as np

from common.types import Array
from numpy_ref.ops import softmax as right_softmax

Wrong = str | None


def _shape(found: Array, wanted: tuple[int, ...], name: str) -> Wrong:
    return None if np.shape(found) == wanted else f"{name} has shape {np.shape(found)}, and not {wanted}"


def _same(found: Array, wanted: Array) -> bool:
    return np.shape(found) == np.shape(wanted) and bool(np.max(np.abs(found - wanted)) <= 1e-9)


def _shares(x: Array) -> Array:
    return right_softmax.forward(x)[0]


def softmax(answer: ModuleType) -> Wrong:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(2, 3, 5))
    with np.errstate(all="ignore"):
        found = answer.softmax(x.copy())
        wrong = _shape(found, x.shape, "the result") or _of_softmax(found, x)
        return wrong or _at_extremes(answer)


def _of_softmax(found: Array, x: Array) -> Wrong:
    if _same(found, _shares(x)):
        return None
    if np.isclose(found.sum(), 1.0):
        return "all entries together sum to one; each row has to, by itself"
    if any(np.allclose(found.sum(axis=axis), 1.0) for axis in (0, 1)):
        return "the shares run along the wrong axis: it is the last that sums to one"
    if np.allclose(found.sum(axis=-1), 1.0):
        return "the rows sum to one, but the shares are not those of exp"
    return "the rows do not sum to one"


def _at_extremes(answer: ModuleType) -> Wrong:
    row = np.array([2.0, 1.0, 0.0])
    if not _same(answer.softmax(row + 1000), _shares(row)):
        return "exp overflowed at scores of 1,000: subtract the largest first"
    far = np.array([row, row - 2000])
    if not _same(answer.softmax(far), _shares(far)):
        return "a row far below another one is lost: each row has to subtract its own largest score"
    hidden = np.array([0.5, -np.inf, 2.0])
    if not _same(answer.softmax(hidden), _shares(hidden)):
        return "a score of -inf has to get the share 0, and the others what is left"
    return None


def one_head(answer: ModuleType) -> Wrong:
    rng = np.random.default_rng(2)
    q, k, v = rng.normal(size=(4, 6)), rng.normal(size=(5, 6)), rng.normal(size=(5, 3))
    every = np.ones((4, 5), bool)
    some = (np.arange(5) <= np.arange(4)[:, None] + 1) & (np.arange(5) != 2)
    for mask in (every, some):
        with np.errstate(all="ignore"):
            found = answer.one_head(q.copy(), k.copy(), v.copy(), mask.copy())
            wrong = _shape(found, (4, 3), "o") or _of_head(found, q, k, v, mask)
        if wrong:
            return wrong
    return None


def _of_head(found: Array, q: Array, k: Array, v: Array, mask: Array) -> Wrong:
    dots, scale = q @ k.T, 1 / np.sqrt(q.shape[-1])

    def head(scores: Array) -> Array:
        return _shares(np.where(mask, scores, -np.inf)) @ v

    if _same(found, head(dots * scale)):
        return None
    if not np.all(np.isfinite(found)):
        return "some numbers are not numbers: it looks as if the mask is turned round, True has to mean: may look"
    along = np.exp(np.where(mask, dots * scale, -np.inf))
    shifted = along / along.max(axis=1, keepdims=True)  # by each query's largest score, as exercise 1 asks
    queries = "the softmax runs along the queries; each query has one share"
    mistakes = (
        (head(dots), "the scores are not divided by the square root of K"),
        (head(dots * scale**2), "the scores are divided by K, and not by its square root"),
        (along / along.sum(axis=0) @ v, queries),
        (shifted / shifted.sum(axis=0) @ v, queries),
        (_shares(dots * scale) @ v, "the mask is not used"),
        ((_shares(dots * scale) * mask) @ v, "the mask came after the softmax: the rows no longer sum to one"),
        (_shares(dots * scale * mask) @ v, "a forbidden score of 0 still gets exp(0) = 1: it has to be -inf"),
        (_shares(np.where(mask, -np.inf, dots * scale)) @ v, "the mask is turned round: True means may look"),
    )
    told = [sentence for mistake, sentence in mistakes if _same(found, mistake)]
    return told[0] if told else "these are other numbers: scores, scale, mask, softmax along the keys, times v"


def heads(answer: ModuleType) -> Wrong:
    batch, n, length, width = 2, 4, 3, 5
    x = np.random.default_rng(3).normal(size=(batch, length, n * width))
    wanted = np.stack([x[:, :, i * width : (i + 1) * width] for i in range(n)], axis=1)
    found = answer.split(x.copy(), n)
    wrong = _shape(found, wanted.shape, "split") or _of_split(found, wanted, x, n)
    if wrong:
        return wrong
    back = answer.merge(wanted.copy())
    if _shape(back, x.shape, "merge"):
        return _shape(back, x.shape, "merge")
    if _same(back, wanted.reshape(x.shape)):
        return "merge mixes heads and positions: exchange the axes before you lay them in one"
    return None if _same(back, x) else "merge does not undo split"


def _of_split(found: Array, wanted: Array, x: Array, n: int) -> Wrong:
    if _same(found, wanted):
        return None
    if _same(found, x.reshape(wanted.shape)):
        return "heads and positions are mixed: reshape alone never moves a number past another; cut, then exchange"
    if _same(found, np.stack([x[:, :, i::n] for i in range(n)], axis=1)):
        return "head i has every n-th column; it has to have the columns from i * K on, side by side"
    return "head i of position t has to be x[b, t, i * K : (i + 1) * K]"


def mask(answer: ModuleType) -> Wrong:
    lengths = np.array([3, 1, 5])
    for causal in (False, True):
        found = answer.mask(lengths.copy(), 5, causal)
        wrong = _shape(found, (3, 5, 5), "the mask") or _of_mask(np.asarray(found), lengths, causal)
        if wrong:
            return wrong
    return None


def _of_mask(found: Array, lengths: Array, causal: bool) -> Wrong:
    position = np.arange(5)
    real, allowed = position < lengths[:, None], position <= position[:, None] if causal else np.ones((5, 5), bool)
    if found.dtype != bool:
        return f"the mask is an array of {found.dtype}; it has to be one of bool"
    mistakes = (
        (real[:, :, None] & allowed, "padding may look nowhere, and real tokens at padding: you masked who looks"),
        ((position <= lengths[:, None])[:, None] & allowed, "the first padding token may be looked at: s < length"),
        (real[:, None] & (position >= position[:, None]), "positions look ahead and not back: s <= t is allowed"),
        (real[:, None] & (position < position[:, None]), "a position may not look at itself: s <= t, and not s < t"),
        (
            real[:, None] & np.ones((5, 5), bool),
            "nothing keeps a position from looking ahead, and causal was asked for",
        ),
    )
    if np.array_equal(found, real[:, None] & allowed):
        return None
    told = [sentence for mistake, sentence in mistakes if np.array_equal(found, mistake)]
    if not told and not found.any(axis=-1).all():
        return "the mask has a row without a True: its softmax would be 0 / 0; forbid what is looked at, not who looks"
    return told[0] if told else "mask[b, t, s] is True where s < lengths[b], and s <= t if causal"


def repair(answer: ModuleType) -> Wrong:
    x, lengths = np.random.default_rng(4).normal(size=(2, 6, 4)), np.array([6, 3])
    with np.errstate(all="ignore"):
        found = answer.attend_padded(x.copy(), lengths.copy())
        return _shape(found, x.shape, "y") or _of_padded(found[1], x[1], int(lengths[1])) or _of_whole(found[0], x[0])


def _attended(x_TD: Array, scores_TT: Array) -> Array:
    return _shares(scores_TT) @ x_TD


def _of_padded(found: Array, x: Array, real: int) -> Wrong:
    if not np.all(np.isfinite(found)):
        return "something is not a number: a row of scores that is all -inf; forbid the keys, and not the queries"
    scores = x @ x.T / 2.0
    if _same(found[:real], _attended(x[:real], scores[:real, :real])):
        return None
    kept = np.arange(6) < real
    zeroed = x * kept[:, None]
    if _same(found[:real], _attended(zeroed, zeroed @ zeroed.T / 2.0)[:real]):
        return "a row of zeros has the score 0, and exp(0) is 1: padding still takes its share"
    if _same(found[:real], ((_shares(scores) * kept) @ x)[:real]):
        return "the shares of a real position sum to less than one: padding took part in the softmax"
    if _same(found[:real], _attended(x, np.where(kept, scores, -5.0))[:real]):
        return "a score of -5 is small, and not -inf: padding keeps a share that depends on the other scores"
    return "the real positions do not get what they would get without the padding"


def _of_whole(found: Array, x: Array) -> Wrong:
    right = _same(found, _attended(x, x @ x.T / 2.0))
    return None if right else "the row without padding is not right: softmax(x x^T / sqrt(D)) x"
