"""The parity walk: both twins, forward and backward, to the last digits of float64, over one list of cases."""

import importlib
import inspect
from functools import cache, partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cases import CASES, as_tuple, read_only
from common import gradcheck, params, random, tree
from common.config import OPTIMIZERS, ClassifierConfig, TrainConfig
from common.trace import Trace
from test_shapes import complaints

SRC = Path(__file__).parents[1] / "src"
BAR = 1e-12

every_case = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])


def errors(mine, twin):
    """The largest relative difference of each tensor of two trees (common/gradcheck.py says relative to what)."""
    return gradcheck.difference(list(mine), list(jax.tree.map(np.asarray, twin)))


@cache
def walk(name):
    """Run a case in both twins: the two results, and the two tuples of gradients."""
    case = next(case for case in CASES if case.name == name)
    mine_forward, mine_backward = case.functions("numpy_ref")
    twin_forward, _ = case.functions("jax_impl")
    y, saved = mine_forward(*case.args, **case.kw)
    dy = read_only(np.random.default_rng(1).normal(size=np.shape(y)))
    grads = as_tuple(mine_backward(dy, saved))

    @jax.jit
    def both(dy, *args):
        y_twin, vjp = jax.vjp(partial(twin_forward, **case.kw), *args)
        return y_twin, vjp(dy)

    with jax.enable_x64(True):
        y_twin, grads_twin = both(dy, *case.args)
        return y, y_twin, grads, grads_twin


@every_case
def test_equals_the_twin(case):
    y, y_twin, grads, grads_twin = walk(case.name)
    assert max(errors([y], [y_twin]).values()) <= BAR
    assert max(errors(grads, grads_twin).values()) <= BAR


@every_case
@pytest.mark.parametrize("factor", [0.0, 1.001, -1.0])
def test_the_walk_has_teeth(case, factor):
    _, _, grads, grads_twin = walk(case.name)
    wrong = errors(jax.tree.map(lambda g: factor * g, list(grads)), grads_twin)
    assert min(error for name, error in wrong.items() if name not in case.without_gradient(wrong)) > 1e6 * BAR


@every_case
def test_the_twins_letters_are_shapes_too(case):
    forward, _ = case.functions("jax_impl")
    with Trace(case.args[0], package="jax_impl") as trace:
        jax.eval_shape(partial(forward, **case.kw), *case.args)
    assert trace.calls
    assert [text for call in trace.calls for text in complaints(call)] == []


@every_case
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_the_dtype_follows_the_parameters(case, dtype):
    forward, _ = case.functions("jax_impl")
    args = tree.map(lambda leaf: jnp.asarray(leaf, dtype), list(case.args))

    def both(*args):
        y, vjp = jax.vjp(partial(forward, **case.kw), *args)
        return y, vjp(jnp.ones_like(y))

    y, grads = jax.eval_shape(both, *args)
    # a loss is added up in float32, whatever the logits are
    assert y.dtype == (jnp.float32 if case.module == "ops.cross_entropy" else dtype)
    assert {leaf.dtype for leaf in jax.tree.leaves(grads)} == {jnp.dtype(dtype)}


# ---- every file has its twin, every twin its names ----


def modules(package):
    files = (SRC / package).rglob("*.py")
    return sorted(str(f.relative_to(SRC / package)) for f in files if f.name != "__init__.py")


def test_every_file_has_its_twin_at_the_same_path():
    theirs = [path for path in modules("jax_impl") if not path.startswith("device/")]
    assert modules("numpy_ref") == theirs


def test_every_layer_has_a_case():
    wanted = {p.removesuffix(".py").replace("/", ".") for p in modules("numpy_ref") if "/" in p}
    assert wanted == {case.module for case in CASES}


def public(module):
    found = {n: v for n, v in vars(module).items() if not n.startswith("_")}
    return {n: v for n, v in found.items() if callable(v) and getattr(v, "__module__", "") == module.__name__}


@pytest.mark.parametrize("name", ["train", "optim", "generate"])
def test_the_twins_export_the_same_names_with_the_same_signatures(name):
    mine, twin = (public(importlib.import_module(f"{package}.{name}")) for package in ("numpy_ref", "jax_impl"))
    assert mine.keys() == twin.keys()
    for function in mine:
        a, b = (inspect.signature(f).parameters for f in (mine[function], twin[function]))
        assert [(p.name, p.kind) for p in a.values()] == [(p.name, p.kind) for p in b.values()], function


# ---- optimizers ----


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("clip_norm", [0.0, 2.0])
def test_twenty_updates_are_the_same(optimizer, clip_norm):
    from jax_impl import optim as twin
    from numpy_ref import optim as mine

    config = TrainConfig(optimizer=optimizer, weight_decay=0.1, clip_norm=clip_norm)
    model = ClassifierConfig(d_model=12, n_heads=3, d_ffn=10)
    with jax.enable_x64(True):
        a = b = params.init(random.key(0), model, np.float64)
        state_a, state_b = mine.init(a, config), twin.init(tree.map(jnp.asarray, b), config)
        step = jax.jit(partial(twin.update, config=config))
        for i in range(20):
            rng = np.random.default_rng(i)
            grads = tree.map(lambda leaf, rng=rng: rng.normal(size=leaf.shape), a)
            a, state_a = mine.update(a, grads, state_a, lr=0.01 * (i + 1), config=config)
            b, state_b = step(b, grads, state_b, lr=0.01 * (i + 1))
        assert max(errors([a], [b]).values()) <= BAR
        exported_a, exported_b = mine.export(state_a, a), twin.export(state_b, b)
    assert exported_a.keys() == exported_b.keys()
    assert int(exported_a.pop("step")) == int(exported_b.pop("step")) == 20
    if exported_a:
        assert max(errors([exported_a], [exported_b]).values()) <= BAR
