"""Lesson 09: what is learned when, over many seeds. the record is made by benchmarks/dynamics.py."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from common.plots import BLUE, GREEN, GREY, LINES, ORANGE, PINK, save, styled
from common.types import Array
from course.dynamics import first_at
from course.figures import Numbers
from course.page import ROOT

RECORD = ROOT / "benchmarks" / "results" / "dynamics.json"


def _record(part: str) -> dict[str, Any]:
    return dict(json.loads(RECORD.read_text())[part])


def _band(axes: Any, steps: list[int], rows: Array, number: int, label: str) -> Array:
    """The median over the seeds, and a band from the lowest to the highest."""
    colour, _, line = LINES[number]
    middle = np.median(rows, axis=0)
    axes.plot(steps, middle, line, color=colour, label=label, linewidth=1.3)
    axes.fill_between(steps, rows.min(axis=0), rows.max(axis=0), color=colour, alpha=0.13, linewidth=0)
    return middle


@styled
def order(path: Path) -> Numbers:
    """When each operation is learned: medians and ranges, and the update at which each seed reaches 90 %."""
    from matplotlib.figure import Figure

    run = _record("run")
    steps, found = np.array(run["asked_at"]), {}
    early = steps <= 240
    figure = Figure(figsize=(7.5, 2.9), layout="constrained")
    curves, dots = figure.subplots(1, 2)
    for number, (op, shares) in enumerate(run["by_op"].items()):
        rows = 100 * np.array(shares)[:, early]
        _band(curves, steps[early].tolist(), rows, number, op)
        found[op] = sorted(first_at(np.array(row), steps) for row in shares)
        seen = np.random.default_rng(0).uniform(-0.25, 0.25, len(shares))
        dots.plot(found[op], number + seen, LINES[number][1], color=LINES[number][0], alpha=0.6, markersize=4)
        dots.plot(np.median(found[op]), number, "|", color="black", markersize=22)
    curves.axhline(43, color=GREY, linewidth=0.6)  # all that the digits tell about a position without their order
    curves.set(xlabel="updates", ylabel="right answers in %", title="median and range of 16 seeds")
    curves.legend(loc="lower right", fontsize=8)
    dots.set_yticks(range(len(found)), list(found))
    dots.invert_yaxis()
    dots.set(xlabel="updates", title="90 % reached: each seed, and the median")
    save(figure, path)
    return found


@styled
def inside(path: Path) -> Numbers:
    """Attention on the answer with and without decay, and the length of the gradient by part."""
    from matplotlib.figure import Figure

    run, held = _record("run"), _record("no_decay")
    figure = Figure(figsize=(7.5, 2.9), layout="constrained")
    looks, flow = figure.subplots(1, 2)
    found = {}
    for number, (label, source) in enumerate((("with decay", run), ("without", held))):
        rows = np.mean([source["attention"][op] for op in ("First", "Second", "Last")], axis=0)
        found[label] = _band(looks, source["looked_at"], rows, number, label)
    looks.set(xlabel="updates", ylabel="share of the look", ylim=(0, 1), title="on the answer: First, Second, Last")
    looks.axhline(1 / 6, color=GREY, linewidth=0.6)
    looks.legend(loc="lower right", fontsize=8)
    for number, (part, lengths) in enumerate(run["gradient"].items()):
        found[part] = _band(flow, run["looked_at"], np.array(lengths), number, part)
    flow.set(xlabel="updates", yscale="log", title="length of the gradient")
    flow.set_yticks([0.01, 0.1, 1], ["0.01", "0.1", "1"])
    flow.legend(fontsize=8)
    save(figure, path)
    return found


@styled
def line(path: Path) -> Numbers:
    """The number line over long runs, each seed by itself."""
    from matplotlib.figure import Figure

    record = _record("line")
    figure = Figure(figsize=(7.0, 2.9), layout="constrained")
    axes = figure.subplots()
    names = {
        "Max Min, decay 1": (BLUE, "-"),
        "all five, decay 1": (GREEN, "-."),
        "First Last, decay 1": (PINK, ":"),
        "Max Min, decay 0": (ORANGE, "--"),
    }
    for name, (colour, style) in names.items():
        for number, row in enumerate(record[name]["number_line"]):
            axes.plot(record["looked_at"], row, style, color=colour, linewidth=1.1, label=None if number else name)
    axes.set(xlabel="updates", ylabel="|r| with the first component", ylim=(0, 1.02))
    axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    save(figure, path)
    return {name: record[name]["number_line"] for name in names}


FIGURES = {"order": order, "inside": inside, "line": line}
