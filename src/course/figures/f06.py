"""Lesson 06: the gradient of the logits as forces, and how loudly three losses speak to a wrong answer."""

from pathlib import Path
from typing import Any

import numpy as np

from common import checkpoint, params, random, tree
from common.config import ClassifierConfig
from common.plots import BLUE, LINES, ORANGE, save, styled
from common.types import Array, Tree
from common.vocabulary import TOKENS, encode
from course.figures import Numbers
from course.losses import LOSSES
from course.page import ROOT
from numpy_ref.models import classifier
from numpy_ref.ops import cross_entropy

CONFIG = ClassifierConfig()
CLASSES = len(TOKENS)


def _forces(weights: Tree) -> Array:
    """p - y of `Max ( 5 3 9 )`."""
    tokens_BT = np.array([encode("Max ( 5 3 9 )")])
    logits_BC, _ = classifier.forward(weights, tokens_BT=tokens_BT, mask_BT=tokens_BT != 0, config=CONFIG)
    _, saved = cross_entropy.forward(logits_BC, targets_B=np.array([11]))
    return cross_entropy.backward(np.ones(()), saved)[0]


def bars(path: Path) -> Numbers:
    trained = checkpoint.load_model(ROOT / "checkpoints" / "digits-medium.safetensors").params
    forces = {
        "before the first update": _forces(params.init(random.fold_in(random.key(0), 0), CONFIG, np.float64)),
        "checkpoints/digits-medium": _forces(tree.cast(trained, np.float64)),
    }
    save(_draw_bars(forces), path)
    return forces


@styled
def _draw_bars(forces: dict[str, Array]) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 2.9), layout="constrained")
    for panel, (name, force) in zip(figure.subplots(1, 2, sharey=True), forces.items(), strict=True):
        panel.bar(range(CLASSES), -force, color=[BLUE if f < 0 else ORANGE for f in force])
        panel.axhline(0, color="black", linewidth=0.6)
        panel.set_xticks(range(CLASSES), TOKENS, rotation=90, fontsize=7.5)
        panel.tick_params(axis="x", length=0)
        panel.set_title(name)
    figure.axes[0].set_ylabel("y − p: the push on a logit")
    return figure


SHOWN = ("cross-entropy", "squared", "twice")
LABELS = ("cross-entropy: p − y", "squared error", "cross-entropy, softmax differentiated twice")
GIVEN = np.concatenate([[0.001], np.linspace(0.02, 0.98, 33), [0.999]])


def pushes(path: Path) -> Numbers:
    """The gradient of the right logit; the other classes share evenly what is left."""
    curves = {}
    for name in SHOWN:
        found = []
        for p_right in GIVEN:
            p_BC = np.full((1, CLASSES), (1 - p_right) / (CLASSES - 1))
            p_BC[0, 0] = p_right
            found.append(LOSSES[name].backward(np.ones(()), (p_BC, np.array([0])))[0, 0])
        curves[name] = np.array(found)
    save(_draw_pushes(curves), path)
    return {"given": GIVEN} | curves


@styled
def _draw_pushes(curves: dict[str, Array]) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.2, 3.0), layout="constrained")
    axes = figure.subplots()
    for (curve, label), (colour, _, line) in zip(zip(curves.values(), LABELS, strict=True), LINES, strict=False):
        axes.plot(GIVEN, curve, line, color=colour, label=label)
    axes.axhline(0, color="black", linewidth=0.6)
    axes.set_xlabel("probability given to the right answer")
    axes.set_ylabel("gradient of its logit")
    axes.legend(loc="lower right")
    return figure


FIGURES = {"bars": bars, "pushes": pushes}
