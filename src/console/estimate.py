"""The rows of `python -m console.memory`: what is exact, what is about right, and whether it fits this machine."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from common import activations, memory, peaks
from common.config import KEEPS, ClassifierConfig, GPTConfig, LlamaConfig, ModelConfig, TrainConfig


@dataclass(frozen=True)
class Asked:
    """A model, and what is to be done with it."""

    model: ModelConfig
    train: TrainConfig
    dtype: str
    itemsize: int
    """Bytes of a number."""
    batch: int
    length: int
    source: int
    """Tokens of a source; 0 where there is no encoder."""


class Row(NamedTuple):
    what: str
    bytes: int
    note: str = ""


def sizes(model: ModelConfig) -> list[tuple[str, int]]:
    names = ("n_blocks", "n_encoder", "n_decoder", "d_model", "n_heads", "n_kv_heads", "d_ffn", "vocab", "tgt_vocab")
    return [(name, getattr(model, name)) for name in names if hasattr(model, name)]


def tables(asked: Asked, *, compiled: bool) -> Iterator[tuple[str, list[Row]]]:
    if not isinstance(asked.model, ClassifierConfig):
        yield "To generate", _generation(asked, compiled)
    yield "To train", _training(asked, compiled)


def _generation(asked: Asked, compiled: bool) -> list[Row]:
    model, rows, size, itemsize = asked.model, asked.batch, asked.length, asked.itemsize
    weights = itemsize * memory.parameters(model)
    one, longer = (
        memory.cache(model, rows=1, size=n, itemsize=itemsize, source=asked.source) for n in (size, size + 1)
    )
    found = [Row("parameters", weights), Row("KV cache", rows * one, f"{memory.words(longer - one)} a token")]
    found.append(_sum(weights + rows * one))
    if not isinstance(model, (GPTConfig, LlamaConfig)):
        return found
    if asked.dtype != "bfloat16":
        found.append(
            _about("NumPy, at the most", lambda n: itemsize * peaks.generation(model, rows=n, size=size), rows)
        )
    if compiled:
        found.append(_compiled("of_decoding", model, rows=rows, size=size, dtype=asked.dtype))
    return found


def _training(asked: Asked, compiled: bool) -> list[Row]:
    """Parameters and optimizer are float32 also where the passes compute in bfloat16."""
    model, train, full = asked.model, asked.train, max(asked.itemsize, 4)
    how = {"length": asked.length, "source": asked.source}
    parts = activations.saved(model, batch=asked.batch, **how)
    weights, kept = full * memory.parameters(model), asked.itemsize * sum(parts.values())
    state, names = full * memory.optimizer(model, train.optimizer), " and ".join(KEEPS[train.optimizer])
    found = [Row("parameters", weights), Row("gradients", weights)]
    found.append(Row(f"optimizer {train.optimizer}", state, names or "keeps nothing"))
    found.append(Row("kept for the backward pass", kept, "as NumPy does it; JAX's compiler decides"))
    largest_first = sorted(parts.items(), key=lambda part: -part[1])
    found += [Row(f"  {part}", asked.itemsize * numbers) for part, numbers in largest_first]
    found.append(_sum(2 * weights + state + kept))
    if asked.dtype != "bfloat16":
        numpy, jax = (partial(peak, model, train, **how) for peak in (peaks.training, peaks.compiled))
        found.append(_about("NumPy, at the most", lambda n: full * numpy(batch=n), asked.batch))
        found.append(_about("JAX", lambda n: full * jax(batch=n), asked.batch))
    if compiled:
        found.append(_compiled("of_update", model, train, batch=asked.batch, **how))
    return found


def _sum(size: int) -> Row:
    room = memory.machine()
    return Row("together", size, "more than this machine has" if room is not None and size > room else "")


def _about(what: str, size: Callable[[int], int], batch: int) -> Row:
    """A figure that is about right, and the batch that would fit where this one does not."""
    room = memory.machine()
    if room is None or size(batch) <= room:
        return Row(what, size(batch), "about")
    fit = _largest(lambda n: size(n) <= room, batch)
    advice = f"a batch of {fit:,} would fit" if fit else "not even a batch of 1 fits"
    return Row(what, size(batch), f"about: {advice}")


def _largest(fits: Callable[[int], bool], beyond: int) -> int:
    """The largest number that fits, 0 if none does; `beyond` does not."""
    low, high = 0, beyond
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _compiled(program: str, *args: Any, **kw: Any) -> Row:
    """What the compiler says of it. Raises UserError where JAX is not installed."""
    from console import backend

    device = backend.choose("jax").device
    from jax_impl.device import memory as compiler

    found = getattr(compiler, program)(*args, **kw)
    parts = ", ".join(f"{name} {memory.words(size)}" for name, size in found.items())
    return Row(f"JAX, compiled for {device}", sum(found.values()), parts)
