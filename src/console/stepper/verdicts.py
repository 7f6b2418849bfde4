"""What a proof of gradients looks like: an entry, a tensor, a table of many, and what they come to in a sentence."""

import numpy as np
from rich.console import RenderableType
from rich.text import Text

from console.page import Page, lines, table
from console.stepper import proving, shown
from console.stepper.proving import Entry, Tensor
from console.stepper.witnesses import Problem

MEANING = {
    proving.OK: "proved",
    proving.KINK: "a kink: a ReLU switches between w - h and w + h, where no derivative is; the complex step agrees",
    proving.ZERO: "proved: exactly zero",
    proving.BAD: "this is not the derivative of the loss",
}
KINKS = (
    f"A kink: a ReLU switches on or off within h = {proving.H:g} of the weight, so that central differences mix two "
    "slopes. Proved by the complex step; a smaller h agrees with it where that leaves the switch outside"
)
SOME = 12
"""So many names are listed."""


def entry(one: Entry, problem: Problem) -> RenderableType:
    rows = table("", ">")
    digits = "{:.12f}".format
    for name, value in (
        ("w", f"{one.value:.10g}"),
        (f"L(w + {one.h:g})", digits(one.above)),
        (f"L(w - {one.h:g})", digits(one.below)),
        ("numeric", f"{one.numeric:.12g}"),
        ("complex step", f"{one.complex_step:.17g}"),
        ("backward says", f"{one.analytic:.17g}"),
        ("error beside numeric", f"{one.rough_error:.1e}"),
        ("error beside complex", f"{one.error:.1e}"),
    ):
        rows.add_row(name, value)
    title = Text(f"{one.name}[{','.join(map(str, one.at))}]", style="bold")
    said = [f"{one.verdict}: {_meaning(one, problem)}."]
    if one.verdict == proving.KINK:
        said.append(f"{one.switched:,} units switch within h = {proving.H:g}; shown is h = {one.h:g}.")
    bars = f"the bars are {proving.EXACT:.0e} beside the complex step and {one.rough_bar:.0e} beside the numeric"
    return shown.over(
        title,
        rows,
        lines("", *said, f"Errors are relative to the largest entry that backward says of the tensor; {bars}."),
    )


def _meaning(one: Entry, problem: Problem) -> str:
    if one.verdict == proving.ZERO and proving.zero(problem, one.name):
        return "proved: zero by mathematics, a key bias moves all scores of a query alike and softmax forgets it"
    if one.verdict == proving.ZERO:
        return "proved: exactly zero, nothing in this batch leads from this weight to the loss"
    return MEANING[one.verdict]


def tensor(found: Tensor) -> list[str]:
    if found.verdict == proving.BAD and found.worst and found.worst.verdict != proving.BAD:
        last = f"{found.name}: BAD, seen along the direction and not in the entries tried."
    else:
        last = f"{found.name}: {found.verdict}."
    return [
        f"The worst of {found.tried} entries of {' x '.join(map(str, found.shape))}; along one random direction "
        f"through all of them the error is {found.along:.1e}.",
        last,
    ]


def rows_of(found: list[Tensor], page: Page) -> RenderableType:
    wide = [] if page.narrow else ["shape", "worst entry"]
    rows = table("tensor", *wide, "error>", "along>", "")
    for one in found:
        at = f"[{','.join(map(str, one.worst.at))}]" if one.worst else ""
        error = f"{one.worst.error:.0e}" if one.worst else ""
        more = [] if page.narrow else [shown.shape(np.empty(one.shape)), at]
        style = "bold red" if one.verdict == proving.BAD else ""
        rows.add_row(one.name, *more, error, f"{one.along:.0e}", one.verdict, style=style)
    return rows


def summary(found: list[Tensor], total: int, entries: int) -> list[str]:
    bad = [one.name for one in found if one.verdict == proving.BAD]
    stopped = [f"Stopped after {len(found)} of {total} tensors."] if len(found) < total else []
    one = "the largest entry" if entries == 1 else f"the worst of {entries} entries"
    tried = f"of {one}, and " if entries else ""
    told = (
        f"Errors beside the complex step, in float64: {tried}along one random direction through the whole tensor. They "
        f"are relative to the tensor as backward says it, right or wrong. The bar is {proving.EXACT:.0e}."
    )
    kinks = [one.name for one in found if one.verdict == proving.KINK]
    bent = [f"{KINKS}: {some(kinks)}."] if kinks else []
    zeros = [one.name for one in found if one.verdict == proving.ZERO]
    none = [f"Exactly zero: {some(zeros)}."] if zeros else []
    if bad:
        return [told, *none, *bent, *stopped, f"{len(bad)} of {len(found)} gradients are WRONG: {some(bad)}."]
    return [told, *none, *bent, *stopped, f"All {len(found)} are proved."] if found else [*stopped]


def some(found: list[str]) -> str:
    more = f" and {len(found) - SOME} more" if len(found) > SOME else ""
    return ", ".join(found[:SOME]) + more
