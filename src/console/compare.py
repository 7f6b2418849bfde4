"""`python -m console.compare`: run both twins side by side and watch how far apart they are, tensor by tensor.

Both start from one key and see the same batches. In float64 they agree to the last digits for as long as the run does
not amplify rounding; training is chaotic in the end, and in float32 the ways part sooner.
"""

from common.threads import one_blas_thread

one_blas_thread()  # before NumPy is imported

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from common import gradcheck, tree
from common.config import OPTIMIZERS, ClassifierConfig, DigitsConfig, TrainConfig
from common.data import digits
from common.errors import UserError
from console import backend


class Apart(NamedTuple):
    """How far apart the twins are after an update.

    A difference is relative to the tensor's largest entry, floored at 1e-3 of the largest among its like (parameters,
    m or v): common/gradcheck.py.
    """

    step: int
    loss: float
    """Difference of the update's loss, in nats."""
    tensors: dict[str, float]
    """Each tensor's largest difference: parameters, and the optimizer's state under `m.` and `v.`."""

    @property
    def worst(self) -> str:
        return max(self.tensors, key=lambda name: self.tensors[name])


def walk(
    *, model: ClassifierConfig, train: TrainConfig, task: DigitsConfig, dtype: str, every: int = 1
) -> Iterator[Apart]:
    """Train both twins in step and compare them after every `every` updates, in `float32` or `float64`."""
    mine, twin = backend.choose("numpy"), backend.choose("jax")
    import jax

    data = digits.load(task, seed=train.seed, examples=train.examples)
    with jax.enable_x64(dtype == "float64"), jax.default_matmul_precision("highest"):
        runs = (
            t.train.fit(t.train.init(model, train, np.dtype(dtype)), data, model=model, train=train, every=every)
            for t in (mine, twin)
        )
        for a, b in zip(*runs, strict=True):
            groups = zip(_groups(twin, b), _groups(mine, a), strict=True)
            tensors = {name: apart for b_, a_ in groups for name, apart in gradcheck.difference(b_, a_).items()}
            yield Apart(a.step, abs(a.history.loss[-1] - b.history.loss[-1]), tensors)


def _groups(twin: backend.Twin, state: Any) -> list[dict[str, Any]]:
    """Parameters, m and v, each by name as NumPy arrays: apart, since they are of different sizes altogether."""
    opt = twin.optim.export(state.opt, state.params)
    parts = {"": state.params} | {f"{part}.": opt[part] for part in ("m", "v") if part in opt}
    return [{prefix + name: np.asarray(x) for name, x in tree.items(part)} for prefix, part in parts.items()]


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(prog="python -m console.compare", description=(__doc__ or "").splitlines()[0])
    p.add_argument("--steps", type=int, default=300, help="updates (default: 300)")
    p.add_argument("--dtype", choices=["float32", "float64"], default="float64", help="(default: float64)")
    p.add_argument("--optimizer", choices=OPTIMIZERS, default="adamw", help="(default: adamw)")
    p.add_argument("--lr", type=float, default=3e-4, help="constant learning rate (default: 0.0003)")
    p.add_argument("--seed", type=int, default=0, help="(default: 0)")
    p.add_argument("--every", type=int, default=10, help="updates between comparisons (default: 10)")
    p.add_argument("--plot", type=Path, help="draw every tensor's difference over the updates, .svg or .png")
    return p


def settings(given: argparse.Namespace) -> TrainConfig:
    """One epoch, so that any number of updates can be asked for."""
    if given.steps < 1 or given.every < 1:
        raise UserError("--steps and --every must be at least 1")
    decay = 1.0 if given.optimizer == "adamw" else 0.0
    plain = TrainConfig(optimizer=given.optimizer, lr=given.lr, seed=given.seed, weight_decay=decay)
    return replace(plain, schedule="constant", warmup=0, epochs=1, examples=given.steps * plain.batch_size)


def main(argv: Sequence[str] | None = None) -> int:
    given = parser().parse_args(argv)
    console = Console(highlight=False)
    try:
        train = settings(given)
        console.print(Text(f"NumPy and JAX, {given.dtype}, {train.optimizer}, learning rate {train.lr:g}, one key."))
        seen = []
        for apart in walk(
            model=ClassifierConfig(), train=train, task=DigitsConfig(), dtype=given.dtype, every=given.every
        ):
            seen.append(apart)
            _print_row(console, apart, first=len(seen) == 1)
        console.print(_by_tensor(seen[-1]))
        if given.plot:
            from common import plots

            names = seen[0].tensors
            plots.twin_differences(
                [a.step for a in seen], {name: [a.tensors[name] for a in seen] for name in names}, given.plot
            )
            console.print(Text(f"Drawn: {given.plot}"))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def _print_row(console: Console, apart: Apart, first: bool) -> None:
    if first:
        console.print(Text(f"{'update':>7} {'loss':>9} {'tensors':>9}  the most different"))
    worst = apart.tensors[apart.worst]
    console.print(Text(f"{apart.step:>7} {apart.loss:>9.1e} {worst:>9.1e}  {apart.worst}"))


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
