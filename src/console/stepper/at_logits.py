"""The logits: one number a token, before anything is made of them."""

import numpy as np
from rich.console import RenderableType
from rich.text import Text

from common.types import Array
from console.page import Page, lines, table
from console.stepper import shown
from console.stepper.moment import Moment
from console.stepper.view import View

ROWS = 10


def render(moment: Moment, view: View, page: Page) -> RenderableType:
    look, row = view.look(moment), view.row
    head = shown.head_line(moment, look, row, page)
    body = _answer if look.logits.ndim == 2 else _positions
    return shown.over(head, Text(""), body(moment, view, page))


def _answer(moment: Moment, view: View, page: Page) -> RenderableType:
    """Of the classifier: every token's logit, the largest first."""
    look, row = view.look(moment), view.row
    logits_C, target = look.logits[row], int(look.examples.targets[row])
    order = np.argsort(-logits_C, kind="stable")
    names = shown.names(order, moment.task, page)
    low, high = float(logits_C.min()), float(logits_C.max())
    rows = table("rank>", "token", "logit>", "")
    for rank, (i, word) in enumerate(zip(order.tolist(), names, strict=True)):
        if rank >= ROWS and i != target:
            continue
        drawn = page.bar((float(logits_C[i]) - low) / (high - low or 1.0))
        rows.add_row(str(rank + 1), word, f"{float(logits_C[i]):.3f}", drawn + (" <- right" if i == target else ""))
    return shown.over(
        rows,
        lines(
            "",
            f"{len(logits_C)} logits, from {low:.3f} to {high:.3f}: the first position's vector, through the head.",
        ),
    )


def _positions(moment: Moment, view: View, page: Page) -> RenderableType:
    """At each position that counts: the largest logit, and that of the right token."""
    look, row = view.look(moment), view.row
    counted = chosen(look.examples.weights[row], view.token)
    rows = table("place>", "asked for", "its logit>", "largest", "logit>")
    for t in counted.tolist():
        logits_V, target = look.logits[row, t], int(look.examples.targets[row, t])
        top = int(np.argmax(logits_V))
        said, asked = shown.names(np.array([top, target]), moment.task, page)
        mark = "" if top == target else " wrong"
        rows.add_row(str(t), asked, f"{float(logits_V[target]):.3f}", said + mark, f"{float(logits_V[top]):.3f}")
    n, count = look.logits.shape[-1], int(look.examples.weights[row].sum())
    return shown.over(rows, lines("", f"{n} logits at each position; {count} positions of this example count."))


def chosen(weights_T: Array, token: int | None) -> Array:
    """At most ROWS of the positions that count, around the token in view."""
    counted = np.flatnonzero(weights_T)
    nearest = 0 if token is None else int(np.argmin(np.abs(counted - token)))
    first = min(max(0, nearest - ROWS // 2), max(0, len(counted) - ROWS))
    return counted[first : first + ROWS]
