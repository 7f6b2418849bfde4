"""jax_impl/device: populations, mixed precision, and programs lowered for machines that are not here."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from common import gradcheck, tree
from common.config import ClassifierConfig, DigitsConfig, TrainConfig
from common.data import digits
from common.errors import UserError
from jax_impl import train as twin
from jax_impl.device import precision, setup
from jax_impl.device.population import fit_together
from numpy_ref import train as numpy_train

TINY = ClassifierConfig(d_model=16, n_heads=2, d_ffn=24)
SHORT = TrainConfig(examples=200, epochs=2, batch_size=32, warmup=5, lr=1e-3)
TASK = DigitsConfig()


def test_a_population_is_its_members_trained_alone():
    with jax.enable_x64(True):
        together = list(fit_together([3, 8, 5], TASK, model=TINY, train=SHORT, every=4, dtype=np.float64))
        for member in together:
            one = replace(SHORT, seed=member.seed)
            data = digits.load(TASK, seed=member.seed, examples=SHORT.examples)
            start = numpy_train.init(TINY, one, np.float64)
            *_, end = numpy_train.fit(start, data, model=TINY, train=one)
            alone = numpy_train.evaluate(end.best.params, data.test, model=TINY)
            assert member.best_epoch == end.best.epoch
            assert member.test.loss == pytest.approx(alone.loss, rel=1e-10)
            assert (member.test.predictions == alone.predictions).all()
    assert [member.seed for member in together] == [3, 8, 5]
    assert len({member.test.loss for member in together}) == 3


def test_both_twins_train_the_same_population():
    heard = []
    mine, theirs = (
        list(train.population(range(2), TASK, model=TINY, train=SHORT, progress=lambda *n: heard.append(n)))
        for train in (numpy_train, twin)
    )
    for a, b in zip(mine, theirs, strict=True):
        assert (a.seed, a.best_epoch) == (b.seed, b.best_epoch)
        assert a.test.loss == pytest.approx(b.test.loss, rel=1e-4)
    assert heard[-1] == (2 * SHORT.steps, 2 * SHORT.steps)


# ---- bfloat16 ----


def test_bfloat16_computes_low_and_keeps_float32():
    train = replace(SHORT, dtype="bfloat16", epochs=4, examples=600, lr=3e-3)
    data = digits.load(TASK, seed=0, examples=train.examples)
    *_, end = twin.fit(twin.init(TINY, train), data, model=TINY, train=train)
    assert {leaf.dtype for leaf in jax.tree.leaves((end.params, end.opt["m"], end.opt["v"]))} == {jnp.dtype("float32")}
    assert np.mean(end.history.loss[-5:]) < 0.8 * np.mean(end.history.loss[:5])


def test_bfloat16_gradients_are_those_of_float32_up_to_its_digits():
    params = twin.init(TINY, SHORT).params
    batch = digits.load(TASK, seed=0, examples=64).train
    _, exact, _ = twin.loss_and_grads(params, batch, model=TINY)
    low = precision.lower(params, "bfloat16")
    assert {leaf.dtype for leaf in jax.tree.leaves(low)} == {jnp.dtype(jnp.bfloat16)}
    _, rough, _ = twin.loss_and_grads(low, batch, model=TINY)
    errors = gradcheck.difference(tree.map(np.asarray, precision.like(rough, params)), tree.map(np.asarray, exact))
    assert 1e-4 < max(errors.values()) < 0.1  # eight significant bits: wrong in the third digit, right in the first


# ---- programs for other machines ----


def programs():
    state = twin.init(ClassifierConfig(), SHORT)
    data = digits.load(TASK, seed=0, examples=64).train
    model = ClassifierConfig()
    step = partial(twin.train_step, lr=1e-3, model=model, train=SHORT)
    yield "train_step", step, (state.params, state.opt, data)
    low = replace(SHORT, dtype="bfloat16")
    yield "train_step_bf16", partial(twin.train_step, lr=1e-3, model=model, train=low), (state.params, state.opt, data)
    yield "predict", partial(twin.predict, model=model), (state.params, data.tokens, data.mask)


@pytest.mark.parametrize("platform", ["tpu", "cuda", "cpu"])
@pytest.mark.parametrize("number", range(3), ids=["train_step", "train_step_bf16", "predict"])
def test_every_program_is_lowered_for_every_platform(number, platform):
    _, function, args = list(programs())[number]
    exported = jax.export.export(jax.jit(function), platforms=[platform])(*args)
    assert exported.platforms == (platform,)
    text = exported.mlir_module()
    assert "stablehlo.dot_general" in text
    assert "custom_call" not in text or platform == "cpu"  # plain operations only: nothing a platform could lack


# ---- the choice of device ----


def test_the_device_has_a_name():
    assert setup.describe() == "CPU"
    assert not setup.is_accelerator()


def test_a_device_that_is_not_here_is_a_sentence(monkeypatch):
    def absent():
        raise RuntimeError("Unable to initialize backend 'tpu'\nmore")

    monkeypatch.setattr(jax, "devices", absent)
    monkeypatch.setattr(jax.config, "update", lambda *_: None)
    with pytest.raises(UserError, match="no tpu here") as error:
        setup.use("tpu")
    assert "\n" not in str(error.value)
