"""The loss: the surprise at the right answer, beside an even guess."""

import numpy as np
from rich.console import RenderableType
from rich.text import Text

from common.evaluation import percent
from common.types import Array
from console.page import Page, lines, table
from console.stepper import at_logits, shown
from console.stepper.moment import Look, Moment
from console.stepper.view import View

TOP = 6


def render(moment: Moment, view: View, page: Page) -> RenderableType:
    look, row = view.look(moment), view.row
    body = _answer if look.logits.ndim == 2 else _positions
    chance = float(np.log(shown.vocabulary(moment.model)))
    batch = [f"Loss of the batch {moment.look.loss:.4f} nats, {percent(moment.accuracy)} right."]
    mean = [] if look.trained_on else [f"Loss of this example {look.loss:.4f} nats; no update learns from it."]
    return shown.over(
        shown.head_line(moment, look, row, page),
        Text(""),
        body(moment, view, page),
        lines("", *mean, *batch, f"An even guess among {shown.vocabulary(moment.model)} tokens has {chance:.4f}."),
    )


def surprise(look: Look, row: int) -> Array:
    """-ln p of what is right, in nats: one number, or one at each position, (T,)."""
    p = shown.probabilities(look, row)
    target = look.examples.targets[row]
    right = p[int(target)] if p.ndim == 1 else np.take_along_axis(p, target[:, None], axis=1)[:, 0]
    return -np.log(np.maximum(right, np.finfo(right.dtype).tiny))


def _answer(moment: Moment, view: View, page: Page) -> RenderableType:
    look, row = view.look(moment), view.row
    p_C, target = shown.probabilities(look, row), int(look.examples.targets[row])
    order = np.argsort(-p_C, kind="stable")
    shown_ids = order[:TOP] if target in order[:TOP] else np.append(order[: TOP - 1], target)
    rows = table("token", "probability>", "")
    for i, word in zip(shown_ids.tolist(), shown.names(shown_ids, moment.task, page), strict=True):
        p = float(p_C[i])
        rows.add_row(word, f"{100 * p:.2f} %", page.bar(p) + (" <- right" if i == target else ""))
    [name] = shown.names(np.array([target]), moment.task, page)
    told = f"-ln p({name}) = -ln {float(p_C[target]):.4g} = {float(surprise(look, row)):.4f} nats"
    return shown.over(rows, lines("", told))


def _positions(moment: Moment, view: View, page: Page) -> RenderableType:
    look, row = view.look(moment), view.row
    p_TV, lost_T = shown.probabilities(look, row), surprise(look, row)
    weights_T, targets_T = look.examples.weights[row], look.examples.targets[row]
    rows = table("place>", "asked for", "p>", "-ln p>", *([] if page.narrow else [""]))
    for t in at_logits.chosen(weights_T, view.token).tolist():
        [word] = shown.names(targets_T[t : t + 1], moment.task, page)
        p = float(p_TV[t, targets_T[t]])
        drawn = [] if page.narrow else [page.bar(p)]
        rows.add_row(str(t), word, f"{100 * p:.2f} %", f"{float(lost_T[t]):.4f}", *drawn)
    mean = float(lost_T[weights_T].mean())
    return shown.over(rows, lines("", f"Mean -ln p over what counts in this example: {mean:.4f} nats."))
