"""Questions to a trained model and its answers, as data: what the screens show and what --json prints.

One file for each kind of task; here is what they have in common.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from common.checkpoint import Model
from common.errors import UserError
from console.backend import Twin

HINT = "; --beyond asks it all the same"
ANY_TEXT = "a text model reads any text of its characters: leave out --beyond"
QUICK = 5
"""Questions of one quick test."""


class Settings(NamedTuple):
    """How a model is to be asked."""

    top: int = 5
    """How many probable tokens an answer tells of."""
    beyond: bool = False
    """Whether it may be asked what it was never trained on."""
    beams: int | None = None
    """The width of the beam search that is shown besides, for an encoder-decoder."""


class Answer(Protocol):
    """What the model said to one question."""

    @property
    def right(self) -> bool | None:
        """None where no answer is right or wrong."""

    def json(self, **more: Any) -> str:
        """One line of JSON, ASCII only. Shares and probabilities have six significant digits."""


Groups = list[tuple[str, list[Any]]]
"""Questions under names."""


class Asker(Protocol):
    """A model that can be asked, through one of the twins. Questions are of a form that its kind of task chooses."""

    model: Model
    twin: Twin
    settings: Settings

    def read(self, text: str) -> Any:
        """The question that a text spells. Raises ParseError if it is none that the model can be asked."""

    def ask(self, questions: Sequence[Any]) -> list[Any]:
        """The answers to questions, asked as one batch. Raises UserError if the model's numbers overflow."""

    def again(self, answer: Any, *, whole: bool = False) -> Any:
        """An answer as a row that the model can read again (asking/again.py): what is explained of it, or the whole."""

    def slow(self, answer: Any) -> bool:
        """Whether `drawn` will keep a user waiting."""

    def drawn(self, answer: Any) -> Any:
        """What is known of the question's place in training (asking/drawn.py); None of a text."""

    def cases(self) -> Groups:
        """A few questions in groups, made to fit the task."""

    def draw(self, seed: int) -> Iterator[Any]:
        """Random questions of the task, without end."""

    def everything(self) -> tuple[str, list[Any]]:
        """What `--all` asks, in words, and the questions."""

    def judge(self, questions: Sequence[Any]) -> Any:
        """What is counted of some of them."""

    def total(self, questions: Sequence[Any], judged: Sequence[Any]) -> Any:
        """What was counted of parts of them, of all; it has an `accuracy`."""


def six(number: float) -> float:
    return float(f"{number:.6g}")


def overflow() -> UserError:
    """What to say of a file that is sound and whose weights are absurd."""
    return UserError("the weights of this model are so large that its answers overflow; use another checkpoint")


def finite(values: Any) -> None:
    """Raises UserError for a probability that is no number."""
    if not np.isfinite(values).all():
        raise overflow()
