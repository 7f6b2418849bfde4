"""`train_step_by_step.py`: prepare, train, judge, save; with a screen before each part when a person is there.

The run's folder holds `last.safetensors` (everything needed to go on), `best.safetensors` (the model to ask), plots,
and the text of a text task.
"""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from common import checkpoint, recipes
from common.config import ClassifierConfig, DigitsConfig, TextConfig
from common.data import tasks, text
from common.errors import UserError
from common.run import TrainState
from console import backend, draw, flags, folders, options, population, screens, story, subjects
from console.options import Options
from console.session import LAST, TEXT, Leave, Session


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns the exit code: 0 done, 2 bad request, 130 or 143 stopped by a signal and saved."""
    console = Console(highlight=False)
    try:
        asked = options.read(argv)
        if asked.interactive and not draw.interactive():
            raise UserError("there is no terminal to pause on: add --no-interactive for the plain run")
        if asked.seeds is not None:
            return _population(asked, console)
        return _run(_prepare(asked, console))
    except (UserError, MemoryError) as error:
        full = "this takes more memory than there is: make the model, the batch or the task smaller"
        print(f"error: {full if isinstance(error, MemoryError) else error}", file=sys.stderr)
        return 2
    except Leave:
        console.print("Left before training: nothing was written.", markup=False)
        return 0
    except KeyboardInterrupt:
        print("interrupted; what was saved before stays", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 1


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
        return _resumed(asked, console, asked.resume)
    twin = backend.choose(asked.backend, asked.device)
    model, task, train = asked.model, asked.task, asked.train
    assert model is not None and task is not None and train is not None
    backend.check(twin, train)
    folder = folders.choose(asked, f"{asked.name}-seed{train.seed}")
    subject = subjects.of(twin, model, tasks.load(task, model, train, asked.words), asked.words)
    return Session(console, subject, train, folder, asked, twin.train.init(model, train))


def _resumed(asked: Options, console: Console, where: Path) -> Session:
    twin = backend.choose(asked.backend, asked.device)
    path = where / LAST if where.is_dir() else where
    if path.name != LAST and path.exists():
        raise UserError(f"--resume takes a run's folder, or the {LAST} in it, not {path.name}")
    run = checkpoint.load_run(path)
    if run.family not in recipes.FAMILY_NAMES:
        known = ", ".join(recipes.FAMILY_NAMES)
        raise UserError(f"{path}: holds a run of the family {run.family}; this program trains {known}")
    backend.check(twin, run.train)
    words = text.read(path.parent / TEXT) if isinstance(run.task, TextConfig) else ""
    subject = subjects.of(twin, run.config, tasks.load(run.task, run.config, run.train, words), words)
    kept = run.state
    state = TrainState(kept.params, twin.optim.restore(kept.opt), kept.step, kept.history, kept.best)
    return Session(console, subject, run.train, path.parent, asked, state)


def _run(session: Session) -> int:
    state, train = session.state, session.train
    if state.step > 0:
        if state.best is not None and not session.best.exists():
            session.save_best(state.best)
        session.say(f"Resuming {session.last} at update {state.step:,} of {train.steps:,}.")
    if state.step >= train.steps:
        session.say("This run is already complete.")
    elif session.asked.interactive:
        story.introduce(session)
    else:
        session.console.print(session.subject.split())
        session.console.print(screens.setup(train, story.where(session), session.page))
    stopped = story.train(session) if state.step < train.steps else 0
    if stopped:
        session.say(f"\nStopped after update {session.state.step:,} of {train.steps:,}; nothing is lost.")
        again = f"train_step_by_step.py --resume {shlex.quote(str(session.folder))}{_flags(session.asked)}"
        session.say(f"Go on with: {story.python()} {again}")
        return 128 + stopped
    story.judge(session)
    return 0


def _flags(asked: Options) -> str:
    said = "" if asked.interactive else " --no-interactive"
    said += "" if asked.backend == "numpy" else f" --backend {asked.backend}"
    said += "" if asked.device is None else f" --device {asked.device}"
    said += "" if asked.plots else " --no-plots"
    return said + ("" if asked.save_every == flags.SAVE_EVERY else f" --save-every {asked.save_every}")
