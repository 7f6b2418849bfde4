"""Lesson 01: the table of positions, the scatter that adds, a turn, a repair, five numbers."""

from types import ModuleType

import numpy as np

from common.positions import sinusoidal as table
from common.types import Array

Wrong = str | None


def _shape(found: Array, wanted: tuple[int, ...], name: str) -> Wrong:
    return None if np.shape(found) == wanted else f"{name} has shape {np.shape(found)}, and not {wanted}"


def _same(found: Array, wanted: Array) -> bool:
    return bool(np.max(np.abs(found - wanted)) <= 1e-9)


def sinusoidal(answer: ModuleType) -> Wrong:
    for length, width in ((7, 10), (3, 4)):
        found = answer.sinusoidal(length, width)
        wrong = _shape(found, (length, width), "the table") or _of_table(found, length, width)
        if wrong:
            return wrong
    return None


def _of_table(found: Array, length: int, width: int) -> Wrong:
    wanted_TD = table(length, width)
    sine, cosine = wanted_TD[:, 0::2], wanted_TD[:, 1::2]
    column_D, t_T1 = np.arange(width), np.arange(length)[:, None]
    own = t_T1 * 10000.0 ** (-column_D / width)
    half = t_T1 * 10000.0 ** (-(column_D // 2) / width)
    faster = t_T1 * 10000.0 ** (2 * (column_D // 2) / width)
    mistakes = (
        (np.concatenate([sine, cosine], axis=1), "all sines stand before all cosines; a pair stands side by side"),
        (np.stack([cosine, sine], axis=-1).reshape(length, width), "sine and cosine have changed places"),
        (table(length + 1, width)[1:], "the first row is that of position 1; positions count from 0"),
        (_waves(own), "the two columns of a pair turn at different speeds: both have the exponent -2i / width"),
        (_waves(half), "the hands slow down too little: pair i has the exponent -2i / width, not -i / width"),
        (_waves(faster), "the hands get faster from pair to pair: the exponent is negative"),
    )
    for mistake, sentence in mistakes:
        if _same(found, mistake):
            return sentence
    return None if _same(found, wanted_TD) else "the numbers are others; compare row 1 with sin and cos of each speed"


def _waves(angle_TD: Array) -> Array:
    return np.where(np.arange(angle_TD.shape[1]) % 2 == 0, np.sin(angle_TD), np.cos(angle_TD))


def embedding_backward(answer: ModuleType) -> Wrong:
    rng = np.random.default_rng(1)
    once_BT, often_BT = np.array([[4, 0, 2], [5, 6, 1]]), np.array([[4, 0, 4], [5, 4, 0]])
    dy_BTD = rng.normal(size=(2, 3, 5))
    for tokens_BT in (once_BT, often_BT):
        found = answer.embedding_backward(dy_BTD.copy(), tokens_BT.copy(), 8)
        if np.ndim(found) == 2 and len(found) < 8:
            return f"dw has {len(found)} rows; it has one row for each token of the vocabulary, zero for the absent"
        wrong = _shape(found, (8, 5), "dw") or _of_lookup(found, dy_BTD, tokens_BT)
        if wrong:
            return wrong
    return None


def _of_lookup(found: Array, dy_BTD: Array, tokens_BT: Array) -> Wrong:
    wanted_VD, first_VD = np.zeros((8, 5)), np.zeros((8, 5))
    np.add.at(wanted_VD, tokens_BT, dy_BTD)
    np.add.at(first_VD, tokens_BT[0], dy_BTD[0])
    if _same(found, wanted_VD):
        return None
    if _same(found, first_VD):
        return "only the first row of the batch has given something"
    often_V = np.bincount(tokens_BT.ravel(), minlength=8)
    single = often_V < 2
    if np.any(~single) and _same(found, wanted_VD / np.maximum(often_V, 1)[:, None]):
        return "a token's row is divided by how often it stands there: its copies each pull, and the pulls add"
    if np.any(~single) and _same(found[single], wanted_VD[single]):
        return "wrong only for repeated tokens: use np.add.at"
    return "dw[v] is the sum of dy[b, t] over all positions with tokens[b, t] = v; these are other numbers"


def move(answer: ModuleType) -> Wrong:
    for t, k, width in ((5, 3, 8), (9, -4, 6), (2, 0, 4)):
        p_D, wanted_D = table(20, width)[t].copy(), table(20, width)[t + k]
        found = answer.move(p_D.copy(), k)
        wrong = _shape(found, (width,), "the result") or _of_turn(found, p_D, wanted_D, k)
        if wrong:
            return wrong
    return None


def _of_turn(found: Array, p_D: Array, wanted_D: Array, k: int) -> Wrong:
    if _same(found, wanted_D):
        return None
    sine, cosine, width = p_D[0::2], p_D[1::2], len(p_D)
    turn = k * 10000.0 ** (-np.arange(0, width, 2) / width)
    back = np.stack([sine * np.cos(turn) - cosine * np.sin(turn), cosine * np.cos(turn) + sine * np.sin(turn)], axis=-1)
    if _same(found, back.reshape(width)):
        return "this is the vector of position t - k: the turn goes the wrong way"
    if _same(found, p_D + np.stack([np.sin(turn), np.cos(turn)], axis=-1).reshape(width)):
        return "this is p plus the vector of position k; the sine of a sum is not the sum of the sines"
    if not _same(found[0::2] ** 2 + found[1::2] ** 2, np.ones(width // 2)):
        return "a turn keeps the length of each pair at 1, and this does not: look at the signs"
    if _same(found[:2], wanted_D[:2]):
        return "only the first pair is right: it looks as if every pair was turned by the same angle"
    return "pair i has to be turned by k * 10000^(-2i / width)"


def repair(answer: ModuleType) -> Wrong:
    rng = np.random.default_rng(2)
    w_VD = rng.normal(size=(30, 8))
    for rows, positions in ((3, 5), (4, 4), (1, 6)):
        tokens_BT = rng.integers(0, 30, size=(rows, positions))
        found = answer.embed(w_VD.copy(), tokens_BT.copy())
        wrong = _shape(found, (rows, positions, 8), "x") or _of_stage(found - w_VD[tokens_BT], tokens_BT)
        if wrong:
            return wrong
    return None


def _of_stage(added_BTD: Array, tokens_BT: Array) -> Wrong:
    """What is wrong with what was added to the tokens' vectors."""
    rows, positions = tokens_BT.shape
    mistakes = (
        (table(rows, 8)[:, None], "row b of the batch got the vector of position b, all along the row"),
        (
            table(rows * positions, 8).reshape(rows, positions, 8),
            "the positions go on counting from row to row; every row begins with position 0",
        ),
        (table(positions, 8)[-1], "every position got the vector of the last one"),
        (table(30, 8)[tokens_BT], "the vector of a position was chosen by the token's id, not by where it stands"),
        (table(positions + 1, 8)[1:], "the first token got the vector of position 1; positions count from 0"),
    )
    if _same(added_BTD, table(positions, 8)):
        return None
    told = [sentence for mistake, sentence in mistakes if _same(added_BTD, mistake)]
    return told[0] if told else "what was added to the tokens' vectors is not the table of positions"


def predict(answer: ModuleType) -> Wrong:
    wanted = {
        "weights": (64_000, "1,000 rows of 64"),
        "rows": (4, "a token that stands three times has one row"),
        "length": (256, "each hand adds sin² + cos² = 1, and a hand takes two columns"),
        "orders": (6, "without positions the rows are a set, and a set has no order"),
        "best": (55, "two equal digits need no guess, and two different ones are guessed right half of the time"),
    }
    found = answer.predict()
    for name, (number, why) in wanted.items():
        if name not in found:
            return f"{name} is missing"
        if found[name] != number:
            return f"{name}: {why}"
    return None
