"""The command `report`: the run so far as one HTML page; and the page that `--report` wants at the end."""

from pathlib import Path
from typing import TYPE_CHECKING

from common.errors import UserError
from console.page import lines
from console.stepper.commands import Command, Shown

if TYPE_CHECKING:
    from console.stepper.stepper import Stepper

NAME = "report.html"


def report(stepper: "Stepper", words: list[str]) -> Shown:
    """Write the page; what was asked for by `ask` is its first example."""
    session = stepper.session
    if words:
        check_folder(Path(" ".join(words)), session.folder)
    path = Path(" ".join(words)) if words else session.asked.report or session.folder / NAME
    return lines(*write(stepper, path))


def check_folder(path: Path, *made: Path | None) -> None:
    """Raises UserError where the folder of a file is not there, but for those that the program makes by itself."""
    folder = path.absolute().parent
    if not folder.exists() and folder not in [own.absolute() for own in made if own]:
        raise UserError(f"{path} cannot be written: there is no folder {path.parent}; make it, or name another file")


def write(stepper: "Stepper", path: Path) -> list[str]:
    """Write the run as it is now; what was written."""
    from console.report import writing

    return writing.write(stepper.session, stepper.state, path, asked=stepper.view.asked, banner=stepper.banner)


def at_the_end(stepper: "Stepper") -> list[str]:
    """The page of `--report`, or why there is none."""
    path = stepper.session.asked.report
    if path is None:
        return []
    try:
        return write(stepper, path)
    except UserError as error:
        return [f"No report: {error}"]


COMMANDS = (
    Command(
        ("report",),
        "report [FILE]",
        "Write the run so far as one HTML page that needs no network: curves, attention, gradients, and of digits the "
        f"model itself to be asked. Without a name it is {NAME} in the run's folder.",
        report,
    ),
)
