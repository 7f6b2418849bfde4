"""Where heads look: one, all of them, and how they came to it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from common.evaluation import attention_pattern
from common.plots.drawing import figure_of, label, numbers, save, styled
from common.types import Array
from common.vocabulary import PAD, TOKENS

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def attention_head(
    w_TS: Array,
    tokens: Sequence[str],
    path: Path | str,
    *,
    rows: Sequence[str] | None = None,
    name: str = "one head",
) -> Path:
    """Where each position of one head looks, a row summing to one. `tokens` label the places; `[PAD]` is left out.

    `rows` label the positions that look, where they are others than those that are looked at.
    """
    return save(_attention_head(w_TS, tokens, rows, name), path)


def attention_heads(
    blocks: Sequence[Array], tokens: Sequence[str], path: Path | str, *, rows: Sequence[str] | None = None
) -> Path:
    """All heads of all blocks: one array (H, T, S) for each block, a row of maps each."""
    return save(_attention_heads(blocks, tokens, rows), path)


def attention_over_training(
    saved: Sequence[tuple[int, Array]],
    tokens: Sequence[str],
    path: Path | str,
    *,
    rows: Sequence[str] | None = None,
    name: str = "one block",
) -> Path:
    """How the heads of a block came to look at an expression: (number of updates, weights (H, T, S)) at each moment."""
    return save(_attention_over_training(saved, tokens, rows, name), path)


@styled
def _attention_head(w_TS: Array, tokens: Sequence[str], rows: Sequence[str] | None, name: str) -> "Figure":
    labels = _Labels(tokens, rows)
    w = labels.cut(w_TS)
    side = min(max(0.45 * len(labels.columns), 2.2), 7.0)
    figure = figure_of(side + 2.0, max(side * labels.height, 1.0) + 1.2 + labels.hanging)
    axes = figure.subplots()
    image = _map(axes, w, side)
    label(axes, labels.rows, labels.columns, labels.size(side, 9.0))
    axes.set_xlabel("position looked at")
    axes.set_ylabel("position that looks")
    _weights_bar(figure, image, axes)
    figure.suptitle(f"{name}, {attention_pattern(w)}:\n{labels.look(w)}")
    return figure


@styled
def _attention_heads(blocks: Sequence[Array], tokens: Sequence[str], rows: Sequence[str] | None) -> "Figure":
    labels = _Labels(tokens, rows)
    maps = [[labels.cut(w_TS) for w_TS in block] for block in blocks]
    figure = _grid(maps, [f"block {number}" for number in range(len(blocks))], labels)
    head = max(range(len(maps[-1])), key=lambda head: maps[-1][head][0].max())
    figure.suptitle(f"Block {len(blocks) - 1}, head {head}: {labels.look(maps[-1][head])}")
    return figure


@styled
def _attention_over_training(
    saved: Sequence[tuple[int, Array]], tokens: Sequence[str], rows: Sequence[str] | None, name: str
) -> "Figure":
    labels = _Labels(tokens, rows)
    maps = [[labels.cut(w_TS) for w_TS in w_HTS] for _, w_HTS in saved]
    figure = _grid(maps, [f"update {step:,}" for step, _ in saved], labels)
    # the head that looks hardest at the end, and what it looked at in the beginning
    head = max(range(len(maps[-1])), key=lambda head: maps[-1][head][0].max())
    first, last = (labels.look(maps[i][head]) for i in (0, -1))
    moments = f"after {saved[0][0]:,} updates {first},\nafter {saved[-1][0]:,} {last}"
    figure.suptitle(f"{name}, head {head}: {moments}")
    return figure


class _Labels:
    """The tokens at the sides of a map, padding left out: those that are looked at, and those that look."""

    def __init__(self, tokens: Sequence[str], rows: Sequence[str] | None):
        self.kept = [place for place, token in enumerate(tokens) if token != TOKENS[PAD]]
        self.columns = [_drawable(tokens[place]) for place in self.kept]
        self.lookers = self.kept if rows is None else list(range(len(rows)))
        self.rows = self.columns if rows is None else [_drawable(token) for token in rows]

    @property
    def height(self) -> float:
        """Of a map of width 1."""
        return len(self.rows) / len(self.columns)

    @property
    def hanging(self) -> float:
        """How far the longest label hangs down from a map, in inches; short ones lie."""
        longest = max(map(len, self.columns))
        return 0.08 * longest if longest > 2 else 0.0

    def size(self, side: float, most: float) -> float:
        """Of a letter, in points, where a map is `side` inches wide."""
        return min(most, side * 72 / len(self.columns))

    def cut(self, w_TS: Array) -> Array:
        return w_TS[np.ix_(self.lookers, self.kept)]

    def look(self, w_TS: Array) -> str:
        """What the first row looks at."""
        place = int(np.argmax(w_TS[0]))
        return f"“{self.rows[0]}” looks most at “{self.columns[place]}” ({100 * w_TS[0, place]:.0f} %)"


def _drawable(token: str) -> str:
    """A token that the font can draw: ends of lines and blanks as signs, all else that it may lack as its number."""
    signs = {"\n": "↵", " ": "␣"}
    sound = "".join(signs.get(c, c if c.isprintable() and ord(c) < 0x250 else f"U+{ord(c):04X}") for c in token)
    return sound or "empty"


def _grid(maps: Sequence[Sequence[Array]], names: Sequence[str], labels: _Labels) -> "Figure":
    """One row of maps for each name, one column for each head, one scale for all."""
    side = min(max(0.26 * len(labels.columns), 1.4), 3.0)
    tall = max(side * labels.height, 0.9)  # a name stands beside each row
    heads = len(maps[0])
    figure = figure_of(heads * (side + 0.15) + 1.6, len(maps) * (tall + 0.25) + 1.0)
    grid = figure.subplots(len(maps), heads, squeeze=False, sharex=True, sharey=True)
    for row, (name, weights) in enumerate(zip(names, maps, strict=True)):
        for head, w in enumerate(weights):
            axes = grid[row, head]
            image = _map(axes, w, side)
            label(axes, labels.rows, labels.columns, labels.size(side, 8.0))
            axes.set_title(f"head {head}, {attention_pattern(w)}", fontsize=8)
            axes.tick_params(labelbottom=row == len(maps) - 1, labelleft=head == 0)
        grid[row, 0].set_ylabel(name, fontweight="bold")
    figure.supxlabel("position looked at", fontsize=9)
    figure.supylabel("position that looks", fontsize=9)
    _weights_bar(figure, image, grid)
    return figure


def _map(axes: Any, w: Array, side: float) -> Any:
    """A map of weights, `side` inches wide; the weights in % stand in the cells if they can be read there."""
    image = axes.imshow(w, cmap="Blues", vmin=0, vmax=1)
    size = min(9.0, side * 72 / w.shape[1] / 2.2)
    if size >= 6:
        # what a mask has hidden is exactly zero, and stays blank
        texts = np.array([[f"{100 * weight:.0f}" if weight > 0 else "" for weight in row] for row in w])
        numbers(axes, image, w, texts, size)
    return image


def _weights_bar(figure: "Figure", image: Any, axes: Any) -> None:
    from matplotlib.ticker import PercentFormatter

    bar = figure.colorbar(image, ax=axes, shrink=0.7, ticks=[0, 0.5, 1], format=PercentFormatter(1, symbol=""))
    bar.set_label("attention weight (%)")
