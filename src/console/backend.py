"""The one place that chooses a twin. Both export the same names with the same signatures."""

from types import ModuleType

from common.errors import UserError


def train_module(name: str) -> ModuleType:
    """`numpy_ref.train` or `jax_impl.train`. Raises UserError where JAX is asked for and not installed."""
    if name == "numpy":
        import numpy_ref.train

        return numpy_ref.train
    try:
        import jax_impl.train
    except ModuleNotFoundError as error:
        raise UserError(f"--backend jax needs the package {error.name}; --backend numpy works without it") from None
    return jax_impl.train


def optim_module(name: str) -> ModuleType:
    """`numpy_ref.optim` or `jax_impl.optim`."""
    if name == "numpy":
        import numpy_ref.optim

        return numpy_ref.optim
    import jax_impl.optim

    return jax_impl.optim
