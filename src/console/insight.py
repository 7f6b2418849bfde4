"""What is found out about an answer besides: why it was given, one head's map, how far apart the twins are."""

import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

from rich.console import Console, RenderableType
from rich.text import Text

from console.answers import heads as head_screen
from console.answers import why as why_screen
from console.asking import Asker, apart, heads, why
from console.asking.apart import Apart
from console.asking.heads import Head
from console.asking.why import Why
from console.terminal import is_terminal, say


class Wanted(NamedTuple):
    """What is to be found out about each answer."""

    why: bool = False
    head: tuple[int, int] | None = None
    """The block and the head whose map is shown."""
    both: bool = False
    """Whether JAX answers too, beside NumPy."""


class Insight(NamedTuple):
    why: Why | None = None
    head: Head | None = None
    apart: Apart | None = None

    def record(self) -> dict[str, Any]:
        """For JSON: what was asked for, and nothing else."""
        named = {"why": self.why, "attention_map": self.head, "twins": self.apart}
        return {name: found.record() for name, found in named.items() if found is not None}

    def screens(self, width: int, plain: bool) -> list[RenderableType]:
        found: list[RenderableType] = [] if self.apart is None else [Text(told(self.apart))]
        found += [] if self.why is None else [why_screen.screen(self.why, width, plain)]
        return found + ([] if self.head is None else [head_screen.screen(self.head, width, plain)])


def of(asker: Asker, answer: Any, wanted: Wanted, err: Console) -> Insight:
    """What is wanted of one answer. Raises UserError for a head that the model has not."""
    if wanted == Wanted():
        return Insight()
    again = asker.again(answer)
    head = None if wanted.head is None else heads.head(asker.model, again, *wanted.head)
    [seen] = twins(asker, [answer], wanted)
    return seen._replace(why=reason(asker, answer, err) if wanted.why else None, head=head)


def reason(asker: Asker, answer: Any, err: Console) -> Why:
    """Why an answer was given. What takes a while is announced on a terminal."""
    if asker.slow(answer) and is_terminal(sys.stderr):
        say(err, Text("drawing the run's examples once more, the first time only ...", "dim"))
    return why.why(asker.model, asker.again(answer), asker.drawn(answer))


def twins(asker: Asker, answers: Sequence[Any], wanted: Wanted) -> list[Insight]:
    """Of each answer how far apart the twins are, if that is wanted."""
    if not wanted.both:
        return [Insight()] * len(answers)
    rows = [asker.again(answer, whole=True) for answer in answers]
    return [Insight(apart=one) for one in apart.apart(asker.model, rows)]


def most(found: Sequence[Insight]) -> Insight:
    """The largest difference of some."""
    every = [one.apart for one in found if one.apart is not None]
    return Insight(apart=apart.most(every)) if every else Insight()


def told(found: Apart) -> str:
    """How far apart the twins are, in a sentence."""
    same = "the same answers" if found.same else "NOT the same answers"
    return (
        f"NumPy and JAX: {same}; logits differ by at most {found.logits:.1e}, "
        f"probabilities by {found.probabilities:.1e}."
    )
