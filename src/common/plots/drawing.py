"""What all pictures are made of: colours, settings, an empty figure, labels and numbers, and a file at the end."""

import io
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from common.errors import UserError
from common.types import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, PINK, BLACK, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#222222", "#8A8A8A"
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


def styled(draw: Callable[..., Any]) -> Callable[..., Any]:
    """Run under our settings and none of the user's, and leave matplotlib's global settings as they were."""

    @wraps(draw)
    def within(*args: Any) -> Any:
        import matplotlib

        with matplotlib.rc_context():
            matplotlib.rcdefaults()
            matplotlib.rcParams.update(_SETTINGS)
            return draw(*args)

    return within


@styled
def save(figure: "Figure", path: Path | str) -> Path:
    """Write a figure as .svg or .png and return its path. Raises UserError if that fails or it is named otherwise."""
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


def figure_of(width: float, height: float) -> "Figure":
    """An empty figure, in inches, known to nobody but its owner: no pyplot, no list of open figures."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def plain_log(axis: Any, span: float, base: int = 10) -> None:
    """Ticks written 0.02 and not as powers: at 1, 2 and 5 of each power of ten, or at the powers of a long axis."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axis.set_major_locator(LogLocator(base, subs=(1, 2, 5) if span < 1000 else (1,)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())


def label(axes: Any, rows: Sequence[str], columns: Sequence[str], size: float) -> None:
    """Names at the rows and columns of a map; long ones of columns hang down."""
    axes.set_yticks(range(len(rows)), rows, fontsize=size)
    axes.set_xticks(range(len(columns)), columns, fontsize=size)
    for tick in axes.get_xticklabels():
        tick.set_rotation(90 if len(tick.get_text()) > 2 else 0)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def numbers(axes: Any, image: Any, values: Array, texts: Array, size: float) -> None:
    """Write a text into each cell, light on dark cells and dark on light ones."""
    for (row, column), value in np.ndenumerate(values):
        red, green, blue, _ = image.cmap(image.norm(value))
        colour = "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 0.5 else BLACK
        axes.text(column, row, texts[row, column], ha="center", va="center", color=colour, fontsize=size)
