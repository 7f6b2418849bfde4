"""From tensors in a file to a parameter tree: checked as a whole first, then read one strip at a time.

Nothing is allocated before every name and shape has been compared with the configuration, and what is allocated is the
result and one strip: a model is never in memory twice.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import DTypeLike

from common import params, tree
from common.config import LlamaConfig
from common.files import FileError
from common.types import Array, Tree
from common.weights import names

STRIP = 1 << 18
"""Numbers that are converted at a time: one mebibyte of float32, about what fits into a core's cache."""

Order = Literal["C", "F"]
Progress = Callable[[int, int], None]
"""Called with the bytes of the result that are done, and all of them, after each tensor."""


@dataclass(frozen=True)
class Stored:
    """A tensor in a file, not yet read."""

    shape: tuple[int, ...]
    """As it lies in the file: (out, in) for weights."""
    format: str
    """The file's word for its numbers: F32, BF16, Q4_1."""
    rows: Callable[[int, int], Array]
    """Rows start to stop along the first axis, as float32 or float64."""


def fill(
    path: Path,
    found: Mapping[str, Stored],
    config: LlamaConfig,
    column: int,
    dtype: DTypeLike,
    progress: Progress | None = None,
) -> Tree:
    """The parameter tree of `config` from the tensors `found` under their names, in `dtype`, contiguous.

    A tied embedding lies in memory as the head that it also is, (width, vocabulary): the product of one vector with it
    then takes two thirds of the time, and a row is looked up soon enough in either layout. Raises FileError naming
    every tensor that is missing, unknown or of another shape, and every one with NaN or infinity in it.
    """
    _check(path, found, config, column)
    wanted, called = params.names(config), names.theirs(config, column)
    size = np.dtype(dtype).itemsize
    total = sum(int(np.prod(shape)) for shape in wanted.values()) * size
    done, wrong, filled = 0, [], {}
    for name, shape in wanted.items():
        order: Order = "F" if config.tied and name == "emb.w" else "C"
        filled[name], finite = _read(found[called[name]], np.empty(shape, dtype, order), names.turned(name))
        if not finite:
            wrong.append(f"{called[name]} holds NaN or infinity")
        done += filled[name].nbytes
        if progress is not None:
            progress(done, total)
    if wrong:
        raise FileError.of(path, wrong)
    return tree.build(filled)


def _check(path: Path, found: Mapping[str, Stored], config: LlamaConfig, column: int) -> None:
    if config.n_blocks > len(found):
        # the list of what is wanted would be as long as the file claims: a billion blocks, perhaps
        raise FileError(path, f"{len(found)} tensors cannot make a model of {config.n_blocks} blocks")
    shapes, called = params.names(config), names.theirs(config, column)
    wanted = {called[name]: shape[::-1] if names.turned(name) else shape for name, shape in shapes.items()}
    wrong = [f"{name} is missing" for name in wanted if name not in found]
    wrong += [f"{name!r} is no tensor of such a model" for name in found if name not in wanted]
    wrong += [
        f"{name} has shape {found[name].shape}, not {shape}"
        for name, shape in wanted.items()
        if name in found and found[name].shape != shape
    ]
    if wrong:
        raise FileError.of(path, wrong)


def _read(stored: Stored, result: Array, turned: bool) -> tuple[Array, bool]:
    """`result`, filled with the tensor in our layout, and whether all its numbers are finite."""
    rows, width = stored.shape[0], int(np.prod(stored.shape[1:], dtype=np.int64))
    step = max(1, STRIP // width)
    finite = True
    for start in range(0, rows, step):
        with np.errstate(over="ignore"):  # what a narrow dtype cannot hold becomes infinity, and is reported
            strip = stored.rows(start, min(start + step, rows)).astype(result.dtype, copy=False)
        if turned:
            result[:, start : start + step] = strip.T
        else:
            result[start : start + step] = strip
        finite = finite and bool(np.isfinite(strip).all())
    return result, finite
