"""After the update: the same batch once more, and what has changed."""

import numpy as np
from rich.console import RenderableType
from rich.text import Text

from common.evaluation import percent
from common.types import Array
from console.page import Page, lines, table
from console.stepper import at_logits, shown
from console.stepper.moment import Moment
from console.stepper.view import View

TOP = 5


def render(moment: Moment, view: View, page: Page) -> RenderableType:
    look, row = view.look(moment), view.row
    old, new = look.logits, view.beside_after.logits if view.beside_after else moment.logits_after
    rows = table("the same batch", "before>", "after>")
    rows.add_row("loss", f"{moment.look.loss:.4f}", f"{moment.loss_after:.4f}")
    rows.add_row("right", percent(moment.accuracy), percent(moment.accuracy_after))
    return shown.over(
        rows,
        Text(""),
        shown.head_line(moment, look, row, page),
        _answers(moment, view, old[row], new[row], page),
        *_epoch(moment),
    )


def _answers(moment: Moment, view: View, old: Array, new: Array, page: Page) -> RenderableType:
    """Logits before and after of one example: of the most likely tokens, or at the first positions that count."""
    if old.ndim == 1:
        order = np.argsort(-new, kind="stable")[:TOP]
        rows = table("token", "logit before>", "after>", "change>")
        for i, word in zip(order.tolist(), shown.names(order, moment.task, page), strict=True):
            rows.add_row(word, f"{old[i]:.3f}", f"{new[i]:.3f}", f"{new[i] - old[i]:+.3f}")
        return rows
    rows = table("place>", "said before", "says after")
    counted = at_logits.chosen(view.look(moment).examples.weights[view.row], view.token)
    for t in counted.tolist():
        words = shown.names(np.array([np.argmax(old[t]), np.argmax(new[t])]), moment.task, page)
        rows.add_row(str(t), *words)
    return rows


def _epoch(moment: Moment) -> list[RenderableType]:
    """The validation at the end of an epoch, where this update ends one."""
    if len(moment.after.history.epochs) == len(moment.before.history.epochs):
        return []
    record = moment.after.history.epochs[-1]
    best = moment.after.best is not None and moment.after.best.step == moment.after.step
    told = (
        f"Epoch {record['epoch']} ends here. Validation: loss {record['loss']:.4f}, {percent(record['accuracy'])} right"
    )
    return [lines("", told + (", the best so far." if best else "."))]
