"""What there is to see before the first update and after the last one."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from rich.console import RenderableType

from common.data import batching
from console import screens

if TYPE_CHECKING:
    from console.stepper.stepper import Stepper


class Scene(NamedTuple):
    title: str
    build: Callable[[], RenderableType]


def prologue(stepper: "Stepper") -> list[Scene]:
    """Data, split, a batch, the model, an answer, how it is trained."""
    session = stepper.session
    subject, step, params, page = session.subject, stepper.first.step, stepper.first.params, session.page
    twin, train = subject.twin, session.train
    title = f"An answer after {step:,} updates" if step else "An answer before training"
    return [
        Scene("The data", lambda: subject.dataset(page)),
        Scene("The split", subject.split),
        Scene("A batch", lambda: subject.batch(batching.batch(subject.data.train, train, step), train, page)),
        Scene("The model", lambda: subject.architecture(params, page)),
        Scene(title, lambda: subject.answer(params, step, page)),
        Scene("How it is trained", lambda: screens.setup(train, f"{twin.name} on {twin.device}", page)),
    ]


def epilogue(stepper: "Stepper") -> list[Scene]:
    """What training did, the test part, single answers, attention."""
    session, state = stepper.session, stepper.state
    subject, page, best = session.subject, session.page, state.best
    assert best is not None

    def tested() -> RenderableType:
        return subject.tested(best.params, stepper.judged(), page)

    return [
        Scene("Trained", lambda: screens.trained(state.history, best, page, subject.ahead)),
        Scene(subject.held_out, tested),
        Scene("Single answers", lambda: subject.samples(best.params, page)),
        Scene("Attention", lambda: subject.attention(best.params, page)),
    ]
