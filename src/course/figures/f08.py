"""Lesson 08: losses under four optimizers, their ways through a real valley, and the length of a step per tensor."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from common import params, random, tree
from common.config import SIZES, ClassifierConfig, DigitsConfig, TrainConfig
from common.data import batching, digits
from common.data.batching import Examples
from common.plots import GREY, LINES, save, styled
from common.trace import Trace
from common.types import Array, Tree
from course.figures import Numbers
from course.page import ROOT
from numpy_ref import optim, train
from numpy_ref.models import classifier
from numpy_ref.ops import cross_entropy

CONFIG = ClassifierConfig()
RUN = TrainConfig(**SIZES["medium"])
RECORD = ROOT / "benchmarks" / "results" / "optimizers.json"
NAMES = ("sgd", "momentum", "adam", "adamw")


def _start() -> tuple[Tree, Examples]:
    """The weights before the first update, and its batch."""
    weights = params.init(random.fold_in(random.key(0), 0), CONFIG, np.float64)
    return weights, batching.batch(digits.load(DigitsConfig(), seed=0, examples=RUN.examples).train, RUN, 0)


# ---- recorded runs


def best_rate(runs: dict[str, list]) -> str:
    """The learning rate with the lowest validation loss at the end, the median of the seeds."""

    def end(rate: str) -> float:
        return float(np.median([run["validation_loss"] if run else np.inf for run in runs[rate]]))

    return min(runs, key=end)


def curves(path: Path) -> Numbers:
    """Training loss, each optimizer at the best of its learning rates, the median of the recorded seeds."""
    record = json.loads(RECORD.read_text())
    best = {f"{name}, {best_rate(record['runs'][name])}": record["runs"][name] for name in NAMES}
    medians = {name: np.median([run["loss"] for run in runs[best_rate(runs)]], axis=0) for name, runs in best.items()}
    save(_draw_curves(medians, record["window"]), path)
    return medians


@styled
def _draw_curves(medians: dict[str, Array], window: int) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.5, 3.1), layout="constrained")
    axes = figure.subplots()
    for (name, curve), (colour, marker, line) in zip(medians.items(), LINES, strict=False):
        updates = window * (np.arange(len(curve)) + 0.5)
        axes.semilogy(updates, curve, line, color=colour, marker=marker, markersize=3, linewidth=1.2, label=name)
    axes.set_yticks([0.001, 0.01, 0.1, 1], ["0.001", "0.01", "0.1", "1"])
    axes.set_xlabel("updates")
    axes.set_ylabel("training loss (nats)")
    axes.legend(title="optimizer, learning rate")
    return figure


# ---- two weights alone


PAIR = ((55, 11), (6, 11))
"""Both feed the logit of `9`, from two numbers of the pooled position; one is nearly three times as large."""
STEPS = 40
WAYS = {
    "sgd, 1": ("sgd", 1.0),
    "sgd, 5": ("sgd", 5.0),
    "momentum, 0.5": ("momentum", 0.5),
    "adam, 0.2": ("adam", 0.2),
}
"""Two weights alone feel little slope, so the rates are larger than in training."""


def valley(weights: Tree, first: Examples) -> Callable[[Tree], tuple[float, Tree]]:
    """Loss of the first batch and its gradient, as a function of the two weights; all others stay where they are."""
    with Trace(weights) as trace:
        classifier.forward(weights, tokens_BT=first.tokens, mask_BT=first.mask, config=CONFIG)
    pooled_BD = trace["/classifier._forward/pooled_BD"]
    rows, columns = zip(*PAIR, strict=True)

    def at(two: Tree) -> tuple[float, Tree]:
        w_DC = weights["head"]["w"].copy()
        w_DC[rows, columns] = two["w"]
        loss, saved = cross_entropy.forward(pooled_BD @ w_DC, targets_B=first.targets)
        dw_DC = pooled_BD.T @ cross_entropy.backward(np.ones_like(loss), saved)
        return float(loss), {"w": dw_DC[rows, columns]}

    return at


def way(at: Callable[[Tree], tuple[float, Tree]], start: Array, optimizer: str, lr: float) -> Array:
    """The places that an optimizer passes, (STEPS + 1, 2): the functions that ship, on two weights."""
    config = TrainConfig(optimizer=optimizer, weight_decay=0.0)
    two = {"w": start}
    state, places = optim.init(two, config), [start]
    for _ in range(STEPS):
        two, state = optim.update(two, at(two)[1], state, lr=lr, config=config)
        places.append(two["w"])
    return np.array(places)


def path(path: Path) -> Numbers:
    weights, first = _start()
    at = valley(weights, first)
    start = weights["head"]["w"][tuple(zip(*PAIR, strict=True))]
    ways = {label: way(at, start, *rule) for label, rule in WAYS.items()}
    save(_draw_path(at, ways), path)
    losses = {label: [at({"w": place})[0] for place in places] for label, places in ways.items()}
    return {"places": ways, "losses": losses}


@styled
def _draw_path(at: Callable[[Tree], tuple[float, Tree]], ways: dict[str, Array]) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 3.9), layout="constrained")
    x, y = np.linspace(-1.6, 2.4, 41), np.linspace(-3.6, 0.9, 41)
    heights = np.array([[at({"w": np.array([a, b])})[0] for a in x] for b in y])
    low = float(np.min(heights))
    for axes, (label, places), (colour, _, _) in zip(
        figure.subplots(1, 4, sharey=True), ways.items(), LINES, strict=False
    ):
        axes.contour(x, y, heights, low + np.geomspace(0.002, 1.2, 12), colors=GREY, linewidths=0.5)
        axes.plot(*places.T, "-", color=colour, marker="o", markersize=2, linewidth=1)
        axes.set_title(label)
        axes.set_xlabel("head.w[55,11]")
        axes.set_xlim(x[0], x[-1])
        axes.set_ylim(y[0], y[-1])
    figure.axes[0].set_ylabel("head.w[6,11]")
    return figure


# ---- how far each tensor moves


WATCHED = 20
"""Updates before the one whose step is measured."""


def steps(path: Path) -> Numbers:
    """The root mean square of each tensor's move in update 21: of sgd's, and of adam's from the same weights."""
    weights, _ = _start()
    config = TrainConfig(optimizer="adam", weight_decay=0.0)
    examples = digits.load(DigitsConfig(), seed=0, examples=RUN.examples).train
    small = tree.cast(weights, np.float32)
    now, state = small, optim.init(small, config)
    for number in range(WATCHED + 1):
        _, grads, _ = train.loss_and_grads(now, batching.batch(examples, RUN, number), model=CONFIG)
        before, (now, state) = now, optim.update(now, grads, state, lr=1e-3, config=config)
    moved = tree.map(lambda new, old: new - old, now, before)
    sizes = {
        "sgd, 0.1": {name: 0.1 * _rms(g) for name, g in tree.items(grads)},
        "adam, 0.001": {name: _rms(d) for name, d in tree.items(moved)},
    }
    save(_draw_steps(sizes), path)
    return sizes


def _rms(x: Array) -> float:
    return float(np.sqrt(np.mean(np.square(x, dtype=np.float64))))


@styled
def _draw_steps(sizes: dict[str, dict[str, float]]) -> Any:
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullLocator

    figure = Figure(figsize=(6.2, 4.4), layout="constrained")
    axes = figure.subplots()
    for (label, by_name), (colour, marker, _) in zip(sizes.items(), LINES, strict=False):
        axes.semilogx(list(by_name.values()), range(len(by_name)), marker, color=colour, markersize=4, label=label)
    names = list(sizes["sgd, 0.1"])
    axes.set_yticks(range(len(names)), names, fontsize=6.5)
    axes.invert_yaxis()
    axes.grid(axis="y", linewidth=0.3)
    axes.set_xticks([2e-4, 5e-4, 1e-3, 2e-3], ["0.0002", "0.0005", "0.001", "0.002"])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("how far a number of the tensor moves in update 21 (root mean square)")
    figure.legend(title="optimizer, learning rate", loc="outside right upper")
    return figure


FIGURES = {"curves": curves, "path": path, "steps": steps}
