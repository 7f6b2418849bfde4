"""The command `gradcheck`: an entry, a tensor, some or all of them, as proved by console/stepper/proving.py."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import RenderableType
from rich.progress import Progress

from common.data import batching
from common.errors import UserError
from console.page import lines
from console.stepper import moment as moments
from console.stepper import names, proving, shown, verdicts
from console.stepper.commands import Command, Shown, near, whole
from console.stepper.proving import Tensor
from console.stepper.witnesses import Problem

if TYPE_CHECKING:
    from console.stepper.stepper import Stepper

SETTING = "gradients"
"""What a change of the backward is called among the changes of a run."""
FEW, COST, PATIENCE = 2, 5, 60.0
"""`gradcheck all`, and that of a place, tries so many entries of each tensor, which with the direction costs as much as
so many complex evaluations, where all of it takes at most so many seconds."""


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
    """An entry, a tensor, those of a place, or all of them."""
    problem = problem_of(stepper)
    below = "" if not words or words[0] == "all" else f"{words[0].removeprefix('grad.').rstrip('.')}."
    inside = [name for name in problem.grads if name.startswith(below)]
    if inside and len(words) < 3:
        number = "the number of entries of each tensor"
        few = len(words) < 2
        entries = _affordable(stepper, problem, below, len(inside)) if few else whole(words[1], number, 0, 1000)
        return [*_all(stepper, problem, entries, below, len(inside)), *_since(stepper)]
    name, index = names.split("".join(words))
    name = _parameter(name, problem)
    if not index:
        found = proving.tensor(problem, name, entries=8)
        stepper.view.checked[name] = found.verdict
        assert found.worst is not None
        return [shown.over(verdicts.entry(found.worst, problem), lines("", *verdicts.tensor(found))), *_since(stepper)]
    one = proving.entry(problem, name, _whole_index(name, index, problem))
    if one.verdict == proving.BAD or name not in stepper.view.checked:
        stepper.view.checked[name] = proving.BAD if one.verdict == proving.BAD else "1 ok"
    return [verdicts.entry(one, problem), *_since(stepper)]


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


def _affordable(stepper: "Stepper", problem: Problem, below: str, tensors: int) -> int:
    """How many entries of each tensor can be proved while a person waits; else none but the direction."""
    each = proving.seconds(problem)
    if each * tensors * COST <= PATIENCE:
        return FEW
    more = f"gradcheck {below.rstrip('.') or 'all'} {FEW}"
    about = f"about {each * tensors:.0f} seconds; `{more}` would take some {each * tensors * COST:.0f}"
    stepper.session.say(f"A large model: one direction through each tensor, {about}. Ctrl-C stops.")
    return 0


def _all(stepper: "Stepper", problem: Problem, entries: int, below: str, total: int) -> list[RenderableType]:
    page = stepper.page
    found: list[Tensor] = []
    try:
        with _progress(stepper, total) as advance:
            for one in proving.every(problem, entries=entries, below=below):
                found.append(one)
                stepper.view.checked[one.name] = one.verdict
                advance()
    except KeyboardInterrupt:
        pass
    return [verdicts.rows_of(found, page), lines("", *verdicts.summary(found, total, entries))]


@contextmanager
def _progress(stepper: "Stepper", total: int) -> Iterator[Callable[[], None]]:
    """A bar while the tensors are proved; nothing of it stays."""
    console = stepper.session.console
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("tensors", total=total)
        yield lambda: bar.advance(task)


def _since(stepper: "Stepper") -> list[RenderableType]:
    """A word where the recorded gradients are of another backward than the one that was asked."""
    changed = [one["after_update"] for one in stepper.changes if one.get("setting") == SETTING]
    if stepper.part == "step" and changed and changed[-1] > stepper.moment.before.step:
        return [lines("This asks the backward as it is now; this update was made before it was changed.")]
    return []


COMMANDS = (
    Command(
        ("gradcheck", "check"),
        "gradcheck [NAME | NAME[i,j] | PLACE [N] | all [N]]",
        "Hold a gradient against the complex step and central differences, in float64: an entry, a tensor, those of a "
        "place like blocks.0.attn, or all, with N entries each.",
        gradcheck,
    ),
)
