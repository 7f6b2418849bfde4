"""Causal attention by the device's own kernel, where it has one. ops/attend.py is the plain form, and the reference.

A fused kernel never writes down the table of T x S weights. It takes the keys block by block, with a running maximum
and a running sum for the softmax, and in the backward pass computes the weights again (Dao et al. 2022).

    plain     ops/attend.py                          everywhere
    cudnn     jax.nn.dot_product_attention           NVIDIA with cuDNN, 16-bit numbers
    splash    a Pallas kernel that JAX brings        TPU, whole blocks of 128 positions, heads of any width

The choice is made on the host, while a program is traced, from the device at hand.
"""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp

from jax_impl.ops import attend

Kernel = Callable[..., jax.Array]
"""As `attend.forward`: (q_BTNGK, k_BSNK, v_BSNK, *, mask_BTS) -> o_BTNGK."""
BLOCK = 128


def causal(length: int, width: int, dtype: Any, *, window: int = 0, platform: str | None = None) -> Kernel:
    """The kernel for causal self-attention of `length` positions in heads of `width`; it may leave its mask unread.

    `platform` is that of the device at hand, unless it is named: "cpu", "gpu" or "tpu".
    """
    kernels: dict[str, Kernel] = {
        "plain": attend.forward,
        "cudnn": partial(_library, window=window, implementation="cudnn"),
        "splash": partial(_splash, window=window),
    }
    return kernels[choose(length, width, dtype, platform or jax.default_backend())]


def choose(length: int, width: int, dtype: Any, platform: str) -> str:
    """`plain`, `cudnn` or `splash`."""
    small = jnp.dtype(dtype) in (jnp.bfloat16, jnp.float16)
    if platform in ("gpu", "cuda") and small and width % 8 == 0 and width <= 128 and _has_cudnn():
        return "cudnn"
    if platform == "tpu" and length % BLOCK == 0:
        return "splash"
    return "plain"


@lru_cache
def _has_cudnn() -> bool:
    """Whether a small program with cuDNN's attention compiles here. JAX tells by raising while it traces."""
    x_BTNGK = jnp.zeros((1, 64, 1, 1, 64), jnp.bfloat16)
    program = jax.jit(partial(_library, window=0, implementation="cudnn", mask_BTS=None))
    try:
        program.lower(x_BTNGK, x_BTNGK[:, :, :, 0], x_BTNGK[:, :, :, 0]).compile()
    except Exception:
        # no cuDNN, one too old, or a device that it does not serve: each has its own type of error
        return False
    return True


def _library(
    q_BTNGK: jax.Array,
    k_BSNK: jax.Array,
    v_BSNK: jax.Array,
    *,
    window: int,
    implementation: Any,
    mask_BTS: jax.Array | None,
) -> jax.Array:
    """JAX's own interface to fused attention. It counts the places back, where a window counts the token itself too."""
    q_BTHK = q_BTNGK.reshape(*q_BTNGK.shape[:2], -1, q_BTNGK.shape[-1])
    back: dict[str, Any] = {"local_window_size": (window - 1, 0)} if window else {}
    o_BTHK = jax.nn.dot_product_attention(q_BTHK, k_BSNK, v_BSNK, is_causal=True, implementation=implementation, **back)
    return o_BTHK.reshape(q_BTNGK.shape)


def _splash(
    q_BTNGK: jax.Array,
    k_BSNK: jax.Array,
    v_BSNK: jax.Array,
    *,
    window: int,
    mask_BTS: jax.Array | None,
    interpret: bool = False,
) -> jax.Array:
    """Splash attention: G query heads to one key/value head, mapped over batch and key/value heads."""
    from jax.experimental.pallas.ops.tpu import splash_attention

    T, G = q_BTNGK.shape[1], q_BTNGK.shape[3]
    shape = (T, k_BSNK.shape[1])
    one = splash_attention.LocalMask(shape, (window - 1, 0), 0) if window else splash_attention.CausalMask(shape)
    kernel = splash_attention.make_splash_mqa_single_device(
        splash_attention.MultiHeadMask([one] * G), interpret=interpret
    )
    q_BNGTK = q_BTNGK.transpose(0, 2, 3, 1, 4) * (q_BTNGK.shape[-1] ** -0.5)  # the kernel does not scale
    k_BNSK, v_BNSK = k_BSNK.transpose(0, 2, 1, 3), v_BSNK.transpose(0, 2, 1, 3)
    o_BNGTK = jax.vmap(jax.vmap(kernel))(q_BNGTK, k_BNSK, v_BNSK)
    return o_BNGTK.transpose(0, 3, 1, 2, 4).astype(q_BTNGK.dtype)
