"""Pictures of a run: how it learned, what it confuses, where it looks, how it sees the digits.

Every function draws the numbers it is given, computes nothing of a model, writes one file and returns its path. The
suffix chooses the format: `.svg` or `.png`. The same numbers give the same bytes, whatever matplotlib settings the user
has. Raises UserError if the file cannot be written.

The colours (Okabe and Ito 2008) can be told apart with any kind of colour vision; lines differ in their markers too,
and cells carry their number, so that a black-and-white print says the same.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from common.errors import UserError
from common.evaluation import Similarity, attention_pattern, percent
from common.run import History
from common.types import Array
from common.vocabulary import OPERATIONS, PAD, TOKENS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, PINK, BLACK, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#222222", "#8A8A8A"
FEW = 5
"""So many errors of one kind fill a cell with colour; fewer stay pale: a single one must not look like a habit."""
LINES = ((BLUE, "o", "-"), (ORANGE, "s", "--"), (GREEN, "^", "-."), (PINK, "D", ":"), (BLACK, "v", "-"))
_SETTINGS: Any = {
    "figure.dpi": 150,
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    # the names of parts inside an SVG are hashes: without a fixed salt they differ from run to run
    "svg.hashsalt": "transformer-twins",
    # a token may be a dollar sign
    "text.parse_math": False,
}


def training_curves(history: History, path: Path | str, *, best_epoch: int | None = None) -> Path:
    """Loss (nats) and accuracy (%) of each update, smoothed, and of the validation part at the end of each epoch."""
    return _save(_training_curves(history, best_epoch), path)


def accuracy_by_operation(epochs: Sequence[Mapping[str, Any]], path: Path | str) -> Path:
    """Validation accuracy (%) of each operation over the epochs, from the records of `History.epochs`."""
    return _save(_accuracy_by_operation(epochs), path)


def accuracy_by_length(shares: Mapping[int, float], path: Path | str, *, trained: int | None = None) -> Path:
    """Right answers (0 to 1) by the number of tokens in the answer; `trained` is the longest that was trained on."""
    return _save(_accuracy_by_length(shares, trained), path)


def loss_by_position(nats: Sequence[float], path: Path | str, *, even: float) -> Path:
    """The mean loss (nats, drawn in bits) of a text's next token after 1, 2, 3, ... tokens were read.

    `even` is the loss of an even guess among all tokens.
    """
    return _save(_loss_by_position(nats, even), path)


def confusion(table: Array, path: Path | str) -> Path:
    """The table of `evaluation.confusion`, (10, 11). Colour shows errors alone: right answers cannot drown them."""
    return _save(_confusion(table), path)


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
    return _save(_attention_head(w_TS, tokens, rows, name), path)


def attention_heads(
    blocks: Sequence[Array], tokens: Sequence[str], path: Path | str, *, rows: Sequence[str] | None = None
) -> Path:
    """All heads of all blocks: one array (H, T, S) for each block, a row of maps each."""
    return _save(_attention_heads(blocks, tokens, rows), path)


def attention_over_training(
    saved: Sequence[tuple[int, Array]],
    tokens: Sequence[str],
    path: Path | str,
    *,
    rows: Sequence[str] | None = None,
    name: str = "one block",
) -> Path:
    """How the heads of a block came to look at an expression: (number of updates, weights (H, T, S)) at each moment."""
    return _save(_attention_over_training(saved, tokens, rows, name), path)


def embedding_pca(places: Array, number_line: float, path: Path | str) -> Path:
    """The digits' vectors on their first two principal components, (10, 2), joined in order.

    `number_line` is `evaluation.Similarity.number_line`.
    """
    return _save(_embedding_pca(places, number_line), path)


def similarity_matrix(similarity: Similarity, path: Path | str) -> Path:
    """Cosine of each pair of digits and of each pair of operations."""
    return _save(_similarity_matrix(similarity), path)


def gradient_norms(norms: Mapping[str, float], path: Path | str) -> Path:
    """The Euclidean norm of each tensor's gradient, by dotted name, on a logarithmic axis; zero stands at its edge.

    So does the gradient of a key's bias, whatever rounding has left of it: softmax does not see what all keys share.
    """
    return _save(_gradient_norms(norms), path)


def twin_differences(steps: Sequence[int], tensors: Mapping[str, Sequence[float]], path: Path | str) -> Path:
    """How far apart NumPy and JAX are after each of `steps` updates, a line for each tensor, on a logarithmic axis.

    Differences are relative to a tensor's largest entry; an exact zero is left out of its line.
    """
    return _save(_twin_differences(steps, tensors), path)


def parting(runs: Mapping[str, Mapping[str, Sequence[tuple[int, float]]]], path: Path | str) -> Path:
    """The largest difference of the twins over the updates, on a logarithmic axis: a panel for each dtype, in it a line
    of (update, difference) for each setting; the settings are the same in every panel."""
    return _save(_parting(runs), path)


def _styled(draw: Callable[..., Any]) -> Callable[..., Any]:
    """Run under our settings and none of the user's, and leave matplotlib's global settings as they were."""

    @wraps(draw)
    def styled(*args: Any) -> Any:
        import matplotlib

        with matplotlib.rc_context():
            matplotlib.rcdefaults()
            matplotlib.rcParams.update(_SETTINGS)
            return draw(*args)

    return styled


@_styled
def _save(figure: "Figure", path: Path | str) -> Path:
    path = Path(path)
    form = path.suffix.lower().removeprefix(".")
    if form not in ("svg", "png"):
        raise UserError(f"{path}: a picture is written as .svg or .png; give it one of these endings")
    body = io.BytesIO()
    # matplotlib's own notes hold the date (SVG) and its version
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type") if form == "svg" else ("Software",))
    figure.savefig(body, format=form, metadata=nothing)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body.getvalue())
    except OSError as error:
        raise UserError(f"{path}: the picture cannot be written: {error.strerror or error}") from None
    return path


@_styled
def _training_curves(history: History, best_epoch: int | None) -> "Figure":
    from matplotlib.ticker import MaxNLocator

    n = len(history.loss)
    if n == 0:
        raise UserError("there are no training curves to draw before the first update")
    figure = _figure(6.4, 5.2)
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
        _plain_log(top.yaxis, max(everything) / min(everything))
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


@_styled
def _accuracy_by_operation(epochs: Sequence[Mapping[str, Any]]) -> "Figure":
    from matplotlib.ticker import MaxNLocator

    if not epochs:
        raise UserError("there is no accuracy by operation to draw before the end of the first epoch")
    figure = _figure(6.4, 3.6)
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


@_styled
def _accuracy_by_length(shares: Mapping[int, float], trained: int | None) -> "Figure":
    from matplotlib.ticker import MaxNLocator

    lengths = sorted(shares)
    right = [100 * shares[length] for length in lengths]
    figure = _figure(6.4, 3.6)
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


@_styled
def _loss_by_position(nats: Sequence[float], even: float) -> "Figure":
    bits = np.asarray(nats) / np.log(2)
    n = len(bits)
    figure = _figure(6.4, 3.6)
    axes = figure.subplots()
    axes.plot(np.arange(1, n + 1), bits, color=BLUE, alpha=0.35, linewidth=0.8, label="each position")
    # groups that double: 1, 2, 3-4, 5-8, ... tokens read
    edges = sorted({0, n, *(2**i for i in range(n.bit_length()) if 2**i < n)})
    groups = list(pairwise(edges))
    means = [float(bits[low:high].mean()) for low, high in groups]
    axes.plot([(low + 1 + high) / 2 for low, high in groups], means, "o-", color=BLUE, label="mean of a group")
    axes.axhline(even / np.log(2), color=BLACK, linewidth=0.8, linestyle=":", label="an even guess")
    axes.set_xscale("log", base=2)
    _plain_log(axes.xaxis, 10**6, base=2)
    axes.set_ylim(0, None)
    axes.set_xlabel("tokens read")
    axes.set_ylabel("loss of the next one (bits)")
    axes.grid(axis="y", color="#E0E0E0", linewidth=0.6)
    axes.legend(loc="lower left")
    first = groups[-1][0] + 1
    read = f"{first} to {n}" if first < n else f"{n}"
    figure.suptitle(f"After 1 token the next one costs {means[0]:.2f} bits, after {read} it costs {means[-1]:.2f}")
    return figure


@_styled
def _confusion(table: Array) -> "Figure":
    from matplotlib.ticker import MaxNLocator

    digits = [str(digit) for digit in range(10)]
    right = np.arange(10)[:, None] == np.arange(11)
    errors = np.where(right, 0, table)
    figure = _figure(6.0, 5.4)
    axes = figure.subplots()
    image = axes.imshow(errors, cmap="Oranges", vmin=0, vmax=max(int(errors.max()), FEW))
    axes.imshow(np.where(right, 0.15, np.nan), cmap="Greys", vmin=0, vmax=1)
    _labels(axes, digits, [*digits, "other"], 9)
    # a zero is a dot: what is not there should not be read
    texts = np.where(table == 0, "·", table.astype(str))
    _numbers(axes, image, errors, texts, 9)
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


@_styled
def _attention_head(w_TS: Array, tokens: Sequence[str], rows: Sequence[str] | None, name: str) -> "Figure":
    labels = _Labels(tokens, rows)
    w = labels.cut(w_TS)
    side = min(max(0.45 * len(labels.columns), 2.2), 7.0)
    figure = _figure(side + 2.0, max(side * labels.height, 1.0) + 1.2 + labels.hanging)
    axes = figure.subplots()
    image = _map(axes, w, side)
    _labels(axes, labels.rows, labels.columns, labels.size(side, 9.0))
    axes.set_xlabel("position looked at")
    axes.set_ylabel("position that looks")
    _weights_bar(figure, image, axes)
    figure.suptitle(f"{name}, {attention_pattern(w)}:\n{labels.look(w)}")
    return figure


@_styled
def _attention_heads(blocks: Sequence[Array], tokens: Sequence[str], rows: Sequence[str] | None) -> "Figure":
    labels = _Labels(tokens, rows)
    maps = [[labels.cut(w_TS) for w_TS in block] for block in blocks]
    figure = _grid(maps, [f"block {number}" for number in range(len(blocks))], labels)
    head = max(range(len(maps[-1])), key=lambda head: maps[-1][head][0].max())
    figure.suptitle(f"Block {len(blocks) - 1}, head {head}: {labels.look(maps[-1][head])}")
    return figure


@_styled
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
    figure = _figure(heads * (side + 0.15) + 1.6, len(maps) * (tall + 0.25) + 1.0)
    grid = figure.subplots(len(maps), heads, squeeze=False, sharex=True, sharey=True)
    for row, (name, weights) in enumerate(zip(names, maps, strict=True)):
        for head, w in enumerate(weights):
            axes = grid[row, head]
            image = _map(axes, w, side)
            _labels(axes, labels.rows, labels.columns, labels.size(side, 8.0))
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
        _numbers(axes, image, w, texts, size)
    return image


def _weights_bar(figure: "Figure", image: Any, axes: Any) -> None:
    from matplotlib.ticker import PercentFormatter

    bar = figure.colorbar(image, ax=axes, shrink=0.7, ticks=[0, 0.5, 1], format=PercentFormatter(1, symbol=""))
    bar.set_label("attention weight (%)")


@_styled
def _embedding_pca(places: Array, number_line: float) -> "Figure":
    figure = _figure(5.4, 4.4)
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


@_styled
def _similarity_matrix(similarity: Similarity) -> "Figure":
    figure = _figure(8.4, 4.6)
    left, right = figure.subplots(1, 2, width_ratios=(10, 6))
    digits = [str(digit) for digit in range(10)]
    for axes, cosine, names, size in (
        (left, similarity.cosine, digits, 6.5),
        (right, similarity.op_cosine, OPERATIONS, 8),
    ):
        image = axes.imshow(cosine, cmap="RdBu_r", vmin=-1, vmax=1)
        _labels(axes, names, names, 9)
        _numbers(axes, image, cosine, np.array([[f"{c:z.2f}" for c in row] for row in cosine]), size)
    left.set_title("digits")
    right.set_title("operations")
    figure.colorbar(image, ax=(left, right), shrink=0.7, label="cosine of the two embeddings")
    near, far = similarity.neighbours, similarity.distant
    than = "more alike than" if near > far else "no more alike than"
    means = f"mean cosine {near:.2f} and {far:.2f}"
    figure.suptitle(f"Digits 1 apart are {than} digits 5 or more apart: {means}")
    return figure


@_styled
def _gradient_norms(norms: Mapping[str, float]) -> "Figure":
    names = list(norms)
    values = np.array([0.0 if name.endswith(".k.b") else norm for name, norm in norms.items()])
    positive = values > 0
    figure = _figure(6.4, 0.17 * len(names) + 1.3)
    axes = figure.subplots()
    if positive.any():
        axes.set_xscale("log")
        _plain_log(axes.xaxis, values.max() / values[positive].min())
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


@_styled
def _twin_differences(steps: Sequence[int], tensors: Mapping[str, Sequence[float]]) -> "Figure":
    figure = _figure(6.4, 3.6)
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


@_styled
def _parting(runs: Mapping[str, Mapping[str, Sequence[tuple[int, float]]]]) -> "Figure":
    figure = _figure(7.6, 3.6)
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


def _figure(width: float, height: float) -> "Figure":
    """An empty figure, in inches, known to nobody but its owner: no pyplot, no list of open figures."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _plain_log(axis: Any, span: float, base: int = 10) -> None:
    """Ticks written 0.02 and not as powers: at 1, 2 and 5 of each power of ten, or at the powers of a long axis."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axis.set_major_locator(LogLocator(base, subs=(1, 2, 5) if span < 1000 else (1,)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())


def _labels(axes: Any, rows: Sequence[str], columns: Sequence[str], size: float) -> None:
    axes.set_yticks(range(len(rows)), rows, fontsize=size)
    axes.set_xticks(range(len(columns)), columns, fontsize=size)
    for label in axes.get_xticklabels():
        label.set_rotation(90 if len(label.get_text()) > 2 else 0)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _numbers(axes: Any, image: Any, values: Array, texts: Array, size: float) -> None:
    """Write a text into each cell, light on dark cells and dark on light ones."""
    for (row, column), value in np.ndenumerate(values):
        red, green, blue, _ = image.cmap(image.norm(value))
        colour = "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 0.5 else BLACK
        axes.text(column, row, texts[row, column], ha="center", va="center", color=colour, fontsize=size)
