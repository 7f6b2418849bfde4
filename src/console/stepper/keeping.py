"""The commands that keep something: checkpoints, pictures; and leaving."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import RenderableType
from rich.text import Text

from common.errors import UserError
from console import pictures, story
from console.page import lines
from console.stepper import breaking, twins
from console.stepper.commands import Command, Shown
from console.subjects import Texts

if TYPE_CHECKING:
    from console.stepper.stepper import Stepper


def prepare(stepper: "Stepper") -> None:
    """Make the run's folder ready to be written into."""
    session = stepper.session
    if isinstance(session.subject, Texts):
        session.save_text(session.subject.words)
    if stepper.state.best is None:
        session.best.unlink(missing_ok=True)  # of a run that is overwritten


def save_now(stepper: "Stepper") -> list[str]:
    """Write the run as it is; what was written."""
    session = stepper.session
    prepare(stepper)
    session.state = twins.of_twin(stepper.state, session.subject.twin)
    session.save()
    if stepper.state.best is not None:
        session.save_best(stepper.state.best)
    stepper.saved = stepper.state.step
    return [f"Update {stepper.state.step:,} of {session.train.steps:,} is saved: {session.last}"]


def note(stepper: "Stepper", setting: str, before: Any, after: Any) -> None:
    """Remember what was changed on the way; the next save writes it, and the best model's notes carry it."""
    step = stepper.state.step
    stepper.session.changes.append({"after_update": step, "setting": setting, "from": before, "to": after})
    stepper.saved = -1


def save(stepper: "Stepper", words: list[str]) -> Shown:
    return lines(*save_now(stepper))


def load(stepper: "Stepper", words: list[str]) -> Shown:
    """Go on with another run, or with this one as it was saved."""
    from console import trainer

    if breaking.active():
        raise UserError(f"{', '.join(breaking.active())} would go on in what is loaded: `fix` first")
    where = Path(" ".join(words)) if words else stepper.session.folder
    stepper.begin(trainer.resumed(stepper.session.asked, stepper.session.console, where))
    return [lines(f"Loaded {stepper.session.last}: {stepper.state.step:,} updates are made."), stepper.screen()]


def plot(stepper: "Stepper", words: list[str]) -> RenderableType:
    best = stepper.state.best
    if best is None:
        raise UserError("the pictures need the end of an epoch: `run epoch` goes there")
    from console.stepper import walking

    walking.keep_epoch(stepper)
    session = stepper.session
    session.state = twins.of_twin(stepper.state, session.subject.twin)
    session.folder.mkdir(parents=True, exist_ok=True)
    files = pictures.draw(session, best, stepper.judged())
    return lines(f"Drawn in {session.folder}: {', '.join(file.name for file in files)}")


def close(stepper: "Stepper") -> list[RenderableType]:
    """The end of a run that was walked through: saved, drawn, and how to ask its model."""
    told = save_now(stepper) if stepper.unsaved else []
    session = stepper.session
    drawn = [plot(stepper, [])] if session.asked.plots else []
    return [lines(*told), *drawn, *(Text(line) for line in story.last_words(session))]


def leave(stepper: "Stepper", words: list[str]) -> Shown:
    stepper.leaving = True
    return lines(*save_now(stepper)) if stepper.unsaved else None


def leave_unsaved(stepper: "Stepper", words: list[str]) -> Shown:
    unsaved, lost = stepper.unsaved, stepper.state.step - stepper.saved
    stepper.leaving, stepper.abandoned = True, True
    if not unsaved:
        return None
    # after a change of the settings it is not known which updates are on disk
    return lines("Left without saving." if stepper.saved < 0 else f"Left without saving {lost:,} of the updates made.")


COMMANDS = (
    Command(("plot",), "plot", "Draw the pictures of the run into its folder.", plot),
    Command(("save",), "save", "Write the run as it is now; training goes on.", save),
    Command(("load",), "load [DIR]", "Go on with the run in a folder, or with this one as it was last saved.", load),
    Command(("q", "quit", "exit", ":q"), "q", "Save, where updates were made, and leave.", leave),
    Command(("q!",), "q!", "Leave without saving.", leave_unsaved),
)
