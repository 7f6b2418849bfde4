"""Whole training runs of both twins from one key: the same batches, losses, parameters and optimizer state."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest

import jax_impl.optim
import jax_impl.train
import numpy_ref.optim
import numpy_ref.train
from cases import key_biases
from common import checkpoint, gradcheck, tree
from common.config import (
    ClassifierConfig,
    DigitsConfig,
    GPTConfig,
    LlamaConfig,
    Seq2SeqConfig,
    SequenceConfig,
    TrainConfig,
)
from common.data import digits, sequences
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


SORT = SequenceConfig(task="sort", max_length=4)
SIZES = {"d_model": 12, "n_heads": 3, "d_ffn": 10, "max_len": 12}
FAMILIES = [
    GPTConfig(26, **SIZES, dropout=0.2),
    Seq2SeqConfig(26, 26, n_encoder=1, n_decoder=1, **SIZES, dropout=0.2),
    LlamaConfig(26, **SIZES, n_kv_heads=1, d_head=6, bias=True, window=7),
]


@pytest.mark.parametrize("model", FAMILIES, ids=["gpt", "seq2seq", "llama"])
def test_sequence_models_train_alike(model):
    """20 updates in two epochs, with dropout where there is any.

    A key bias has no gradient but rounding's, which Adam scales up: left out, but LLaMA's, whose keys are turned.
    """
    train = TrainConfig(examples=80, epochs=2, batch_size=8, warmup=5, lr=1e-3, seed=3)
    assert train.steps == 20
    texts = sequences.load(SORT, seed=train.seed, examples=train.examples, pairs=isinstance(model, Seq2SeqConfig))
    with jax.enable_x64(True):
        a, b = (end(twin, texts, model, train) for twin in BOTH)
        wa, wb = written("numpy", a), written("jax", b)
    np.testing.assert_allclose(a.history.loss, b.history.loss, rtol=0, atol=1e-12)
    assert a.history.accuracy == b.history.accuracy
    assert a.history.epochs[-1]["loss"] == pytest.approx(b.history.epochs[-1]["loss"], rel=1e-12)
    for part in ("params", "m", "v"):
        apart = gradcheck.difference(wa[part], wb[part])
        zero = [] if isinstance(model, LlamaConfig) else key_biases(apart)
        assert max(error for name, error in apart.items() if name not in zero) <= 1e-12
    moved = gradcheck.difference(wa["params"], BOTH["numpy"][0].init(model, train, np.float64).params)
    assert min(error for name, error in moved.items() if name not in zero) > 1e-3
    if not isinstance(model, LlamaConfig):
        dry = end("numpy", texts, replace(model, dropout=0.0), train)
        assert abs(dry.history.loss[0] - a.history.loss[0]) > 1e-4  # the masks were there


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


def through_a_file(state, data, path, train):
    """What a run that was stopped here goes on with."""
    opt = jax_impl.optim.export(state.opt, state.params)
    opt = {name: int(part) if name == "step" else tree.map(np.asarray, part) for name, part in opt.items()}
    best = state.best and replace(state.best, params=tree.map(np.asarray, state.best.params))
    kept = TrainState(tree.map(np.asarray, state.params), opt, state.step, state.history, best)
    checkpoint.save_run(path, checkpoint.Run("classifier", TINY, data.task, train, kept))
    run = checkpoint.load_run(path).state
    return TrainState(run.params, jax_impl.optim.restore(run.opt), run.step, run.history, run.best)


LONG = TrainConfig(examples=1000, epochs=2, batch_size=8, warmup=5, seed=7)


@pytest.fixture(scope="module")
def uninterrupted():
    """A run in stretches of 50, as the script makes them: all its states, its last."""
    data = digits.load(DigitsConfig(), seed=LONG.seed, examples=LONG.examples)
    states = list(jax_impl.train.fit(jax_impl.train.init(TINY, LONG), data, model=TINY, train=LONG))
    assert [state.step for state in states] == [50, 100, 125, 175, 225, 250]
    return data, {state.step: state for state in states}, states[-1]


def assert_same_bits(a, b):
    wanted, found = tree.named(written("jax", a)), tree.named(written("jax", b))
    assert wanted.keys() == found.keys()
    assert all(wanted[name].tobytes() == found[name].tobytes() for name in wanted)
    assert a.history == b.history
    assert (a.best.epoch, a.best.step, a.best.loss) == (b.best.epoch, b.best.step, b.best.loss)


@pytest.mark.parametrize("stop_at", [50, 125, 225])
def test_a_run_resumed_from_a_file_ends_with_the_same_bits(uninterrupted, tmp_path, stop_at):
    data, states, whole = uninterrupted
    state = through_a_file(states[stop_at], data, tmp_path / "run", LONG)
    *_, resumed = jax_impl.train.fit(state, data, model=TINY, train=LONG)
    assert_same_bits(whole, resumed)


@pytest.mark.parametrize("stop_at", [37, 162])
def test_so_does_one_that_was_stopped_within_a_stretch(uninterrupted, tmp_path, stop_at):
    """`stop_at` is no multiple of 50: the updates up to it were made in stretches of 37."""
    data, _, whole = uninterrupted
    for state in jax_impl.train.fit(jax_impl.train.init(TINY, LONG), data, model=TINY, train=LONG, every=37):
        if state.step == stop_at:
            break
    state = through_a_file(state, data, tmp_path / "run", LONG)
    assert state.step == stop_at
    *_, resumed = jax_impl.train.fit(state, data, model=TINY, train=LONG)
    assert_same_bits(whole, resumed)


ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_a_killed_jax_run_resumes_to_the_same_bytes(tmp_path):
    def command(*args):
        script = ROOT / "train_step_by_step.py"
        return [sys.executable, str(script), "--no-interactive", "--no-plots", "--backend", "jax", *args]

    short = ("--size", "small", "--batch-size", "8", "--epochs", "8", "--save-every", "50")
    how = {"cwd": tmp_path, "env": os.environ | {"PYTHONPATH": str(ROOT / "src"), "XDG_CACHE_HOME": str(tmp_path)}}
    subprocess.run(command(*short, "--out", "whole"), check=True, capture_output=True, **how)
    with subprocess.Popen(command(*short, "--out", "part"), stdout=subprocess.PIPE, text=True, **how) as process:
        for line in process.stdout:
            if line.startswith("epoch 2/"):
                break
        process.send_signal(signal.SIGKILL)
        assert process.wait(30) == -signal.SIGKILL
    stopped = checkpoint.load_run(tmp_path / "part" / "last.safetensors")
    assert 0 < stopped.state.step < stopped.train.steps == 1000
    subprocess.run(command("--resume", "part"), check=True, capture_output=True, **how)
    for name in ("last.safetensors", "best.safetensors"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "part" / name).read_bytes()


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
