"""jax_impl/device: populations, donated state, mixed precision, and programs lowered for machines that are not here."""

import re
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from common import gradcheck, tree
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
from common.errors import UserError
from common.sampling import Sampling
from console import compare
from jax_impl import family, generate, optim
from jax_impl import train as twin
from jax_impl.device import population, precision, setup
from jax_impl.device.population import fit_together
from jax_impl.layers import layernorm, rmsnorm
from jax_impl.ops import cross_entropy, softmax
from numpy_ref import train as numpy_train
from numpy_ref.layers import layernorm as numpy_layernorm
from numpy_ref.layers import rmsnorm as numpy_rmsnorm
from numpy_ref.ops import cross_entropy as numpy_cross_entropy
from numpy_ref.ops import softmax as numpy_softmax

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


def test_a_member_is_judged_by_its_best_epoch():
    """With settings under which some runs are better before their end: two of these three."""
    rough = replace(SHORT, epochs=5, warmup=0, lr=0.03, weight_decay=0.0, schedule="constant")
    with jax.enable_x64(True):
        together = list(fit_together([0, 1, 2], TASK, model=TINY, train=rough, dtype=np.float64))
    assert [member.best_epoch for member in together] == [4, 3, 5]
    for member in together:
        one = replace(rough, seed=member.seed)
        data = digits.load(TASK, seed=member.seed, examples=one.examples)
        *_, end = numpy_train.fit(numpy_train.init(TINY, one, np.float64), data, model=TINY, train=one)
        best, last = (numpy_train.evaluate(p, data.test, model=TINY).loss for p in (end.best.params, end.params))
        assert member.test.loss == pytest.approx(best, rel=1e-8)
        assert (best == last) is (member.best_epoch == rough.epochs)


WILD = replace(SHORT, optimizer="sgd", weight_decay=0.0, lr=1e30, warmup=0, schedule="constant")


def test_a_run_that_diverges_is_a_sentence():
    data = digits.load(TASK, seed=0, examples=WILD.examples)
    with pytest.raises(UserError, match="has diverged"):
        list(twin.fit(twin.init(TINY, WILD), data, model=TINY, train=WILD))


def test_a_population_that_diverges_is_a_sentence():
    """A loss that is no number predicts the same token everywhere: it must not count as an accuracy."""
    with pytest.raises(UserError, match="diverged"):
        list(fit_together([0, 1], TASK, model=TINY, train=WILD))


def test_on_an_accelerator_a_population_trains_together(monkeypatch):
    alone = list(twin.population([4, 1], TASK, model=TINY, train=SHORT))
    asked, heard = [], []

    def noted(seeds, *args, **kw):
        asked.append(list(seeds))
        return fit_together(seeds, *args, **kw)

    monkeypatch.setattr(setup, "is_accelerator", lambda: True)
    monkeypatch.setattr(population, "fit_together", noted)
    together = list(twin.population([4, 1], TASK, model=TINY, train=SHORT, progress=lambda *done: heard.append(done)))
    assert asked == [[4, 1]]
    assert heard[-1] == (SHORT.steps, SHORT.steps)
    for a, b in zip(together, alone, strict=True):
        assert (a.seed, a.best_epoch) == (b.seed, b.best_epoch)
        assert a.test.loss == pytest.approx(b.test.loss, rel=1e-4)


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


# ---- the loop that runs ----


def stretch(config=TINY, train=SHORT, models=0):
    """The arguments of `_updates` for two updates; with `models`, of so many stacked ones."""
    state = twin.init(config, train)
    data = digits.load(TASK, seed=0, examples=64).train
    order = np.arange(2 * train.batch_size, dtype=np.int32).reshape(2, -1) % 64
    parts = (state.params, state.opt), data, order
    many = jax.tree.map(lambda leaf: jnp.stack([jnp.asarray(leaf)] * models), parts) if models else parts
    return *many, np.full(2, 1e-3, np.float32), np.int32(2)


@pytest.mark.parametrize(("updates", "models"), [(twin._updates, 0), (population._updates, 2)], ids=["one", "many"])
def test_the_state_is_donated(updates, models):
    """Each update overwrites the last one's memory: parameters and optimizer are there once, not twice."""
    carry, *rest = stretch(models=models)
    lowered = updates.lower(carry, *rest, model=TINY, train=SHORT)
    leaves = jax.tree.leaves(carry)
    assert all(info.donated for info in jax.tree.leaves(lowered.args_info[0][0]))
    assert len(re.findall("tf.aliasing_output|jax.buffer_donor", lowered.as_text())) == len(leaves)
    updates(carry, *rest, model=TINY, train=SHORT)
    assert all(leaf.is_deleted() for leaf in leaves)


def test_corrections_keep_their_digits_in_float32():
    """1 - 0.999^step is 0.001 at first: with the power rounded before the subtraction, wrong in the fifth digit."""
    for step in (1, 2, 10, 1000):
        found = float(optim._correction(0.999, jnp.int32(step), jnp.dtype("float32")))
        assert found == pytest.approx(1 - 0.999**step, rel=1e-6)


def test_the_twins_are_compared_in_full_precision(monkeypatch):
    """Accelerators round the factors of float32 products unless they are told not to."""
    seen, right = [], twin.fit

    def noted(*args, **kw):
        for state in right(*args, **kw):
            seen.append(jax.config.jax_default_matmul_precision)
            yield state

    monkeypatch.setattr(twin, "fit", noted)
    train = replace(SHORT, epochs=1, examples=64)
    assert len(list(compare.walk(model=TINY, train=train, task=TASK, dtype="float32"))) == len(seen) == 2
    assert set(seen) == {"highest"}


# ---- 16 bits ----


def low(x, dtype):
    """In a 16-bit type, and the same numbers in float64."""
    rounded = jnp.asarray(x, dtype)
    return rounded, np.asarray(rounded.astype(jnp.float32)).astype(np.float64)


def off(found, true):
    """The largest error relative to each entry, in units of what rounding the true result errs by at most."""
    apart = np.max(np.abs(np.asarray(found.astype(jnp.float32), np.float64) - true) / np.abs(true))
    return apart / float(jnp.finfo(found.dtype).eps / 2)


half = pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])


@half
def test_16_bit_norms_are_computed_wide(dtype):
    """Entries near 8: their mean and squares have no digits left in bfloat16. Over 256, a square is beyond float16."""
    for shift in (8, 300):
        x, wide = low(np.random.default_rng(0).normal(size=(4, 5, 256)) + shift, dtype)
        g, b = np.ones(256), np.zeros(256)
        found = layernorm.forward({"g": jnp.asarray(g, dtype), "b": jnp.asarray(b, dtype)}, x)
        found_rms = rmsnorm.forward({"g": jnp.asarray(g, dtype)}, x)
        true, _ = numpy_layernorm.forward({"g": g, "b": b}, wide)
        true_rms, _ = numpy_rmsnorm.forward({"g": g}, wide)
        assert found.dtype == found_rms.dtype == dtype
        assert off(found, true) <= 1.1
        assert off(found_rms, true_rms) <= 1.1


@half
def test_16_bit_shares_are_computed_wide(dtype):
    """512 of them to add up; of float16 only those that its small range can hold to all digits."""
    x, wide = low(np.random.default_rng(0).normal(size=(4, 512)), dtype)
    found, (true, _) = softmax.forward(x), numpy_softmax.forward(wide)
    assert found.dtype == dtype
    normal = true >= float(jnp.finfo(dtype).tiny)
    assert normal.mean() > 0.9
    assert off(found[normal], true[normal]) <= 1.1


@half
def test_16_bit_losses_are_computed_wide(dtype):
    rng = np.random.default_rng(0)
    (logits, wide), targets = low(4 * rng.normal(size=(64, 20)), dtype), rng.integers(0, 20, 64)
    true, _ = numpy_cross_entropy.forward(wide, targets_B=targets)
    rows = {"targets_BT": targets.reshape(4, 16), "weights_BT": np.ones((4, 16), bool)}
    for found in (
        cross_entropy.forward(logits, targets_B=targets),
        cross_entropy.forward_weighted(logits.reshape(4, 16, 20), **rows),
    ):
        assert found.dtype == jnp.float32
        assert abs(float(found) - true) <= 1e-6 * true


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


LOW = replace(SHORT, dtype="bfloat16")
SORT = SequenceConfig(task="sort", max_length=4)
SIZES = {"d_model": 12, "n_heads": 3, "d_ffn": 10, "max_len": 12, "dropout": 0.2}
GPT = GPTConfig(26, n_blocks=1, **SIZES)
SEQ2SEQ = Seq2SeqConfig(26, 26, n_encoder=1, n_decoder=1, **SIZES)
LLAMA = LlamaConfig(26, d_model=12, n_blocks=1, n_heads=4, n_kv_heads=2, d_head=6, d_ffn=10, max_len=12)
EVERY_FILTER = Sampling(temperature=0.7, top_k=5, top_p=0.9, min_p=0.01, repetition_penalty=1.1, max_new_tokens=4)


def one_update(model, batch, train=SHORT, key=None):
    state = twin.init(model, train)
    return twin.train_step, (state.params, state.opt, batch), {"lr": 1e-3, "model": model, "train": train, "key": key}


def several_updates(train=SHORT, models=0):
    updates = population._updates if models else twin._updates
    model = ClassifierConfig()
    return updates, stretch(model, train, models), {"model": model, "train": train}


def expressions():
    return digits.load(TASK, seed=0, examples=64).train


def predictions():
    predict = jax.jit(twin.predict, static_argnames="model")
    return predict, (twin.init(ClassifierConfig(), SHORT).params, *expressions()[:2]), {"model": ClassifierConfig()}


@cache
def rows(model):
    """A batch of 8 texts, or pairs of question and answer."""
    return sequences.load(SORT, seed=0, examples=8, pairs=model is SEQ2SEQ).train


def forward(model):
    logits = jax.jit(family.logits, static_argnames="model")
    return logits, (twin.init(model, SHORT).params, rows(model)), {"model": model}


def dropping_update(model):
    return one_update(model, rows(model), key=jax.random.key_data(jax.random.key(0)))


def prefill(model):
    begun, size = generate._begin([[3, 4, 5], [6, 7]], EVERY_FILTER, model, 20 if model is SEQ2SEQ else None)
    return generate._prefill, (twin.init(model, SHORT).params, begun), {"size": size, "model": model}


def prefilled(model):
    """Parameters, and what prefill gives: the request, shapes of logits and cache."""
    function, (params, begun), kw = prefill(model)
    return params, begun, *jax.eval_shape(lambda *args: function(*args, **kw), params, begun)


def decode(model):
    params, _, _, cache = prefilled(model)
    return generate._decode, (params, cache, np.zeros(2, np.int32)), {"model": model}


def answers(model):
    params, begun, logits_BV, cache = prefilled(model)
    given = (params, cache, logits_BV, begun.seen, np.zeros((2, 2), np.uint32), 4, 21)
    return generate._loop, given, {"model": model, "sampling": generate._program(EVERY_FILTER)}


def beams(model):
    params, _, logits_RV, cache = prefilled(model)
    kw = {"width": 2, "model": model, "end_token": 21, "length_penalty": 0.5}
    return generate._search, (params, cache, logits_RV, 4), kw


PROGRAMS = {
    "predict": predictions,
    "train_step": lambda: one_update(ClassifierConfig(), expressions()),
    "train_step_bf16": lambda: one_update(ClassifierConfig(), expressions(), LOW),
    "updates": several_updates,
    "updates_bf16": lambda: several_updates(LOW),
    "updates_of_many": lambda: several_updates(models=3),
} | {
    f"{name}_{make.__name__}": partial(make, model)
    for name, model in (("gpt", GPT), ("seq2seq", SEQ2SEQ), ("llama", LLAMA))
    for make in (forward, dropping_update, prefill, decode, answers, beams)
}
"""Each program as it runs: the compiled function, its arguments (or their shapes), its settings."""
LOOPS = ("updates", "answers", "beams")


@cache
def program(name):
    return PROGRAMS[name]()


JAX_OWN = {"cu_threefry2x32_ffi"}
"""The kernel that draws JAX's random bits on CUDA: part of JAX, and promised to exported programs."""


@pytest.mark.parametrize("platform", ["tpu", "cuda", "cpu"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_every_program_is_lowered_for_every_platform(name, platform):
    function, args, kw = program(name)
    exported = jax.export.export(function, platforms=[platform])(*args, **kw)
    assert exported.platforms == (platform,)
    text = exported.mlir_module()
    assert "stablehlo.dot_general" in text
    assert ("stablehlo.while" in text) or not any(loop in name for loop in LOOPS)
    # plain operations and nothing that a platform could lack
    assert set(re.findall(r"custom_call @(\w+)", text)) <= JAX_OWN
    assert text.count("custom_call @") == text.count("custom_call")


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


@pytest.fixture
def cache_settings():
    """What `setup.use` changes, put back."""
    names = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")
    before = {name: getattr(jax.config, name) for name in names}
    yield lambda: jax.config.jax_compilation_cache_dir
    for name, value in before.items():
        jax.config.update(name, value)


def test_compiled_programs_are_kept_for_the_next_start(cache_settings, monkeypatch, tmp_path):
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    setup.use()
    assert tmp_path in Path(cache_settings()).parents


def test_the_users_own_cache_is_respected(cache_settings, monkeypatch, tmp_path):
    before = cache_settings()
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path / "mine"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    setup.use()
    assert cache_settings() == before
