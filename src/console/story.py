"""What a plain run says: before the first update, and what came of it."""

import shlex
import sys
from pathlib import Path

from console import flags, pictures, running, screens
from console.options import Options
from console.session import Session
from console.subjects import Texts


def where(session: Session) -> str:
    twin = session.subject.twin
    return f"{twin.name} on {twin.device}"


def python() -> str:
    """The interpreter as the user would type it from here."""
    here = Path.cwd()
    near = Path(sys.executable).is_relative_to(here)
    return shlex.quote(str(Path(sys.executable).relative_to(here))) if near else "python"


def train(session: Session) -> int:
    """Say what there is to say before the first update, then train. Returns the signal that stopped it, or 0."""
    session.console.print(session.subject.split())
    session.console.print(screens.setup(session.train, where(session), session.page))
    session.say(f"Saving to {session.folder}. Ctrl-C stops and saves.\n")
    if isinstance(session.subject, Texts):
        session.save_text(session.subject.words)
    if session.state.best is None:
        session.best.unlink(missing_ok=True)  # of a run that is overwritten
    return running.run(session)


def judge(session: Session) -> None:
    """What training did and the test part; then the plots and what to do next."""
    state, best, subject = session.state, session.state.best, session.subject
    assert best is not None
    session.console.print(screens.trained(state.history, best, session.page, subject.ahead))
    found = subject.twin.train.evaluate(best.params, subject.data.test, model=subject.model)
    session.console.print()
    session.screen(subject.held_out, subject.tested(best.params, found, session.page))
    session.console.print()
    files = []
    if session.asked.plots:
        session.say("Drawing ...")
        files = pictures.draw(session, best, found)
    model, ask = last_words(session)
    session.say(model)
    if files:
        session.say(f"Plots: {', '.join(file.name for file in files)}")
    session.say(ask)


def report(session: Session) -> None:
    """Write the report, where one was asked for."""
    if session.asked.report is not None:
        from console.report import writing

        for line in writing.write(session, session.state, session.asked.report):
            session.say(line)


def last_words(session: Session) -> tuple[str, str]:
    """Where the model is, and how to ask it."""
    ask = f"Ask it: {python()} {session.subject.ask(session.best)}"
    return f"Model: {session.best}    run: {session.last}", ask


def again(session: Session) -> str:
    """How to go on with a run that was stopped."""
    resume = f"train_step_by_step.py --resume {shlex.quote(str(session.folder))}{_flags(session.asked)}"
    return f"Go on with: {python()} {resume}"


def _flags(asked: Options) -> str:
    said = "" if asked.interactive else " --no-interactive"
    said += "" if asked.backend == "numpy" else f" --backend {asked.backend}"
    said += "" if asked.device is None else f" --device {asked.device}"
    said += "" if asked.plots else " --no-plots"
    said += "" if asked.report is None else f" --report {shlex.quote(str(asked.report))}"
    return said + ("" if asked.save_every == flags.SAVE_EVERY else f" --save-every {asked.save_every}")
