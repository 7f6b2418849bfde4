"""What the sequence models promise, whatever their weights, shapes and texts are."""

import math
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cases import padding, random_params
from common import gradcheck, params, random, tree
from common.config import ACTIVATIONS, GATES, POSITIONS, GPTConfig, LlamaConfig, Seq2SeqConfig
from jax_impl.models import gpt as twin_gpt
from jax_impl.models import llama as twin_llama
from jax_impl.models import seq2seq as twin_seq2seq
from jax_impl.ops import dropout as twin_dropout
from numpy_ref.models import gpt, llama, seq2seq
from numpy_ref.ops import dropout, gelu

BAR = 1e-12
MODULES = {GPTConfig: gpt, Seq2SeqConfig: seq2seq, LlamaConfig: llama}
TWINS = {GPTConfig: twin_gpt, Seq2SeqConfig: twin_seq2seq, LlamaConfig: twin_llama}
SMALL = {
    GPTConfig: GPTConfig(11, 12, n_heads=3, d_ffn=10, max_len=9, dropout=0.3),
    Seq2SeqConfig: Seq2SeqConfig(11, 8, 12, n_encoder=1, n_decoder=2, n_heads=3, d_ffn=10, max_len=9, dropout=0.3),
    LlamaConfig: LlamaConfig(11, 12, n_heads=4, n_kv_heads=2, d_head=6, d_ffn=10, max_len=9),
}
SIDES = {
    "tokens_BT": np.array([[1, 5, 5, 2, 0], [1, 7, 3, 0, 0]]),
    "src_BS": np.array([[8, 3, 3, 9, 8, 1, 3], [10, 9, 4, 4, 2, 0, 0]]),
    "src_mask_BS": padding([7, 5], 7),
}
every_family = pytest.mark.parametrize("family", MODULES)
with_table_and_dropout = pytest.mark.parametrize("family", [GPTConfig, Seq2SeqConfig])
"""The families that add positions to their tokens."""
few = settings(max_examples=25, deadline=None)


def sides_of(family, sides=SIDES):
    return dict(sides) if family is Seq2SeqConfig else {"tokens_BT": sides["tokens_BT"]}


def learned(family):
    return {} if family is LlamaConfig else {"positions": "learned"}


@st.composite
def added(draw):
    """What the families choose among that add positions to their tokens."""
    heads = draw(st.integers(1, 3))
    return {
        "d_model": heads * draw(st.sampled_from([4, 6])),
        "n_heads": heads,
        "positions": draw(st.sampled_from(POSITIONS)),
        "activation": draw(st.sampled_from(ACTIVATIONS)),
    }


@st.composite
def rotary(draw):
    """What LLaMA chooses among."""
    kv = draw(st.integers(1, 3))
    return {
        "d_model": draw(st.integers(2, 9)),
        "n_heads": kv * draw(st.integers(1, 3)),
        "n_kv_heads": kv,
        "d_head": draw(st.sampled_from([4, 8])),
        "rope_base": draw(st.sampled_from([3.0, 50.0, 10_000.0])),
        "rope_share": draw(st.sampled_from([0.0, 0.5, 1.0])),
        "rope_factor": draw(st.sampled_from([1.0, 8.0])),
        "rope_trained_len": draw(st.integers(1, 20)),
        "gate": draw(st.sampled_from(GATES)),
        "bias": draw(st.booleans()),
        "window": draw(st.integers(0, 8)),
    }


@st.composite
def models(draw, family, **fixed):
    """A random small model: configuration, weights, and a batch of random tokens."""
    depth, vocab = st.integers(1, 3), st.integers(2, 9)
    shape = {"d_ffn": draw(st.integers(1, 9)), "max_len": 12, "tied": draw(st.booleans())}
    shape |= draw(rotary() if family is LlamaConfig else added())
    sizes = (
        {"src_vocab": draw(vocab), "tgt_vocab": draw(vocab), "n_encoder": draw(depth), "n_decoder": draw(depth)}
        if family is Seq2SeqConfig
        else {"vocab": draw(vocab), "n_blocks": draw(depth)}
    )
    config = family(**sizes | shape | fixed)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows, length, src_length = draw(st.integers(1, 3)), draw(st.integers(2, 7)), draw(st.integers(1, 7))
    sides = {
        "tokens_BT": rng.integers(0, sizes.get("vocab") or sizes["tgt_vocab"], (rows, length)),
        "src_BS": rng.integers(0, sizes.get("src_vocab", 1), (rows, src_length)),
        "src_mask_BS": padding(rng.integers(1, src_length + 1, rows), src_length),
    }
    return config, random_params(rng, params.shapes(config)), sides_of(family, sides)


def run(config, weights, sides, key=None):
    """Logits, and the function from their gradient to that of every tensor."""
    module = MODULES[type(config)]
    kept = {} if isinstance(config, LlamaConfig) else {"key": key}
    logits_BTV, saved = module.forward(weights, **sides, config=config, **kept)
    return logits_BTV, lambda dlogits_BTV: module.backward(dlogits_BTV, saved)


def cotangent(logits_BTV):
    return np.random.default_rng(1).normal(size=logits_BTV.shape).astype(logits_BTV.dtype)


def apart(found, wanted):
    """The largest difference of any tensor of two trees, as in common/gradcheck.py."""
    return max(gradcheck.difference(found, wanted).values())


# ---- initial values ----


def is_normal(w, spread):
    """Mean and variance within five standard errors, and tails that a uniform draw has not."""
    assert abs(np.mean(w)) < 5 * spread / np.sqrt(w.size)
    assert abs(np.var(w) / spread**2 - 1) < 5 * np.sqrt(2 / w.size)
    assert np.max(np.abs(w)) > 2.5 * spread


@pytest.mark.parametrize("n_blocks", [1, 2, 8])
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("family", [GPTConfig, partial(LlamaConfig, bias=True)], ids=["gpt", "llama"])
def test_initial_values_of_decoders(family, n_blocks, tied):
    found = tree.named(params.init(random.key(0), family(30, n_blocks=n_blocks, tied=tied), np.float64))
    assert ("head.w" in found) is not tied
    for name, w in found.items():
        if name.endswith((".b", ".g")):
            assert np.all(w == (1.0 if name.endswith(".g") else 0.0)), name
        else:
            writes = name.endswith(("attn.o.w", "ffn.down.w"))
            is_normal(w, 0.02 / math.sqrt(2 * n_blocks) if writes else 0.02)


def test_initial_values_of_seq2seq():
    found = tree.named(params.init(random.key(0), Seq2SeqConfig(30, 20, positions="learned"), np.float64))
    for name, w in found.items():
        if name.endswith((".b", ".g")):
            assert np.all(w == (1.0 if name.endswith(".g") else 0.0)), name
        elif name in ("src.w", "tgt.w", "src_pos.w", "tgt_pos.w"):
            is_normal(w, 1.0)
        else:
            bound = math.sqrt(6 / sum(w.shape))
            assert 0.99 * bound < np.max(np.abs(w)) <= bound, name
            assert abs(np.mean(w)) < 5 * bound / np.sqrt(3 * w.size), name
            assert abs(np.var(w) / (bound**2 / 3) - 1) < 5 * np.sqrt(0.8 / w.size), name


@every_family
def test_no_two_tensors_start_alike(family):
    config = replace(SMALL[family], **learned(family), tied=False)
    fresh = tree.named(params.init(random.key(3), config, np.float64))
    drawn = [w.ravel()[:64] for name, w in fresh.items() if not name.endswith((".b", ".g"))]
    assert np.max(np.abs(np.corrcoef(drawn) - np.eye(len(drawn)))) < 0.6


# ---- what may be seen ----


@every_family
@given(data=st.data())
@few
def test_nothing_sees_the_future(family, data):
    """Other tokens from some place on change no logit before it; and no gradient flows back from before it.

    The gradient is seen in the table of positions; LLaMA has none, and its reach is measured in test_llama.py.
    """
    config, weights, sides = data.draw(models(family, **learned(family)))
    tokens_BT = sides["tokens_BT"]
    place = data.draw(st.integers(1, tokens_BT.shape[1] - 1))
    vocab = config.tgt_vocab if family is Seq2SeqConfig else config.vocab
    other_BT = np.where(np.arange(tokens_BT.shape[1]) < place, tokens_BT, (tokens_BT + 1) % vocab)
    logits_BTV, backward = run(config, weights, sides)
    found_BTV, _ = run(config, weights, sides | {"tokens_BT": other_BT})
    assert np.array_equal(found_BTV[:, :place], logits_BTV[:, :place])
    assert np.all(np.any(found_BTV[:, place:] != logits_BTV[:, place:], axis=2))

    if family is LlamaConfig:
        return
    dlogits_BTV = cotangent(logits_BTV) * (np.arange(tokens_BT.shape[1]) < place)[:, None]
    d_pos = backward(dlogits_BTV)["pos" if family is GPTConfig else "tgt_pos"]["w"]
    assert np.all(d_pos[place:] == 0.0)
    assert np.all(np.any(d_pos[:place] != 0.0, axis=1))


@given(data=st.data())
@few
def test_the_answer_sees_the_whole_source(data):
    config, weights, sides = data.draw(models(Seq2SeqConfig, positions="learned"))
    logits_BTV, backward = run(config, weights, sides)
    first_BTV = cotangent(logits_BTV) * (np.arange(logits_BTV.shape[1]) == 0)[:, None]
    real = np.any(sides["src_mask_BS"], axis=0)
    d_pos = backward(first_BTV)["src_pos"]["w"][: len(real)]
    assert np.array_equal(np.any(d_pos != 0.0, axis=1), real)


@every_family
@given(data=st.data())
@few
def test_padding_changes_nothing(family, data):
    """Of source and target, whatever stands in it: the same logits at the real positions, the same gradients."""
    config, weights, sides = data.draw(models(family))
    more, src_more = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 5))
    filler = data.draw(st.integers(0, 1))

    def padded(x, by, value):
        return np.pad(x, ((0, 0), (0, by)), constant_values=value)

    wider = {"tokens_BT": padded(sides["tokens_BT"], more, filler)}
    if family is Seq2SeqConfig:
        wider["src_BS"] = padded(np.where(sides["src_mask_BS"], sides["src_BS"], filler), src_more, 1 - filler)
        wider["src_mask_BS"] = padded(sides["src_mask_BS"], src_more, False)
    logits_BTV, backward = run(config, weights, sides)
    found_BTV, found_backward = run(config, weights, wider)
    dlogits_BTV = cotangent(logits_BTV)
    wide_BTV = np.pad(dlogits_BTV, ((0, 0), (0, more), (0, 0)))
    assert apart([found_BTV[:, :-more]], [logits_BTV]) <= BAR
    assert apart(found_backward(wide_BTV), backward(dlogits_BTV)) <= BAR


@every_family
@given(data=st.data())
@few
def test_a_batch_equals_its_rows(family, data):
    config, weights, sides = data.draw(models(family))
    logits_BTV, backward = run(config, weights, sides)
    rows = [run(config, weights, {n: x[i : i + 1] for n, x in sides.items()}) for i in range(len(logits_BTV))]
    assert apart([logits_BTV], [np.concatenate([row_1TV for row_1TV, _ in rows])]) <= BAR
    dlogits_BTV = cotangent(logits_BTV)
    apiece = [row_backward(dlogits_BTV[i : i + 1]) for i, (_, row_backward) in enumerate(rows)]
    assert apart(backward(dlogits_BTV), tree.map(lambda *grads: sum(grads), *apiece)) <= BAR


@with_table_and_dropout
@pytest.mark.parametrize("key", [None, random.key(4)], ids=["rest", "dropout"])
def test_positions_beyond_the_text_have_no_gradient(family, key):
    config = replace(SMALL[family], positions="learned")
    weights, sides = random_params(np.random.default_rng(0), params.shapes(config)), sides_of(family)
    logits_BTV, backward = run(config, weights, sides, key)
    grads = backward(cotangent(logits_BTV))
    ends = [("pos", "tokens_BT")] if family is GPTConfig else [("src_pos", "src_BS"), ("tgt_pos", "tokens_BT")]
    for name, tokens in ends:
        used = np.arange(config.max_len) < sides[tokens].shape[1]
        assert np.array_equal(np.any(grads[name]["w"] != 0.0, axis=1), used)


@every_family
@given(data=st.data())
@few
def test_a_tied_head_gets_the_gradients_of_both_uses(family, data):
    """Against an untied head with a copy of the same numbers: what is learned at each end, added up."""
    config, weights, sides = data.draw(models(family, tied=True))
    name, bias = ("tgt", {"b": np.zeros(config.tgt_vocab)}) if family is Seq2SeqConfig else ("emb", {})
    copies = weights | {"head": {"w": weights[name]["w"].T.copy()} | bias}
    logits_BTV, backward = run(config, weights, sides)
    found_BTV, found_backward = run(replace(config, tied=False), copies, sides)
    assert apart([found_BTV], [logits_BTV]) <= BAR
    dlogits_BTV = cotangent(logits_BTV)
    tied, untied = backward(dlogits_BTV), found_backward(dlogits_BTV)
    head = untied.pop("head")
    assert np.any(untied[name]["w"] != 0.0) and np.any(head["w"] != 0.0)
    assert apart(untied | {name: {"w": untied[name]["w"] + head["w"].T}}, tied) <= BAR


# ---- dropout ----


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rate", [0.0, 0.1, 0.3, 0.9])
@pytest.mark.parametrize("shape", [(7,), (3, 5, 12), (2, 3, 4, 5)])
def test_the_twins_drop_the_same_numbers(shape, rate, dtype):
    x = np.random.default_rng(0).normal(size=shape).astype(dtype)
    for key in dropout.keys(random.key(9), 3):
        mine, _ = dropout.forward(x, rate=rate, key=key)
        with jax.enable_x64(True):
            twin = np.asarray(twin_dropout.forward(jnp.asarray(x), rate=rate, key=jnp.asarray(key)))
        assert (mine.dtype, mine.tobytes()) == (twin.dtype, twin.tobytes())


@pytest.mark.parametrize("rate", [0.05, 0.3, 0.5, 0.9])
def test_dropout_silences_its_share_and_keeps_the_expected_value(rate):
    n = 200_000
    y, scale = dropout.forward(np.full(n, 3.0), rate=rate, key=random.key(1))
    assert set(np.unique(scale)) == {0.0, 1 / (1 - rate)}
    error = math.sqrt(rate * (1 - rate) / n)
    assert abs(np.mean(scale == 0.0) - rate) < 5 * error
    assert abs(np.mean(y) - 3.0) < 5 * 3.0 * error / (1 - rate)


def test_other_keys_drop_other_numbers():
    """Two masks agree as often as two independent ones would."""
    n, rate = 20_000, 0.3
    keys = [random.key(0), random.key(1), random.fold_in(random.key(0), 7), *dropout.keys(random.key(0), 3)]
    masks = [dropout.forward(np.ones(n), rate=rate, key=key)[1] == 0.0 for key in keys]
    agree = rate**2 + (1 - rate) ** 2
    for i, a in enumerate(masks):
        for b in masks[:i]:
            assert abs(np.mean(a == b) - agree) < 5 * math.sqrt(agree * (1 - agree) / n)


def test_without_a_key_nothing_is_dropped():
    x = np.random.default_rng(0).normal(size=(3, 5))
    y, saved = dropout.forward(x, rate=0.9, key=None)
    assert np.array_equal(y, x)
    assert np.array_equal(dropout.backward(x, saved), x)
    assert np.array_equal(twin_dropout.forward(jnp.asarray(x), rate=0.9, key=None), jnp.asarray(x))
    assert dropout.keys(None, 3) == twin_dropout.keys(None, 3) == [None] * 3


@with_table_and_dropout
def test_without_a_key_a_model_is_at_rest(family):
    config, sides = SMALL[family], sides_of(family)
    weights = params.init(random.key(0), config, np.float64)
    at_rest, _ = run(config, weights, sides)
    assert np.array_equal(at_rest, run(replace(config, dropout=0.0), weights, sides)[0])
    assert np.array_equal(at_rest, run(replace(config, dropout=0.0), weights, sides, random.key(1))[0])
    trained = [run(config, weights, sides, random.key(seed))[0] for seed in (1, 1, 2)]
    assert np.array_equal(trained[0], trained[1])
    assert not np.array_equal(trained[0], trained[2])
    assert not np.array_equal(trained[0], at_rest)


@with_table_and_dropout
def test_every_place_in_a_model_has_a_mask_of_its_own(family, monkeypatch):
    """The same ones in both twins; none is used in two places."""
    config, sides = SMALL[family], sides_of(family)
    weights, seen = params.init(random.key(0), config), {dropout: [], twin_dropout: []}
    for module, places in seen.items():

        def noted(x, *, rate, key, places=places, right=module.forward):
            places.append((x.shape, key))
            return right(x, rate=rate, key=key)

        monkeypatch.setattr(module, "forward", noted)

    @jax.jit
    def twin_keys(key):
        TWINS[family].forward(tree.map(jnp.asarray, weights), **sides, config=config, key=key)
        return [key for _, key in seen[twin_dropout]]

    MODULES[family].forward(weights, **sides, config=config, key=random.key(2))
    keys = [key for _, key in seen[dropout]]
    assert np.array_equal(keys, twin_keys(random.key(2)))
    assert [shape for shape, _ in seen[dropout]] == [shape for shape, _ in seen[twin_dropout]]
    places = 1 + 2 * config.n_blocks if family is GPTConfig else 2 + 2 * config.n_encoder + 3 * config.n_decoder
    assert len({key.tobytes() for key in keys}) == len(keys) == places


# ---- GELU ----


def test_the_two_forms_of_gelu_are_close():
    """Largest difference 0.00047, at x = 2.7 and -2.7."""
    x = np.linspace(-10, 10, 200_001)
    difference = np.abs(gelu.forward(x)[0] - gelu.forward(x, exact=True)[0])
    assert 0.0004 < np.max(difference) < 0.0005


def test_exact_gelu_is_the_error_function():
    x = np.linspace(-6, 6, 1_201)
    wanted = [t * 0.5 * (1 + math.erf(t / math.sqrt(2))) for t in x.tolist()]
    np.testing.assert_allclose(gelu.forward(x, exact=True)[0], wanted, rtol=0, atol=2e-15)


# ---- dtype ----


@with_table_and_dropout
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("positions", POSITIONS)
@pytest.mark.parametrize("key", [None, random.key(4)], ids=["rest", "dropout"])
def test_the_dtype_follows_the_parameters(family, positions, dtype, key):
    """In the twin also where float64 is on, so that a constant in float64 would show."""
    sides = sides_of(family)
    for activation in ACTIVATIONS:
        config = replace(SMALL[family], positions=positions, activation=activation)
        weights = params.init(random.key(0), config, dtype)
        logits_BTV, backward = run(config, weights, sides, key)
        assert {leaf.dtype for leaf in [logits_BTV, *tree.leaves(backward(cotangent(logits_BTV)))]} == {np.dtype(dtype)}

    def both(weights):
        logits_BTV, vjp = jax.vjp(partial(TWINS[family].forward, **sides, config=config, key=key), weights)
        return logits_BTV, vjp(jnp.ones_like(logits_BTV))

    with jax.enable_x64(True):
        assert {leaf.dtype for leaf in jax.tree.leaves(jax.eval_shape(both, weights))} == {np.dtype(dtype)}
