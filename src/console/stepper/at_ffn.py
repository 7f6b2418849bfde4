"""The feed-forward: which of its units fire, and what it adds."""

import numpy as np
from rich.cells import cell_len
from rich.console import RenderableType
from rich.text import Text

from common.evaluation import percent
from common.types import Array
from console.page import Page, lines, table
from console.stepper import shown
from console.stepper.layout import Part
from console.stepper.moment import Moment
from console.stepper.view import View

ROWS = 12


def render(moment: Moment, view: View, page: Page, *, part: Part) -> RenderableType:
    look, row = view.look(moment), view.row
    a_BTF = look.trace[f"{part.path}/ffn.forward/a_BTF"]
    x_TD, f_TD, y_TD = (look.trace[f"{part.call}/{name}"][row] for name in (part.before, part.added, part.after))
    silent_TF = a_BTF[row] <= 0
    n = shown.length(look.examples, row, part.asks)
    words = shown.names(getattr(look.examples, part.asks)[row], moment.task, page)
    at = min(view.token or 0, n - 1)
    first = min(max(0, at - ROWS // 2), max(0, n - ROWS))
    rows = table(">", "token", "silent>", *([] if page.narrow else [""]), "before>", "added>", "after>")
    for t in range(first, min(first + ROWS, n)):
        share = float(silent_TF[t].mean())
        rows.add_row(
            f"{'>' if view.token == t else ''}{t}",
            _short(words[t]),
            percent(share),
            *([] if page.narrow else [page.bar(share)]),
            *(shown.number(shown.norm(v_TD[t])) for v_TD in (x_TD, f_TD, y_TD)),
        )
    return shown.over(
        shown.head_line(moment, look, row, page), Text(""), rows, lines("", *_facts(a_BTF, look.trained_on, moment))
    )


def _short(word: str) -> str:
    return word if cell_len(word) <= 8 else word[:8]


def _facts(a_BTF: Array, trained_on: bool, moment: Moment) -> list[str]:
    units = a_BTF.shape[-1]
    off = a_BTF <= 0
    dead = int(off.all(axis=(0, 1)).sum())
    relu = getattr(moment.model, "activation", "relu") == "relu"
    rule = "relu: exactly zero" if relu else "gelu: its input is not above zero"
    whole = "in this whole batch" if trained_on else "for this example"
    return [
        f"Silent ({rule}): {percent(float(np.mean(off)))} of {units} units, mean {whole}; {dead} are so everywhere.",
        "Before, added, after: lengths of the residual stream's vectors.",
    ]
