"""Lesson 10: how far apart the twins are, update for update, from the recorded runs."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from common.plots import LINES, save, styled
from common.types import Array
from course.figures import Numbers
from course.page import ROOT

RECORD = ROOT / "benchmarks" / "results" / "parting.json"
SHOWN = (("adamw", 3e-4), ("sgd", 0.1), ("momentum", 0.03))
Curves = dict[str, dict[str, Array]]


def parting(path: Path) -> Numbers:
    """The largest difference of any tensor, relative to its largest entry; each point the worst of 20 updates."""
    runs = {(r["dtype"], r["optimizer"], r["lr"]): r["seen"] for r in json.loads(RECORD.read_text())["runs"]}
    curves = {
        dtype: {f"{name}, {lr:g}": _worst(runs[dtype, name, lr]) for name, lr in SHOWN}
        for dtype in ("float64", "float32")
    }
    save(_draw(curves), path)
    return curves


def _worst(seen: list[list[float]]) -> Array:
    """(update, largest difference) of every 20 updates, (50, 2)."""
    groups = np.reshape(seen, (-1, 5, 2))
    return np.stack([groups[:, -1, 0], np.max(groups[:, :, 1], axis=1)], axis=1)


@styled
def _draw(curves: Curves) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 3.0), layout="constrained")
    for axes, (dtype, by_name) in zip(figure.subplots(1, 2, sharey=True), curves.items(), strict=True):
        for (name, curve), (colour, marker, line) in zip(by_name.items(), LINES, strict=False):
            axes.semilogy(*curve.T, line, color=colour, marker=marker, markersize=3, markevery=4, label=name)
        axes.set_yticks(10.0 ** np.arange(-15, 1, 3), [f"1e{power}" for power in range(-15, 1, 3)])
        axes.set_title(dtype)
        axes.set_xlabel("updates")
    figure.axes[0].set_ylabel("largest relative difference")
    figure.axes[0].legend(loc="center right")
    return figure


FIGURES = {"parting": parting}
