"""Both twins in step: one key, the same batches, and how far apart they are after every few updates."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import Any, NamedTuple

import numpy as np

from common import gradcheck, tree
from common.config import ClassifierConfig, DigitsConfig, TrainConfig
from common.data import digits
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
    """Train both twins in step and compare them after every `every` updates, in `float32` or `float64`.

    JAX's settings (float64 on or off, matrix products in full precision) hold while a look is computed, and are the
    caller's own again whenever one is handed over.
    """
    mine, twin = backend.choose("numpy"), backend.choose("jax")
    data = digits.load(task, seed=train.seed, examples=train.examples)

    def looks() -> Iterator[Apart]:
        runs = (
            t.train.fit(t.train.init(model, train, np.dtype(dtype)), data, model=model, train=train, every=every)
            for t in (mine, twin)
        )
        for a, b in zip(*runs, strict=True):
            groups = zip(_groups(twin, b), _groups(mine, a), strict=True)
            tensors = {name: apart for b_, a_ in groups for name, apart in gradcheck.difference(b_, a_).items()}
            yield Apart(a.step, abs(a.history.loss[-1] - b.history.loss[-1]), tensors)

    return _each_under(lambda: _exact(dtype), looks())


def _exact(dtype: str) -> AbstractContextManager:
    import jax

    settings = ExitStack()
    settings.enter_context(jax.enable_x64(dtype == "float64"))
    settings.enter_context(jax.default_matmul_precision("highest"))
    settings.enter_context(np.errstate(all="ignore"))  # a run that diverges is told in a sentence
    return settings


def _each_under(settings: Callable[[], AbstractContextManager], items: Iterator[Apart]) -> Iterator[Apart]:
    """The items, each computed under the settings: a `with` around a `yield` would hold for whoever takes it too."""
    while True:
        with settings():
            item = next(items, None)
        if item is None:
            return
        yield item


def _groups(twin: backend.Twin, state: Any) -> list[dict[str, Any]]:
    """Parameters, m and v, each by name as NumPy arrays: apart, since they are of different sizes altogether."""
    opt = twin.optim.export(state.opt, state.params)
    parts = {"": state.params} | {f"{part}.": opt[part] for part in ("m", "v") if part in opt}
    return [{prefix + name: np.asarray(x) for name, x in tree.items(part)} for prefix, part in parts.items()]
