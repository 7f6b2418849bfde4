"""The optimizer: the ledger of one weight, entry by entry, from its gradient to its new value."""

import numpy as np
from rich.console import RenderableType
from rich.text import Text

from common import tree
from common.config import TrainConfig
from console.page import Page, lines, table
from console.stepper import names, shown
from console.stepper.moment import Moment
from console.stepper.view import View

Row = tuple[str, str, float]


def render(moment: Moment, view: View, page: Page) -> RenderableType:
    train = moment.train
    after = tree.flatten(moment.after.params)
    before = tree.flatten(moment.params)
    g_P = tree.flatten(moment.used)
    told = [
        f"{train.optimizer}, update {moment.opt_after['step']:,} of its count; learning rate {moment.lr:.4g} "
        f"({train.schedule}, peak {train.lr:g}).",
        f"Gradient of all {g_P.size:,} numbers: length {shown.number(shown.norm(g_P))}{_clipped(moment)}.",
        f"Update: length {shown.number(shown.norm(after - before))}; all weights: {shown.number(shown.norm(before))}.",
    ]
    name, index = watched(moment, view)
    return shown.over(
        lines(*told, ""), Text(f"{name}[{','.join(map(str, index))}]", style="bold"), _drawn(moment, name, index, page)
    )


def watched(moment: Moment, view: View) -> tuple[str, tuple[int, ...]]:
    """The weight whose ledger is shown: the first that is watched, or else the one with the largest gradient."""
    grads = tree.named(moment.used)
    for text in view.watched:
        name, index = names.split(text)
        if name in grads and len(index) == grads[name].ndim and all(isinstance(i, int) for i in index):
            return name, index
    name = max(grads, key=lambda one: float(np.max(np.abs(grads[one]))))
    return name, tuple(int(i) for i in np.unravel_index(np.argmax(np.abs(grads[name])), grads[name].shape))


def _drawn(moment: Moment, name: str, index: tuple[int, ...], page: Page) -> RenderableType:
    rows = table("", *([] if page.narrow else ["how"]), "value>")
    for label, how, value in ledger(moment, name, index):
        rows.add_row(label, *([] if page.narrow else [how]), f"{value:.8g}")
    return rows


def ledger(moment: Moment, name: str, index: tuple[int, ...]) -> list[Row]:
    """What, how it is made, and its value: the last row is the weight after, and the ones before add up to it."""
    train, t = moment.train, int(moment.opt_after["step"])
    at = _offset(moment, name) + int(np.ravel_multi_index(index, shown.leaf(moment.params, name).shape))
    p, g = _value(moment.params, name, index), _value(moment.used, name, index)
    rows: list[Row] = [("g", "gradient", g)]
    pulled = float(moment.applied["pulled_P"][at])
    seen = "g'" if pulled != g else "g"
    if pulled != g:
        rows.append(("g'", "clipped, and with classic weight decay", pulled))
    m, v = (_value(moment.opt_after[kept], name, index) if kept in moment.opt_after else None for kept in ("m", "v"))
    if m is not None:
        old = _value(moment.opt_before["m"], name, index)
        rate = (
            f"{train.momentum:g} m + {seen}"
            if train.optimizer == "momentum"
            else f"{train.beta1:g} m + {1 - train.beta1:.3g} {seen}"
        )
        rows += [("m", "before", old), ("m", rate, m)]
    if v is not None and m is not None:
        rows += [
            ("v", "before", _value(moment.opt_before["v"], name, index)),
            ("v", f"{train.beta2:g} v + {1 - train.beta2:.3g} {seen}^2", v),
            ("m^", f"m / (1 - {train.beta1:g}^{t})", m / (1 - train.beta1**t)),
            ("v^", f"v / (1 - {train.beta2:g}^{t})", v / (1 - train.beta2**t)),
        ]
    rows.append(("weight", "before", p))
    decay = moment.lr * train.weight_decay * p if train.optimizer == "adamw" else 0.0
    if decay:
        rows.append(("- decay", f"lr x {train.weight_decay:g} x weight", -decay))
    step = moment.lr * float(moment.applied["size"]) * float(moment.applied["direction_P"][at])
    rows.append(("- step", _rule(train, seen), -step))
    rows.append(("weight", "after", _value(moment.after.params, name, index)))
    return rows


def _rule(train: TrainConfig, seen: str) -> str:
    return {"sgd": f"lr x {seen}", "momentum": "lr x m"}.get(train.optimizer, "lr x m^ / (sqrt(v^) + eps)")


def _value(part: object, name: str, index: tuple[int, ...]) -> float:
    return float(shown.leaf(part, name)[index])


def _offset(moment: Moment, name: str) -> int:
    """Where a tensor begins in the optimizer's flat vectors."""
    start = 0
    for other, leaf in tree.items(moment.params):
        if other == name:
            return start
        start += leaf.size
    raise KeyError(name)


def _clipped(moment: Moment) -> str:
    limit = moment.train.clip_norm
    if not limit:
        return ""
    return (
        f", clipped to {limit:g}"
        if moment.applied["g_P"] is not moment.applied["raw_P"]
        else f", below the limit {limit:g}"
    )
