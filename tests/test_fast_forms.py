"""Where the code takes a faster way than the formula, it has to arrive at the same place."""

import os
import platform
import subprocess
import sys

import numpy as np
import pytest

from cases import read_only
from common import positions, sums, tree
from common.config import TrainConfig
from numpy_ref import optim
from numpy_ref.layers import embedding
from numpy_ref.ops import attend, relu, softmax

PLAIN = {
    sums.total: lambda x: np.sum(x, axis=-1, keepdims=True),
    sums.mean: lambda x: np.mean(x, axis=-1, keepdims=True),
    sums.over_rows: lambda x: np.sum(x, axis=tuple(range(x.ndim - 1))),
    sums.largest: lambda x: np.max(x, axis=-1, keepdims=True),
}
SHAPES = [(7,), (1, 5), (4, 1), (5, 6, 9), (2, 3, 1, 4, 6)]


def drawn(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(
    ("fast", "dtype"),
    [
        (f, dtype)
        for f in PLAIN
        for dtype in ("float32", "float64", "complex128")
        if (f, dtype[0]) != (sums.largest, "c")
    ],
)
def test_sums(fast, shape, dtype):
    x = (drawn(0, *shape) * (1 + 2j if dtype == "complex128" else 1)).astype(dtype)
    for given in (read_only(x), read_only(x).swapaxes(0, -1)):
        y, wanted = fast(given), PLAIN[fast](given)
        assert y.dtype == dtype
        np.testing.assert_allclose(y, wanted, rtol=0, atol=1e-6 if dtype == "float32" else 1e-14, strict=True)


def test_the_largest_of_a_row_with_minus_infinity():
    x = np.array([[-np.inf, -3.0, -2.0], [-np.inf, -np.inf, -5.0]])
    assert sums.largest(x).tolist() == [[-2.0], [-5.0]]


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 1, 4, 6)], ids=str)
def test_softmax_is_its_formula(shape):
    x, dy = drawn(0, *shape), drawn(1, *shape)
    y, saved = softmax.forward(x)
    wanted = np.exp(x) / np.sum(np.exp(x), axis=-1, keepdims=True)
    np.testing.assert_allclose(y, wanted, rtol=1e-13)
    jacobian_times_dy = wanted * dy - wanted * np.einsum("...j,...j->...", wanted, dy)[..., None]
    np.testing.assert_allclose(softmax.backward(dy, saved), jacobian_times_dy, atol=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_relu_is_a_choice(dtype):
    x, dy = drawn(0, 5, 6).astype(dtype), drawn(1, 5, 6).astype(dtype)
    y, saved = relu.forward(x)
    dx = relu.backward(dy, saved)
    assert y.dtype == dx.dtype == dtype
    assert np.array_equal(y, np.where(x > 0, x, 0))
    assert np.array_equal(dx, np.where(x > 0, dy, 0))


@pytest.mark.parametrize("groups", [1, 2])
def test_attend_is_its_einsum_and_needs_no_copy(groups):
    q, do = drawn(0, 3, 5, 4, groups, 6), drawn(1, 3, 5, 4, groups, 6)
    k, v = drawn(2, 3, 7, 4, 6), drawn(3, 3, 7, 4, 6)
    o, saved = attend.forward(q, k, v, mask_BTS=np.ones((3, 5, 7), bool))
    w, _ = softmax.forward(np.einsum("btngk,bsnk->bngts", q, k) / np.sqrt(6))
    da = softmax.backward(np.einsum("btngk,bsnk->bngts", do, v), w) / np.sqrt(6)
    found = [o, *attend.backward(do, saved)]
    wanted = [
        np.einsum("bngts,bsnk->btngk", w, v),
        np.einsum("bngts,bsnk->btngk", da, k),
        np.einsum("bngts,btngk->bsnk", da, q),
        np.einsum("bngts,btngk->bsnk", w, do),
    ]
    for y, y_wanted in zip(found, wanted, strict=True):
        np.testing.assert_allclose(y, y_wanted, atol=1e-13, strict=True)
        assert y.flags.c_contiguous


def test_embedding_backward_is_a_scatter_that_adds():
    tokens_BT = np.array([[3, 3, 0, 5], [5, 3, 1, 1]])
    dy_BTD = drawn(0, 2, 4, 3)
    wanted = np.zeros((7, 3))
    np.add.at(wanted, tokens_BT, dy_BTD)
    _, saved = embedding.forward({"w": drawn(1, 7, 3)}, tokens_BT=tokens_BT)
    np.testing.assert_allclose(embedding.backward(dy_BTD, saved)["w"], wanted, atol=1e-15)


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_adam_in_place_is_adam_by_the_formula(optimizer):
    config = TrainConfig(optimizer=optimizer, weight_decay=0.1, beta1=0.8, beta2=0.9, eps=1e-2)
    decoupled, lr = optimizer == "adamw", 0.05
    p = drawn(0, 3, 4)
    params = read_only({"w": p, "blocks": [{"b": p[0]}]})
    state, m, v = read_only(optim.init(params, config)), 0.0, 0.0
    for t in range(1, 6):
        g = drawn(t, 3, 4)
        params, state = read_only(optim.update(params, {"w": g, "blocks": [{"b": g[0]}]}, state, lr=lr, config=config))
        pulled = g if decoupled else g + 0.1 * p
        m, v = 0.8 * m + 0.2 * pulled, 0.9 * v + 0.1 * pulled**2
        shrunk = p * (1 - lr * 0.1) if decoupled else p
        p = shrunk - lr * (m / (1 - 0.8**t)) / (np.sqrt(v / (1 - 0.9**t)) + 1e-2)
        np.testing.assert_allclose(params["w"], p, rtol=0, atol=1e-15)
        assert np.array_equal(params["blocks"][0]["b"], params["w"][0])
        assert tree.named(optim.export(state, params))["m.w"] == pytest.approx(m, abs=1e-15)


def test_a_table_that_is_kept_cannot_be_changed():
    assert positions.sinusoidal(5, 8) is positions.sinusoidal(5, 8)
    for kept in (positions.sinusoidal(5, 8), sums._full(5, 1.0, np.dtype(float))):
        with pytest.raises(ValueError, match="read-only"):
            kept[0] = 7.0


PAGE_FAULTS = """
import resource, numpy as np, numpy_ref
def faults():
    for _ in range(50):
        arrays = [np.ones(200_000, np.float32) for _ in range(8)]
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
print(-faults() + faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc hands freed memory back so eagerly")
@pytest.mark.parametrize(("code", "many"), [(PAGE_FAULTS, False), (PAGE_FAULTS.replace(", numpy_ref", ""), True)])
def test_freed_memory_is_kept(code, many):
    """50 rounds of 6 MB are 78,000 pages, new ones each time unless the process keeps them."""
    found = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run([sys.executable, "-c", code], env=found, capture_output=True, text=True, check=True)
    assert (int(run.stdout) > 10_000) == many
