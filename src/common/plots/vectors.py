"""How a model sees its digits and operations."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from common.evaluation import Similarity
from common.plots.drawing import BLUE, GREY, figure_of, label, numbers, save, styled
from common.types import Array
from common.vocabulary import OPERATIONS

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def embedding_pca(places: Array, number_line: float, path: Path | str) -> Path:
    """The digits' vectors on their first two principal components, (10, 2), joined in order.

    `number_line` is `evaluation.Similarity.number_line`.
    """
    return save(_embedding_pca(places, number_line), path)


def similarity_matrix(similarity: Similarity, path: Path | str) -> Path:
    """Cosine of each pair of digits and of each pair of operations."""
    return save(_similarity_matrix(similarity), path)


@styled
def _embedding_pca(places: Array, number_line: float) -> "Figure":
    figure = figure_of(5.4, 4.4)
    axes = figure.subplots()
    axes.plot(places[:, 0], places[:, 1], "-", color=GREY, linewidth=1, zorder=1, label="0 to 9 in order")
    axes.plot(places[:, 0], places[:, 1], "o", color="white", markeredgecolor=BLUE, markersize=17, zorder=2)
    for digit, (x, y) in enumerate(places):
        axes.text(
            x, y, str(digit), ha="center", va="center_baseline", color=BLUE, fontsize=11, fontweight="bold", zorder=3
        )
    axes.margins(0.12)
    axes.set_xlabel("first principal component (units of the embedding)")
    axes.set_ylabel("second principal component")
    axes.legend(loc="best", fontsize=8)
    orders = "orders" if number_line >= 0.9 else "partly orders" if number_line >= 0.5 else "does not order"
    figure.suptitle(f"The first component {orders} the digits:\n|correlation| with their value {number_line:.2f}")
    return figure


@styled
def _similarity_matrix(similarity: Similarity) -> "Figure":
    figure = figure_of(8.4, 4.6)
    left, right = figure.subplots(1, 2, width_ratios=(10, 6))
    digits = [str(digit) for digit in range(10)]
    for axes, cosine, names, size in (
        (left, similarity.cosine, digits, 6.5),
        (right, similarity.op_cosine, OPERATIONS, 8),
    ):
        image = axes.imshow(cosine, cmap="RdBu_r", vmin=-1, vmax=1)
        label(axes, names, names, 9)
        numbers(axes, image, cosine, np.array([[f"{c:z.2f}" for c in row] for row in cosine]), size)
    left.set_title("digits")
    right.set_title("operations")
    figure.colorbar(image, ax=(left, right), shrink=0.7, label="cosine of the two embeddings")
    near, far = similarity.neighbours, similarity.distant
    than = "more alike than" if near > far else "no more alike than"
    means = f"mean cosine {near:.2f} and {far:.2f}"
    figure.suptitle(f"Digits 1 apart are {than} digits 5 or more apart: {means}")
    return figure
