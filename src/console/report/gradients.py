"""The gradient of every tensor over the moments of a run, on the same examples each time: its length, and its heat."""

from typing import Any

import numpy as np

from common import params as params_map
from common import tree
from common.config import ModelConfig, TrainConfig
from common.data import batching
from common.data.batching import AnyExamples
from common.run import AnyData
from common.types import Array
from console.report.packing import pack
from console.report.recording import Moments
from numpy_ref import train as training

TOKENS = 2_048
"""Token positions of the examples that the gradients are taken of, at most."""
FEW = 32
"""Rows or columns up to this number are shown one by one."""


def probe(data: AnyData, train: TrainConfig) -> AnyExamples:
    """The first examples that the run learned from."""
    first = batching.batch(data.train, train, 0)
    return first.take(slice(0, max(1, TOKENS // first.tokens.shape[1])))


def of(
    moments: Moments, examples: AnyExamples, model: ModelConfig, names: list[str], cells: int, *, broken: bool = False
) -> dict[str, Any]:
    """Lengths (moments, tensors) and, by tensor, the root mean squares of blocks of its gradient.

    A matrix is cut into at most `cells` by `cells` blocks, or FEW by FEW single rows or columns. Lengths and heat are
    stored as logarithms to base 10: a gradient falls by many powers of ten while a model learns. `names` are the
    tokens by their ids: they name the rows of embeddings and the columns of the head. A gradient that is zero by
    mathematics is shown as zero, whatever rounding left of it; from a `broken` backward, as it is.
    """
    order = list(params_map.names(model))
    grads = [training.loss_and_grads(params, examples, model=model)[1] for _, params in moments]
    zero = [] if broken else params_map.without_gradient(model)
    by_name = [{name: leaf * (name not in zero) for name, leaf in tree.items(one)} for one in grads]
    tensors = []
    for name in order:
        leaves = [np.atleast_2d(one[name].astype(np.float64)) for one in by_name]
        heat = np.stack([_blocks(leaf, cells) for leaf in leaves])
        told = {"name": name, "shape": list(by_name[0][name].shape), "heat": pack(_log(heat))}
        tensors.append(told | _labels(name, leaves[0].shape, names))
    lengths = [[float(np.linalg.norm(one[name])) for name in order] for one in by_name]
    return {"examples": len(examples.targets), "lengths": pack(_log(np.array(lengths)), "f32"), "tensors": tensors}


def _log(values: Array) -> Array:
    """Logarithms to base 10; of zero, minus infinity."""
    with np.errstate(divide="ignore"):
        return np.log10(values)


def _blocks(matrix: Array, cells: int) -> Array:
    """The root mean square of each block."""
    rows, columns = (_cuts(size, cells) for size in matrix.shape)
    squares = np.add.reduceat(np.add.reduceat(matrix * matrix, rows, axis=0), columns, axis=1)
    counts = np.outer(np.diff([*rows, matrix.shape[0]]), np.diff([*columns, matrix.shape[1]]))
    return np.sqrt(squares / counts)


def _cuts(size: int, cells: int) -> list[int]:
    """Where the blocks of an axis begin."""
    if size <= min(FEW, 2 * cells):
        return list(range(size))
    return [i * size // cells for i in range(cells)]


def _labels(name: str, shape: tuple[int, ...], tokens: list[str]) -> dict[str, list[str]]:
    """The tokens of an axis that is shown one by one."""
    few = len(tokens) <= FEW
    if few and name in ("emb.w", "src.w", "tgt.w") and shape[0] == len(tokens):
        return {"rows": tokens}
    return {"columns": tokens} if few and name.startswith("head.") and shape[1] == len(tokens) else {}
