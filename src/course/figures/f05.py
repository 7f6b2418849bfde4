"""Lesson 05: what is read of every position, before and after training."""

from pathlib import Path

import numpy as np

from common import params, random
from common.config import ClassifierConfig
from common.plots import save, styled
from common.trace import Trace
from common.types import Array, Tree
from common.vocabulary import TOKENS, encode
from course.figures import Numbers, f04
from numpy_ref.models import classifier


def gradients(weights: Tree, text: str, answer: str = "9") -> dict[str, Array]:
    """The gradient of the answer's logit for x at every position, (T, D): at the end, between the blocks, embedded."""
    config, tokens_BT = ClassifierConfig(), np.array([encode(text)])
    with Trace(weights) as trace:
        logits_BC, saved = classifier.forward(weights, tokens_BT=tokens_BT, mask_BT=tokens_BT != 0, config=config)
        classifier.backward((np.arange(logits_BC.shape[1]) == TOKENS.index(answer))[None].astype(np.float64), saved)
    found = {"behind block 1": trace["/classifier.backward/dlast_BTD"][0]}
    for name, i in (("behind block 0", 1), ("embedded", 0)):
        found[name] = trace[f"blocks.{i}/classifier.block_backward/dx_BSD"][0]
    return found


@styled
def reads(path: Path) -> Numbers:
    from matplotlib.figure import Figure

    text = "Max ( 5 3 9 )"
    fresh = params.init(random.fold_in(random.key(0), 0), ClassifierConfig(), np.float64)
    found: Numbers = {}
    figure = Figure(figsize=(7.2, 2.0), layout="constrained")
    for axes, (title, weights) in zip(
        figure.subplots(1, 2), (("before training", fresh), ("after", f04.weights())), strict=True
    ):
        lengths = {name: np.linalg.norm(g_TD, axis=-1) for name, g_TD in gradients(weights, text).items()}
        table = np.stack(list(lengths.values()))
        axes.imshow(table, cmap="Blues", vmin=0, vmax=1.4 * np.max(table), aspect="auto")
        for (row, column), value in np.ndenumerate(table):
            axes.text(column, row, f"{value:.2f}" if value else "0", ha="center", va="center")
        axes.set_xticks(range(6), text.split())
        axes.set_yticks(range(3), list(lengths))
        axes.set(title=title)
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        found[title] = lengths
    save(figure, path)
    return found


FIGURES = {"reads": reads}
