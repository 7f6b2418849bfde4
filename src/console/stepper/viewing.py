"""The commands that show a number by its name, list the names there are, and keep some in sight."""

from typing import TYPE_CHECKING

import numpy as np
from rich.console import RenderableType
from rich.text import Text

from common.errors import UserError
from common.types import Array
from console.page import Page, lines, table
from console.stepper import names, shown
from console.stepper.commands import Command, Shown
from console.stepper.names import Found

if TYPE_CHECKING:
    from console.stepper.stepper import Stepper

WIDE = 10
ROWS, COLUMNS = 12, 12
LISTED = 30


def show(stepper: "Stepper", words: list[str]) -> Shown:
    """A number or an array by its name: shape, statistics, values."""
    if not words:
        kind = stepper.station.kind if stepper.part == "step" else ""
        also = ", show q" if kind == "attention" else ""
        raise UserError(f"`show` needs a name: show head.w[0,3], show grad.head.w{also}; `names` lists them")
    moment, station = stepper.moment, stepper.station
    _, _, near = station.name.partition(" ")
    found = names.find("".join(words), moment, stepper.view, near)
    if not found.at and "".join(words) in ("q", "k", "v"):
        found = _one_head(found, stepper)
    return _shown(found, stepper.page)


def _one_head(found: Found, stepper: "Stepper") -> Found:
    """Of queries, keys or values: those of the example and the head in view, a row for each position."""
    place: names.Index = (stepper.view.row, slice(None), stepper.view.head or 0, 0)[: found.whole.ndim - 1]
    return Found(found.name, place, found.whole, found.whole[place])


def _shown(found: Found, page: Page) -> RenderableType:
    where = ",".join("..." if i is ... else _part(i) for i in found.at)
    title = Text(f"{found.name}{f'[{where}]' if where else ''}", style="bold")
    if found.value.ndim == 0:
        return shown.over(title, Text(f"{found.value!s}   ({found.whole.dtype}, of {shown.shape(found.whole)})"))
    return shown.over(title, _statistics(found.value), Text(""), _values(found.value, page))


def _part(i: int | slice) -> str:
    return str(i) if isinstance(i, int) else f"{'' if i.start is None else i.start}:{'' if i.stop is None else i.stop}"


def _statistics(value: Array) -> RenderableType:
    told = f"{shown.shape(value)}, {value.dtype}"
    if not value.size or not np.issubdtype(value.dtype, np.number):
        return lines(told)
    finite = value[np.isfinite(value)]
    if not finite.size:
        return lines(told)
    zeros = int(np.sum(value == 0))
    numbers = (finite.mean(), finite.std(), finite.min(), finite.max(), shown.norm(finite))
    mean, spread, low, high, size = (shown.number(float(v)) for v in numbers)
    return lines(told, f"mean {mean}, spread {spread}, from {low} to {high}, length {size}, {zeros:,} zeros")


def _values(value: Array, page: Page) -> RenderableType:
    """The first rows and columns of the last two axes, at index 0 of the others."""
    last = value.reshape(1, -1) if value.ndim == 1 else value[(0,) * (value.ndim - 2)]
    columns = max(1, min(COLUMNS, (page.width - 5) // (WIDE + 1)))
    rows = table("", *(f"{j}>" for j in range(min(columns, last.shape[1]))))
    for i, row in enumerate(last[:ROWS, :columns].tolist()):
        rows.add_row(str(i), *(shown.number(v) if isinstance(v, float) else str(v) for v in row))
    cut = value.ndim > 2 or last.shape[0] > ROWS or last.shape[1] > columns
    return shown.over(rows, *([Text("A part; [i,j] and [a:b] choose others.", style="dim")] if cut else []))


def listed(stepper: "Stepper", words: list[str]) -> Shown:
    wanted = words[0] if words else stepper.station.name.partition(" ")[2]
    known = [(name, value) for name, value in names.listed(stepper.moment, stepper.view) if wanted in name]
    if not known:
        raise UserError(
            f"no name holds {wanted!r}; names look like head.w, grad.head.w, m.head.w, emb/embedding.forward/y_BTD"
        )
    more = [f"and {len(known) - LISTED} more"] if len(known) > LISTED else []
    return lines(*(f"{name}  {shown.shape(value)}" for name, value in known[:LISTED]), *more)


def watch(stepper: "Stepper", words: list[str]) -> Shown:
    """Numbers that stand under every station; of a parameter, the optimizer's ledger too."""
    view = stepper.view
    if not words:
        return lines(*(view.watched or ["Nothing is watched: watch head.w[0,3] does."]))
    text_ = "".join(words)
    found = names.find(text_, stepper.moment, view, stepper.station.name.partition(" ")[2])
    if found.value.ndim:
        one_ = f"{found.name}[{','.join('0' * found.whole.ndim)}]"
        raise UserError(f"{found.name} is {shown.shape(found.whole)}: watch takes one number of it, such as {one_}")
    full = f"{found.name}[{','.join(map(str, found.at))}]" if found.at else found.name
    if full not in view.watched:
        view.watched.append(full)
    return stepper.screen()


def unwatch(stepper: "Stepper", words: list[str]) -> Shown:
    stepper.view.watched.clear()
    return lines("Nothing is watched any more.")


def values(stepper: "Stepper") -> list[Text]:
    """The watched numbers in the moment in view; of a parameter, before and after the update."""
    told = []
    for name in stepper.view.watched:
        try:
            found = names.find(name, stepper.moment, stepper.view)
        except UserError:
            told.append(Text(f"{name}  not here"))
            continue
        after = _after(stepper, name)
        told.append(Text(f"{name}  {shown.number(float(found.value))}{after}"))
    return told


def _after(stepper: "Stepper", name: str) -> str:
    try:
        return f" -> {shown.number(float(names.find(f'after.{name}', stepper.moment, stepper.view).value))}"
    except UserError:
        return ""


COMMANDS = (
    Command(
        ("show", "p"),
        "show NAME[i,j]",
        "Show any recorded number: a parameter (head.w), its gradient (grad.head.w), what the optimizer keeps of it "
        "(m.head.w), a local of any call, or q, k, v at an attention.",
        show,
    ),
    Command(("names",), "names [WORD]", "List the names that hold a word, or those of this station.", listed),
    Command(
        ("watch",),
        "watch [NAME[i,j]]",
        "Keep a number in sight under every station; of a weight, its ledger at the optimizer.",
        watch,
    ),
    Command(("unwatch",), "unwatch", "Watch nothing any more.", unwatch),
)
