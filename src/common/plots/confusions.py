"""What was taken for what."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from common.plots.drawing import figure_of, label, numbers, save, styled
from common.types import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FEW = 5
"""So many errors of one kind fill a cell with colour; fewer stay pale: a single one must not look like a habit."""


def confusion(table: Array, path: Path | str) -> Path:
    """The table of `evaluation.confusion`, (10, 11). Colour shows errors alone: right answers cannot drown them."""
    return save(_confusion(table), path)


@styled
def _confusion(table: Array) -> "Figure":
    from matplotlib.ticker import MaxNLocator

    digits = [str(digit) for digit in range(10)]
    right = np.arange(10)[:, None] == np.arange(11)
    errors = np.where(right, 0, table)
    figure = figure_of(6.0, 5.4)
    axes = figure.subplots()
    image = axes.imshow(errors, cmap="Oranges", vmin=0, vmax=max(int(errors.max()), FEW))
    axes.imshow(np.where(right, 0.15, np.nan), cmap="Greys", vmin=0, vmax=1)
    label(axes, digits, [*digits, "other"], 9)
    # a zero is a dot: what is not there should not be read
    texts = np.where(table == 0, "·", table.astype(str))
    numbers(axes, image, errors, texts, 9)
    axes.set_xlabel("answer of the model")
    axes.set_ylabel("right answer")
    whole = MaxNLocator(integer=True)
    figure.colorbar(image, ax=axes, shrink=0.7, label="wrong answers (count)", ticks=whole)
    figure.suptitle(_confusion_title(table, errors))
    return figure


def _confusion_title(table: Array, errors: Array) -> str:
    total, wrong = int(table.sum()), int(errors.sum())
    if wrong == 0:
        return f"All {total:,} answers are right"
    if errors.max() == 1:
        kind = ", no two in the same way" if wrong > 1 else ""
        return f"{wrong:,} of {total:,} answers {'are' if wrong > 1 else 'is'} wrong{kind}"
    row, column = (int(i) for i in np.unravel_index(np.argmax(errors), errors.shape))
    answer = str(column) if column < 10 else "no digit"
    return (
        f"{wrong:,} of {total:,} answers are wrong, most often {row} taken for {answer} ({errors[row, column]:,} times)"
    )
