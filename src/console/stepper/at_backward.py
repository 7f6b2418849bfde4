"""The backward: one row a tensor, from the loss down."""

import numpy as np
from rich.console import RenderableType

from common import tree
from common.data.batching import Pairs
from common.types import Array
from console import draw
from console.page import Page, lines, table
from console.stepper import shown
from console.stepper.layout import Group
from console.stepper.moment import Moment
from console.stepper.view import View


def render(moment: Moment, view: View, page: Page, *, group: Group) -> RenderableType:
    grads, before, after = (tree.named(part) for part in (moment.grads, moment.params, moment.after.params))
    top = max(shown.norm(g) for g in grads.values()) or 1.0
    marks = any(name in view.checked for name in group.tensors)
    wide = [] if page.narrow else ["shape", "rms weight>"]
    rows = table("tensor", *wide[:1], "|gradient|>", "", *wide[1:], "update>", *(["checked"] if marks else []))
    for name in group.tensors:
        size = shown.norm(grads[name])
        weight = shown.rms(before[name])
        moved = shown.rms(after[name] - before[name])
        middle = [] if page.narrow else [shown.number(weight)]
        rows.add_row(
            name.removeprefix(f"{group.name}.") if page.narrow else name,
            *([] if page.narrow else [shown.shape(grads[name])]),
            shown.number(size),
            draw.bar(size / top, 5 if page.narrow else 12, page.ascii_only),
            *middle,
            _ratio(moved, weight),
            *([view.checked.get(name, "")] if marks else []),
        )
    told = "The bar: beside the largest of all tensors. update: rms of the change over rms of the weight."
    return shown.over(rows, lines("", told, *_passed(moment, group), *_zeros(moment, group)))


def _ratio(moved: float, weight: float) -> str:
    return shown.number(moved / weight) if weight else ("0" if not moved else "from 0")


def _passed(moment: Moment, group: Group) -> list[str]:
    """The gradient that goes on to the parts below."""
    if not group.passed:
        return []
    d = moment.look.trace[group.passed]
    return [f"A gradient of {shown.shape(d)} numbers goes on to the parts below, |d| = {shown.number(shown.norm(d))}."]


def _zeros(moment: Moment, group: Group) -> list[str]:
    """The embeddings of tokens that were not there: nothing can have told them anything."""
    batch, told = moment.look.examples, []
    for name in ("emb", "src", "tgt"):
        if f"{name}.w" not in group.tensors:
            continue
        if name != "src" and getattr(moment.model, "tied", False):
            told.append(f"{name}.w is the head too: it hears of every token through the logits.")
            continue
        g_VD = tree.named(moment.grads)[f"{name}.w"]
        ids = batch.src if name == "src" and isinstance(batch, Pairs) else batch.tokens
        told.append(_absent(name, g_VD, ids))
    return told


def _absent(name: str, g_VD: Array, ids: Array) -> str:
    missing = np.setdiff1d(np.arange(len(g_VD)), ids)
    if not missing.size:
        return f"Every token of {name}.w is in this batch."
    zero = int(np.sum(~g_VD[missing].any(axis=1)))
    return f"{len(missing)} of {len(g_VD)} tokens are absent from this batch; {zero} of these rows are exactly zero."
