"""Whole training runs of both twins from one key: the same batches, losses, parameters and optimizer state."""

from dataclasses import replace

import jax
import numpy as np
import pytest

import jax_impl.optim
import jax_impl.train
import numpy_ref.optim
import numpy_ref.train
from common import checkpoint, gradcheck, tree
from common.config import ClassifierConfig, DigitsConfig, TrainConfig
from common.data import digits
from common.run import TrainState

TINY = ClassifierConfig(d_model=16, n_heads=2, d_ffn=24)
SHORT = TrainConfig(examples=200, epochs=3, batch_size=32, warmup=5, seed=7)
BOTH = {"numpy": (numpy_ref.train, numpy_ref.optim), "jax": (jax_impl.train, jax_impl.optim)}


@pytest.fixture(scope="module")
def data():
    return digits.load(DigitsConfig(), seed=SHORT.seed, examples=SHORT.examples)


def end(twin, data, model=TINY, train=SHORT, state=None, dtype=np.float64, **kw):
    start = BOTH[twin][0].init(model, train, dtype) if state is None else state
    *_, last = BOTH[twin][0].fit(start, data, model=model, train=train, **kw)
    return last


def written(twin, state):
    """The state as a checkpoint holds it: NumPy arrays by name."""
    opt = BOTH[twin][1].export(state.opt, state.params)
    kept = {name: part for name, part in opt.items() if name != "step"}
    return tree.map(np.asarray, {"params": state.params} | kept)


@pytest.mark.slow
def test_300_adamw_updates_agree_to_the_last_digits_of_float64():
    """DESIGN: 1e-12 of each tensor's largest entry; about 1e-15 is what is found."""
    model = ClassifierConfig()
    train = TrainConfig(examples=1000, epochs=20, batch_size=64, lr=3e-4, schedule="constant", warmup=0, seed=1)
    assert train.steps == 300
    digit_data = digits.load(DigitsConfig(), seed=train.seed, examples=train.examples)
    with jax.enable_x64(True):
        a, b = (end(twin, digit_data, model, train) for twin in BOTH)
        wa, wb = written("numpy", a), written("jax", b)
    np.testing.assert_allclose(a.history.loss, b.history.loss, rtol=0, atol=1e-12)
    assert a.history.accuracy == b.history.accuracy
    assert max(gradcheck.difference(wa, wb).values()) <= 1e-12
    assert a.history.loss[-1] < 0.5 * a.history.loss[0]


def test_a_short_run_agrees_epoch_by_epoch(data):
    with jax.enable_x64(True):
        a, b = (end(twin, data) for twin in BOTH)
        wa, wb = written("numpy", a), written("jax", b)
    assert max(gradcheck.difference(wa, wb).values()) <= 1e-12
    for mine, twin in zip(a.history.epochs, b.history.epochs, strict=True):
        assert mine["by_op"] == twin["by_op"]
        assert mine["loss"] == pytest.approx(twin["loss"], rel=1e-12)
    assert a.best.epoch == b.best.epoch


def test_another_seed_is_another_run(data):
    with jax.enable_x64(True):
        a = written("numpy", end("numpy", data))
        b = written("jax", end("jax", data, train=replace(SHORT, seed=8)))
    assert max(gradcheck.difference(a, b).values()) > 0.1


# ---- the JAX walk ----


def test_yielded_states_stay_valid_while_the_run_goes_on(data):
    start = jax_impl.train.init(TINY, SHORT)
    states = list(jax_impl.train.fit(start, data, model=TINY, train=SHORT, every=4))
    assert [s.step for s in states] == [4, 6, 10, 12, 16, 18]
    losses = [jax_impl.train.evaluate(s.params, data.validation, model=TINY).loss for s in [start, *states]]
    assert len(set(losses)) == 7  # none deleted, none overwritten by the updates after it


def test_the_stretches_of_a_run_change_nothing(data):
    whole = end("jax", data, dtype=np.float32, every=50)
    parts = end("jax", data, dtype=np.float32, every=4)
    assert max(gradcheck.difference(written("jax", parts), written("jax", whole)).values()) < 1e-6
    np.testing.assert_allclose(whole.history.loss, parts.history.loss, rtol=1e-5)


def test_a_run_compiles_once(data):
    compiled = jax_impl.train._updates
    end("jax", data, dtype=np.float32, every=4)
    before = compiled._cache_size()
    end("jax", data, dtype=np.float32, every=4)  # stretches of 4 and 2 updates, three epochs
    end("jax", data, dtype=np.float32, every=4, train=replace(SHORT, seed=8))
    assert compiled._cache_size() == before


@pytest.mark.parametrize("stop_at", [2, 6, 11])
def test_a_jax_run_resumes_to_the_same_bits(data, stop_at):
    whole = end("jax", data, dtype=np.float32, every=1)
    for state in jax_impl.train.fit(jax_impl.train.init(TINY, SHORT), data, model=TINY, train=SHORT, every=1):
        if state.step == stop_at:
            break
    resumed = end("jax", data, state=state, every=1)
    a, b = tree.named(written("jax", whole)), tree.named(written("jax", resumed))
    assert all(np.array_equal(a[name], b[name]) for name in a)
    assert whole.history == resumed.history


# ---- one checkpoint, two twins ----


@pytest.mark.parametrize("writer", BOTH)
@pytest.mark.parametrize("reader", BOTH)
def test_a_checkpoint_of_one_twin_is_read_by_the_other_bit_for_bit(data, tmp_path, writer, reader):
    def save(twin, state, path):
        opt = BOTH[twin][1].export(state.opt, state.params)
        opt = {name: int(part) if name == "step" else tree.map(np.asarray, part) for name, part in opt.items()}
        params = tree.map(np.asarray, state.params)
        kept = TrainState(params, opt, state.step, state.history)
        checkpoint.save_run(path, checkpoint.Run("classifier", TINY, data.task, SHORT, kept))

    state = end(writer, data, dtype=np.float32)
    save(writer, state, tmp_path / "one")
    run = checkpoint.load_run(tmp_path / "one").state
    restored = TrainState(run.params, BOTH[reader][1].restore(run.opt), run.step, run.history)
    save(reader, restored, tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    mine, twin = (
        np.asarray(BOTH[name][0].predict(p.params, data.test.tokens, data.test.mask, model=TINY))
        for name, p in ((writer, state), (reader, restored))
    )
    np.testing.assert_allclose(mine, twin, atol=1e-6)
