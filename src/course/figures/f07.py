"""Lesson 07: runs with wrong gradients, the way of a gradient through the model, and the step of finite differences."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from common import gradcheck, params, random, tree
from common.config import SIZES, ClassifierConfig, TrainConfig
from common.plots import BLACK, LINES, save, styled
from common.trace import Trace
from common.types import Array, Tree
from common.vocabulary import encode
from course.figures import Numbers
from course.page import ROOT
from numpy_ref.models import classifier
from numpy_ref.ops import cross_entropy

CONFIG = ClassifierConfig()
RECORD = ROOT / "benchmarks" / "results" / "broken_gradients.json"
SHOWN = ("right", "copied", "twice", "copied, twice")
WORDS = "Max ( 5 3 9 )"


def _weights() -> Tree:
    return params.init(random.fold_in(random.key(0), 0), CONFIG, np.float64)


# ---- runs with wrong gradients


def broken_runs(path: Path) -> Numbers:
    """Validation accuracy by update, the median of the recorded seeds."""
    runs = json.loads(RECORD.read_text())["runs"]
    medians = {name: np.median([run["epochs"] for run in runs[name]["small"]], axis=0) for name in SHOWN}
    save(_draw_runs(medians), path)
    return medians


@styled
def _draw_runs(medians: dict[str, Array]) -> Any:
    from matplotlib.figure import Figure

    train = TrainConfig(**SIZES["small"])
    figure = Figure(figsize=(7.5, 2.9), layout="constrained")
    whole, close = figure.subplots(1, 2)
    for (name, curve), (colour, marker, line) in zip(medians.items(), LINES, strict=False):
        updates = (1 + np.arange(len(curve))) * train.steps_per_epoch
        for panel in (whole, close):
            panel.plot(updates, 100 * curve, line, color=colour, label=name, marker=marker, markersize=3, linewidth=1.2)
    close.set_ylim(90, 100.4)
    close.set_title("the same, above 90 %")
    for panel in (whole, close):
        panel.set_xlabel("updates")
    whole.set_ylabel("validation: right (%)")
    whole.legend(loc="lower right", title="gradient")
    return figure


# ---- how long the gradient is, station by station


STATIONS = {
    "out of block 1": "blocks.1.norm2/layernorm.backward/dy_BTD",
    "before norm2": "blocks.1.norm2/layernorm.backward/dx_BTD",
    "after norm1": "blocks.1.norm1/layernorm.backward/dy_BTD",
    "before norm1": "blocks.1.norm1/layernorm.backward/dx_BTD",
    "out of block 0": "blocks.0.norm2/layernorm.backward/dy_BTD",
    "before norm2 ": "blocks.0.norm2/layernorm.backward/dx_BTD",
    "after norm1 ": "blocks.0.norm1/layernorm.backward/dy_BTD",
    "before norm1 ": "blocks.0.norm1/layernorm.backward/dx_BTD",
    "embedding": "emb/embedding.backward/dy_BTD",
}
"""From the loss to the tokens. A blank at the end tells two rows of one name apart."""


def flow(path: Path) -> Numbers:
    weights, tokens_BT = _weights(), np.array([encode(WORDS)])
    with Trace(weights) as trace:
        logits_BC, saved = classifier.forward(weights, tokens_BT=tokens_BT, mask_BT=tokens_BT != 0, config=CONFIG)
        loss, saved_loss = cross_entropy.forward(logits_BC, targets_B=np.array([11]))
        classifier.backward(cross_entropy.backward(np.ones_like(loss), saved_loss), saved)
    lengths = {label: np.linalg.norm(trace[name][0], axis=-1) for label, name in STATIONS.items()}
    save(_draw_flow(np.array(list(lengths.values())), list(lengths)), path)
    return lengths


@styled
def _draw_flow(lengths: Array, labels: list[str]) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2, 3.4), layout="constrained")
    axes = figure.subplots()
    axes.imshow(lengths, cmap="Blues", vmin=0, aspect="auto")
    axes.set_yticks(range(len(labels)), [label.strip() for label in labels])
    axes.set_xticks(range(6), WORDS.split())
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    for (row, column), value in np.ndenumerate(lengths):
        dark = value > 0.6 * np.max(lengths)
        axes.text(column, row, f"{value:.2f}" if value else "0", ha="center", va="center", fontsize=7.5,
                  color="white" if dark else BLACK)  # fmt: skip
    axes.set_title("length of the gradient, from the loss (top) to the tokens")
    return figure


# ---- the step of finite differences


STEPS = 10.0 ** np.arange(-12, -0.5, 0.5)
TRIED = ("emb.w", "blocks.0.attn.q.w", "blocks.0.ffn.up.w", "blocks.1.norm1.g", "blocks.1.attn.v.w", "head.w")
BATCH = np.array([encode(WORDS), [*encode("First ( 4 4 )"), 0], [*encode("Min ( 7 )"), 0, 0]])


def _loss(weights: Tree, dtype: Any) -> Any:
    wide = tree.map(lambda w: w if np.iscomplexobj(w) else w.astype(dtype), weights)
    logits_BC, _ = classifier.forward(wide, tokens_BT=BATCH, mask_BT=BATCH != 0, config=CONFIG)
    return cross_entropy.forward(logits_BC, targets_B=np.array([11, 6, 9]))[0].astype(complex)


def errors(method: Any, dtype: Any, steps: Array) -> Array:
    """The median over six tensors of the error along one random direction through each, for each step."""
    weights = _weights()
    logits_BC, saved = classifier.forward(weights, tokens_BT=BATCH, mask_BT=BATCH != 0, config=CONFIG)
    loss, saved_loss = cross_entropy.forward(logits_BC, targets_B=np.array([11, 6, 9]))
    grads = tree.named(classifier.backward(cross_entropy.backward(np.ones_like(loss), saved_loss), saved))
    found = []
    for number, name in enumerate(TRIED):
        draw = random.normal(random.fold_in(random.key(1), number), grads[name].shape)
        unit = draw / np.linalg.norm(draw)
        zeros = {other: np.zeros(np.shape(g)) for other, g in grads.items()}
        direction, wanted = tree.build(zeros | {name: unit}), float(np.sum(grads[name] * unit))
        numeric = [method(lambda w: _loss(w, dtype), weights, direction, h) for h in steps]
        found.append(np.abs(np.subtract(numeric, wanted)) / abs(wanted))
    return np.median(found, axis=0)


def step_size(path: Path) -> Numbers:
    curves = {
        "float32": errors(gradcheck.central_difference, np.float32, STEPS),
        "float64": errors(gradcheck.central_difference, np.float64, STEPS),
        "complex step": errors(gradcheck.complex_step, np.float64, STEPS),
    }
    save(_draw_steps(curves), path)
    smooth = STEPS > 2e-3
    return {
        "h where the curve bends": STEPS[smooth],
        "float64 there": curves["float64"][smooth],
        "float64 best below 1e-8": int(np.min(curves["float64"]) < 1e-8),
        "float64 best between 1e-7 and 1e-3": int(1e-7 < STEPS[np.argmin(curves["float64"])] < 1e-3),
        "float32 never below 1e-5": int(np.min(curves["float32"]) > 1e-5),
        "complex step below 1e-11 from h = 1e-6 on": int(np.max(curves["complex step"][STEPS < 2e-6]) < 1e-11),
    }


@styled
def _draw_steps(curves: dict[str, Array]) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.5, 3.2), layout="constrained")
    axes = figure.subplots()
    for (name, curve), (colour, marker, line) in zip(curves.items(), LINES, strict=False):
        axes.loglog(STEPS, np.maximum(curve, 1e-16), line, color=colour, marker=marker, markersize=3, label=name)
    axes.set_xlabel("step h")
    axes.set_ylabel("relative error of the derivative")
    axes.invert_xaxis()
    for axis, ticks in ((axes.xaxis, 10.0 ** np.arange(-12, 0, 2)), (axes.yaxis, 10.0 ** np.arange(-15, 4, 3))):
        axis.set_ticks(ticks, [f"{tick:.0e}" for tick in ticks])
        axis.set_ticks([], minor=True)
    axes.legend()
    return figure


FIGURES = {"broken_runs": broken_runs, "flow": flow, "step_size": step_size}
