"""numpy_ref against what PyTorch and Hugging Face computed from the same weights. Made by tests/oracle/make.py."""

from dataclasses import replace

import numpy as np
import pytest

from cases import key_biases
from common import tree
from common.config import GATES, ClassifierConfig, GPTConfig, LlamaConfig, Seq2SeqConfig
from common.positions import speeds
from numpy_ref.models import classifier, gpt, llama
from numpy_ref.ops import cross_entropy
from oracle.recipe import GOLDEN, Sequences, generic, load, numpy_run, projected, worst

TENSORS, MODELS = load("classifier")
TORCH = tree.build(TENSORS)


def run(forward, weights, config):
    """Logits, loss and gradients of the batch in the file."""
    logits_BC, saved = forward(weights, tokens_BT=TORCH["tokens"], mask_BT=TORCH["mask"], config=config)
    loss, saved_loss = cross_entropy.forward(logits_BC, targets_B=TORCH["targets"])
    grads = classifier.backward(cross_entropy.backward(np.ones_like(loss), saved_loss), saved)
    return {"logits": logits_BC, "loss": loss, "grads": grads}


both_forms = pytest.mark.parametrize("forward", [classifier.forward, classifier.forward_pooled])


@both_forms
@pytest.mark.parametrize("name", MODELS)
def test_logits_loss_and_every_gradient(name, forward):
    part = TORCH[name]
    assert worst(run(forward, part["weights"], ClassifierConfig(**MODELS[name])), part) <= 1e-12


@both_forms
def test_the_default_model(forward):
    config = ClassifierConfig()
    found = run(forward, generic(config, 5), config)
    assert worst(found | {"grads": projected(found["grads"])}, TORCH["default"]) <= 1e-12


def test_the_batch_is_padded_and_the_model_reads_it():
    """A file of zeros, or without padding, would prove nothing."""
    assert sorted(TORCH["mask"].sum(axis=1)) == [5, 6, 7, 8]
    for name in (*MODELS, "default"):
        assert min(np.max(np.abs(g)) for g in tree.leaves(TORCH[name]["grads"])) > 1e-6


def test_a_wrong_gradient_is_noticed(monkeypatch):
    right = classifier.attention.backward

    def wrong(dy_BTD, saved):
        d_params, *rest = right(dy_BTD, saved)
        return d_params | {"q": d_params["k"]}, *rest

    monkeypatch.setattr(classifier.attention, "backward", wrong)
    part = TORCH["tiny"]
    assert worst(run(classifier.forward, part["weights"], ClassifierConfig(**MODELS["tiny"])), part) > 0.1


# ---- the sequence models ----

FAMILIES = {"gpt": GPTConfig, "seq2seq": Seq2SeqConfig, "llama": LlamaConfig}
FILES = {family: load(family) for family in FAMILIES}
every_sequence_model = pytest.mark.parametrize(
    ("family", "name"), [(family, name) for family, (_, configs) in FILES.items() for name in configs]
)


def sequence_model(family, name):
    """Configuration, batch and the rest of one model of a file."""
    tensors, configs = FILES[family]
    part = tree.build(tensors)[name]
    return FAMILIES[family](**configs[name]), Sequences(**part["batch"]), part


@every_sequence_model
def test_logits_masked_loss_and_every_gradient(family, name):
    config, batch, part = sequence_model(family, name)
    assert worst(numpy_run(config, part["weights"], batch), part) <= 1e-12


@every_sequence_model
def test_the_batch_is_padded_and_only_some_places_count(family, name):
    """And places that do not count decide nothing: other targets there leave the loss as it is."""
    config, batch, part = sequence_model(family, name)
    masks = [mask for mask in (batch.mask, batch.src_mask) if mask is not None]
    assert all(len(set(mask.sum(axis=1))) == 3 for mask in masks)
    assert not np.any(batch.counts & ~batch.mask)
    assert 0 < batch.counts.sum() < batch.mask.sum()
    other = batch._replace(targets=np.where(batch.counts, batch.targets, 0))
    assert numpy_run(config, part["weights"], other)["loss"] == numpy_run(config, part["weights"], batch)["loss"]


@every_sequence_model
def test_no_gradient_in_the_file_is_zero(family, name):
    """But that of a key's bias, which softmax does not see; one that is turned by its position it does see."""
    grads = tree.named(sequence_model(family, name)[2]["grads"])
    zero = [] if family == "llama" else key_biases(grads)
    assert [n for n, g in grads.items() if np.max(np.abs(g)) <= 1e-6] == zero
    assert all(np.max(np.abs(grads[n])) < 1e-15 for n in zero)


def test_the_files_hold_both_heads_both_positions_and_every_activation():
    for _, configs in FILES.values():
        assert {c["tied"] for c in configs.values()} == {True, False}
    added = [FILES[family][1].values() for family in ("gpt", "seq2seq")]
    for configs in added:
        assert {c["positions"] for c in configs} == {"learned", "sinusoidal"}
    assert {c["activation"] for configs in added for c in configs} == {"relu", "gelu", "gelu_exact"}


def test_the_file_of_llama_holds_every_way_that_it_can_be_built():
    models = [LlamaConfig(**settings) for settings in FILES["llama"][1].values()]
    assert {(m.n_kv_heads == 1, m.n_kv_heads == m.n_heads) for m in models} >= {(0, 0), (0, 1), (1, 0)}
    assert {m.gate for m in models} == set(GATES)
    assert {m.d_head * m.n_heads == m.d_model for m in models} == {True, False}
    for choice in ("bias", "window", "rope_share", "rope_factor"):
        assert len({getattr(m, choice) for m in models}) == 2, choice
    for m in models:
        if m.rope_factor > 1:
            assert len(set(speeds(m) * m.rope_factor / speeds(replace(m, rope_factor=1.0)))) > 1


def test_hands_turn_as_fast_as_those_of_released_models():
    """By the formulas of Hugging Face in float64; LLaMA 3's are slowed in part."""
    theirs, settings = load("rotary")
    for name, found in theirs.items():
        assert np.max(np.abs(speeds(LlamaConfig(1, **settings[name])) / found - 1)) <= 1e-15, name
    for name in ("llama-3_1-8b", "llama-3_2-1b"):
        model = LlamaConfig(1, **settings[name])
        slowed = speeds(replace(model, rope_factor=1.0)) / theirs[name]
        assert slowed[0] == 1 and slowed[-1] == pytest.approx(model.rope_factor, rel=1e-15)
        assert np.sum((slowed > 1.001) & (slowed < 0.999 * model.rope_factor)) >= 3


@pytest.mark.parametrize("family", FAMILIES)
def test_the_files_are_small(family):
    assert (GOLDEN / f"{family}.safetensors").stat().st_size < 300_000


def test_a_head_that_forgets_it_is_tied_is_noticed(monkeypatch):
    monkeypatch.setattr(gpt.embedding, "backward", lambda dy_BTD, saved: {"w": np.zeros((saved[0], dy_BTD.shape[-1]))})
    config, batch, part = sequence_model("gpt", "tied")
    assert worst(numpy_run(config, part["weights"], batch), part) > 0.01


def test_a_window_one_place_off_is_noticed():
    """Hugging Face counts a window as LlamaConfig does: itself and what comes before, so many in all."""
    config, batch, part = sequence_model("llama", "window")
    for window in (2, 4):
        assert worst(numpy_run(replace(config, window=window), part["weights"], batch), part) > 0.01


@pytest.mark.parametrize("name", FILES["llama"][1])
def test_turning_the_wrong_way_is_noticed(name, monkeypatch):
    """Queries and keys alike, so that only the sign of their distance is wrong."""
    right = llama.attention.rope.forward
    monkeypatch.setattr(llama.attention.rope, "forward", lambda x, *, turn: right(x, turn=(turn[0], -turn[1])))
    config, batch, part = sequence_model("llama", name)
    assert worst(numpy_run(config, part["weights"], batch), part) > 0.01
