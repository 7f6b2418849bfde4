"""Lesson 01: what enters the first block, and the table of positions."""

from pathlib import Path
from typing import Any

import numpy as np

from common import params, random
from common.config import ClassifierConfig
from common.plots import BLUE, ORANGE, save, styled
from common.positions import sinusoidal
from common.vocabulary import encode, words
from course.figures import Numbers

LENGTH, WIDTH = 50, 64


@styled
def sum_of_both(path: Path) -> Numbers:
    from matplotlib.figure import Figure

    ids = encode("Max ( 5 3 9 )")
    weights = params.init(random.fold_in(random.key(0), 0), ClassifierConfig(), np.float64)
    e_TD, p_TD = weights["emb"]["w"][ids], sinusoidal(len(ids), WIDTH)
    figure = Figure(figsize=(7.2, 4.0), layout="constrained")
    panels = figure.subplots(3, 1, sharex=True)
    named = {
        "token: a row of emb.w, looked up": e_TD,
        "position: sine, cosine, sine, cosine": p_TD,
        "x, their sum": e_TD + p_TD,
    }
    for axes, (name, rows_TD) in zip(panels, named.items(), strict=True):
        image = _map(axes, rows_TD, 3.0)
        axes.set_title(name, loc="left")
        axes.set_yticks(range(len(ids)), range(len(ids)) if rows_TD is p_TD else words(ids))
    panels[-1].set_xlabel("column of 64")
    figure.colorbar(image, ax=panels, shrink=0.7, extend="both")
    save(figure, path)
    return {"x": (e_TD + p_TD)[:, ::8]}


@styled
def positions(path: Path) -> Numbers:
    from matplotlib.figure import Figure

    p_TD = sinusoidal(LENGTH, WIDTH)
    dots_TT = p_TD @ p_TD.T
    figure = Figure(figsize=(7.2, 2.9), layout="constrained")
    left, right = figure.subplots(1, 2)
    figure.colorbar(_map(left, p_TD, 1.0), ax=left, ticks=[-1, 0, 1])
    left.set_xlabel("column")
    left.set_ylabel("position")
    left.set_title("each pair of columns is a clock hand", loc="left")
    right.plot(dots_TT[0], color=BLUE, linewidth=3, label="from position 0")
    right.plot(dots_TT[20, 20:], "--", color=ORANGE, label="from position 20")
    right.set(xlabel="distance between two positions", ylabel="dot product", xlim=(0, LENGTH - 1))
    right.set_ylim(bottom=0)
    right.set_title("their dot product knows the distance alone", loc="left")
    right.legend()
    save(figure, path)
    return {"from 0": dots_TT[0], "from 20": dots_TT[20, 20:]}


def _map(axes: Any, x: Any, top: float) -> Any:
    image = axes.imshow(x, cmap="RdBu_r", vmin=-top, vmax=top, aspect="auto", interpolation="nearest")
    axes.tick_params(length=0)
    return image


FIGURES = {"sum": sum_of_both, "positions": positions}
