"""What a model takes in memory, known before any of it is allocated: parameters, optimizer, KV cache; what fits."""

import contextlib
import math
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from common import params as params_map
from common import tree
from common.config import KEEPS, ClassifierConfig, LlamaConfig, ModelConfig, Seq2SeqConfig
from common.config.checks import require
from common.sampling import Request
from common.types import Tree

_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Where Linux writes what a container may have."""


def parameters(model: ModelConfig) -> int:
    """How many numbers the parameters are. Counted for one block and one more, so that no depth takes long."""
    any_model: Any = model
    depths = [field for field in ("n_blocks", "n_encoder", "n_decoder") if hasattr(model, field)]
    shallow = replace(any_model, **dict.fromkeys(depths, 1))
    added = {field: _count(replace(shallow, **{field: 2})) - _count(shallow) for field in depths}
    return _count(shallow) + sum((getattr(model, field) - 1) * block for field, block in added.items())


def _count(model: ModelConfig) -> int:
    return sum(math.prod(shape) for _, shape in tree.items(params_map.shapes(model)))


def optimizer(model: ModelConfig, name: str) -> int:
    """How many numbers an optimizer (common.config.OPTIMIZERS) keeps from update to update."""
    return len(KEEPS[name]) * parameters(model)


def cache(model: ModelConfig, *, rows: int, size: int, itemsize: int, source: int = 0) -> int:
    """Bytes of the cache that `rows` sequences with room for `size` tokens each are generated with.

    Of every token each block keeps a key and a value; of a source of `source` tokens (an encoder-decoder's) too. Every
    row has its position, and of every token of a source is known whether it is real. A classifier has none.
    """
    if isinstance(model, ClassifierConfig):
        return 0
    if isinstance(model, Seq2SeqConfig):
        pairs = 2 * model.n_decoder * model.d_model * (size + source)
        return rows * (pairs * itemsize + source + 4)
    width = model.n_kv_heads * model.d_head if isinstance(model, LlamaConfig) else model.d_model
    return rows * (2 * model.n_blocks * width * size * itemsize + 4)


def check_cache(
    params: Tree, model: ModelConfig, *, rows: int, size: int, source: int = 0, limit: int | None = None
) -> None:
    """Raises UserError, with what would fit, where parameters and cache together are more than there is memory.

    `limit` is the device's memory in bytes; None is the machine's. Where that is not known either, nothing is checked.
    """
    leaves = tree.leaves(params)
    held, itemsize = sum(leaf.nbytes for leaf in leaves), leaves[0].dtype.itemsize
    room = limit or machine()
    if room is None:
        return
    one = cache(model, rows=1, size=size, itemsize=itemsize, source=source)
    token = cache(model, rows=rows, size=size + 1, itemsize=itemsize, source=source) - rows * one
    fit, longest = (room - held) // one, size - max(0, -(-(held + rows * one - room) // token))
    fits = [f"{fit:,} of them"] * (fit >= 1) + [f"{longest:,} tokens in each"] * (longest >= 1)
    texts = f"{rows:,} {'text' if rows == 1 else 'texts'} of {size:,} tokens"
    require(
        held + rows * one <= room,
        f"room for {texts} is a KV cache of {words(rows * one)}, too much for {words(room)} of memory beside "
        f"{words(held)} of parameters: "
        + (f"at most {' or '.join(fits)} would fit" if fits else "not even one token would fit"),
    )


def check_request(
    params: Tree, begun: Request, *, model: ModelConfig, size: int, times: int = 1, limit: int | None = None
) -> None:
    """`check_cache` for texts that are about to be read, with `times` answers to each."""
    source = 0 if begun.src is None else begun.src.shape[1]
    check_cache(params, model, rows=times * len(begun.tokens), size=size, source=source, limit=limit)


def machine() -> int | None:
    """Bytes of memory that the machine has or, in a container, allows. None where the system does not say."""
    try:
        found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    except (AttributeError, ValueError, OSError):
        return None
    for path in _LIMITS:
        with contextlib.suppress(OSError, ValueError):
            found.append(int(Path(path).read_text()))
    return min(found)


def words(size: float) -> str:
    """Bytes as people read them: `1.5 GiB`."""
    units = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB")
    step = min(max(int(size).bit_length() - 1, 0) // 10, len(units) - 1)
    return f"{size / 1024**step:,.{1 if step else 0}f} {units[step]}"
