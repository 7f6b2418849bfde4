"""Optimizers against torch.optim through frozen trajectories, and their first principles."""

import math

import numpy as np
import pytest

from cases import read_only
from common import gradcheck, tree
from common.config import SCHEDULES, TrainConfig
from common.schedule import learning_rate
from numpy_ref import optim
from oracle.recipe import load

TENSORS, SETTINGS = load("optim")
TORCH = read_only(tree.build(TENSORS))
START = TORCH["start"]
OPTIMIZERS = ("sgd", "momentum", "adam", "adamw")


def config(**settings):
    return TrainConfig(**({"weight_decay": 0.0} | settings))


def gradient(step):
    return read_only(tree.map(lambda g: g[step], TORCH["grads"]))


def walk(settings, steps, restored=False):
    """Parameters and state after so many updates with the gradients and learning rates of the file."""
    at, state = START, optim.init(START, settings)
    for step in range(steps):
        at, state = optim.update(at, gradient(step), state, lr=float(TORCH["lr"][step]), config=settings)
        if restored:
            state = optim.restore(tree.map(np.array, optim.export(state, at)))
    return at, state


@pytest.mark.parametrize("name", SETTINGS)
def test_twenty_updates_equal_torch(name):
    found, state = walk(TrainConfig(**SETTINGS[name]), len(TORCH["lr"]))
    assert max(gradcheck.difference(found, TORCH[name]).values()) <= 1e-12
    assert state["step"] == len(TORCH["lr"]) == 20


def test_the_frozen_ends_differ():
    """No two settings lead to the same place, so that none can stand for another."""
    ends = [tree.flatten(TORCH[name]) for name in SETTINGS]
    assert min(np.max(np.abs(a - b)) for i, a in enumerate(ends) for b in ends[:i]) > 1e-3


def test_a_gradient_step_is_lr_times_the_gradient():
    found, _ = optim.update(START, gradient(0), {"step": 0}, lr=0.25, config=config(optimizer="sgd"))
    assert all(np.array_equal(found[n], START[n] - 0.25 * gradient(0)[n]) for n in START)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_adams_first_step_is_plus_or_minus_lr(scale):
    settings = config(optimizer="adam")
    grads = tree.map(lambda g: scale * g, gradient(0))
    found, _ = optim.update(START, grads, optim.init(START, settings), lr=0.1, config=settings)
    for n, g in grads.items():
        np.testing.assert_allclose(START[n] - found[n], 0.1 * np.sign(g), rtol=1e-8 / np.min(np.abs(g)) + 1e-12)


def test_decoupled_decay_shrinks_in_proportion_and_coupled_decay_is_normalized_away():
    nothing = tree.map(np.zeros_like, START)
    ends = {}
    for name in ("adam", "adamw"):
        settings = config(optimizer=name, weight_decay=0.5)
        ends[name], _ = optim.update(START, nothing, optim.init(START, settings), lr=0.1, config=settings)
    np.testing.assert_allclose(ends["adamw"]["w"], 0.95 * START["w"], rtol=1e-15)
    pull = 0.5 * START["w"]
    np.testing.assert_allclose(ends["adam"]["w"], START["w"] - 0.1 * pull / (np.abs(pull) + 1e-8), rtol=1e-13)


@pytest.mark.parametrize("clip_norm", [0.5, 3.0])
def test_clipping_scales_the_whole_gradient_to_the_norm(clip_norm):
    norm = np.linalg.norm(tree.flatten(gradient(0)))
    assert norm > clip_norm
    found, _ = optim.update(
        START, gradient(0), {"step": 0}, lr=1.0, config=config(optimizer="sgd", clip_norm=clip_norm)
    )
    moved = tree.map(lambda p, q: p - q, START, found)
    assert np.linalg.norm(tree.flatten(moved)) == pytest.approx(clip_norm, rel=1e-13)
    wanted = tree.map(lambda g: g * (clip_norm / norm), gradient(0))
    assert max(gradcheck.difference(moved, wanted).values()) <= 1e-14


def test_clipping_leaves_a_shorter_gradient_and_zero_alone():
    for grads in (gradient(0), tree.map(np.zeros_like, START)):
        clipped, plain = (
            optim.update(START, grads, {"step": 0}, lr=1.0, config=config(optimizer="sgd", clip_norm=c))[0]
            for c in (1e3, 0.0)
        )
        assert all(np.array_equal(clipped[n], plain[n]) for n in START)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_an_update_writes_into_none_of_its_arguments(optimizer):
    settings = config(optimizer=optimizer, weight_decay=0.1, clip_norm=0.5)
    _, state = walk(settings, 3)
    frozen = {n: x if n == "step" else read_only(x) for n, x in state.items()}
    first = optim.update(START, gradient(3), frozen, lr=0.1, config=settings)
    again = optim.update(START, gradient(3), frozen, lr=0.1, config=settings)
    assert all(map(np.array_equal, tree.leaves(list(first)), tree.leaves(list(again))))
    assert not any(
        np.shares_memory(new, old) for new, old in zip(tree.leaves(first[0]), tree.leaves(START), strict=True)
    )


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_state_goes_out_and_comes_back_exactly(optimizer):
    settings = config(optimizer=optimizer, weight_decay=0.1)
    plain, restored = walk(settings, 6), walk(settings, 6, restored=True)
    assert all(map(np.array_equal, tree.leaves(list(plain)), tree.leaves(list(restored))))
    exported = optim.export(restored[1], START)
    assert all(exported[n]["w"].shape == (5, 3) for n in exported if n != "step")
    assert set(exported) == {"step"} | {"sgd": set(), "momentum": {"m"}}.get(optimizer, {"m", "v"})


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_schedule_warms_up_in_a_straight_line_to_the_peak(schedule):
    rates = [learning_rate(step, steps=100, lr=0.3, schedule=schedule, warmup=10) for step in range(100)]
    np.testing.assert_allclose(rates[:10], 0.03 * np.arange(1, 11), rtol=1e-14)
    assert max(rates) == pytest.approx(0.3, rel=1e-15)
    assert rates[10] == pytest.approx(0.3, rel=1e-15)
    assert all(np.diff(rates[10:]) <= 0)


@pytest.mark.parametrize(
    ("schedule", "half", "last"), [("constant", 1, 1), ("linear", 0.5, 1 / 90), ("cosine", 0.5, None)]
)
def test_schedules_halfway_and_at_the_end(schedule, half, last):
    end = 0.5 * (1 - math.cos(math.pi / 90)) if last is None else last
    found = [learning_rate(step, steps=100, lr=1.0, schedule=schedule, warmup=10) for step in (55, 99)]
    assert found == pytest.approx([half, end], rel=1e-12)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_run_without_warm_up_starts_at_the_peak_and_one_that_is_all_warm_up_ends_there(schedule):
    assert learning_rate(0, steps=10, lr=0.2, schedule=schedule, warmup=0) == 0.2
    assert learning_rate(9, steps=10, lr=0.2, schedule=schedule, warmup=10) == 0.2


def test_an_unknown_schedule_raises():
    with pytest.raises(ValueError, match="no schedule 'step'"):
        learning_rate(5, steps=10, lr=0.2, schedule="step", warmup=0)
