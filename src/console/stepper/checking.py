"""The command `gradcheck`: an entry, a tensor or all of them, as proved by console/stepper/proving.py."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import RenderableType
from rich.progress import Progress
from rich.text import Text

from common.data import batching
from common.errors import UserError
from console.page import Page, lines, table
from console.stepper import moment as moments
from console.stepper import names, proving, shown
from console.stepper.commands import Command, Shown, near, whole
from console.stepper.proving import Entry, Problem, Tensor

if TYPE_CHECKING:
    from console.stepper.stepper import Stepper

SETTING = "gradients"
"""What a change of the backward is called among the changes of a run."""
MEANING = {
    proving.OK: "proved",
    proving.KINK: "a kink: a ReLU switches between w - h and w + h, where no derivative is; the complex step agrees",
    proving.ZERO: "proved: exactly zero",
    proving.BAD: "this is not the derivative of the loss",
}
SOME = 12
FEW, COST, PATIENCE = 2, 5, 60.0
"""`gradcheck all` tries so many entries of each tensor, which with the direction costs as much as so many complex
evaluations, where all of it takes at most so many seconds."""


def problem_of(stepper: "Stepper") -> Problem:
    """The update in view; before the first and after the last one the weights as they are, on the batch they would
    learn from next."""
    if stepper.part == "step":
        moment = stepper.moment
        return Problem(moment.params, moment.look.examples, moment.model, moment.key)
    subject, train, state = stepper.session.subject, stepper.session.train, stepper.state
    batch = batching.batch(subject.data.train, train, state.step)
    return Problem(state.params, batch, subject.model, moments.dropout_key(subject.model, train, state.step))


def gradcheck(stepper: "Stepper", words: list[str]) -> Shown:
    """An entry, a tensor, or all of them."""
    problem = problem_of(stepper)
    if not words or words[0] == "all":
        number = "the number of entries of each tensor"
        entries = whole(words[1], number, 0, 1000) if len(words) > 1 else _affordable(stepper, problem)
        return [*_all(stepper, problem, entries), *_since(stepper)]
    name, index = names.split("".join(words))
    name = _parameter(name, problem)
    if not index:
        found = proving.tensor(problem, name, entries=8)
        stepper.view.checked[name] = found.verdict
        assert found.worst is not None
        return [shown.over(_entry(found.worst, problem), lines("", *_tensor(found))), *_since(stepper)]
    one = proving.entry(problem, name, _whole_index(name, index, problem))
    if one.verdict == proving.BAD or name not in stepper.view.checked:
        stepper.view.checked[name] = proving.BAD if one.verdict == proving.BAD else "1 ok"
    return [_entry(one, problem), *_since(stepper)]


def _parameter(name: str, problem: Problem) -> str:
    known = list(problem.grads)
    wanted = name.removeprefix("grad.")
    ends = [full for full in known if full == wanted] or [full for full in known if full.endswith(f".{wanted}")]
    if len(ends) == 1:
        return ends[0]
    if ends:
        raise UserError(f"{len(ends)} tensors end in {wanted}: say which, {' or '.join(ends[:3])}")
    raise UserError(
        f"no tensor is called {wanted!r}{near(wanted, known)}; a gradient is checked of a parameter, or `all`"
    )


def _whole_index(name: str, index: tuple[Any, ...], problem: Problem) -> tuple[int, ...]:
    shape = problem.grads[name].shape
    if len(index) != len(shape) or not all(isinstance(i, int) for i in index):
        some = ",".join("0" * len(shape))
        raise UserError(f"one entry of {name} is written {name}[{some}]; without brackets the tensor is checked")
    if not all(-size <= i < size for i, size in zip(index, shape, strict=True)):
        raise UserError(f"{name} has the shape {' x '.join(map(str, shape))}: there is no {list(index)}")
    return tuple(i % size for i, size in zip(index, shape, strict=True))


def _entry(one: Entry, problem: Problem) -> RenderableType:
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
    return shown.over(title, rows, lines("", *said, "Errors are relative to the tensor's largest entry."))


def _meaning(one: Entry, problem: Problem) -> str:
    if one.verdict == proving.ZERO and proving.zero(problem, one.name):
        return "proved: zero by mathematics, a key bias moves all scores of a query alike and softmax forgets it"
    if one.verdict == proving.ZERO:
        return "proved: exactly zero, nothing in this batch leads from this weight to the loss"
    return MEANING[one.verdict]


def _tensor(found: Tensor) -> list[str]:
    if found.verdict == proving.BAD and found.worst and found.worst.verdict != proving.BAD:
        last = f"{found.name}: BAD, seen along the direction and not in the entries tried."
    else:
        last = f"{found.name}: {found.verdict}."
    return [
        f"The worst of {found.tried} entries of {' x '.join(map(str, found.shape))}; along one random direction "
        f"through all of them the error is {found.along:.1e}.",
        last,
    ]


def _affordable(stepper: "Stepper", problem: Problem) -> int:
    """How many entries of each tensor can be proved while a person waits; else none but the direction."""
    each, tensors = proving.seconds(problem), len(problem.grads)
    if each * tensors * COST <= PATIENCE:
        return FEW
    about = f"about {each * tensors:.0f} seconds; `gradcheck all {FEW}` would take some {each * tensors * COST:.0f}"
    stepper.session.say(f"A large model: one direction through each tensor, {about}. Ctrl-C stops.")
    return 0


def _all(stepper: "Stepper", problem: Problem, entries: int) -> list[RenderableType]:
    page, total = stepper.page, len(problem.grads)
    found: list[Tensor] = []
    try:
        with _progress(stepper, total) as advance:
            for one in proving.every(problem, entries=entries):
                found.append(one)
                stepper.view.checked[one.name] = one.verdict
                advance()
    except KeyboardInterrupt:
        pass
    return [_table(found, page), lines("", *_summary(found, total, entries))]


@contextmanager
def _progress(stepper: "Stepper", total: int) -> Iterator[Callable[[], None]]:
    """A bar while the tensors are proved; nothing of it stays."""
    console = stepper.session.console
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("tensors", total=total)
        yield lambda: bar.advance(task)


def _table(found: list[Tensor], page: Page) -> RenderableType:
    wide = [] if page.narrow else ["shape", "worst entry"]
    rows = table("tensor", *wide, "error>", "along>", "")
    for one in found:
        at = f"[{','.join(map(str, one.worst.at))}]" if one.worst else ""
        error = f"{one.worst.error:.0e}" if one.worst else ""
        more = [] if page.narrow else [shown.shape(np.empty(one.shape)), at]
        style = "bold red" if one.verdict == proving.BAD else ""
        rows.add_row(one.name, *more, error, f"{one.along:.0e}", one.verdict, style=style)
    return rows


def _summary(found: list[Tensor], total: int, entries: int) -> list[str]:
    bad = [one.name for one in found if one.verdict == proving.BAD]
    stopped = [f"Stopped after {len(found)} of {total} tensors."] if len(found) < total else []
    tried = f"of the worst of {entries} entries, and " if entries else ""
    told = (
        f"Errors beside the complex step, in float64: {tried}along one random direction through the whole tensor. The "
        f"bar is {proving.EXACT:.0e}."
    )
    kinks = [one.name for one in found if one.verdict == proving.KINK]
    bent = [f"Kinks, proved by the complex step and with a smaller h: {some(kinks)}."] if kinks else []
    zeros = [one.name for one in found if one.verdict == proving.ZERO]
    none = [f"Exactly zero: {some(zeros)}."] if zeros else []
    if bad:
        return [told, *none, *bent, *stopped, f"{len(bad)} of {len(found)} gradients are WRONG: {some(bad)}."]
    return [told, *none, *bent, *stopped, f"All {len(found)} are proved."] if found else [*stopped]


def some(found: list[str]) -> str:
    more = f" and {len(found) - SOME} more" if len(found) > SOME else ""
    return ", ".join(found[:SOME]) + more


def _since(stepper: "Stepper") -> list[RenderableType]:
    """A word where the recorded gradients are of another backward than the one that was asked."""
    changed = [one["after_update"] for one in stepper.changes if one.get("setting") == SETTING]
    if stepper.part == "step" and changed and changed[-1] > stepper.moment.before.step:
        return [lines("This asks the backward as it is now; this update was made before it was changed.")]
    return []


COMMANDS = (
    Command(
        ("gradcheck", "check"),
        "gradcheck [NAME | NAME[i,j] | all [N]]",
        "Hold a gradient against the complex step and central differences, in float64: an entry, a tensor, or all "
        "with N entries each.",
        gradcheck,
    ),
)
