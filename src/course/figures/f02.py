"""Lesson 02: what the scale is for, what a forgotten mask costs, and where the heads look."""

import math
from pathlib import Path

import numpy as np

from common import params, plots, random, tree
from common.checkpoint import load_model
from common.config import ClassifierConfig, DigitsConfig
from common.data import digits
from common.plots import BLUE, ORANGE, save, styled
from common.trace import Trace
from common.types import Array, Tree
from common.vocabulary import encode, words
from course.figures import Numbers
from course.page import ROOT
from numpy_ref.models import classifier
from numpy_ref.ops import softmax

WIDTHS = (1, 4, 16, 64, 256, 1024)
LENGTHS = (6, 8, 12, 20, 30, 50)


@styled
def scale(path: Path) -> Numbers:
    from matplotlib.figure import Figure

    found: dict[str, list[float]] = {"bare": [], "scaled": []}
    for width in WIDTHS:
        q_R1K = random.normal(random.key(1), (500, 1, width))
        k_RSK = random.normal(random.key(2), (500, 6, width))
        dot_RS = (q_R1K * k_RSK).sum(axis=-1)
        found["bare"].append(_largest(dot_RS))
        found["scaled"].append(_largest(dot_RS / math.sqrt(width)))
    figure = Figure(figsize=(5.2, 2.9), layout="constrained")
    axes = figure.subplots()
    axes.plot(WIDTHS, found["bare"], "s--", color=ORANGE)
    axes.plot(WIDTHS, found["scaled"], "o-", color=BLUE)
    axes.axhline(1 / 6, color="0.6", linewidth=1)
    axes.text(1, 1 / 6, " six equal shares", va="bottom", color="0.4")
    axes.set_xscale("log", base=4)
    axes.set_xticks(WIDTHS, [f"{width:,}" for width in WIDTHS])
    axes.set(xlabel="width K of a head", ylabel="largest of six shares", ylim=(0, 1))
    axes.text(24, 0.68, "dot products as they are", color=ORANGE)
    axes.text(24, 0.34, "divided by √K", color=BLUE)
    save(figure, path)
    return {"width": WIDTHS, **found}


def _largest(x_RS: Array) -> float:
    return float(softmax.forward(x_RS)[0].max(axis=1).mean())


@styled
def padding(path: Path) -> Numbers:
    from matplotlib.figure import Figure

    found: dict[str, list[float]] = {"with": [], "without": []}
    test = digits.load(DigitsConfig(), seed=0, examples=1_000).test
    for length in LENGTHS:
        tokens_BT = np.pad(test.tokens, ((0, 0), (0, length - 6)))
        real_BT = np.arange(length) < np.full((len(tokens_BT), 1), 6)
        for name, looks_BT in (("with", real_BT), ("without", np.ones_like(real_BT))):
            logits_BC, _ = classifier.forward_pooled(_trained(), tokens_BT=tokens_BT, mask_BT=looks_BT, config=_CONFIG)
            found[name].append(100 * float(np.mean(logits_BC.argmax(axis=-1) == test.targets)))
    figure = Figure(figsize=(5.2, 2.9), layout="constrained")
    axes = figure.subplots()
    axes.plot(LENGTHS, found["with"], "o-", color=BLUE, label="with the padding mask")
    axes.plot(LENGTHS, found["without"], "s--", color=ORANGE, label="the same weights without it")
    axes.set(xlabel="tokens that six are padded to", ylabel="right on the test part (%)", ylim=(0, 105))
    axes.set_xticks(LENGTHS)
    axes.legend(loc="lower left")
    save(figure, path)
    return {"length": LENGTHS, **found}


def heads(path: Path) -> Numbers:
    ids = encode("Max ( 5 3 9 )")
    fresh = params.init(random.fold_in(random.key(0), 0), _CONFIG, np.float64)
    saved = [(0, _weights(fresh, ids)), (936, _weights(_trained(), ids))]
    plots.attention_over_training(saved, words(ids), path, name="Block 1")
    return {f"update {step}": w_NTS[:, 0] for step, w_NTS in saved}


def _weights(model: Tree, ids: list[int]) -> Array:
    """Of the second block: (heads, places that look, places looked at)."""
    tokens_BT = np.array([ids])
    with Trace(model) as trace:
        classifier.forward(model, tokens_BT=tokens_BT, mask_BT=np.ones_like(tokens_BT, bool), config=_CONFIG)
    return trace["blocks.1.attn/attend.forward/w_BNGTS"][0, :, 0]


def _trained() -> Tree:
    return tree.cast(load_model(ROOT / "checkpoints" / "digits-medium.safetensors").params, np.float64)


_CONFIG = ClassifierConfig()
FIGURES = {"scale": scale, "padding": padding, "heads": heads}
