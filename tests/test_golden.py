"""numpy_ref against what PyTorch computed from the same weights. The files are made by tests/oracle/make.py."""

import numpy as np
import pytest

from common import gradcheck, tree
from common.config import ClassifierConfig
from numpy_ref.models import classifier
from numpy_ref.ops import cross_entropy
from oracle.recipe import generic, load, projected

TENSORS, MODELS = load("classifier")
TORCH = tree.build(TENSORS)


def run(forward, weights, config):
    """Logits, loss and gradients of the batch in the file."""
    logits_BC, saved = forward(weights, tokens_BT=TORCH["tokens"], mask_BT=TORCH["mask"], config=config)
    loss, saved_loss = cross_entropy.forward(logits_BC, targets_B=TORCH["targets"])
    grads = classifier.backward(cross_entropy.backward(np.ones_like(loss), saved_loss), saved)
    return {"logits": logits_BC, "loss": loss, "grads": grads}


def worst(found, wanted):
    """The largest error, of logits and loss and of the gradients, each relative to its own kind."""
    parts = [{"logits": x["logits"], "loss": x["loss"]} for x in (found, wanted)]
    grads = gradcheck.difference(found["grads"], wanted["grads"])
    return max(*gradcheck.difference(*parts).values(), *grads.values())


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
