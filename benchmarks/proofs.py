"""How exact both twins are: the worst figure of each comparison that the tests hold to a bar.

    python benchmarks/proofs.py [--write]

The tests say that a figure is under its bar; this says how far. An error is relative to the largest entry of the
tensor, floored at 1e-3 of the largest entry among its like (common/gradcheck.py). A key bias whose gradient is zero up
to rounding is left out (`without_gradient` in tests/cases.py).
"""

from common.threads import one_blas_thread

one_blas_thread()  # before NumPy is imported

import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import machine
import numpy as np
import report

from common import checkpoint, gradcheck, params, random, tree
from common.config import FAMILIES, ClassifierConfig, DigitsConfig, TrainConfig
from common.data import digits
from common.data.batching import pad
from common.run import TrainState
from common.types import Tree
from common.vocabulary import encode
from console import backend, compare
from numpy_ref.models import classifier
from numpy_ref.ops import cross_entropy

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from cases import CASES, Case, as_tuple
from oracle import recipe

DEFAULT = ClassifierConfig()
EXPRESSIONS = [encode(text) for text in ("Max ( 5 3 9 )", "Second ( 7 7 )", "Min ( 4 0 8 8 1 )", "First ( 6 )")]
ENTRIES = 12
"""How many entries of each tensor are tried, drawn at random."""
WITNESSES = {
    "classifier": "PyTorch",
    "gpt": "Hugging Face GPT-2",
    "seq2seq": "PyTorch's layers",
    "llama": "Hugging Face LLaMA",
}
LENGTHS = (8, 12, 20, 30, 50)


class Row(NamedTuple):
    what: str
    over: str
    """What the worst is taken over."""
    worst: float | None
    """None where a row is a yes: it would not be there otherwise."""
    bar: float | None


def worst(errors: dict[str, float], case: Case) -> float:
    return max(error for name, error in errors.items() if name not in case.without_gradient(errors))


# ---- each gradient against the derivative of its own forward ----


def derivatives() -> Iterator[Row]:
    tokens_BT, mask_BT = pad(EXPRESSIONS)
    targets_B = np.array([11, 9, 2, 8])
    weights = params.init(random.key(3), DEFAULT, np.float64)

    def run(weights: Tree) -> tuple:
        logits_BC, saved_model = classifier.forward(weights, tokens_BT=tokens_BT, mask_BT=mask_BT, config=DEFAULT)
        loss, saved_loss = cross_entropy.forward(logits_BC, targets_B=targets_B)
        return loss, saved_model, saved_loss

    loss, saved_model, saved_loss = run(weights)
    grads = classifier.backward(cross_entropy.backward(np.ones_like(loss), saved_loss), saved_model)
    for method, bar in ((gradcheck.complex_step, 1e-11), (gradcheck.central_difference, 1e-6)):
        name = method.__name__.replace("_", " ")
        rows = gradcheck.check(lambda w: run(w)[0], weights, grads, method=method, entries=ENTRIES)
        over = f"{sum(row.tried for row in rows):,} entries of the {len(rows)} tensors of the default classifier"
        yield Row(f"NumPy gradients, {name}", over, max(row.error for row in rows), bar)
        found = [case_error(case, method) for case in CASES]
        over = f"{sum(tried for _, tried in found):,} entries of {len(CASES)} small ops, layers and models"
        yield Row(f"NumPy gradients, {name}", over, max(error for error, _ in found), bar)


def case_error(case: Case, method: Callable[..., float]) -> tuple[float, int]:
    forward, backward = case.functions()
    y, saved = forward(*case.args, **case.kw)
    dy = np.random.default_rng(1).normal(size=np.shape(y))
    grads = list(as_tuple(backward(dy, saved)))
    at = list(case.args)
    rows = gradcheck.check(lambda a: np.sum(forward(*a, **case.kw)[0] * dy), at, grads, method=method, entries=ENTRIES)
    return worst({row.name: row.error for row in rows}, case), sum(row.tried for row in rows)


# ---- the twins against each other, and against a third witness ----


def twins() -> Iterator[Row]:
    found = [twin_errors(case) for case in CASES]
    over = f"{len(CASES)} small ops, layers and models, float64"
    yield Row("Twins, forward", over, max(forward for forward, _ in found), 1e-12)
    yield Row("Twins, gradients", over, max(gradients for _, gradients in found), 1e-12)


def twin_errors(case: Case) -> tuple[float, float]:
    forward, backward = case.functions("numpy_ref")
    twin, _ = case.functions("jax_impl")
    y, saved = forward(*case.args, **case.kw)
    dy = np.random.default_rng(1).normal(size=np.shape(y))
    grads = list(as_tuple(backward(dy, saved)))
    with jax.enable_x64(True):
        y_twin, vjp = jax.vjp(jax.jit(partial(twin, **case.kw)), *case.args)
        twin_grads = list(vjp(jnp.asarray(dy)))
    in_numpy = jax.tree.map(np.asarray, [[y_twin], twin_grads])
    apart = gradcheck.difference([y], in_numpy[0]), gradcheck.difference(grads, in_numpy[1])
    return worst(apart[0], case), worst(apart[1], case)


def witnesses() -> Iterator[Row]:
    for name, who in WITNESSES.items():
        tensors, configs = recipe.load(name)
        golden = tree.build(tensors)
        found = [golden_error(name, values, golden, golden[model]) for model, values in configs.items()]
        if name == "classifier":
            found.append(golden_error(name, DEFAULT.to_dict(), golden, golden["default"]))
        over = f"logits, loss, every gradient of {len(found)} models, float64"
        yield Row(f"NumPy {name} and {who} (golden file)", over, max(found), 1e-12)


def golden_error(family: str, values: dict, golden: Tree, part: Tree) -> float:
    if family != "classifier":
        config = FAMILIES[family](**values)
        return recipe.worst(recipe.numpy_run(config, part["weights"], recipe.Sequences(**part["batch"])), part)
    config = ClassifierConfig(**values)
    weights = part["weights"] if "weights" in part else recipe.generic(config, 5)
    logits_BC, saved = classifier.forward(weights, tokens_BT=golden["tokens"], mask_BT=golden["mask"], config=config)
    loss, saved_loss = cross_entropy.forward(logits_BC, targets_B=golden["targets"])
    grads = classifier.backward(cross_entropy.backward(np.ones_like(loss), saved_loss), saved)
    seen = grads if "weights" in part else recipe.projected(grads)
    return recipe.worst({"logits": logits_BC, "loss": loss, "grads": seen}, part)


# ---- what must change nothing ----


def padding() -> Iterator[Row]:
    for dtype, bar in ((np.float64, 1e-12), (np.float32, 1e-6)):
        weights = params.init(random.key(11), DEFAULT, dtype)
        errors = []
        for sequence in EXPRESSIONS:
            wanted, *others = (logits(weights, sequence, length) for length in (len(sequence), *LENGTHS))
            errors += [float(np.max(np.abs(found - wanted)) / np.max(np.abs(wanted))) for found in others]
        over = f"logits, padded to {', '.join(map(str, LENGTHS))}, {np.dtype(dtype).name}"
        yield Row("NumPy, with padding and without", over, max(errors), bar)


def logits(weights: Tree, sequence: list[int], length: int) -> np.ndarray:
    tokens_BT, mask_BT = pad([sequence], length)
    return classifier.forward(weights, tokens_BT=tokens_BT, mask_BT=mask_BT, config=DEFAULT)[0]


# ---- whole runs ----


def whole_runs() -> Iterator[Row]:
    train = compare.settings(compare.parser().parse_args([]))
    seen = list(compare.walk(model=DEFAULT, train=train, task=DigitsConfig(), dtype="float64", every=50))
    setting = f"{train.steps} updates of {train.optimizer}, learning rate {train.lr:g}, float64"
    yield Row("Twins, losses (nats)", setting, max(apart.loss for apart in seen), 1e-12)
    for what, prefix in (("parameters", ""), ("m", "m."), ("v", "v.")):
        errors = [
            error
            for apart in seen
            for name, error in apart.tensors.items()
            if (name.startswith(prefix) if prefix else not name.startswith(("m.", "v.")))
        ]
        yield Row(f"Twins, {what}", setting, max(errors), 1e-12)


def resumed() -> Iterator[Row]:
    train = TrainConfig(examples=1_280, epochs=6, warmup=5)
    data = digits.load(DigitsConfig(), seed=train.seed, examples=train.examples)
    for name in backend.NAMES:
        twin = backend.choose(name)
        with tempfile.TemporaryDirectory() as folder:
            whole, part = Path(folder) / "whole", Path(folder) / "part"
            states = list(twin.train.fit(twin.train.init(DEFAULT, train), data, model=DEFAULT, train=train, every=15))
            save(twin, states[-1], data, train, whole)
            stopped = states[4]
            save(twin, stopped, data, train, part)
            run = checkpoint.load_run(part).state
            state = TrainState(run.params, twin.optim.restore(run.opt), run.step, run.history, run.best)
            *_, end = twin.train.fit(state, data, model=DEFAULT, train=train, every=15)
            save(twin, end, data, train, part)
            if whole.read_bytes() != part.read_bytes():
                raise SystemExit(f"{name}: the resumed run ends with other bytes")
        over = f"checkpoint after {train.steps} updates, stopped after {stopped.step} of them, float32"
        yield Row(f"{name} run, resumed and uninterrupted: the same bytes", over, None, None)


def save(twin: backend.Twin, state: TrainState, data: digits.Digits, train: TrainConfig, path: Path) -> None:
    opt = twin.optim.export(state.opt, state.params)
    opt = {name: int(part) if name == "step" else tree.map(np.asarray, part) for name, part in opt.items()}
    best = state.best and replace(state.best, params=tree.map(np.asarray, state.best.params))
    kept = TrainState(tree.map(np.asarray, state.params), opt, state.step, state.history, best)
    checkpoint.save_run(path, checkpoint.Run("classifier", DEFAULT, data.task, train, kept))


def markdown(rows: list[Row], words: dict[str, str]) -> str:
    head = ("what", "over", "worst", "bar of the tests")
    cells = [
        (row.what, row.over, "yes" if row.worst is None else f"{row.worst:.1e}", f"{row.bar:.0e}" if row.bar else "")
        for row in rows
    ]
    return report.table(head, cells) + "\n\n" + machine.sentence(words)


def main() -> int:
    parser = argparse.ArgumentParser(description="The worst figure of every comparison that the tests hold to a bar.")
    parser.add_argument("--write", action="store_true", help="write results/proofs.json and the table in README.md")
    args = parser.parse_args()
    rows = []
    for part in (derivatives, twins, witnesses, padding, whole_runs, resumed):
        for row in part():
            rows.append(row)
            print(row, flush=True)
    words = machine.describe("jax", "jaxlib")
    print(markdown(rows, words))
    if args.write:
        report.save("proofs", {"machine": words, "rows": [row._asdict() for row in rows]})
        report.put_into_readme("proofs", markdown(rows, words))
    return int(any(row.worst is not None and row.bar is not None and row.worst > row.bar for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())
