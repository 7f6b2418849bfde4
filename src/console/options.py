"""The command line of `train_step_by_step.py`, turned into checked configurations."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from common import recipes
from common.config import SIZES, ModelConfig, TaskConfig, TrainConfig
from common.errors import UserError
from console import flags, settings
from console.report import page
from console.stepper import reporting


@dataclass(frozen=True)
class Options:
    """What the user asked for. The configurations are None when a run is resumed: it keeps its own."""

    name: str
    """What the run's folder is called, but for the seed."""
    model: ModelConfig | None
    task: TaskConfig | None
    train: TrainConfig | None
    words: str
    """The text of a text task."""
    interactive: bool
    script: str | None
    """A file of commands for the stepper, or `-`."""
    steps: int | None
    """So many updates are shown without pauses."""
    json: bool
    out: Path | None
    overwrite: bool
    resume: Path | None
    backend: str
    device: str | None
    plots: bool
    report: Path | None
    """Where the run is written as one HTML file at its end."""
    save_every: int
    seeds: int | None
    """How many runs of a population; None is a single run."""

    @property
    def unattended(self) -> bool:
        """Whether the stepper walks without a person."""
        return self.script is not None or self.steps is not None or self.json


def read(argv: Sequence[str] | None) -> Options:
    """The options of a command line. Raises UserError for a value that cannot be; argparse itself exits with 2."""
    given = flags.parser().parse_args(argv)
    _check(given)
    shared = {
        "interactive": not given.no_interactive,
        "script": given.script,
        "steps": given.steps,
        "json": given.json,
        "out": given.out,
        "overwrite": given.overwrite,
        "resume": given.resume,
        "backend": given.backend,
        "device": given.device,
        "seeds": given.seeds,
        "plots": not given.no_plots,
        "report": given.report,
        "save_every": given.save_every,
    }
    if given.resume is not None:
        return Options(name="", model=None, task=None, train=None, words="", **shared)
    family, kind = recipes.choose(given.model, given.task)
    flags.check_belongs(given, family, kind)
    recipe = recipes.recipe(family, kind)
    size = given.size or "medium"
    if kind == "digits":
        recipe = recipe._replace(train=recipe.train | SIZES[size])
    words = settings.words(given, kind)
    with flags.named():
        task = settings.task(given, kind, recipe, words)
        model, train = settings.model(given, family, task, recipe), settings.train(given, recipe)
    name = f"digits-{size}" if kind == "digits" else f"{family}-{kind}"
    return Options(name=name, model=model, task=task, train=train, words=words, **shared)


def _check(given: argparse.Namespace) -> None:
    """Raises UserError for flags that cannot be, or not together, whatever is trained."""
    if given.out is not None and not given.out.name:
        raise UserError("--out must name a folder, not the one the program stands in")
    walks = [name for name in ("script", "steps", "json") if getattr(given, name)]
    if walks and (given.no_interactive or given.seeds is not None):
        other = "--no-interactive" if given.no_interactive else "--seeds"
        raise UserError(
            f"--{walks[0]} walks through the updates of one run and {other} does not: leave one of them out"
        )
    if given.script is not None and len(walks) > 1:
        raise UserError(f"--script says itself how far to go: leave out --{walks[1]}")
    if given.steps is not None and given.steps < 1:
        raise UserError(f"--steps must be at least 1, not {given.steps}")
    _check_report(given)
    if given.save_every < 1:
        raise UserError(f"--save-every must be at least 1, not {given.save_every}")
    if given.seeds is not None and not 1 <= given.seeds <= 10_000:
        raise UserError(f"--seeds is a number of runs from 1 to 10000, not {given.seeds}")
    if given.seeds is not None and (given.seed or 0) + given.seeds > 2**32:
        raise UserError(f"--seed {given.seed} with --seeds {given.seeds} goes beyond the last seed, 2^32 - 1")
    if given.resume is not None:
        extra = [flags.name(dest) for dest in flags.given_of(given, flags.KEPT)]
        if extra:
            raise UserError(f"a resumed run keeps its own settings: leave out {', '.join(extra)}")
        if given.out is not None:
            raise UserError("a resumed run goes on in its own folder: leave out --out")
    if given.overwrite and given.out is None:
        raise UserError("--overwrite says what may happen to the folder of --out: add --out, or leave it out")


def _check_report(given: argparse.Namespace) -> None:
    """Raises UserError, before anything is trained, where no report could be written."""
    if given.report is not None:
        page.check(given.report)
        reporting.check_folder(given.report, given.out)
        if given.seeds is not None:
            raise UserError("--report shows one run and --seeds makes many: leave one of them out")
