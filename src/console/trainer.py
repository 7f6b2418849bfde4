"""`train_step_by_step.py`: prepare, train, judge, save; station by station when a person is there.

The run's folder holds `last.safetensors` (everything needed to go on), `best.safetensors` (the model to ask), plots,
and the text of a text task.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from common import checkpoint, recipes
from common.config import ClassifierConfig, DigitsConfig, TextConfig
from common.data import tasks, text
from common.errors import UserError
from common.run import TrainState
from console import backend, draw, folders, interrupts, options, population, story, subjects, terminal
from console.options import Options
from console.session import LAST, TEXT, Session, changes
from console.stepper import prompting


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns the exit code: 0 done, 2 bad request, 130 or 143 stopped by a signal and saved, 141
    where nobody reads on.
    """
    console = terminal.Screen()
    try:
        with interrupts.hold():
            code = _main(options.read(argv), console)
        sys.stdout.flush()
        return code
    except (UserError, MemoryError) as error:
        full = "this takes more memory than there is: make the model, the batch or the task smaller"
        print(f"error: {full if isinstance(error, MemoryError) else error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; what was saved before stays", file=sys.stderr)
        return 130
    except BrokenPipeError:
        terminal.close_stdout()
        return terminal.CLOSED


def _main(asked: Options, console: Console) -> int:
    if asked.resume is not None:
        _found(asked.resume)
    if asked.interactive and not asked.unattended and not draw.interactive():
        raise UserError("there is no terminal to pause on: add --no-interactive for the plain run")
    if asked.seeds is not None:
        return _population(asked, console)
    session = _prepare(asked, console)
    return prompting.walk(session) if asked.interactive else _run(session)


def _population(asked: Options, console: Console) -> int:
    assert isinstance(asked.model, ClassifierConfig) and isinstance(asked.task, DigitsConfig)
    assert asked.train is not None and asked.seeds is not None
    twin, first = backend.choose(asked.backend, asked.device), asked.train.seed
    backend.check(twin, asked.train)
    out = folders.choose(asked, f"{asked.name}-{asked.seeds}-seeds")
    population.run(console, twin, range(first, first + asked.seeds), asked.task, asked.model, asked.train, out)
    return 0


def _prepare(asked: Options, console: Console) -> Session:
    if asked.resume is not None:
        return resumed(asked, console, asked.resume)
    twin = backend.choose(asked.backend, asked.device)
    model, task, train = asked.model, asked.task, asked.train
    assert model is not None and task is not None and train is not None
    backend.check(twin, train)
    folder = folders.choose(asked, f"{asked.name}-seed{train.seed}")
    subject = subjects.of(twin, model, tasks.load(task, model, train, asked.words), asked.words)
    return Session(console, subject, train, folder, asked, twin.train.init(model, train))


def resumed(asked: Options, console: Console, where: Path) -> Session:
    """A session that goes on with the run in a folder. Raises UserError if there is none."""
    path = _found(where)
    twin = backend.choose(asked.backend, asked.device)
    run = checkpoint.load_run(path)
    if run.family not in recipes.FAMILY_NAMES:
        known = ", ".join(recipes.FAMILY_NAMES)
        raise UserError(f"{path}: holds a run of the family {run.family}; this program trains {known}")
    backend.check(twin, run.train)
    words = text.read(path.parent / TEXT) if isinstance(run.task, TextConfig) else ""
    subject = subjects.of(twin, run.config, tasks.load(run.task, run.config, run.train, words), words)
    kept = run.state
    state = TrainState(kept.params, twin.optim.restore(kept.opt), kept.step, kept.history, kept.best)
    return Session(console, subject, run.train, path.parent, asked, state, changes=changes(path.parent))


def _found(where: Path) -> Path:
    """The file of the run in a folder. Raises UserError where there is none."""
    path = where / LAST if where.is_dir() else where
    if path.name != LAST and path.exists():
        raise UserError(f"--resume takes a run's folder, or the {LAST} in it, not {path.name}")
    if not path.exists():
        raise UserError(f"{path}: there is no such file; --resume takes a run's folder")
    return path


def _run(session: Session) -> int:
    state, train = session.state, session.train
    if state.step > 0:
        if state.best is not None and not session.best.exists():
            session.save_best(state.best)
        session.say(f"Resuming {session.last} at update {state.step:,} of {train.steps:,}.")
    if state.step >= train.steps:
        session.say("This run is already complete.")
    stopped = story.train(session) if state.step < train.steps else 0
    if stopped:
        session.say(f"\nStopped after update {session.state.step:,} of {train.steps:,}; nothing is lost.")
        story.report(session)
        session.say(story.again(session))
        return 128 + stopped
    story.judge(session)
    story.report(session)
    return 0
