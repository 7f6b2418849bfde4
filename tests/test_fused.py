"""The kernels for other devices, and the loop over blocks, against the plain form."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from cases import random_params
from common import gradcheck, masks, params, tree
from common.config import LlamaConfig
from jax_impl import family
from jax_impl.device import fused, layer_scan
from jax_impl.models import llama
from jax_impl.ops import attend

B, T, N, G = 1, 384, 2, 3
"""Three blocks of the kernel's: rows whose keys lie in one block, in two, in three."""
windows = pytest.mark.parametrize("window", [0, 1, 50, 200])
KERNELS = {
    "library": lambda window: partial(fused._library, window=window, implementation="xla"),
    "splash": lambda window: partial(fused._splash, window=window, interpret=True),
}


def given(width, dtype=jnp.float32):
    rng = np.random.default_rng(0)
    shapes = (B, T, N, G, width), (B, T, N, width), (B, T, N, width), (B, T, N, G, width)
    return [jnp.asarray(rng.normal(size=shape), dtype) for shape in shapes]


@windows
@pytest.mark.parametrize("name", KERNELS)
def test_a_kernel_is_the_plain_form(name, window):
    """Output to float32's rounding, gradients too. The library is the interface that cuDNN is reached through."""
    *args, do_BTNGK = given(64)
    mask_BTS = masks.seen(np.broadcast_to(np.arange(T), (B, T)), T, window)
    wanted, back = jax.vjp(partial(attend.forward, mask_BTS=mask_BTS), *args)
    found, found_back = jax.vjp(partial(KERNELS[name](window), mask_BTS=mask_BTS), *args)
    apart = gradcheck.difference({"y": np.asarray(found)}, {"y": np.asarray(wanted)})
    grads, wanted_grads = ([np.asarray(g) for g in b(do_BTNGK)] for b in (found_back, back))
    assert apart["y"] <= 2e-6
    # a window of one place leaves nothing to choose: the gradients of q and k are zero, and have no scale of their own
    scale = max(np.max(np.abs(g)) for g in wanted_grads)
    assert max(np.max(np.abs(g - w)) for g, w in zip(grads, wanted_grads, strict=True)) <= 2e-5 * scale


@windows
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_on_a_tpu_it_is_one_kernel_forward_and_three_with_gradients(window, dtype):
    kernel = fused.causal(T, 64, dtype, window=window, platform="tpu")

    def loss(*args):
        return jnp.sum(kernel(*args, mask_BTS=None))

    specs = [jax.ShapeDtypeStruct(x.shape, dtype) for x in given(64)[:3]]
    counts = [
        export.export(jax.jit(f), platforms=["tpu"])(*specs).mlir_module().count("tpu_custom_call")
        for f in (loss, jax.grad(loss, (0, 1, 2)))
    ]
    assert counts == [1, 3]


def test_the_choice_is_made_by_device_length_and_dtype(monkeypatch):
    monkeypatch.setattr(fused, "_has_cudnn", lambda: True)
    assert fused.choose(100, 64, jnp.bfloat16, "cpu") == "plain"
    assert fused.choose(100, 64, jnp.bfloat16, "gpu") == "cudnn"
    assert fused.choose(100, 64, jnp.float32, "gpu") == "plain"
    assert fused.choose(100, 36, jnp.bfloat16, "gpu") == "plain"
    assert fused.choose(256, 64, jnp.float32, "tpu") == "splash"
    assert fused.choose(100, 64, jnp.float32, "tpu") == "plain"
    monkeypatch.setattr(fused, "_has_cudnn", lambda: False)
    assert fused.choose(100, 64, jnp.bfloat16, "gpu") == "plain"
    assert fused.causal(T, 64, jnp.float32, platform="cpu") is attend.forward


@pytest.mark.skipif(jax.default_backend() == "gpu", reason="here it may be there")
def test_without_an_nvidia_device_there_is_no_cudnn():
    assert not fused._has_cudnn()


# ---- the loop over blocks ----


def small(n_blocks, **more):
    heads = {"n_heads": 4, "n_kv_heads": 2, "d_head": 4}
    return LlamaConfig(11, 12, n_blocks=n_blocks, **heads, d_ffn=10, max_len=9, window=3, **more)


TOKENS = np.array([[8, 3, 3, 9, 8, 1, 3], [10, 9, 4, 4, 2, 0, 0]])


@pytest.mark.parametrize("tied", [True, False])
def test_a_loop_over_blocks_is_the_same_model(tied):
    config = small(3, tied=tied, bias=not tied)
    with jax.enable_x64(True):
        weights = tree.map(jnp.asarray, random_params(np.random.default_rng(0), params.shapes(config)))
        both = []
        for forward in (llama.forward, layer_scan.forward):
            logits, back = jax.vjp(jax.jit(partial(forward, tokens_BT=TOKENS, config=config)), weights)
            dlogits = np.random.default_rng(1).normal(size=logits.shape)
            both.append(
                {"logits": np.asarray(logits)} | tree.named(tree.map(np.asarray, back(jnp.asarray(dlogits))[0]))
            )
    assert max(gradcheck.difference(both[1], both[0]).values()) <= 1e-12


def test_a_deep_model_is_no_longer_program():
    """The matrix products of the compiled program: as many for 24 blocks as for 8."""

    def products(n_blocks):
        config = small(n_blocks)
        weights = tree.map(lambda shape: jax.ShapeDtypeStruct(shape, jnp.float32), params.shapes(config))

        class Batch:
            tokens = TOKENS

        lowered = jax.jit(lambda w: family.logits(w, Batch, model=config)).lower(weights)
        return lowered.as_text().count("dot_general")

    assert products(8) == products(24) < products(7)
