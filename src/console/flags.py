"""The flags of `train_step_by_step.py`: what there is, and what belongs to which model and task."""

import argparse
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from common.config import DTYPES, LEVELS, OPTIMIZERS, POSITIONS, SCHEDULES, SIZES
from common.errors import UserError
from common.recipes import FAMILY_NAMES, TASK_NAMES
from common.vocabulary import OPERATIONS
from console import backend
from console.terminal import Parser

SAVE_EVERY = 500
ROWS = ("copy", "reverse", "sort")
EXPRESSIONS = ("digits", "operations")

TASKS_OF = {
    "size": ("digits",),
    "seeds": ("digits",),
    "num_args": EXPRESSIONS,
    "max_value": EXPRESSIONS,
    "ops": EXPRESSIONS,
    "min_length": ROWS,
    "max_length": ROWS,
    "max_digits": ("add",),
    "text": ("text",),
    "level": ("text",),
    "context": ("text",),
}
"""Flags that only these tasks know."""
FAMILIES_OF = {"dropout": ("seq2seq", "gpt"), "positions": ("seq2seq", "gpt")}
"""Flags that only these families know."""
MODEL = ("d_model", "n_blocks", "n_heads", "d_ffn", "dropout", "positions")
TRAINING = (
    "epochs", "examples", "batch_size", "optimizer", "lr", "schedule", "warmup", "clip_norm", "weight_decay", "seed",
    "dtype",
)  # fmt: skip
KEPT = ("model", "task", *MODEL, *TASKS_OF, "split_seed", *TRAINING)
"""What a run keeps: with --resume none of these can be given."""


def parser() -> argparse.ArgumentParser:
    p = Parser(
        prog="train_step_by_step.py",
        description="Train a transformer and stop anywhere in it; --no-interactive for the plain run.",
        epilog="Defaults that are not named depend on model and task; the screens before training show them all. "
        "Exit code: 0 done, 1 a command of --script was refused, 2 bad input, 130 stopped by Ctrl-C and 143 by "
        "SIGTERM, both saved, 141 where nobody reads on. Leaving the prompt is 0: Ctrl-C there offers to save what is "
        "not saved, and twice it leaves.",
        allow_abbrev=False,
    )
    _what(p.add_argument_group("what is trained"))
    _model(p.add_argument_group("the model"))
    _task(p.add_argument_group("the task"))
    _training(p.add_argument_group("training"))
    _run(p.add_argument_group("the run"))
    return p


def _what(p: argparse._ArgumentGroup) -> None:
    p.add_argument("--model", choices=FAMILY_NAMES, help="(default: classifier, or what the task needs)")
    p.add_argument("--task", choices=TASK_NAMES, help="(default: digits for the classifier, operations for the others)")
    p.add_argument("--size", choices=list(SIZES), help="digits: 1,000, 10,000 or 100,000 examples (default: medium)")


def _model(p: argparse._ArgumentGroup) -> None:
    p.add_argument("--d-model", type=int, metavar="N", help="width of a token's vector")
    p.add_argument("--n-blocks", type=int, metavar="N", help="blocks; of a seq2seq, on each side")
    p.add_argument("--n-heads", type=int, metavar="N", help="heads of attention (default: 4)")
    p.add_argument("--d-ffn", type=int, metavar="N", help="width inside the feed-forward (default: 4 x --d-model)")
    p.add_argument("--dropout", type=float, metavar="P", help="share of numbers dropped in training; seq2seq, gpt")
    p.add_argument("--positions", choices=POSITIONS, help="how places are told apart; seq2seq, gpt")


def _task(p: argparse._ArgumentGroup) -> None:
    p.add_argument("--num-args", metavar="N", help="arguments of an expression, 3 or a range like 2-5 (default: 3)")
    p.add_argument("--max-value", type=int, metavar="N", help="largest argument (default: 9 for digits, else 99)")
    p.add_argument("--ops", metavar="LIST", help=f"operations, with commas (default: {','.join(OPERATIONS)})")
    p.add_argument("--min-length", type=int, metavar="N", help="copy, reverse, sort: fewest digits (default: 1)")
    p.add_argument("--max-length", type=int, metavar="N", help="copy, reverse, sort: most digits (default: 12)")
    p.add_argument("--max-digits", type=int, metavar="N", help="add: digits of the longest number (default: 4)")
    p.add_argument("--text", type=Path, metavar="FILE", help="text: what to learn (default: the project's own pages)")
    p.add_argument("--level", choices=LEVELS, help="text: what a token is (default: char)")
    p.add_argument("--context", type=int, metavar="N", help="text: how many tokens are read at once")
    p.add_argument("--split-seed", type=int, metavar="N", help="of the split into train, validation, test (default: 0)")


def _training(p: argparse._ArgumentGroup) -> None:
    p.add_argument("--epochs", type=int, metavar="N", help="passes over the examples")
    p.add_argument("--examples", type=int, metavar="N", help="how many training examples to draw")
    p.add_argument("--batch-size", type=int, metavar="N", help="examples in an update")
    p.add_argument("--optimizer", choices=OPTIMIZERS, help="(default: adamw)")
    p.add_argument("--lr", type=float, metavar="X", help="highest learning rate")
    p.add_argument("--schedule", choices=SCHEDULES, help="how the learning rate falls after warm-up (default: cosine)")
    p.add_argument("--warmup", type=int, metavar="N", help="updates of warm-up (default: 50, less in a short run)")
    p.add_argument("--weight-decay", type=float, metavar="X", help="(default: 0 for all optimizers but adamw)")
    p.add_argument("--clip-norm", type=float, metavar="X", help="largest norm of a gradient; 0 clips nothing")
    p.add_argument("--seed", type=int, metavar="N", help="of parameters, examples and batches (default: 0)")
    p.add_argument("--dtype", choices=DTYPES, help="what the passes compute in (default: float32)")


def _run(p: argparse._ArgumentGroup) -> None:
    p.add_argument("--no-interactive", action="store_true", help="run without pauses")
    p.add_argument("--script", metavar="FILE", help="commands of the stepper, one a line, - for standard input")
    p.add_argument("--steps", type=int, metavar="N", help="show N updates station by station, without pauses")
    p.add_argument("--json", action="store_true", help="one JSON object an update, for --steps N or the whole run")
    p.add_argument("--out", type=Path, metavar="DIR", help="folder for checkpoints and plots (default: new, in runs/)")
    p.add_argument("--overwrite", action="store_true", help="write into --out even if it holds a run")
    p.add_argument("--resume", type=Path, metavar="DIR", help="go on with this folder's run; it keeps its settings")
    p.add_argument("--no-plots", action="store_true", help="draw no pictures at the end")
    p.add_argument("--report", type=Path, metavar="FILE", help="write the run as one HTML page that needs no network")
    p.add_argument("--save-every", type=int, metavar="N", default=SAVE_EVERY, help="updates between saves (500)")
    p.add_argument("--backend", choices=backend.NAMES, default="numpy", help="(default: numpy)")
    p.add_argument("--device", choices=["cpu", "gpu", "tpu"], help="for --backend jax (default: the best there is)")
    p.add_argument("--seeds", type=int, metavar="N", help="digits: train from N seeds; show the distribution")


def name(dest: str) -> str:
    """The flag that sets an option: `batch_size` -> `--batch-size`."""
    return f"--{dest.replace('_', '-')}"


def given_of(given: argparse.Namespace, dests: tuple[str, ...]) -> dict:
    """Those of the options that were set."""
    return {dest: getattr(given, dest) for dest in dests if getattr(given, dest) is not None}


def check_belongs(given: argparse.Namespace, family: str, task: str) -> None:
    """Raises UserError for a flag that the chosen model or task does not know."""
    for kind, chosen, known in (("--task", task, TASKS_OF), ("--model", family, FAMILIES_OF)):
        for dest, able in known.items():
            if getattr(given, dest) is not None and chosen not in able:
                belongs = f"{name(dest)} belongs to {kind} {' or '.join(able)}"
                raise UserError(f"{belongs}, not to {kind} {chosen}: leave it out, or choose another {kind[2:]}")


_FIELDS = {"min_args": "--num-args", "max_args": "--num-args", "n_encoder": "--n-blocks", "n_decoder": "--n-blocks"}
_FIELDS |= {dest: name(dest) for dest in KEPT}
_NAMED = re.compile(rf"\b({'|'.join(field for field in _FIELDS if '_' in field)})\b|^({'|'.join(_FIELDS)})(?= )")
"""A field's name: one with an underscore anywhere, one that is also a word only where a sentence begins with it."""


@contextmanager
def named() -> Iterator[None]:
    """An error about a setting names the flag that the user typed, and not the field behind it."""
    try:
        yield
    except UserError as error:
        raise UserError(_NAMED.sub(lambda found: _FIELDS[found.group()], str(error))) from None
