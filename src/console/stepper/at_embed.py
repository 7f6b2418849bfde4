"""The embedding: the row of a token, plus the row of its position, is where the residual stream begins."""

from rich.console import RenderableType
from rich.text import Text

from common.types import Array
from console.page import Page, lines, table
from console.stepper import shown
from console.stepper.layout import Part
from console.stepper.moment import Look, Moment
from console.stepper.view import View

ROWS = 12


def render(moment: Moment, view: View, page: Page, *, part: Part) -> RenderableType:
    look, row = view.look(moment), view.row
    e_TD, p_TD, x_TD = (values(look, part, name, row) for name in (part.before, part.added, part.after))
    ids = getattr(look.examples, part.asks)[row]
    words = shown.names(ids, moment.task, page)
    n = shown.length(look.examples, row, part.asks)
    at = min(view.token or 0, len(words) - 1)
    first = min(max(0, at - ROWS // 2), max(0, n - ROWS))
    rows = (
        table("place>", "token", "length: token>", "position>", "sum>")
        if not page.narrow
        else table(">", "token", "token>", "place>", "sum>")
    )
    for t in range(first, min(first + ROWS, n)):
        mark = ">" if t == at else ""
        rows.add_row(f"{mark}{t}", words[t], *(shown.number(shown.norm(v[t])) for v in (e_TD, p_TD, x_TD)))
    return shown.over(
        shown.head_line(moment, look, row, page),
        lines("", f"Each token is a row of {part.path}.w, {e_TD.shape[-1]} numbers long; its place adds another row."),
        rows,
        lines("", f"{words[at]} at {at}, the first of its {e_TD.shape[-1]} numbers:"),
        _sum(e_TD[at], p_TD[at], x_TD[at], page),
        *_dropped(moment, look),
    )


def values(look: Look, part: Part, name: str, row: int) -> Array:
    """A local of the part for one example, (T, D)."""
    found = look.trace[f"{part.call}/{name}"]
    first = found[0] if isinstance(found, list) else found
    return first if first.ndim == 2 else first[row]


def _sum(e_D: Array, p_D: Array, x_D: Array, page: Page) -> RenderableType:
    """Token, position and sum under each other, as many numbers as fit."""
    n = max(2, min(len(e_D), (page.width - 10) // 7))
    names = (("token", e_D), ("+ place", p_D), ("= sum", x_D))
    return shown.over(*(Text(f"{name:<8}" + "".join(f"{v:7.2f}" for v in v_D[:n].tolist())) for name, v_D in names))


def _dropped(moment: Moment, look: Look) -> list[Text]:
    share = getattr(moment.model, "dropout", 0.0)
    if not share or not look.trained_on:
        return []
    return [Text(f"Of the sum {100 * share:g} % are dropped, and the others made larger for it.")]
