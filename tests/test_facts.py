"""What the architecture promises, whatever its weights are."""

import numpy as np
import pytest

from cases import attention as attention_shapes
from cases import padding, random_params
from common import gradcheck, params, random, tree
from common.config import ClassifierConfig, TrainConfig
from common.data.batching import Examples, pad
from common.vocabulary import encode
from numpy_ref import optim, train
from numpy_ref.layers import attention, embedding
from numpy_ref.models import classifier
from numpy_ref.ops import attend

DEFAULT = ClassifierConfig()
EXPRESSIONS = [encode(text) for text in ("Max ( 5 3 9 )", "Second ( 7 7 )", "Min ( 4 0 8 8 1 )", "First ( 6 )")]
TARGETS = np.array([11, 9, 2, 8])


def weights(dtype, config=DEFAULT):
    return params.init(random.key(11), config, dtype)


def logits(w, sequences, length=None, run=classifier.forward, config=DEFAULT):
    tokens_BT, mask_BT = pad(sequences, length)
    return run(w, tokens_BT=tokens_BT, mask_BT=mask_BT, config=config)[0]


def apart(a, b):
    """The largest difference, relative to the largest entry."""
    return np.max(np.abs(a - b)) / np.max(np.abs(b))


@pytest.mark.parametrize("length", [8, 12, 20, 30, 50])
@pytest.mark.parametrize(("dtype", "bar"), [(np.float64, 1e-12), (np.float32, 1e-6)])
@pytest.mark.parametrize("run", [classifier.forward, classifier.forward_pooled])
def test_padding_changes_nothing(run, dtype, bar, length):
    w = weights(dtype)
    for sequence in EXPRESSIONS:
        assert apart(logits(w, [sequence], length, run), logits(w, [sequence], run=run)) <= bar


@pytest.mark.parametrize(("dtype", "bar"), [(np.float64, 1e-12), (np.float32, 1e-6)])
def test_a_batch_equals_its_rows(dtype, bar):
    w = weights(dtype)
    rows = np.concatenate([logits(w, [sequence]) for sequence in EXPRESSIONS])
    assert apart(logits(w, EXPRESSIONS), rows) <= bar


def test_what_stands_in_the_padding_is_never_seen():
    w = weights(np.float64)
    tokens_BT, mask_BT = pad(EXPRESSIONS)
    other_BT = np.where(mask_BT, tokens_BT, 13)
    found, wanted = (
        classifier.forward(w, tokens_BT=tokens, mask_BT=mask_BT, config=DEFAULT)[0] for tokens in (other_BT, tokens_BT)
    )
    assert np.array_equal(found, wanted)


def test_the_mask_is_used():
    """Without it the padding is read: the tests above could not pass by luck."""
    w = weights(np.float64)
    tokens_BT, mask_BT = pad(EXPRESSIONS)
    unmasked = classifier.forward(w, tokens_BT=tokens_BT, mask_BT=np.ones_like(mask_BT), config=DEFAULT)[0]
    assert apart(unmasked, logits(w, EXPRESSIONS)) > 1e-2


@pytest.mark.parametrize("n_blocks", [1, 2, 3])
def test_pooled_equals_plain(n_blocks):
    config = ClassifierConfig(n_blocks=n_blocks)
    w = weights(np.float64, config)
    tokens_BT, mask_BT = pad(EXPRESSIONS)
    dlogits_BC = np.random.default_rng(1).normal(size=(len(EXPRESSIONS), config.vocab))
    found, wanted = (
        {"logits": y, "grads": classifier.backward(dlogits_BC, saved)}
        for y, saved in (
            run(w, tokens_BT=tokens_BT, mask_BT=mask_BT, config=config)
            for run in (classifier.forward_pooled, classifier.forward)
        )
    )
    assert max(gradcheck.difference(found, wanted).values()) <= 1e-12


def test_absent_tokens_have_exactly_zero_gradient():
    w = weights(np.float64)
    tokens_BT, mask_BT = pad(EXPRESSIONS)
    _, grads, _ = train.loss_and_grads(w, Examples(tokens_BT, mask_BT, TARGETS), model=DEFAULT)
    present = np.isin(np.arange(DEFAULT.vocab), tokens_BT[mask_BT])
    row_norms = np.abs(grads["emb"]["w"]).max(axis=1)
    assert np.array_equal(row_norms > 0, present)
    assert 0 < present.sum() < DEFAULT.vocab


def test_embedding_backward_equals_add_at():
    rng = np.random.default_rng(2)
    tokens_BT, dy_BTD = rng.integers(0, 6, size=(4, 9)), rng.normal(size=(4, 9, 5))
    wanted = np.zeros((8, 5))
    np.add.at(wanted, tokens_BT, dy_BTD)
    _, saved = embedding.forward({"w": rng.normal(size=(8, 5))}, tokens_BT=tokens_BT)
    assert apart(embedding.backward(dy_BTD, saved)["w"], wanted) <= 1e-15


def test_attention_weights_are_shares_and_the_mask_is_absolute():
    rng = np.random.default_rng(3)
    mask_BTS = (rng.random((2, 5, 7)) < 0.5) | (np.arange(7) == 4)
    q, k = 30 * rng.normal(size=(2, 5, 3, 2, 7)), 30 * rng.normal(size=(2, 7, 3, 7))
    v = np.broadcast_to(
        np.eye(7)[:, None], k.shape
    )  # with unit vectors for values the output is the weights themselves
    w_BNGTS = attend.forward(q, k, v, mask_BTS=mask_BTS)[0].transpose(0, 2, 3, 1, 4)
    allowed = np.broadcast_to(mask_BTS[:, None, None], w_BNGTS.shape)
    assert np.all(w_BNGTS[~allowed] == 0.0)
    assert np.all(w_BNGTS >= 0.0)
    np.testing.assert_allclose(w_BNGTS.sum(axis=-1), 1.0, rtol=1e-14)


def test_a_position_that_may_look_at_one_place_copies_its_value():
    rng = np.random.default_rng(4)
    q, k, v = rng.normal(size=(1, 3, 2, 1, 4)), rng.normal(size=(1, 6, 2, 4)), rng.normal(size=(1, 6, 2, 4))
    mask_BTS = np.arange(6) == np.array([5, 0, 2])[:, None]
    o_BTNGK, _ = attend.forward(q, k, v, mask_BTS=mask_BTS[None])
    assert np.array_equal(o_BTNGK[:, :, :, 0], v[:, [5, 0, 2]])


def test_grouped_heads_equal_heads_with_repeated_keys_and_values():
    """GQA with N key/value heads is multi-head attention in which each of them is given to G query heads."""
    rng = np.random.default_rng(5)
    b, t, s, n, g, k, d = 2, 5, 7, 3, 2, 4, 10
    p = random_params(rng, attention_shapes(d, n * g, n, k))
    x, src, mask = rng.normal(size=(b, t, d)), rng.normal(size=(b, s, d)), np.ones((b, t, s), bool)
    repeated = {name: {"w": np.repeat(p[name]["w"].reshape(d, n, k), g, axis=1).reshape(d, -1)} for name in "kv"}
    grouped, _ = attention.forward(p, x, src, n_heads=n * g, n_kv_heads=n, mask_BTS=mask)
    whole, _ = attention.forward(p | repeated, x, src, n_heads=n * g, n_kv_heads=n * g, mask_BTS=mask)
    assert apart(grouped, whole) <= 1e-14


def test_as_many_key_value_heads_as_heads_is_multi_head_attention():
    """Against attention written out head by head."""
    rng = np.random.default_rng(6)
    b, t, s, n, k = 2, 5, 7, 3, 4
    q, key, v = rng.normal(size=(b, t, n, 1, k)), rng.normal(size=(b, s, n, k)), rng.normal(size=(b, s, n, k))
    mask_BTS = np.broadcast_to(padding([7, 3], s)[:, None], (b, t, s))
    found, _ = attend.forward(q, key, v, mask_BTS=mask_BTS)
    for row, head in np.ndindex(b, n):
        e_TS = np.exp(q[row, :, head, 0] @ key[row, :, head].T / 2.0) * mask_BTS[row]
        wanted_TK = (e_TS / e_TS.sum(axis=1, keepdims=True)) @ v[row, :, head]
        assert apart(found[row, :, head, 0], wanted_TK) <= 1e-14


def test_attention_does_not_depend_on_the_order_of_what_is_looked_at():
    rng = np.random.default_rng(7)
    q, k, v = rng.normal(size=(2, 5, 3, 2, 4)), rng.normal(size=(2, 7, 3, 4)), rng.normal(size=(2, 7, 3, 4))
    mask_BTS, order = np.broadcast_to(padding([7, 4], 7)[:, None], (2, 5, 7)), rng.permutation(7)
    found, _ = attend.forward(q, k[:, order], v[:, order], mask_BTS=mask_BTS[..., order])
    assert apart(found, attend.forward(q, k, v, mask_BTS=mask_BTS)[0]) <= 1e-14


def test_parameter_count():
    assert tree.count(weights(np.float32)) == 102_036


def test_initial_values():
    found = tree.named(params.init(random.key(0), DEFAULT, np.float64))
    for name, w in found.items():
        if name.endswith((".b", ".g")):
            assert np.all(w == (1.0 if name.endswith(".g") else 0.0)), name
        elif name == "emb.w":
            assert abs(np.mean(w)) < 5 / np.sqrt(w.size), name
            assert abs(np.var(w) - 1) < 5 * np.sqrt(2 / w.size), name
        else:
            bound = np.sqrt(6 / sum(w.shape))
            assert np.max(np.abs(w)) <= bound, name
            assert np.max(np.abs(w)) > 0.99 * bound, name
            assert abs(np.mean(w)) < 5 * bound / np.sqrt(3 * w.size), name
            assert abs(np.var(w) / (bound**2 / 3) - 1) < 5 * np.sqrt(0.8 / w.size), name


def test_no_two_tensors_start_alike():
    drawn = [w.ravel()[:64] for name, w in tree.items(weights(np.float64)) if not name.endswith((".b", ".g"))]
    assert len({w.tobytes() for w in drawn}) == len(drawn) == 14
    assert np.max(np.abs(np.corrcoef(drawn) - np.eye(len(drawn)))) < 0.6


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam", "adamw"])
def test_the_dtype_of_everything_follows_the_parameters(optimizer, dtype):
    config = TrainConfig(optimizer=optimizer, clip_norm=0.5, weight_decay=0.1)
    w = weights(dtype)
    batch = Examples(*pad(EXPRESSIONS), TARGETS)
    loss, grads, found = train.loss_and_grads(w, batch, model=DEFAULT)
    new, state = optim.update(w, grads, optim.init(w, config), lr=0.1, config=config)
    everything = [w, grads, new, {"loss": loss, "logits": found}, {n: x for n, x in state.items() if n != "step"}]
    assert {leaf.dtype for leaf in tree.leaves(everything)} == {np.dtype(dtype)}
    assert logits(w, EXPRESSIONS).dtype == dtype
