"""`train_step_by_step.py`: prepare, train, judge, save; with a screen before each part when a person is there.

The run's folder holds `last.safetensors` (everything needed to go on), `best.safetensors` (the model to ask) and plots.
"""

import shlex
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.rule import Rule
from rich.text import Text

from common import checkpoint, evaluation, tree
from common.checkpoint import Model, Run
from common.config import ClassifierConfig, TrainConfig
from common.data import batching, digits
from common.data.digits import Digits, Expression
from common.errors import UserError
from common.evaluation import Evaluation
from common.run import Best, TrainState
from common.types import Array
from common.vocabulary import DIGIT_IDS, decode, words
from console import attention, backend, draw, options, population, screens
from console.backend import Twin

LAST = "last.safetensors"
"""The run, in its folder: a resumed run is written where it was read."""
EXAMPLE = (5, 3, 9, 1, 7, 2, 8, 0, 6, 4)
SCREENS = 10
MOMENTS = 6
"""So many epochs are in the picture of attention over training, spread over the run."""


class Leave(Exception):  # noqa: N818 (a wish, no error)
    """The user has asked to leave at a pause."""


@dataclass
class Stop:
    """A wish to stop, noted by a signal handler and granted between two updates."""

    signal: int = 0
    before: dict[int, Any] = field(default_factory=dict)

    def __enter__(self) -> "Stop":
        for number in (signal.SIGINT, signal.SIGTERM):
            self.before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.signal = number


@dataclass
class Session:
    """One call of the program."""

    console: Console
    twin: Twin
    model: ClassifierConfig
    train: TrainConfig
    data: Digits
    folder: Path
    asked: options.Options
    state: TrainState
    screen_number: int = 0
    maps: list[tuple[int, list[Array]]] = field(default_factory=list)
    """Attention maps of the example expression at the end of each epoch of this call."""

    @property
    def interactive(self) -> bool:
        return self.asked.interactive

    @property
    def ascii_only(self) -> bool:
        return draw.is_ascii(self.console)

    @property
    def last(self) -> Path:
        return self.folder / LAST

    @property
    def best(self) -> Path:
        return self.folder / "best.safetensors"

    @property
    def example(self) -> Expression:
        """`Max ( 5 3 9 )`, or what comes nearest to it in this task."""
        task = self.data.task
        args = tuple(value % (task.max_value + 1) for value in EXAMPLE)
        count = min(max(3, task.min_args), task.max_args)
        return Expression("Max" if "Max" in task.ops else task.ops[0], (args * (1 + count // 10))[:count])


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns the exit code: 0 done, 2 bad request, 130 or 143 stopped by a signal and saved."""
    console = Console(highlight=False)
    try:
        asked = options.read(argv)
        if asked.interactive and not draw.interactive():
            raise UserError("there is no terminal to pause on: add --no-interactive for the plain run")
        if asked.seeds is not None:
            return _population(asked, console)
        session = _prepare(asked, console)
        return _run(session)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
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


def _population(asked: options.Options, console: Console) -> int:
    assert asked.model is not None and asked.task is not None and asked.train is not None
    twin, first = backend.choose(asked.backend, asked.device), asked.train.seed
    backend.check(twin, asked.train)
    assert asked.seeds is not None
    out = _folder(asked, asked.train, f"digits-{asked.size}-{asked.seeds}-seeds")
    population.run(console, twin, range(first, first + asked.seeds), asked.task, asked.model, asked.train, out)
    return 0


def _prepare(asked: options.Options, console: Console) -> Session:
    twin = backend.choose(asked.backend, asked.device)
    if asked.resume is not None:
        path = asked.resume / LAST if asked.resume.is_dir() else asked.resume
        if path.name != LAST and path.exists():
            raise UserError(f"--resume takes a run's folder, or the {LAST} in it, not {path.name}")
        run = checkpoint.load_run(path, family="classifier")
        model, task, train, folder = run.config, run.task, run.train, path.parent
        kept = run.state
        state = TrainState(kept.params, twin.optim.restore(kept.opt), kept.step, kept.history, kept.best)
    else:
        assert asked.model is not None and asked.task is not None and asked.train is not None
        model, task, train = asked.model, asked.task, asked.train
        folder = _folder(asked, train, f"digits-{asked.size}-seed{train.seed}")
        state = twin.train.init(model, train)
    backend.check(twin, train)
    data = digits.load(task, seed=train.seed, examples=train.examples)
    return Session(console, twin, model, train, data, folder, asked, state)


def _folder(asked: options.Options, train: TrainConfig, name: str) -> Path:
    """`--out`, which must not hold a run yet; or the first free name in runs/."""
    if asked.out is not None:
        if any((asked.out / name).exists() for name in ("last.safetensors", "population.json")) and not asked.overwrite:
            raise UserError(
                f"{asked.out} already holds a run: add --overwrite to lose it, or --resume {asked.out} instead of --out"
            )
        return asked.out
    folder, number = Path("runs") / name, 1
    while folder.exists():
        number += 1
        folder = Path("runs") / f"{name}-{number}"
    return folder


def _run(session: Session) -> int:
    resumed = session.state.step > 0
    if resumed:
        if session.state.best is not None and not session.best.exists():
            checkpoint.save_model(session.best, _model(session, session.state.best))
        _say(session, f"Resuming {session.last} at update {session.state.step:,} of {session.train.steps:,}.")
    if session.state.step >= session.train.steps:
        _say(session, "This run is already complete.")
    elif session.interactive:
        _introduce(session)
    else:
        _summarize(session)
    stopped = _train(session)
    if stopped:
        _say(session, f"\nStopped after update {session.state.step:,} of {session.train.steps:,}; nothing is lost.")
        again = f"train_step_by_step.py --resume {shlex.quote(str(session.folder))}{_flags(session)}"
        _say(session, f"Go on with: {_python()} {again}")
        return 128 + stopped
    _judge(session)
    return 0


def _flags(session: Session) -> str:
    asked = session.asked
    flags = "" if session.interactive else " --no-interactive"
    flags += "" if asked.backend == "numpy" else f" --backend {asked.backend}"
    flags += "" if asked.device is None else f" --device {asked.device}"
    flags += "" if asked.plots else " --no-plots"
    return flags + ("" if asked.save_every == options.SAVE_EVERY else f" --save-every {asked.save_every}")


def _python() -> str:
    """The interpreter as the user would type it from here."""
    here = Path.cwd()
    return str(Path(sys.executable).relative_to(here)) if Path(sys.executable).is_relative_to(here) else "python"


def _say(session: Session, text: str) -> None:
    session.console.print(Text(text), soft_wrap=True)


def _screen(session: Session, title: str, build: Callable[[], RenderableType]) -> None:
    """Pause, then show a screen. In a plain run: only its title and content."""
    session.screen_number += 1
    if session.interactive:
        try:
            session.console.print()
            answer = input(f"[{session.screen_number}/{SCREENS}] {title}: Enter to go on, q to leave > ")
        except (EOFError, KeyboardInterrupt):
            answer = "q"
            session.console.print()
        if answer.strip().lower() in ("q", "quit", ":q", "exit"):
            raise Leave
    line = "-" if session.ascii_only else "─"
    number = f"{session.screen_number}. " if session.interactive else ""
    session.console.print(Rule(number + title, align="left", characters=line, style="dim"))
    session.console.print(build())


def _introduce(session: Session) -> None:
    """Screens 1 to 6: everything before the first update."""
    example, plain = session.example, session.ascii_only
    first = batching.batch(session.data.train, session.train, session.state.step)
    _screen(session, "The data", lambda: screens.dataset(session.data, plain))
    _screen(session, "The split", lambda: screens.split(session.data))
    _screen(session, "A batch", lambda: screens.batching(first, session.train))
    _screen(session, "The model", lambda: screens.architecture(session.state.params, session.model))
    p_V = _ask(session, [example], session.state.params)[0]
    step = session.state.step
    title = f"An answer after {step:,} updates" if step else "An answer before training"
    _screen(session, title, lambda: screens.before(example.text, example.target, p_V, step, plain))
    _screen(
        session,
        "How it is trained",
        lambda: screens.setup(session.train, f"{session.twin.name} on {session.twin.device}", plain),
    )


def _summarize(session: Session) -> None:
    """The plain run's account of what it uses."""
    session.console.print(screens.split(session.data))
    session.console.print(
        screens.setup(session.train, f"{session.twin.name} on {session.twin.device}", session.ascii_only)
    )


def _ask(session: Session, expressions: list[Expression], params: Any) -> Array:
    asked = digits.to_examples(expressions, session.data.task)
    return np.asarray(session.twin.train.predict(params, asked.tokens, asked.mask, model=session.model))


def _train(session: Session) -> int:
    """Train to the end or to a signal; returns the signal's number, or 0. Saves each epoch and on the way."""
    if session.state.step >= session.train.steps:
        return 0
    if session.interactive:
        _screen(session, "Training", lambda: Text(f"Saving to {session.folder}. Ctrl-C stops and saves."))
    else:
        _say(session, f"Saving to {session.folder}. Ctrl-C stops and saves.\n")
    if session.state.best is None:
        session.best.unlink(missing_ok=True)  # of a run that is overwritten
    _save(session)
    _say(session, screens.EPOCH_HEAD)
    # a diverging run is stopped with a sentence; NumPy's own warnings on the way there would hide it
    with Stop() as stop, np.errstate(over="ignore", invalid="ignore"), _progress(session) as progress:
        waiting = "compiling, first time only" if session.twin.name == "jax" else ""
        if waiting and not session.console.is_terminal:
            _say(session, waiting)
        begun = time.monotonic()
        task = progress.add_task("", total=session.train.steps, completed=session.state.step, loss=waiting, rate="")
        saved = session.state.step
        every = 1 if session.twin.name == "numpy" else 50
        for state in session.twin.train.fit(
            session.state, session.data, model=session.model, train=session.train, every=every
        ):
            epoch_ended = state.step % session.train.steps_per_epoch == 0
            session.state = state
            if waiting:
                progress.console.print(
                    Text(f"first {state.step - saved} updates after {time.monotonic() - begun:.1f} s")
                )
                waiting = ""
            _show_progress(progress, task, state)
            if epoch_ended:
                _end_of_epoch(session, progress)
            if epoch_ended or state.step - saved >= session.asked.save_every or stop.signal:
                _save(session)
                saved = state.step
            if stop.signal:
                return stop.signal if state.step < session.train.steps else 0
    return 0


def _progress(session: Session) -> Progress:
    return Progress(
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn("{task.fields[loss]}"),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(compact=True),
        console=session.console,
        transient=True,
        disable=not session.console.is_terminal,
    )


def _show_progress(progress: Progress, task: Any, state: TrainState) -> None:
    """A bar of updates with the means of the last 20 and the speed. Redrawn ten times a second by rich itself."""
    recent = state.history.loss[-20:]
    shares = state.history.accuracy[-20:]
    speed = progress.tasks[0].speed
    progress.update(
        task,
        completed=state.step,
        loss=f"loss {sum(recent) / len(recent):.4f} acc {100 * sum(shares) / len(shares):.1f} %",
        rate=f"{speed:.0f} steps/s" if speed else "",
    )


def _end_of_epoch(session: Session, progress: Progress) -> None:
    state = session.state
    record, best = state.history.epochs[-1], state.best
    line = screens.epoch_line(record, session.train.epochs, best is not None and best.step == state.step)
    progress.console.print(Text(line), soft_wrap=True)
    if session.interactive:
        p_V = _ask(session, [session.example], state.params)[0]
        progress.console.print(Text(f"           {screens.one_answer(session.example.text, p_V)}"), soft_wrap=True)
    shown = digits.to_examples([session.example], session.data.task)
    maps = attention.weights(_numpy(state.params), shown.tokens, shown.mask, session.model)
    session.maps.append((state.step, [w_BHTS[0] for w_BHTS in maps]))
    if best is not None and best.step == state.step:
        checkpoint.save_model(session.best, _model(session, best))


def _numpy(params: Any) -> Any:
    return tree.map(np.asarray, params)


def _model(session: Session, best: Best) -> Model:
    notes = {"epoch": best.epoch, "step": best.step, "validation_accuracy": best.accuracy}
    return Model("classifier", session.model, session.data.task, _numpy(best.params), session.train, notes)


def _save(session: Session) -> None:
    state = session.state
    best = state.best
    if best is not None:
        best = Best(_numpy(best.params), best.epoch, best.step, best.accuracy, best.loss)
    opt = _numpy_state(session.twin.optim.export(state.opt, state.params))
    written = TrainState(_numpy(state.params), opt, state.step, state.history, best)
    checkpoint.save_run(session.last, Run("classifier", session.model, session.data.task, session.train, written))


def _numpy_state(exported: dict) -> dict:
    return {name: int(part) if name == "step" else _numpy(part) for name, part in exported.items()}


def _judge(session: Session) -> None:
    """Screens 8 to 10: the test part, single answers, attention; then the plots and what to do next."""
    state, best, plain = session.state, session.state.best, session.ascii_only
    assert best is not None
    session.screen_number = 7
    session.console.print(screens.trained(state.history, best, plain))
    test = session.data.test
    found = session.twin.train.evaluate(best.params, test, model=session.model)
    session.console.print()
    try:
        _screen(session, "On expressions never trained on", lambda: screens.tested(found, test.targets, plain))
        if session.interactive:
            _closing_screens(session, best)
    except Leave:
        pass
    files = _plots(session, best, found) if session.asked.plots else []
    session.console.print()
    _say(session, f"Model: {session.best}    run: {session.last}")
    if files:
        _say(session, f"Plots: {', '.join(file.name for file in files)}")
    _say(session, f"Ask it: {_python()} test_model_manually.py --checkpoint {shlex.quote(str(session.best))}")


def _closing_screens(session: Session, best: Best) -> None:
    test, example = session.data.test, session.example
    asked = test.take(np.linspace(0, len(test.targets) - 1, min(10, len(test.targets))).astype(int))
    texts = [decode(row) for row in asked.tokens.tolist()]
    p_NV = np.asarray(session.twin.train.predict(best.params, asked.tokens, asked.mask, model=session.model))
    _screen(session, "Single answers", lambda: screens.samples(texts, asked.targets.tolist(), p_NV))
    length = len(example.tokens)
    shown = digits.to_examples([example], session.data.task)
    maps = attention.weights(_numpy(best.params), shown.tokens, shown.mask, session.model)
    cut = [w_BHTS[0][:, :length, :length] for w_BHTS in maps]
    labels = words(example.tokens)
    _screen(session, "Attention", lambda: screens.attention(example.text, labels, cut, session.ascii_only))


def _plots(session: Session, best: Best, found: Evaluation) -> list[Path]:
    """Every picture of the run, from its own numbers, into its folder."""
    from common import plots

    _say(session, "Drawing ...")
    state, folder, params = session.state, session.folder, _numpy(best.params)
    tokens = words(digits.to_examples([session.example], session.data.task).tokens[0].tolist())
    similar = evaluation.embedding_similarity(params)
    places = evaluation.principal_components(params["emb"]["w"][list(DIGIT_IDS)])
    drawn = [
        plots.training_curves(state.history, folder / "training.svg", best_epoch=best.epoch),
        plots.accuracy_by_operation(state.history.epochs, folder / "accuracy_by_operation.svg"),
        plots.confusion(evaluation.confusion(found.predictions, session.data.test.targets), folder / "confusion.svg"),
        plots.embedding_pca(places, similar.number_line, folder / "embedding_pca.svg"),
        plots.similarity_matrix(similar, folder / "embedding_similarity.svg"),
        plots.gradient_norms(_gradient_norms(session), folder / "gradient_norms.svg"),
    ]
    if session.maps:
        chosen = sorted(set(np.linspace(0, len(session.maps) - 1, MOMENTS).round().astype(int).tolist()))
        last = [(session.maps[i][0], session.maps[i][1][-1]) for i in chosen]
        block = f"block {session.model.n_blocks - 1}"
        head = int(np.argmax(session.maps[-1][1][-1][:, 0].max(axis=-1)))
        drawn += [
            plots.attention_heads(session.maps[-1][1], tokens, folder / "attention.svg"),
            plots.attention_head(
                session.maps[-1][1][-1][head],
                tokens,
                folder / "attention_head.svg",
                name=f"head {head} of {block}, the surest at the answer",
            ),
            plots.attention_over_training(last, tokens, folder / "attention_over_training.svg", name=block),
        ]
    return drawn


def _gradient_norms(session: Session) -> dict[str, float]:
    """The length of each tensor's gradient at the end of the run, on the batch of its last update."""
    batch = batching.batch(session.data.train, session.train, session.train.steps - 1)
    _, grads, _ = session.twin.train.loss_and_grads(session.state.params, batch, model=session.model)
    return {name: float(np.linalg.norm(np.asarray(leaf))) for name, leaf in tree.items(grads)}
