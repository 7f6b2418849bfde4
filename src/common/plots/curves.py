"""Curves of a run: loss and accuracy over updates, epochs, lengths and positions."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from common.errors import UserError
from common.evaluation import percent
from common.plots.drawing import BLACK, BLUE, LINES, ORANGE, figure_of, plain_log, save, styled
from common.run import History
from common.vocabulary import OPERATIONS

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def training_curves(history: History, path: Path | str, *, best_epoch: int | None = None) -> Path:
    """Loss (nats) and accuracy (%) of each update, smoothed, and of the validation part at the end of each epoch."""
    return save(_training_curves(history, best_epoch), path)


def accuracy_by_operation(epochs: Sequence[Mapping[str, Any]], path: Path | str) -> Path:
    """Validation accuracy (%) of each operation over the epochs, from the records of `History.epochs`."""
    return save(_accuracy_by_operation(epochs), path)


def accuracy_by_length(shares: Mapping[int, float], path: Path | str, *, trained: int | None = None) -> Path:
    """Right answers (0 to 1) by the number of tokens in the answer; `trained` is the longest that was trained on."""
    return save(_accuracy_by_length(shares, trained), path)


def loss_by_position(nats: Sequence[float], path: Path | str, *, even: float) -> Path:
    """The mean loss (nats, drawn in bits) of a text's next token after 1, 2, 3, ... tokens were read.

    `even` is the loss of an even guess among all tokens.
    """
    return save(_loss_by_position(nats, even), path)


@styled
def _training_curves(history: History, best_epoch: int | None) -> "Figure":
    from matplotlib.ticker import MaxNLocator

    n = len(history.loss)
    if n == 0:
        raise UserError("there are no training curves to draw before the first update")
    figure = figure_of(6.4, 5.2)
    top, bottom = figure.subplots(2, sharex=True)
    ends = [epoch["step"] for epoch in history.epochs]
    for axes, values, key, scale in ((top, history.loss, "loss", 1), (bottom, history.accuracy, "accuracy", 100)):
        each = scale * np.asarray(values)
        axes.plot(np.arange(1, n + 1), each, color=BLUE, alpha=0.25, linewidth=0.8, label="training, each update")
        window = min(n, max(5, n // 50))
        middle = np.arange(n - window + 1) + (window + 1) / 2
        label = f"training, mean of {window} updates"
        axes.plot(middle, np.convolve(each, np.full(window, 1 / window), "valid"), color=BLUE, label=label)
        held_out = [scale * epoch[key] for epoch in history.epochs]
        axes.plot(ends, held_out, "o--", color=ORANGE, markersize=4, linewidth=1, label="validation, end of epoch")
        axes.grid(axis="y", color="#E0E0E0", linewidth=0.6)
    best = next((epoch for epoch in history.epochs if epoch["epoch"] == best_epoch), None)
    if best is not None:
        for axes in (top, bottom):
            axes.axvline(best["step"], color=BLACK, linewidth=0.8, linestyle=":", label=f"best epoch ({best_epoch})")
    everything = [*history.loss, *(epoch["loss"] for epoch in history.epochs)]
    if min(everything) > 0 and max(everything) > 30 * min(everything):
        top.set_yscale("log")
        plain_log(top.yaxis, max(everything) / min(everything))
    top.set_ylabel("loss (nats)")
    bottom.set_ylabel("right answers (%)")
    bottom.set_ylim(-3, 103)
    per_epoch = f" ({ends[0] // history.epochs[0]['epoch']} to an epoch)" if ends else ""
    bottom.set_xlabel(f"update{per_epoch}")
    figure.legend(*bottom.get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=8)
    bottom.set_xlim(0, n * 1.02)
    bottom.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.suptitle(_training_title(history, best))
    return figure


def _training_title(history: History, best: Mapping[str, Any] | None) -> str:
    if best is not None:
        right = f"{percent(best['accuracy'])} right on the validation part"
        return f"Best epoch {best['epoch']} of {len(history.epochs)}: {right}"
    if history.epochs:
        right = f"{percent(history.epochs[-1]['accuracy'])} right on the validation part"
        return f"After epoch {history.epochs[-1]['epoch']}: {right}"
    return f"Loss of the first {len(history.loss)} updates: from {history.loss[0]:.2f} to {history.loss[-1]:.2f} nats"


@styled
def _accuracy_by_operation(epochs: Sequence[Mapping[str, Any]]) -> "Figure":
    from matplotlib.ticker import MaxNLocator

    if not epochs:
        raise UserError("there is no accuracy by operation to draw before the end of the first epoch")
    figure = figure_of(6.4, 3.6)
    axes = figure.subplots()
    numbers = [epoch["epoch"] for epoch in epochs]
    shown = [op for op in OPERATIONS if op in epochs[-1]["by_op"]]
    for op, (colour, marker, line) in zip(OPERATIONS, LINES, strict=True):
        if op in shown:
            values = [100 * epoch["by_op"][op] for epoch in epochs]
            # a hollow marker lets the lines under it be seen where all are at 100 %
            axes.plot(numbers, values, line, color=colour, marker=marker, fillstyle="none", markersize=6, label=op)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("epoch")
    axes.set_ylabel("right answers, validation (%)")
    axes.set_ylim(-3, 103)
    axes.grid(axis="y", color="#E0E0E0", linewidth=0.6)
    figure.legend(loc="outside right center")
    last = epochs[-1]["by_op"]
    weakest = min(shown, key=last.__getitem__)
    ending = (
        f"every operation at {percent(1.0)}"
        if last[weakest] == 1
        else f"the weakest is {weakest}, {percent(last[weakest])}"
    )
    figure.suptitle(f"After epoch {numbers[-1]}: {ending}")
    return figure


@styled
def _accuracy_by_length(shares: Mapping[int, float], trained: int | None) -> "Figure":
    from matplotlib.ticker import MaxNLocator

    lengths = sorted(shares)
    right = [100 * shares[length] for length in lengths]
    figure = figure_of(6.4, 3.6)
    axes = figure.subplots()
    axes.plot(lengths, right, "o-", color=BLUE, markersize=5)
    if trained is not None:
        axes.axvline(trained + 0.5, color=BLACK, linewidth=0.8, linestyle=":", label="longer: never trained on")
        axes.legend(loc="lower left")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("tokens in the answer")
    axes.set_ylabel("right answers (%)")
    axes.set_ylim(-3, 103)
    axes.grid(axis="y", color="#E0E0E0", linewidth=0.6)
    weakest = min(lengths, key=lambda length: (shares[length], length))
    ending = f"the weakest are answers of {weakest}, {percent(shares[weakest])}"
    figure.suptitle(f"Every length at {percent(1.0)}" if shares[weakest] == 1 else f"Of all lengths {ending}")
    return figure


@styled
def _loss_by_position(nats: Sequence[float], even: float) -> "Figure":
    bits = np.asarray(nats) / np.log(2)
    n = len(bits)
    figure = figure_of(6.4, 3.6)
    axes = figure.subplots()
    axes.plot(np.arange(1, n + 1), bits, color=BLUE, alpha=0.35, linewidth=0.8, label="each position")
    # groups that double: 1, 2, 3-4, 5-8, ... tokens read
    edges = sorted({0, n, *(2**i for i in range(n.bit_length()) if 2**i < n)})
    groups = list(pairwise(edges))
    means = [float(bits[low:high].mean()) for low, high in groups]
    axes.plot([(low + 1 + high) / 2 for low, high in groups], means, "o-", color=BLUE, label="mean of a group")
    axes.axhline(even / np.log(2), color=BLACK, linewidth=0.8, linestyle=":", label="an even guess")
    axes.set_xscale("log", base=2)
    plain_log(axes.xaxis, 10**6, base=2)
    axes.set_ylim(0, None)
    axes.set_xlabel("tokens read")
    axes.set_ylabel("loss of the next one (bits)")
    axes.grid(axis="y", color="#E0E0E0", linewidth=0.6)
    axes.legend(loc="lower left")
    first = groups[-1][0] + 1
    read = f"{first} to {n}" if first < n else f"{n}"
    figure.suptitle(f"After 1 token the next one costs {means[0]:.2f} bits, after {read} it costs {means[-1]:.2f}")
    return figure
