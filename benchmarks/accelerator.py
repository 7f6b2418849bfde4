"""On a GPU or a TPU: are the twins still equal there, and how fast is the JAX twin?

    python benchmarks/accelerator.py [--write] [--anyway]

Parity: answers, loss and gradients of one batch, 20 and 300 updates from one key, NumPy on the host against JAX on the
device, matrix products in full precision; in float32, and in float64 where the device computes in it. A figure above
its bar makes the exit code 1. Speed: updates a second inside the loop that training runs, for dtypes and batch sizes,
and for many models trained together. Times are by the clock.

Without an accelerator it says so and ends with exit code 2; `--anyway` runs it on the CPU.
"""

from common.threads import one_blas_thread

one_blas_thread()  # before NumPy is imported

import argparse
import json
import re
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace

import machine
import numpy as np
import report

from common import gradcheck, params, random, tree
from common.config import ClassifierConfig, DigitsConfig, TrainConfig
from common.data import digits
from common.data.batching import Examples, batch
from common.errors import UserError

MODEL, TASK = ClassifierConfig(), DigitsConfig()
MODES = [("float32", None), ("float32", "highest"), ("bfloat16", None)]
"""What a pass computes in, and JAX's precision of matrix products; None is the device's own choice."""
BARS = {
    "float32": {"probabilities": 5e-5, "loss": 5e-5, "gradients": 5e-5, "loss after 20 updates": 1e-5},
    "float64": {
        "probabilities": 1e-12,
        "loss": 1e-12,
        "gradients": 1e-12,
        "loss after 20 updates": 1e-12,
        "tensors after 20 updates": 1e-12,
        "loss after 300 updates": 1e-12,
        "tensors after 300 updates": 1e-12,
    },
}
"""The largest difference allowed, relative to a tensor's largest entry. What has no bar is reported: float32 parts."""


# ---- parity ----


def parity(dtype: str, marks: Sequence[int]) -> dict[str, float]:
    """How far apart the twins are in one batch, and after so many updates of a run."""
    import jax

    found = {}
    with jax.enable_x64(dtype == "float64"), jax.default_matmul_precision("highest"):
        found |= one_batch(dtype)
    return found | whole_run(dtype, marks)


def one_batch(dtype: str) -> dict[str, float]:
    import jax

    import jax_impl.train as twin
    import numpy_ref.train as mine

    train = TrainConfig(examples=1_000, batch_size=64)
    weights = params.init(random.key(0), MODEL, np.dtype(dtype))
    examples = batch(digits.load(TASK, seed=0, examples=train.examples).train, train, 0)
    asked = (examples.tokens, examples.mask)
    found, wanted = (
        {
            "probabilities": t.predict(weights, *asked, model=MODEL),
            **dict(zip(("loss", "gradients"), t.loss_and_grads(weights, examples, model=MODEL)[:2], strict=True)),
        }
        for t in (twin, mine)
    )
    return {
        name: max(gradcheck.difference(_named(jax.device_get(found[name])), _named(wanted[name])).values())
        for name in wanted
    }


def _named(value: object) -> dict[str, np.ndarray]:
    return {name: np.asarray(leaf) for name, leaf in tree.items(value)}


def whole_run(dtype: str, marks: Sequence[int]) -> dict[str, float]:
    """One AdamW run at a constant learning rate of 3e-4, compared at the updates in `marks`."""
    from console import compare

    plain = TrainConfig(lr=3e-4, schedule="constant", warmup=0, epochs=1)
    train = replace(plain, examples=marks[-1] * plain.batch_size)
    found = {}
    for apart in compare.walk(model=MODEL, train=train, task=TASK, dtype=dtype, every=marks[0]):
        if apart.step in marks:
            found[f"loss after {apart.step} updates"] = apart.loss
            found[f"tensors after {apart.step} updates"] = apart.tensors[apart.worst]
    return found


def too_far(found: dict[str, dict[str, float]]) -> list[str]:
    """What is above its bar, in words."""
    return [
        f"{dtype}, {name}: {found[dtype][name]:.1e} is above {bar:.0e}"
        for dtype, bars in BARS.items()
        for name, bar in bars.items()
        if dtype in found and name in found[dtype] and not found[dtype][name] <= bar
    ]


# ---- speed ----


def speeds(batches: Sequence[int], every: int, seconds: float) -> list[dict]:
    import jax

    from jax_impl import train as twin

    found = []
    for size in batches:
        for dtype, precision in MODES:
            train = TrainConfig(examples=2 * size, batch_size=size, dtype=dtype)
            carry, examples, order, lrs = _start(train, every)
            with nullcontext() if precision is None else jax.default_matmul_precision(precision):

                def dispatch(carry, data=(examples, order, lrs), train=train):
                    carry, _, figures = twin._updates(carry, *data, every, model=MODEL, train=train)
                    return carry, figures

                rate = _rate(dispatch, carry, every, seconds)
            found.append({"batch": size, "dtype": dtype, "precision": precision or "default", "per_second": rate})
            print(found[-1], flush=True)
    return found


def populations(sizes: Sequence[int], every: int, seconds: float) -> list[dict]:
    import jax
    import jax.numpy as jnp

    from jax_impl.device import population

    found = []
    for n in sizes:
        train = TrainConfig(examples=1_000)
        one = _start(train, every)
        carry, examples, order = jax.tree.map(lambda leaf, n=n: jnp.asarray(np.stack([leaf] * n)), one[:3])

        def dispatch(carry, data=(examples, order, one[3]), train=train):
            return population._updates(carry, *data, every, model=MODEL, train=train)

        found.append({"models": n, "per_second": _rate(dispatch, carry, every, seconds)})
        print(found[-1], flush=True)
    return found


def _start(train: TrainConfig, every: int) -> tuple:
    """Parameters and optimizer state, examples, the rows of each update and the learning rates: on the device."""
    import jax
    import jax.numpy as jnp

    from jax_impl import train as twin

    state = twin.init(MODEL, train)
    carry = jax.tree.map(jnp.copy, (state.params, state.opt))
    examples = Examples(*map(jnp.asarray, digits.load(TASK, seed=0, examples=train.examples).train))
    order = np.random.default_rng(0).integers(train.examples, size=(every, train.batch_size), dtype=np.int32)
    return carry, examples, jnp.asarray(order), jnp.full(every, train.lr, jnp.float32)


def _rate(dispatch: Callable, carry: object, every: int, seconds: float) -> float:
    """Updates a second. As in training, the host asks for the next stretch while the device is at work on this one."""
    carry, figures = dispatch(carry)
    figures.block_until_ready()
    start, done = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        before = figures
        carry, figures = dispatch(carry)
        before.block_until_ready()
        done += every
    figures.block_until_ready()
    return done / (time.perf_counter() - start)


# ---- report ----


def markdown(found: dict) -> str:
    def bar(dtype: str, name: str) -> str:
        return f"{BARS[dtype][name]:.0e}" if name in BARS[dtype] else "none"

    parts = [f"### {found['device']}"]
    rows = [
        (name, dtype, f"{value:.1e}", bar(dtype, name))
        for dtype in found["parity"]
        for name, value in found["parity"][dtype].items()
    ]
    parts.append(report.table(("NumPy against JAX", "dtype", "difference", "bar"), rows))
    if "float64" not in found["parity"]:
        parts.append("This device does not compute in float64.")
    modes = list(dict.fromkeys((row["dtype"], row["precision"]) for row in found["speed"]))
    by = {(row["batch"], row["dtype"], row["precision"]): row["per_second"] for row in found["speed"]}
    sizes = list(dict.fromkeys(row["batch"] for row in found["speed"]))
    head = ("updates a second, batch of", *(f"{dtype}, {precision} precision" for dtype, precision in modes))
    parts.append(report.table(head, [(f"{n:,}", *(f"{by[(n, *mode)]:,.0f}" for mode in modes)) for n in sizes]))
    first = found["populations"][0]
    head = ("models trained together", "updates a second, each", "of all", f"cost in that of {first['models']}")
    each = [
        (
            f"{row['models']:,}",
            f"{row['per_second']:,.0f}",
            f"{row['models'] * row['per_second']:,.0f}",
            f"{first['per_second'] / row['per_second']:.2f}",
        )
        for row in found["populations"]
    ]
    return "\n\n".join([*parts, report.table(head, each), machine.sentence(found["machine"])])


def section() -> str:
    """All results there are, a heading for each device."""
    files = sorted((report.HERE / "results").glob("accelerator-*.json"))
    if not files:
        return "No machine with an accelerator has run this command yet."
    return "\n\n".join(markdown(json.loads(file.read_text())) for file in files)


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(description="Parity and speed of the JAX twin on an accelerator.")
    p.add_argument("--anyway", action="store_true", help="run without an accelerator too, on the CPU")
    p.add_argument("--marks", type=int, nargs="+", default=[20, 300], help="compare after so many updates (20 and 300)")
    p.add_argument("--batches", type=int, nargs="+", default=[32, 256, 4096], help="batch sizes (32, 256, 4096)")
    p.add_argument("--models", type=int, nargs="+", default=[1, 8, 64, 512], help="population sizes (1, 8, 64, 512)")
    p.add_argument("--every", type=int, default=50, help="updates in a dispatch (50)")
    p.add_argument("--seconds", type=float, default=2.0, help="how long each speed is measured (2)")
    p.add_argument("--write", action="store_true", help="write results/accelerator-<device>.json, and README.md")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_args(argv)
    import jax

    from jax_impl.device import setup

    try:
        setup.use()
        if not setup.is_accelerator() and not args.anyway:
            raise UserError("JAX finds no accelerator here: run this where a GPU or a TPU is, or add --anyway")
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    # a TPU has no float64: XLA imitates it with pairs of float32
    dtypes = ["float32"] if jax.default_backend() == "tpu" else ["float32", "float64"]
    found = {
        "device": setup.describe(),
        "machine": machine.describe("jax", "jaxlib"),
        "parity": {dtype: parity(dtype, args.marks) for dtype in dtypes},
        "speed": speeds(args.batches, args.every, args.seconds),
        "populations": populations(args.models, args.every, args.seconds),
    }
    print(markdown(found))
    if args.write:
        report.save("accelerator-" + re.sub(r"[^a-z0-9]+", "-", found["device"].lower()).strip("-"), found)
        report.put_into_readme("accelerator", section())
    wrong = too_far(found["parity"])
    for line in wrong:
        print(f"too far apart: {line}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
