"""The commands `break` and `fix`: what console/stepper/breaking.py swaps in and out, and what the session does then."""

from typing import TYPE_CHECKING

from rich.console import RenderableType

from common import gradcheck
from common.errors import UserError
from console.page import Page, lines, table
from console.stepper import breaking, breaks, keeping, shown
from console.stepper.checking import SETTING, problem_of
from console.stepper.commands import Command, Shown

if TYPE_CHECKING:
    from console.stepper.stepper import Stepper

CHANGED = 1e-9
"""A tensor counts as changed by a break from this relative difference on: rounding is far below it."""


def break_(stepper: "Stepper", words: list[str]) -> Shown:
    """Swap a wrong backward in; without a name, list them."""
    if not words:
        return _listed(stepper.page)
    if len(words) > 1:
        raise UserError("one at a time: break NAME")
    problem = problem_of(stepper)
    right = problem.backward(problem.at)[2]
    before = breaking.active()
    one = breaking.swap(words[0])
    apart = gradcheck.difference(problem.backward(problem.at)[2], right)
    when = _turned(stepper, before)
    return lines(f"{one.name}: {one.what} {one.seen}", "", *_effect(apart), *when, *_twin(stepper))


def _effect(apart: dict[str, float]) -> list[str]:
    changed = sorted((name for name, d in apart.items() if d > CHANGED), key=lambda name: -apart[name])
    if not changed:
        return ["In this batch it changes nothing: there is nothing here that it could get wrong."]
    return [
        f"It changes {len(changed)} of {len(apart)} gradients here, most of all {changed[0]} by "
        f"{apart[changed[0]]:.1e} of the largest entry of the right one. `gradcheck all` and `jax` find them; `fix` "
        "mends it."
    ]


def fix(stepper: "Stepper", words: list[str]) -> Shown:
    """The shipped functions again, of one break or of all."""
    if len(words) > 1:
        raise UserError("it is used like this: fix [NAME]")
    before = breaking.active()
    if not before:
        raise UserError("nothing is broken")
    mended = breaking.mend(words[0] if words else None)
    when = _turned(stepper, before)
    left = [f"Still broken: {', '.join(breaking.active())}."] if breaking.active() else []
    return lines(f"Mended: {', '.join(mended)}. The functions are those that ship.", *left, *when)


def _turned(stepper: "Stepper", before: tuple[str, ...]) -> list[str]:
    """What follows for the session: the banner, the marks, the update in view, the note in the checkpoint."""
    now = breaking.active()
    stepper.banner = f"BROKEN: {', '.join(now)}" if now else ""
    stepper.view.checked.clear()
    _note(stepper, ", ".join(before) or "right", ", ".join(now) or "right")
    again = stepper.renew()
    told = "this one, which was run again" if again else "the next one"
    noted = any(one.get("setting") == SETTING for one in stepper.changes)
    kept = ["What was broken when is written with the checkpoint: changes.json, and the best model's notes."]
    return [f"It counts from update {stepper.state.step + 1:,} on ({told}).", *(kept if noted else [])]


def _note(stepper: "Stepper", before: str, now: str) -> None:
    """What was broken and mended again before any update was made has changed nothing, and is not told."""
    last = stepper.changes[-1] if stepper.changes else {}
    if last.get("setting") == SETTING and last["after_update"] == stepper.state.step:
        earlier = stepper.changes.pop()["from"]
    else:
        earlier = before
    if earlier != now:
        keeping.note(stepper, SETTING, earlier, now)


def _twin(stepper: "Stepper") -> list[str]:
    if stepper.session.subject.twin.name == "numpy":
        return []
    return ["`run` trains with JAX, whose gradients stay right: only updates that are stepped through are broken."]


def _listed(page: Page) -> RenderableType:
    rows = table("name", "what is wrong")
    now = breaking.active()
    for one in breaks.BREAKS:
        rows.add_row(one.name + (" *" if one.name in now else ""), one.what)
    return shown.over(rows, lines("", f"* broken now: {', '.join(now)}" if now else "Nothing is broken."))


COMMANDS = (
    Command(
        ("break",),
        "break [NAME]",
        "Swap a wrong backward in, in this process and in no file; alone it lists them. Every screen is marked.",
        break_,
    ),
    Command(("fix",), "fix [NAME]", "Put the backward that ships back.", fix),
)
