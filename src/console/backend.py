"""The one place that chooses a twin. Both export the same names with the same signatures."""

from types import ModuleType
from typing import NamedTuple

from common.config import TrainConfig
from common.errors import UserError
from console import interrupts

NAMES = ("numpy", "jax")


class Twin(NamedTuple):
    name: str
    train: ModuleType
    optim: ModuleType
    generate: ModuleType
    device: str
    """What it runs on, in words."""


def choose(name: str, device: str | None = None) -> Twin:
    """`numpy_ref` or `jax_impl`, on a device (`cpu`, `gpu`, `tpu`; None is the backend's own choice).

    Raises UserError where JAX is asked for and not installed, or the device is not there.
    """
    if name == "numpy":
        if device not in (None, "cpu"):
            raise UserError(f"NumPy runs on the CPU: add --backend jax for --device {device}")
        import numpy_ref.generate
        import numpy_ref.optim
        import numpy_ref.train

        return Twin(name, numpy_ref.train, numpy_ref.optim, numpy_ref.generate, "CPU")
    try:
        import jax_impl.generate
        import jax_impl.optim
        import jax_impl.train
        from jax_impl.device import setup
    except ModuleNotFoundError as error:
        raise UserError(f"--backend jax needs the package {error.name}; --backend numpy works without it") from None
    setup.use(device)
    described = setup.describe()
    interrupts.check()
    return Twin(name, jax_impl.train, jax_impl.optim, jax_impl.generate, described)


def check(twin: Twin, train: TrainConfig) -> None:
    """Raises UserError for settings that only the other backend has."""
    if twin.name == "numpy" and train.dtype != "float32":
        raise UserError(f"NumPy has no {train.dtype}: add --backend jax, or leave out --dtype")
