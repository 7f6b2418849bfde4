"""The command line of `train_step_by_step.py`, turned into checked configurations."""

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.config import DTYPES, OPTIMIZERS, SCHEDULES, SIZES, ClassifierConfig, DigitsConfig, TrainConfig
from common.errors import UserError
from common.vocabulary import OPERATIONS
from console import backend

_KEPT_BY_A_RUN = {
    "size": "--size",
    "epochs": "--epochs",
    "examples": "--examples",
    "batch_size": "--batch-size",
    "lr": "--lr",
    "seed": "--seed",
    "split_seed": "--split-seed",
    "optimizer": "--optimizer",
    "schedule": "--schedule",
    "warmup": "--warmup",
    "weight_decay": "--weight-decay",
    "clip_norm": "--clip-norm",
    "num_args": "--num-args",
    "max_value": "--max-value",
    "ops": "--ops",
    "dtype": "--dtype",
    "seeds": "--seeds",
}


SAVE_EVERY = 500


@dataclass(frozen=True)
class Options:
    """What the user asked for. The configurations are None when a run is resumed: it keeps its own."""

    size: str
    model: ClassifierConfig | None
    task: DigitsConfig | None
    train: TrainConfig | None
    interactive: bool
    out: Path | None
    overwrite: bool
    resume: Path | None
    backend: str
    device: str | None
    plots: bool
    save_every: int
    seeds: int | None
    """How many runs of a population; None is a single run."""


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="train_step_by_step.py",
        description="Train the digit transformer, one screen at a time; --no-interactive for the plain run.",
    )
    p.add_argument("--no-interactive", action="store_true", help="run without pauses")
    p.add_argument("--size", choices=list(SIZES), help="1,000, 10,000 or 100,000 training examples (default: medium)")
    p.add_argument("--epochs", type=int, help="passes over the examples")
    p.add_argument("--examples", type=int, help="how many training examples to draw")
    p.add_argument("--batch-size", type=int, help="examples in an update (default: 64)")
    p.add_argument("--optimizer", choices=OPTIMIZERS, help="(default: adamw)")
    p.add_argument("--lr", type=float, help="highest learning rate (default: 0.003)")
    p.add_argument("--schedule", choices=SCHEDULES, help="how the learning rate falls after warm-up (default: cosine)")
    p.add_argument("--warmup", type=int, help="updates of warm-up (default: 50)")
    p.add_argument("--weight-decay", type=float, help="(default: 1.0 for adamw, 0 for the others)")
    p.add_argument("--clip-norm", type=float, help="largest norm of a gradient; 0 clips nothing (default: 0)")
    p.add_argument("--seed", type=int, help="seed of parameters, examples and batches (default: 0)")
    p.add_argument("--split-seed", type=int, help="seed of the split into train, validation, test (default: 0)")
    p.add_argument("--num-args", help="arguments of an expression, 3 or a range like 2-5 (default: 3)")
    p.add_argument("--max-value", type=int, help="largest argument, up to 9 (default: 9)")
    p.add_argument("--ops", help=f"operations, with commas (default: {','.join(OPERATIONS)})")
    p.add_argument("--out", type=Path, help="folder for checkpoints and plots (default: a new one in runs/)")
    p.add_argument("--overwrite", action="store_true", help="write into --out even if it holds a run")
    p.add_argument("--resume", type=Path, help="go on with the run in this folder or file; it keeps its settings")
    p.add_argument("--no-plots", action="store_true", help="draw no pictures at the end")
    p.add_argument("--save-every", type=int, default=SAVE_EVERY, help="updates between saves (default: 500)")
    p.add_argument("--backend", choices=backend.NAMES, default="numpy", help="(default: numpy)")
    p.add_argument("--device", choices=["cpu", "gpu", "tpu"], help="for --backend jax (default: the best there is)")
    p.add_argument("--dtype", choices=DTYPES, help="what the passes compute in (default: float32)")
    p.add_argument("--seeds", type=int, metavar="N", help="train from N seeds, from --seed on; show the distribution")
    return p


def read(argv: Sequence[str] | None) -> Options:
    """The options of a command line. Raises UserError for a value that cannot be; argparse itself exits with 2."""
    given = parser().parse_args(argv)
    if given.out is not None and not given.out.name:
        raise UserError("--out must name a folder, not the one the program stands in")
    if given.save_every < 1:
        raise UserError(f"--save-every must be at least 1, not {given.save_every}")
    if given.seeds is not None and not 1 <= given.seeds <= 10_000:
        raise UserError(f"--seeds is a number of runs from 1 to 10000, not {given.seeds}")
    if given.seeds is not None and (given.seed or 0) + given.seeds > 2**32:
        raise UserError(f"--seed {given.seed} with --seeds {given.seeds} goes beyond the last seed, 2^32 - 1")
    shared = {
        "interactive": not given.no_interactive,
        "out": given.out,
        "overwrite": given.overwrite,
        "resume": given.resume,
        "backend": given.backend,
        "device": given.device,
        "seeds": given.seeds,
        "plots": not given.no_plots,
        "save_every": given.save_every,
    }
    if given.resume is not None:
        extra = [flag for name, flag in _KEPT_BY_A_RUN.items() if getattr(given, name) is not None]
        if extra:
            raise UserError(f"a resumed run keeps its own settings: leave out {', '.join(extra)}")
        if given.out is not None:
            raise UserError("a resumed run goes on in its own folder: leave out --out")
        return Options(size="", model=None, task=None, train=None, **shared)
    size = given.size or "medium"
    return Options(size=size, model=ClassifierConfig(), task=_task(given), train=_train(given, size), **shared)


def _train(given: argparse.Namespace, size: str) -> TrainConfig:
    names = ("epochs", "examples", "batch_size", "lr", "seed", "optimizer", "schedule", "warmup", "clip_norm", "dtype")
    chosen = SIZES[size] | {name: getattr(given, name) for name in names if getattr(given, name) is not None}
    optimizer = chosen.get("optimizer", "adamw")
    # classic decay of 1.0 would drown the gradient: only the decoupled kind has that default
    decay = given.weight_decay if given.weight_decay is not None else (1.0 if optimizer == "adamw" else 0.0)
    return TrainConfig(**chosen, weight_decay=decay)


def _task(given: argparse.Namespace) -> DigitsConfig:
    chosen: dict[str, Any] = {}
    if given.num_args is not None:
        found = re.fullmatch(r"\s*([0-9]{1,3})\s*(?:-\s*([0-9]{1,3})\s*)?", given.num_args)
        if not found:
            raise UserError(f"--num-args is a number like 3 or a range like 2-5, not {given.num_args!r}")
        chosen["min_args"], chosen["max_args"] = int(found[1]), int(found[2] or found[1])
    if given.ops is not None:
        chosen["ops"] = tuple(word.strip().capitalize() for word in given.ops.split(",") if word.strip())
    for name in ("max_value", "split_seed"):
        if getattr(given, name) is not None:
            chosen[name] = getattr(given, name)
    task = DigitsConfig(**chosen)
    longest = ClassifierConfig().max_len
    if task.max_tokens > longest:
        raise UserError(f"--num-args goes up to {longest - 3}: the model reads at most {longest} tokens")
    return task
