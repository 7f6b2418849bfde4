"""The hand-written backward on a real model: every gradient of SmolLM2-135M against `jax.grad`.

    python benchmarks/smollm2_gradients.py [--tokens 24] [--write]

The loss is the mean surprise at each next token of a text. Differences are relative to a tensor's largest entry,
floored at 1e-3 of the largest of all tensors (common/gradcheck.py), in float64 and in float32.
"""

import argparse
import sys
import time

import jax
import jax.numpy as jnp
import machine
import numpy as np
import report

import jax_impl.train
import numpy_ref.train
from common import gradcheck, tree, weights
from common.data.batching import Texts
from common.types import Tree
from common.weights import Loaded

NAME = "smollm2_gradients"
TEXT = (
    "A transformer reads a text from left to right. At every position it names the token that comes next, and what it "
    "got wrong is sent back through every layer, down to the embedding of each token it has read."
)


def batch(model: Loaded, length: int) -> Texts:
    assert model.tokenizer is not None
    ids = np.array([model.tokenizer.encode(TEXT)[: length + 1]])
    return Texts(ids[:, :-1], ids[:, 1:], np.ones((1, ids.shape[1] - 1), bool))


def compare(model: Loaded, examples: Texts, dtype: type) -> dict:
    """The loss, the time of the hand-written passes, and each tensor's difference."""
    params: Tree = tree.map(lambda x: x.astype(dtype), model.params)
    start = time.process_time()
    loss, grads, _ = numpy_ref.train.loss_and_grads(params, examples, model=model.config)
    seconds = time.process_time() - start
    with jax.enable_x64(dtype is np.float64):
        on_device = tree.map(jnp.asarray, params)
        twin_loss, twin_grads, _ = jax_impl.train.loss_and_grads(on_device, examples, model=model.config)
        wanted = tree.map(np.asarray, twin_grads)
    apart = gradcheck.difference(grads, wanted)
    worst = max(apart, key=lambda name: apart[name])
    return {
        "loss": float(loss),
        "loss_apart": abs(float(loss) - float(twin_loss)),
        "seconds": seconds,
        "worst": worst,
        "apart": apart[worst],
        "median": float(np.median(list(apart.values()))),
        "tensors": len(apart),
    }


def main() -> int:
    p = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    p.add_argument("--tokens", type=int, default=24, help="tokens that are read (default: 24)")
    p.add_argument("--write", action="store_true", help="put the figures into README.md and results/")
    given = p.parse_args()
    model = weights.load("smollm2")
    examples = batch(model, given.tokens)
    found = {
        name: compare(model, examples, dtype) for name, dtype in (("float64", np.float64), ("float32", np.float32))
    }
    words = machine.describe("jax", "jaxlib")
    rows = [
        (
            name,
            f"{f['loss']:.6f}",
            f"{f['loss_apart']:.1e}",
            f"{f['apart']:.1e}",
            f"`{f['worst']}`",
            f"{f['median']:.1e}",
        )
        for name, f in found.items()
    ]
    head = ("in", "loss, nats", "losses apart", "worst tensor's difference", "which", "median tensor's")
    told = f"{found['float64']['tensors']} tensors, {examples.tokens.shape[1]} tokens."
    text = "\n\n".join([report.table(head, rows), told, machine.sentence(words)])
    print(text)
    if given.write:
        report.save(NAME, found | {"tokens": int(examples.tokens.shape[1]), "machine": words})
        report.put_into_readme(NAME, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
