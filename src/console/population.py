"""`--seeds N`: the same training from N seeds, and the distribution of what comes out. One run is an anecdote."""

import json
import statistics
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from common import evaluation
from common.config import ClassifierConfig, DigitsConfig, TrainConfig
from common.errors import UserError
from common.evaluation import Member
from console import draw
from console.backend import Twin


def run(
    console: Console,
    twin: Twin,
    seeds: Sequence[int],
    task: DigitsConfig,
    model: ClassifierConfig,
    train: TrainConfig,
    out: Path,
) -> None:
    """Train one model for each seed, show the distribution, and write every figure to `out`/population.json."""
    console.print(Text(f"{len(seeds)} runs of {train.steps:,} updates, seeds {seeds[0]} to {seeds[-1]}, one split."))
    members: list[Member] = []
    written = out / "population.json"
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{out} cannot be used as a folder: {error.strerror}") from None
    with _progress(console) as progress:
        bar = progress.add_task("compiling, first time only" if twin.name == "jax" else "training", total=None)

        def heard(done: int, total: int) -> None:
            progress.update(bar, completed=done, total=total, description="training")

        for member in twin.train.population(seeds, task, model=model, train=train, progress=heard):
            members.append(member)
            written.write_text(json.dumps(_record(members, twin, task, train), indent=1) + "\n")
            if not console.is_terminal:
                console.print(Text(f"seed {member.seed}: {evaluation.percent(member.test.accuracy)}"))
    console.print(summary(members, draw.is_ascii(console)))
    console.print(Text(f"\nEvery figure: {written}"), soft_wrap=True)


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=20), TaskProgressColumn())
    return Progress(
        *columns, TimeRemainingColumn(compact=True), console=console, transient=True, disable=not sys.stdout.isatty()
    )


def summary(members: Sequence[Member], ascii_only: bool) -> RenderableType:
    """The distribution of test accuracy: a histogram of its values, its middle and ends, and the hardest operation."""
    shares = sorted(member.test.accuracy for member in members)
    perfect = sum(share == 1 for share in shares)
    lines = ["", "Right answers on expressions never trained on, over the seeds:", ""]
    lines += histogram(shares, len(members[0].test.predictions), ascii_only)
    lines += [
        "",
        f"median {evaluation.percent(statistics.median(shares))}, lowest {evaluation.percent(shares[0])}, "
        f"highest {evaluation.percent(shares[-1])}; {perfect} of {len(shares)} runs answer all of them",
    ]
    ops = members[0].test.by_op
    means = {op: statistics.fmean(m.test.by_op[op] for m in members) for op in ops}
    hardest = min(means, key=lambda op: means[op])
    if means[hardest] < 1:
        lines.append(f"hardest operation: {hardest}, {evaluation.percent(means[hardest])} on average")
    return Group(*(Text(line) for line in lines))


def histogram(shares: Sequence[float], asked: int, ascii_only: bool, bins: int = 10, width: int = 16) -> list[str]:
    """Rows `from - to  count  bar` over the range that occurs, each of whole answers; 100 % has a row of its own.

    `asked` is how many answers a share is of: a row holds at least one of the shares that can be.
    """
    right = [round(share * asked) for share in shares if share < 1]
    rows: list[tuple[str, int]] = []
    if right:
        low, high = min(right), max(right)
        wide = -(-(high - low + 1) // bins)
        counts = Counter((n - low) // wide for n in right)
        for i in range(-(-(high - low + 1) // wide)):
            first = low + i * wide
            rows.append((_range(first, min(first + wide - 1, high), asked), counts[i]))
    rows.append(("100.00 %", len(shares) - len(right)))
    top = max(count for _, count in rows)
    return [f"{label:>17}  {count:>4}  {draw.bar(count / top, width, ascii_only)}".rstrip() for label, count in rows]


def _range(first: int, last: int, asked: int) -> str:
    ends = [f"{100 * n / asked:.2f}" for n in sorted({first, last})]
    return f"{' - '.join(ends)} %"


def _record(members: Sequence[Member], twin: Twin, task: DigitsConfig, train: TrainConfig) -> dict:
    return {
        "backend": twin.name,
        "task": task.to_dict(),
        "train": {name: value for name, value in train.to_dict().items() if name != "seed"},
        "members": [
            {"seed": m.seed, "best_epoch": m.best_epoch, "loss": m.test.loss, "accuracy": m.test.accuracy}
            | {"by_op": m.test.by_op}
            for m in members
        ],
    }
