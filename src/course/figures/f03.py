"""Lesson 03: what the sum and the norm do to twelve untrained blocks."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from common import params, random
from common.config import ClassifierConfig
from common.plots import LINES, save, styled
from common.positions import sinusoidal
from common.types import Array, Tree
from common.vocabulary import encode
from course.figures import Numbers
from numpy_ref.layers import attention, ffn, layernorm

BLOCKS = 12
FORMS = {
    "sum and norm": (True, True),
    "sum, no norm": (True, False),
    "norm, no sum": (False, True),
    "neither": (False, False),
}


def _block(block: Tree, x_BTD: Array, added: bool, normed: bool) -> Array:
    a_BTD, _ = attention.forward(
        block["attn"], x_BTD, x_BTD, n_heads=4, n_kv_heads=4, mask_BTS=np.ones((1, 6, 6), bool)
    )
    m_BTD = _wrapped(block["norm1"], x_BTD, a_BTD, added, normed)
    f_BTD, _ = ffn.forward(block["ffn"], m_BTD)
    return _wrapped(block["norm2"], m_BTD, f_BTD, added, normed)


def _wrapped(norm: Tree, x_BTD: Array, y_BTD: Array, added: bool, normed: bool) -> Array:
    sum_BTD = x_BTD + y_BTD if added else y_BTD
    return layernorm.forward(norm, sum_BTD)[0] if normed else sum_BTD


def _length(x_BTD: Array) -> float:
    return float(np.mean(np.linalg.norm(x_BTD[0], axis=-1)))


def _likeness(x_BTD: Array) -> float:
    """The mean cosine between two positions."""
    n_TD = x_BTD[0] / np.linalg.norm(x_BTD[0], axis=-1, keepdims=True)
    return float(np.mean((n_TD @ n_TD.T)[np.triu_indices(len(n_TD), 1)]))


def measured() -> Numbers:
    """Length and likeness before the first block and behind each, for each form of a block."""
    config = replace(ClassifierConfig(), n_blocks=BLOCKS)
    weights = params.init(random.fold_in(random.key(0), 0), config, np.float64)
    tokens_BT = np.array([encode("Max ( 5 3 9 )")])
    found: Numbers = {}
    for name, (added, normed) in FORMS.items():
        xs = [weights["emb"]["w"][tokens_BT] + sinusoidal(6, config.d_model)]
        for block in weights["blocks"]:
            xs.append(_block(block, xs[-1], added, normed))
        found[name] = {"length": [_length(x) for x in xs], "likeness": [_likeness(x) for x in xs]}
    return found


@styled
def depth(path: Path) -> Numbers:
    from matplotlib.figure import Figure

    found = measured()
    figure = Figure(figsize=(7.2, 2.9), layout="constrained")
    left, right = figure.subplots(1, 2)
    for (name, lines), (colour, marker, dash) in zip(found.items(), LINES, strict=False):
        look = {"color": colour, "marker": marker, "linestyle": dash, "markersize": 3.5, "label": name}
        left.semilogy(lines["length"], **look)
        right.plot(lines["likeness"], **look)
    left.yaxis.set_major_formatter("{x:g}")
    for axes in (left, right):
        axes.set_xticks(range(0, BLOCKS + 1, 2))
    left.set(xlabel="blocks passed", ylabel="mean length of a position", title="length")
    right.set(xlabel="blocks passed", ylabel="mean cosine of two positions", title="likeness", ylim=(0, 1.04))
    right.legend(loc="lower right")
    save(figure, path)
    return found


FIGURES = {"depth": depth}
