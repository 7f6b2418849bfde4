"""What a run shows, in order: what there is before the first update, the training, and what came of it."""

import shlex
import sys
from pathlib import Path

from common.data import batching
from console import pictures, running, screens
from console.session import Leave, Session
from console.subjects import Texts


def where(session: Session) -> str:
    twin = session.subject.twin
    return f"{twin.name} on {twin.device}"


def python() -> str:
    """The interpreter as the user would type it from here."""
    here = Path.cwd()
    near = Path(sys.executable).is_relative_to(here)
    return shlex.quote(str(Path(sys.executable).relative_to(here))) if near else "python"


def introduce(session: Session) -> None:
    """Screens 1 to 6: everything before the first update."""
    subject, step, params = session.subject, session.state.step, session.state.params
    first = batching.batch(subject.data.train, session.train, step)
    session.screen("The data", lambda: subject.dataset(session.page))
    session.screen("The split", subject.split)
    session.screen("A batch", lambda: subject.batch(first, session.train, session.page))
    session.screen("The model", lambda: subject.architecture(params, session.page))
    title = f"An answer after {step:,} updates" if step else "An answer before training"
    session.screen(title, lambda: subject.answer(params, step, session.page))
    session.screen("How it is trained", lambda: screens.setup(session.train, where(session), session.page))


def train(session: Session) -> int:
    """Screen 7. Returns the number of the signal that stopped it, or 0."""
    saving = f"Saving to {session.folder}. Ctrl-C stops and saves."
    if session.asked.interactive:
        session.screen("Training", lambda: screens.lines(saving))
    else:
        session.say(f"{saving}\n")
    if isinstance(session.subject, Texts):
        session.save_text(session.subject.words)
    if session.state.best is None:
        session.best.unlink(missing_ok=True)  # of a run that is overwritten
    return running.run(session)


def judge(session: Session) -> None:
    """Screens 8 to 10: the test part, single answers, attention; then the plots and what to do next."""
    state, best, subject = session.state, session.state.best, session.subject
    assert best is not None
    session.screen_number = 7
    session.console.print(screens.trained(state.history, best, session.page, subject.ahead))
    found = subject.twin.train.evaluate(best.params, subject.data.test, model=subject.model)
    session.console.print()
    try:
        session.screen(subject.held_out, lambda: subject.tested(best.params, found, session.page))
        if session.asked.interactive:
            session.screen("Single answers", lambda: subject.samples(best.params, session.page))
            session.screen("Attention", lambda: subject.attention(best.params, session.page))
    except Leave:
        pass
    session.console.print()
    files = []
    if session.asked.plots:
        session.say("Drawing ...")
        files = pictures.draw(session, best, found)
    session.say(f"Model: {session.best}    run: {session.last}")
    if files:
        session.say(f"Plots: {', '.join(file.name for file in files)}")
    session.say(f"Ask it: {python()} {subject.ask(session.best)}")
