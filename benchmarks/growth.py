"""How the cost of one encoder block grows with the length of the sequence and with its width.

    python benchmarks/growth.py [--rounds 7] [--write]

Forward and backward (the gradient of every weight and of the input) of one block of the digit transformer: batch 1,
float32, one thread, all positions asked and none masked. The feed-forward part is four times as wide as the block;
heads are 64 wide, but there are four at least. The contestants take turns, and all must compute the same gradients.
Times are CPU times of the process, the median over the rounds.
"""

from common.threads import one_blas_thread

one_blas_thread()  # before NumPy is imported

import argparse
import math
import os
import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax_peers
import machine
import numpy as np
import report
import torch_peer

from common import params, plots, random, tree
from common.config import ClassifierConfig
from common.types import Array, Tree
from numpy_ref.models import classifier

LENGTHS = [(length, width) for width in (64, 256) for length in (64, 256, 1024, 2048)]
WIDTHS = [(512, width) for width in (64, 256, 1024)]
LIMIT = 60.0
"""Seconds a call: what takes longer is left out, and the table says so."""
TURN = 0.05
"""Seconds that a turn lasts at least."""

Call = Callable[[], dict[str, Array]]


class Task(NamedTuple):
    """A block, its input, and the gradient of its output (normal numbers: ones would hide a wrong softmax)."""

    model: ClassifierConfig
    weights: Tree
    x: Array
    """(1, T, D), as is `dy`."""
    dy: Array
    mask: Array
    """(1, T)"""


def task(length: int, width: int) -> Task:
    model = ClassifierConfig(d_model=width, n_heads=max(4, width // 64), d_ffn=4 * width, n_blocks=1)
    x_BTD, dy_BTD = np.random.default_rng(0).normal(size=(2, 1, length, width)).astype(np.float32)
    weights = params.init(random.key(0), model)["blocks"][0]
    return Task(model, weights, x_BTD, dy_BTD, np.ones((1, length), dtype=bool))


def numpy_block(task: Task) -> Call:
    def call() -> dict[str, Array]:
        queries = task.x.shape[1]
        _, saved = classifier.block_forward(task.weights, task.x, mask_BS=task.mask, queries=queries, config=task.model)
        d_block, dx_BTD = classifier.block_backward(task.dy, saved)
        return tree.named(d_block) | {"x": dx_BTD}

    return call


def jax_block(task: Task) -> Call:
    import jax
    import jax.numpy as jnp

    from jax_impl.models import classifier as twin

    @jax.jit
    def gradients(weights, x_BTD, dy_BTD, mask_BS):
        forward = partial(twin.block_forward, mask_BS=mask_BS, queries=x_BTD.shape[1], config=task.model)
        return jax.vjp(forward, weights, x_BTD)[1](dy_BTD)

    given = jax.tree.map(jnp.asarray, (task.weights, task.x, task.dy, task.mask))

    def call() -> dict[str, Array]:
        d_block, dx_BTD = jax.block_until_ready(gradients(*given))
        return tree.named(d_block) | {"x": dx_BTD}

    return call


def torch_block(task: Task, *, fused: bool) -> Call:
    """The block by hand: `fused` with PyTorch's attention kernel, else with products and softmax of their own."""
    import torch

    torch.set_num_threads(1)
    p = {name: torch.tensor(np.array(leaf), requires_grad=True) for name, leaf in tree.items(task.weights)}
    x_BTD = torch.tensor(task.x, requires_grad=True)
    dy_BTD, mask_B11S = torch.from_numpy(task.dy), torch.from_numpy(task.mask)[:, None, None]
    attend = torch.nn.functional.scaled_dot_product_attention if fused else _plain_attention

    def call() -> dict[str, Array]:
        y_BTD = torch_peer.block(p, x_BTD, x_BTD, mask_B11S, config=task.model, attend=attend)
        grads = torch.autograd.grad(y_BTD, [*p.values(), x_BTD], dy_BTD)
        return dict(zip([*p, "x"], (grad.numpy() for grad in grads), strict=True))

    return call


def _plain_attention(q, k, v, attn_mask):
    import torch

    a = (q @ k.transpose(-1, -2)) * (1.0 / math.sqrt(q.shape[-1]))
    return torch.softmax(a.masked_fill(~attn_mask, -math.inf), dim=-1) @ v


CONTESTANTS: dict[str, Callable[[Task], Call]] = {
    "NumPy": numpy_block,
    "JAX": jax_block,
    "PyTorch": partial(torch_block, fused=False),
    "PyTorch, fused attention": partial(torch_block, fused=True),
}


def measure(length: int, width: int, rounds: int) -> dict:
    """The median CPU milliseconds of each contestant, None where one call takes longer than LIMIT; and what share of
    its time the system took, which is where fetching memory is counted."""
    given = task(length, width)
    calls = {name: make(given) for name, make in CONTESTANTS.items()}
    same_gradients({name: call() for name, call in calls.items()})  # compiles, too
    once = {name: timed(call, 1) for name, call in calls.items()}
    entered = {name: call for name, call in calls.items() if once[name] <= LIMIT}
    times: dict[str, list[float]] = {name: [] for name in entered}
    spent = {name: np.zeros(2) for name in entered}
    for _ in range(rounds):
        for name, call in entered.items():
            before = os.times()
            times[name].append(timed(call, max(1, round(TURN / max(once[name], 1e-6)))))
            after = os.times()
            spent[name] += (after.user - before.user, after.system - before.system)
    medians = {name: float(np.median(found)) * 1e3 for name, found in times.items()}
    system = {name: float(seconds[1] / max(seconds.sum(), 1e-9)) for name, seconds in spent.items()}
    return {
        "length": length,
        "width": width,
        "heads": given.model.n_heads,
        "ms": {name: medians.get(name) for name in calls},
        "system_share": system,
    }


def timed(call: Call, times: int) -> float:
    """CPU seconds of a call, the mean of `times`."""
    start = time.process_time()
    for _ in range(times):
        call()
    return (time.process_time() - start) / times


def same_gradients(found: dict[str, dict[str, Array]], tolerance: float = 2e-5) -> None:
    """To 2e-5 of each gradient's largest entry, or there is no table."""
    wanted = found["NumPy"]
    for name, grads in found.items():
        for tensor, grad in grads.items():
            error = np.max(np.abs(np.asarray(grad) - wanted[tensor])) / np.max(np.abs(wanted[tensor]))
            if not error < tolerance:
                raise SystemExit(f"{name} does other work: its gradient of {tensor} differs by {error:.1e}")


def markdown(found: list[dict], words: dict[str, str]) -> str:
    def shown(ms: float | None) -> str:
        if ms is None:
            return f"over {LIMIT:.0f} s"
        return f"{ms:,.{2 if ms < 10 else 1 if ms < 100 else 0}f}"

    def row(size: dict) -> tuple[str, ...]:
        return (f"{size['length']:,}", f"{size['width']:,}", *map(shown, size["ms"].values()))

    head = ("positions", "width", *(f"{name}, CPU ms" for name in CONTESTANTS))
    by_length = [size for size in found if (size["length"], size["width"]) in LENGTHS]
    by_width = [size for size in found if (size["length"], size["width"]) in WIDTHS]
    return "\n\n".join(
        [
            report.table(head, [row(size) for size in by_length]),
            report.table(head, [row(size) for size in by_width]),
            "![CPU time of one block over the number of positions, and over the width, both axes logarithmic]"
            "(results/growth.svg)",
            "Fetching memory from the system, which is in these times, takes of them at 2,048 positions: "
            + "; ".join(map(fetching, [size for size in by_length if size["length"] == 2048]))
            + ".",
            machine.sentence(words),
        ]
    )


def fetching(size: dict) -> str:
    shares = [f"{name} {100 * share:.0f} %" for name, share in size["system_share"].items()]
    return f"width {size['width']}: {', '.join(shares)}"


@plots.styled
def draw(found: list[dict]):
    """Time over length for each width, and over width at 512 positions; both axes logarithmic."""
    figure = plots.figure_of(8.4, 3.2)
    panels = figure.subplots(1, 3, sharey=True)
    groups = [(f"width {width}", "positions", "length", [s for s in LENGTHS if s[1] == width]) for width in (64, 256)]
    groups.append(("512 positions", "width", "width", WIDTHS))
    for axes, (title, label, key, sizes) in zip(panels, groups, strict=True):
        shown = [size for size in found if (size["length"], size["width"]) in sizes]
        for (colour, marker, line), name in zip(plots.LINES, CONTESTANTS, strict=False):
            milliseconds = [np.nan if size["ms"][name] is None else size["ms"][name] for size in shown]
            axes.plot(
                [size[key] for size in shown],
                milliseconds,
                color=colour,
                marker=marker,
                ls=line,
                ms=4,
                lw=1.2,
                label=name,
            )
        axes.set(xscale="log", yscale="log", xlabel=label)
        axes.set_xticks([size[key] for size in shown], [f"{size[key]:,}" for size in shown], minor=False)
        axes.minorticks_off()
        axes.set_title(title, loc="left")
    panels[0].set_ylabel("CPU milliseconds, forward and backward")
    panels[2].legend(loc="lower right")
    plots.plain_log(panels[0].yaxis, 1000)
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description="How the cost of one encoder block grows with length and width.")
    parser.add_argument("--rounds", type=int, default=7, help="how often each contestant has its turn (7)")
    parser.add_argument("--write", action="store_true", help="write results/growth.json and .svg, and README.md")
    args = parser.parse_args()
    jax_peers.one_xla_thread()
    found = []
    for length, width in dict.fromkeys([*LENGTHS, *WIDTHS]):
        found.append(measure(length, width, args.rounds))
        print(found[-1], flush=True)
    words = machine.describe("torch", "jax", "jaxlib")
    print(markdown(found, words))
    if args.write:
        report.save("growth", {"machine": words, "rounds": args.rounds, "sizes": found})
        plots.save(draw(found), report.HERE / "results" / "growth.svg")
        report.put_into_readme("growth", markdown(found, words))


if __name__ == "__main__":
    main()
