"""Every hand-written backward against the derivative of its own forward, and proof that this check can fail.

The complex step is right to the last digits, so its bar is 1e-11; central differences lose half of them: 1e-6. An error
is relative to the tensor's largest entry, floored (common/gradcheck.py). Cotangents are random: with ones, a softmax
backward that returns zero would pass.
"""

import pkgutil
from functools import cache
from importlib import import_module

import numpy as np
import pytest

from cases import CASES, Case, as_tuple, read_only
from common import gradcheck, params, random, tree
from common.config import ClassifierConfig
from common.types import Tree
from numpy_ref.layers import attention, embedding, layernorm, linear
from numpy_ref.models import classifier
from numpy_ref.ops import cross_entropy, softmax

BARS = {gradcheck.complex_step: 1e-11, gradcheck.central_difference: 1e-6}
SOME = {gradcheck.complex_step: 20, gradcheck.central_difference: 6}
every_case = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
each_method = pytest.mark.parametrize("method", BARS, ids=[method.__name__ for method in BARS])


def gradients(case: Case) -> tuple[gradcheck.Loss, list[Tree]]:
    """A scalar made of the case's output with a random cotangent, and what backward says are its gradients."""
    forward, backward = case.functions()
    y, saved = forward(*case.args, **case.kw)
    dy = read_only(np.asarray(np.random.default_rng(1).normal(size=np.shape(y))))
    return lambda args: np.sum(forward(*args, **case.kw)[0] * dy), list(as_tuple(backward(dy, saved)))


def errors_of(
    loss: gradcheck.Loss, at: Tree, grads: Tree, method=gradcheck.complex_step, entries: int | None = 12
) -> dict[str, float]:
    """Error of every tensor, over so many of its entries, or over all."""
    return {row.name: row.error for row in gradcheck.check(loss, at, grads, method=method, entries=entries)}


def errors(case: Case, method=gradcheck.complex_step, entries: int | None = None) -> dict[str, float]:
    loss, grads = gradients(case)
    return errors_of(loss, list(case.args), grads, method, entries)


def errors_along(loss: gradcheck.Loss, at: Tree, grads: Tree, method=gradcheck.complex_step) -> dict[str, float]:
    """Error of every tensor along a random direction through all of its entries at once: none is left out.

    Relative to the length of the tensor's gradient, floored at 1e-3 of the longest.
    """
    rng, found = np.random.default_rng(1), tree.named(grads)
    longest = max(float(np.linalg.norm(g)) for g in found.values())
    out = {}
    for name, g in found.items():
        direction = {n: np.zeros(np.shape(x)) for n, x in tree.items(at)} | {name: rng.normal(size=g.shape)}
        wanted = method(loss, at, tree.build(direction))
        length = max(float(np.linalg.norm(g)), gradcheck.FLOOR * longest) or 1.0
        out[name] = gradcheck._number(abs(float(np.sum(g * direction[name])) - wanted) / length)
    return out


def named(name: str) -> Case:
    return next(case for case in CASES if case.name == name)


def modules() -> set[str]:
    """Path inside the twin of every file of ops, layers and models."""
    packages = [import_module(f"numpy_ref.{name}") for name in ("ops", "layers", "models")]
    return {
        f"{package.__name__.removeprefix('numpy_ref.')}.{file.name}"
        for package in packages
        for file in pkgutil.iter_modules(package.__path__)
    }


def test_every_file_has_a_case():
    assert {case.module for case in CASES} == modules()


@every_case
def test_gradients_have_the_names_order_and_shapes_of_the_arguments(case):
    """The order too: an optimizer lays both end to end."""
    _, grads = gradients(case)
    found, wanted = tree.named(grads), tree.named(list(case.args))
    assert [(name, g.shape) for name, g in found.items()] == [(name, x.shape) for name, x in wanted.items()]


@each_method
@every_case
def test_backward_is_the_derivative_of_forward(case, method):
    """Every entry of an op or a layer. Of each tensor of a whole model a few; the next test leaves none of them out."""
    entries = SOME[method] if case.module.startswith("models.") else None
    assert max(errors(case, method, entries).values()) <= BARS[method]


@every_case
def test_every_tensor_along_one_direction(case):
    loss, grads = gradients(case)
    assert max(errors_along(loss, list(case.args), grads).values()) <= BARS[gradcheck.complex_step]


@every_case
def test_arguments_cannot_be_written_into(case):
    arrays = [leaf for leaf in tree.leaves([*case.args, case.kw]) if isinstance(leaf, np.ndarray)]
    assert arrays
    assert not any(array.flags.writeable for array in arrays)


@every_case
def test_backward_changes_nothing_it_was_given(case):
    forward, backward = case.functions()
    y, saved = forward(*case.args, **case.kw)
    dy = read_only(np.ones_like(y))
    first, again = backward(dy, saved), backward(dy, saved)
    assert all(map(np.array_equal, tree.leaves(list(as_tuple(first))), tree.leaves(list(as_tuple(again)))))


def single(value: Tree) -> Tree:
    """The same with float32 for float64."""
    if isinstance(value, tuple):
        return tuple(single(part) for part in value)
    return tree.map(lambda x: x.astype(np.float32) if getattr(x, "dtype", None) == np.float64 else x, value)


@every_case
def test_float32_stays_float32(case):
    """One float64 on the way would make all that follows it twice as slow."""
    forward, backward = case.functions()
    y, saved = forward(*map(single, case.args), **{name: single(value) for name, value in case.kw.items()})
    grads = backward(np.ones_like(y), saved)
    assert {x.dtype for x in tree.leaves([y, *as_tuple(grads)])} == {np.dtype(np.float32)}


DEFAULT = ClassifierConfig()
WEIGHTS = read_only(params.init(random.key(3), DEFAULT, np.float64))
TOKENS = np.array([[15, 17, 7, 5, 11, 18], [12, 17, 3, 3, 18, 0], [16, 17, 9, 18, 0, 0]])


def through_the_loss() -> tuple[gradcheck.Loss, Tree]:
    """Cross-entropy of the default model on a padded batch, as a function of its weights, and its gradients."""

    def run(weights):
        logits_BC, saved_model = classifier.forward(weights, tokens_BT=TOKENS, mask_BT=TOKENS != 0, config=DEFAULT)
        loss, saved_loss = cross_entropy.forward(logits_BC, targets_B=np.array([11, 3, 9]))
        return loss, saved_model, saved_loss

    loss, saved_model, saved_loss = run(WEIGHTS)
    dlogits_BC = cross_entropy.backward(np.ones_like(loss), saved_loss)
    return lambda weights: run(weights)[0], classifier.backward(dlogits_BC, saved_model)


@each_method
def test_every_tensor_of_the_default_model(method):
    loss, grads = through_the_loss()
    rows = gradcheck.check(loss, WEIGHTS, grads, method=method, entries=8)
    assert [row.name for row in rows] == list(params.names(DEFAULT))
    assert max(row.error for row in rows) <= BARS[method]


def test_every_tensor_of_the_default_model_along_one_direction():
    loss, grads = through_the_loss()
    found = errors_along(loss, WEIGHTS, grads)
    assert list(found) == list(params.names(DEFAULT))
    assert max(found.values()) <= BARS[gradcheck.complex_step]


# ---- teeth: each of these wrong backwards has to be over the bar


@cache
def derivatives(name: str, check) -> list[float]:
    """What the complex step says of a case, in the order in which `check` asks: it does not depend on any backward."""
    case, found = named(name), []
    loss, grads = gradients(case)

    def noted(*args):
        found.append(gradcheck.complex_step(*args))
        return found[-1]

    check(loss, list(case.args), grads, noted)
    return found


@pytest.mark.parametrize("factor", [0.0, 1.001, -1.0])
@pytest.mark.parametrize("check", [errors_of, errors_along])
@every_case
def test_every_scaled_tensor_is_noticed(case, check, factor):
    loss, grads = gradients(case)
    wrong, again = tree.map(lambda g: g * factor, grads), iter(derivatives(case.name, check))
    found = check(loss, list(case.args), wrong, lambda *_: next(again))
    assert [name for name, error in found.items() if error <= 1e-6] == case.without_gradient(found)


def test_a_key_bias_has_no_gradient():
    """It adds the same to all scores of a query, and softmax does not see that: why it is missing above."""
    _, grads = gradients(named("attention-bias"))
    assert np.max(np.abs(grads[0]["k"]["b"])) < 1e-14 * np.max(np.abs(grads[0]["k"]["w"]))


def uncoupled(dy, saved):
    return saved * dy


def overwriting(dy_BTD, saved):
    vocab, tokens_BT = saved
    dw_VD = np.zeros((vocab, dy_BTD.shape[-1]))
    dw_VD[tokens_BT] = dy_BTD
    return {"w": dw_VD}


def copied(dy_BTD, saved, right=attention.backward):
    d_params, dx_BTD, dsrc_BSD = right(dy_BTD, saved)
    return d_params | {"q": d_params["v"], "k": d_params["v"]}, dx_BTD, dsrc_BSD


def untransposed(dy, saved, right=linear.backward):
    """dx = dy @ w: fits wherever w is square."""
    d_params, dx = right(dy, saved)
    w_IO = saved[0]
    return d_params, dy @ w_IO if w_IO.shape[0] == w_IO.shape[1] else dx


def lengthening(dy_BTD, saved, right=layernorm.backward):
    """LayerNorm without the term that removes the gradient's part along n."""
    g_D, _, r_BT1 = saved
    dn_BTD = g_D * dy_BTD
    return right(dy_BTD, saved)[0], r_BT1 * (dn_BTD - np.mean(dn_BTD, axis=-1, keepdims=True))


def twice(dloss, saved, right=cross_entropy.backward):
    return softmax.backward(right(dloss, saved), saved[0])


SABOTAGE = [
    (softmax, uncoupled, ["softmax", "softmax-forbidden", "attend-G1", "attend-G2", "attention-G2", "classifier"]),
    (embedding, overwriting, ["embedding", "classifier", "classifier-pooled"]),
    (attention, copied, ["attention-G1", "classifier", "classifier-pooled"]),
    (linear, untransposed, ["classifier-block", "classifier", "classifier-pooled"]),
    (layernorm, lengthening, ["layernorm", "classifier-block", "classifier"]),
    (cross_entropy, twice, ["cross_entropy"]),
]


@pytest.mark.parametrize(
    ("module", "wrong", "name"),
    [(module, wrong, name) for module, wrong, names in SABOTAGE for name in names],
)
def test_sabotage_is_noticed(monkeypatch, module, wrong, name):
    monkeypatch.setattr(module, "backward", wrong)
    assert max(errors(named(name), entries=12).values()) > 1e-2


@pytest.mark.parametrize(("module", "wrong"), [(module, wrong) for module, wrong, _ in SABOTAGE])
def test_sabotage_is_noticed_in_the_default_model(monkeypatch, module, wrong):
    monkeypatch.setattr(module, "backward", wrong)
    loss, grads = through_the_loss()
    assert max(row.error for row in gradcheck.check(loss, WEIGHTS, grads, entries=8)) > 1e-2
