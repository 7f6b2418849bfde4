"""The derivative checks themselves, on functions whose derivatives are known."""

import numpy as np
import pytest

from common import gradcheck, random

AT = {"x": np.array([0.3, -1.2, 2.0]), "m": [np.array([[0.5, 1.5]])]}
ONE = {"x": np.array([0.0, 1.0, 0.0]), "m": [np.zeros((1, 2))]}


def smooth(t):
    """sum sin(x) exp(m) over all pairs: derivatives cos(x) sum exp(m), and exp(m) sum sin(x)."""
    return np.sum(np.sin(t["x"])) * np.sum(np.exp(t["m"][0]))


EXACT = {
    "x": np.cos(AT["x"]) * np.sum(np.exp(AT["m"][0])),
    "m": [np.exp(AT["m"][0]) * np.sum(np.sin(AT["x"]))],
}


@pytest.mark.parametrize(("method", "bar"), [(gradcheck.complex_step, 1e-15), (gradcheck.central_difference, 1e-9)])
def test_known_derivatives(method, bar):
    rows = gradcheck.check(smooth, AT, EXACT, method=method)
    assert [(row.name, row.tried) for row in rows] == [("x", 3), ("m.0", 2)]
    assert max(row.error for row in rows) <= bar


@pytest.mark.parametrize("method", [gradcheck.complex_step, gradcheck.central_difference])
def test_a_direction_is_the_sum_of_its_entries(method):
    direction = {"x": np.array([1.0, -2.0, 0.5]), "m": [np.array([[3.0, 0.25]])]}
    wanted = np.sum(EXACT["x"] * direction["x"]) + np.sum(EXACT["m"][0] * direction["m"][0])
    assert method(smooth, AT, direction) == pytest.approx(wanted, rel=1e-8)


def test_central_differences_are_v_shaped_and_the_complex_step_is_flat():
    """Too large a step bends, too small a one rounds; without a subtraction no step is too small."""
    steps = 10.0 ** -np.arange(1, 13)
    wanted = EXACT["x"][1]
    central = [abs(gradcheck.central_difference(smooth, AT, ONE, h) / wanted - 1) for h in steps]
    best = int(np.argmin(central))
    assert 1e-7 < steps[best] < 1e-4
    assert central[best] < 1e-8
    assert central[0] > 1e3 * central[best]
    assert central[-1] > 1e3 * central[best]
    np.testing.assert_allclose(np.divide(central[:2], central[1:3]), 100, rtol=0.05)  # the error falls with h^2
    for h in (1e-8, 1e-30, 1e-200):
        assert abs(gradcheck.complex_step(smooth, AT, ONE, h) / wanted - 1) < 1e-14


def test_a_kink_within_reach_shows_and_vanishes_with_a_smaller_step():
    at, exact = {"x": np.array([3e-6, -1.0])}, {"x": np.array([1.0, 0.0])}
    errors = [
        gradcheck.check(lambda t: np.sum(np.maximum(t["x"], 0)), at, exact, method=gradcheck.central_difference, h=h)
        for h in (1e-5, 1e-6)
    ]
    assert errors[0][0].error > 0.1
    assert errors[1][0].error < 1e-9


def test_entries_are_drawn_with_the_key():
    """A single wrong entry of a thousand is found by all tries, and by some draws of half of them."""
    at = {"x": np.linspace(0.1, 1.0, 1000)}
    wrong = {"x": np.cos(at["x"])}
    wrong["x"][617] += 0.5

    def run(**kw):
        return gradcheck.check(lambda t: np.sum(np.sin(t["x"])), at, wrong, **kw)[0]

    assert run().error > 0.1
    draws = [run(key=random.key(seed), entries=500) for seed in range(8)]
    assert {row.tried for row in draws} == {500}
    assert {row.error > 0.1 for row in draws} == {True, False}
    assert run(key=random.key(3), entries=500) == draws[3]
    assert run(entries=2000).tried == 1000


def test_a_small_tensor_is_judged_by_the_floor():
    """A gradient of rounding noise beside one of size one is no error; the same beside nothing is."""
    at = {"big": np.ones(2), "none": np.ones(2)}
    grads = {"big": np.ones(2), "none": np.array([1e-16, -1e-16])}
    rows = gradcheck.check(lambda t: np.sum(t["big"]), at, grads)
    assert rows[1].error == pytest.approx(1e-16 / gradcheck.FLOOR)
    assert gradcheck.check(lambda t: 0j * t["x"][0], {"x": np.ones(1)}, {"x": np.full(1, 1e-16)})[0].error == 1.0
    assert gradcheck.check(lambda t: 0j * t["x"][0], {"x": np.ones(1)}, {"x": np.zeros(1)})[0].error == 0.0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_gradient_that_is_not_a_number_is_infinitely_wrong(bad):
    grads = {"x": EXACT["x"], "m": [np.array([[bad, 1.0]])]}
    with np.errstate(invalid="ignore"):
        assert max(row.error for row in gradcheck.check(smooth, AT, grads)) == np.inf
        assert max(gradcheck.difference(grads, EXACT).values()) == np.inf


@pytest.mark.parametrize("bad", [np.float32, np.int64])
def test_another_dtype_is_refused(bad):
    half = {"x": AT["x"].astype(bad), "m": AT["m"]}
    with pytest.raises(ValueError, match="float64"):
        gradcheck.check(smooth, half, EXACT)
    with pytest.raises(ValueError, match="float64"):
        gradcheck.check(smooth, AT, {"x": EXACT["x"].astype(bad), "m": EXACT["m"]})


@pytest.mark.parametrize(
    "grads",
    [
        {"x": EXACT["x"]},
        {"x": EXACT["x"], "m": EXACT["m"], "z": np.zeros(1)},
        {"x": EXACT["x"][:2], "m": EXACT["m"]},
        {"x": EXACT["x"], "m": [EXACT["m"][0].T]},
    ],
)
def test_trees_of_another_form_are_refused(grads):
    with pytest.raises(ValueError, match="names and shapes"):
        gradcheck.check(smooth, AT, grads)
    with pytest.raises(ValueError, match="names and shapes"):
        gradcheck.difference(grads, EXACT)


def test_difference_is_relative_to_the_largest_entry_of_what_is_wanted():
    wanted = {"a": np.array([4.0, 1.0]), "b": np.array([1e-6]), "c": np.zeros(2)}
    found = {"a": np.array([4.0, 1.1]), "b": np.array([2e-6]), "c": np.array([0.0, 4e-4])}
    errors = gradcheck.difference(found, wanted)
    assert errors == pytest.approx({"a": 0.025, "b": 1e-6 / 4e-3, "c": 0.1})
