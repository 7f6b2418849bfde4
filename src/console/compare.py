"""`python -m console.compare`: run both twins side by side and watch how far apart they are, tensor by tensor.

Both train the digit classifier from one key on the same batches. In float64 they agree to the last digits for as long
as the run does not amplify rounding; training is chaotic in the end, and in float32 the ways part sooner. A verdict
says which it was.
"""

from common.threads import one_blas_thread

one_blas_thread()  # before NumPy is imported

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from common.config import OPTIMIZERS, ClassifierConfig, DigitsConfig, TrainConfig
from common.errors import UserError
from console import terminal, verdict
from console.apart import Apart, walk

EPILOG = """\
A run that keeps together, and one that does not:
  python -m console.compare
  python -m console.compare --optimizer momentum --lr 0.03 --steps 400
Exit code 0 when the comparison was finished, also if the twins part: that is a finding. 2 for a bad request.
"""
MOST = 100_000
"""Updates that can be asked for: the examples of all of them are drawn before the first."""


def parser() -> argparse.ArgumentParser:
    about = (__doc__ or "").partition(": ")[2]
    p = terminal.Parser(
        prog="python -m console.compare",
        description=about[0].upper() + about[1:],
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("--steps", type=int, default=300, help="updates; another number is another run (default: 300)")
    p.add_argument("--dtype", choices=["float32", "float64"], default="float64", help="(default: float64)")
    p.add_argument("--optimizer", choices=OPTIMIZERS, default="adamw", help="(default: adamw)")
    p.add_argument("--lr", type=float, default=3e-4, help="constant learning rate (default: 0.0003)")
    p.add_argument("--seed", type=int, default=0, help="(default: 0)")
    p.add_argument("--every", type=int, default=10, help="updates between comparisons (default: 10)")
    p.add_argument("--plot", type=Path, help="draw every tensor's difference over the updates, .svg or .png")
    return p


def settings(given: argparse.Namespace) -> TrainConfig:
    """One epoch, so that any number of updates can be asked for. Raises UserError for a bad request."""
    if not 1 <= given.steps <= MOST or given.every < 1:
        raise UserError(f"--steps must be from 1 to {MOST:,}, and --every at least 1")
    if given.plot and given.plot.suffix.lower() not in (".svg", ".png"):
        raise UserError(f"--plot {given.plot}: a picture is written as .svg or .png; give it one of these endings")
    decay = 1.0 if given.optimizer == "adamw" else 0.0
    plain = TrainConfig(optimizer=given.optimizer, lr=given.lr, seed=given.seed, weight_decay=decay)
    return replace(plain, schedule="constant", warmup=0, epochs=1, examples=given.steps * plain.batch_size)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; the exit code: 0 compared, 2 bad request, 130 interrupted (what was seen is judged)."""
    given = parser().parse_args(argv)
    console = terminal.Screen()
    seen: list[Apart] = []
    try:
        train = settings(given)
        _print_opening(console, train, given.dtype)
        for apart in walk(
            model=ClassifierConfig(), train=train, task=DigitsConfig(), dtype=given.dtype, every=given.every
        ):
            _print_row(console, apart)
            seen.append(apart)
        _conclude(console, seen, given)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        if seen:
            _conclude(console, seen, given)
        return 130
    except BrokenPipeError:
        terminal.close_stdout()
        return terminal.CLOSED
    return 0


def _print_opening(console: Console, train: TrainConfig, dtype: str) -> None:
    about = (
        f"NumPy and JAX train the digit classifier for {train.steps:,} updates of {train.optimizer}, learning rate "
        f"{train.lr:g}, {dtype}, seed {train.seed}: the same first weights, the same batches. JAX compiles first."
    )
    console.print(Text(about))
    note = (
        "A difference is relative to the tensor's largest entry. m. and v. are the optimizer's moments of a tensor.\n"
    )
    console.print(Text(note))
    console.print(Text(f"{'after':>7} {'loss,':>9} {'largest':>10}"))
    console.print(Text(f"{'update':>7} {'nats':>9} {'difference':>10}  in tensor"))


def _print_row(console: Console, apart: Apart) -> None:
    worst = apart.tensors[apart.worst]
    console.print(Text(f"{apart.step:>7} {apart.loss:>9.1e} {worst:>10.1e}  {apart.worst}"))


def _conclude(console: Console, seen: list[Apart], given: argparse.Namespace) -> None:
    """Every tensor at the end, the picture, the verdict."""
    console.print()
    console.print(_by_tensor(seen[-1]))
    console.print()
    looks = [verdict.Look(apart.step, apart.tensors[apart.worst], apart.worst) for apart in seen]
    for sentence in verdict.sentences(looks, given.dtype):
        console.print(Text(sentence))
    if given.plot:
        from common import plots

        lines = {name: [apart.tensors[name] for apart in seen] for name in seen[0].tensors}
        plots.twin_differences([apart.step for apart in seen], lines, given.plot)
        console.print(Text(f"Drawn: {given.plot}"), soft_wrap=True)


def _by_tensor(apart: Apart) -> Table:
    table = Table(
        box=None, pad_edge=False, header_style="dim", title=f"After update {apart.step}", title_justify="left"
    )
    for column in ("tensor", "parameter", "m", "v"):
        table.add_column(column, justify="left" if column == "tensor" else "right")
    for name in apart.tensors:
        if name.startswith(("m.", "v.")):
            continue
        parts = (apart.tensors.get(prefix + name) for prefix in ("", "m.", "v."))
        table.add_row(name, *("" if part is None else f"{part:.1e}" for part in parts))
    return table


if __name__ == "__main__":
    sys.exit(main())
