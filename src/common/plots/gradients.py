"""How large the gradients are, and how far apart the twins."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from common.plots.drawing import BLUE, GREEN, LINES, ORANGE, figure_of, plain_log, save, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def gradient_norms(norms: Mapping[str, float], path: Path | str) -> Path:
    """The Euclidean norm of each tensor's gradient, by dotted name, on a logarithmic axis; zero stands at its edge."""
    return save(_gradient_norms(norms), path)


def twin_differences(steps: Sequence[int], tensors: Mapping[str, Sequence[float]], path: Path | str) -> Path:
    """How far apart NumPy and JAX are after each of `steps` updates, a line for each tensor, on a logarithmic axis.

    Differences are relative to a tensor's largest entry; an exact zero is left out of its line.
    """
    return save(_twin_differences(steps, tensors), path)


def parting(runs: Mapping[str, Mapping[str, Sequence[tuple[int, float]]]], path: Path | str) -> Path:
    """The largest difference of the twins over the updates, on a logarithmic axis: a panel for each dtype, in it a line
    of (update, difference) for each setting; the settings are the same in every panel."""
    return save(_parting(runs), path)


@styled
def _gradient_norms(norms: Mapping[str, float]) -> "Figure":
    names = list(norms)
    values = np.array(list(norms.values()))
    positive = values > 0
    figure = figure_of(6.4, 0.17 * len(names) + 1.3)
    axes = figure.subplots()
    if positive.any():
        axes.set_xscale("log")
        plain_log(axes.xaxis, values.max() / values[positive].min())
    axes.plot(values[positive], np.flatnonzero(positive), "o", color=BLUE, markersize=4)
    for row in np.flatnonzero(~positive):
        axes.text(0.01, float(row), "0", color=ORANGE, va="center", transform=axes.get_yaxis_transform(), fontsize=8)
    axes.set_yticks(range(len(names)), names, fontsize=7)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(color="#E0E0E0", linewidth=0.6)
    axes.set_xlabel("norm of the gradient (nats per unit of the parameter)")
    largest = int(np.argmax(values))
    title = f"Largest gradient: {names[largest]} ({values[largest]:.2g})"
    if positive.any():
        smallest = int(np.argmin(np.where(positive, values, np.inf)))
        title += f", {values[largest] / values[smallest]:,.0f} times the smallest, {names[smallest]}"
    figure.suptitle(title, fontsize=9)
    return figure


@styled
def _twin_differences(steps: Sequence[int], tensors: Mapping[str, Sequence[float]]) -> "Figure":
    figure = figure_of(6.4, 3.6)
    axes = figure.add_subplot()
    groups = {"parameters": BLUE, "first moment m": ORANGE, "second moment v": GREEN}
    prefixes = dict(zip(groups, ("", "m.", "v."), strict=True))
    for group, colour in groups.items():
        label: str | None = group
        for name, values in tensors.items():
            found = name[:2] if name.startswith(("m.", "v.")) else ""
            if found == prefixes[group]:
                axes.plot(steps, [v or np.nan for v in values], color=colour, lw=0.7, alpha=0.7, label=label)
                label = None
    end = max(values[-1] for values in tensors.values())
    axes.set(yscale="log", xlabel="updates", ylabel="relative difference")
    axes.set_title(f"After {steps[-1]:,} updates no tensor of the twins differs by more than {end:.1e}", loc="left")
    axes.legend(loc="best")
    return figure


@styled
def _parting(runs: Mapping[str, Mapping[str, Sequence[tuple[int, float]]]]) -> "Figure":
    figure = figure_of(7.6, 3.6)
    panels = figure.subplots(1, len(runs), sharey=True, squeeze=False)[0]
    for axes, (dtype, lines) in zip(panels, runs.items(), strict=True):
        for number, (name, seen) in enumerate(lines.items()):
            colour, _, style = LINES[number % len(LINES)]
            width = 0.9 + 0.9 * (number // len(LINES))
            steps, worst = [step for step, _ in seen], [value or np.nan for _, value in seen]
            axes.plot(steps, worst, color=colour, ls=style, lw=width, label=name)
        axes.set(yscale="log", xlabel="updates")
        axes.set_title(dtype, loc="left")
    panels[0].set_ylabel("largest relative difference of any tensor")
    panels[-1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5), title="optimizer, learning rate")
    return figure
