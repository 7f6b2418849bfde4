"""Threefry in NumPy against `jax.random`, bit for bit, and against the published vectors."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common import random

SHAPES = [(), (0,), (1,), (7,), (3, 5), (2, 3, 4), (1, 0, 2), (100_003,), (257, 129)]
SEEDS = [0, 1, 42, 2**31 - 1, 2**31, 2**32 - 1]
seeds = st.integers(0, 2**32 - 1)


def same_bits(mine, theirs):
    theirs = np.asarray(theirs)
    assert mine.dtype == theirs.dtype
    assert mine.shape == theirs.shape
    assert mine.tobytes() == theirs.tobytes()


@pytest.mark.parametrize(
    ("key", "counter", "wanted"),
    [
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_known_answers_of_random123(key, counter, wanted):
    key, (x0, x1) = np.array(key, np.uint32), np.array(counter, np.uint32)[:, None]
    assert tuple(int(word[0]) for word in random._threefry(key, x0, x1)) == wanted


def test_frozen_bits():
    """Checkpoints and splits depend on these words: they may never change, whatever JAX does."""
    found = random.bits(random.key(20), (4,)).tolist()
    assert found == [0x5146B43B, 0x520C7DBB, 0x995EF490, 0x1BA20B37]


@settings(max_examples=200, deadline=None)
@given(seed=seeds, number=seeds)
def test_keys_equal_jax(seed, number):
    key = random.key(seed)
    same_bits(key, jax.random.PRNGKey(seed))
    same_bits(random.fold_in(key, number), jax.random.fold_in(key, np.uint32(number)))
    same_bits(random.split(key), jax.random.split(key))


@pytest.mark.parametrize("n", [1, 2, 3, 10, 1000])
def test_split_equals_jax(n):
    same_bits(random.split(random.key(5), n), jax.random.split(jax.random.PRNGKey(5), n))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("seed", SEEDS)
def test_draws_equal_jax(seed, shape):
    key = random.fold_in(random.key(seed), 3)
    same_bits(random.bits(key, shape), jax.random.bits(key, shape, np.uint32))
    same_bits(random.uniform(key, shape), jax.random.uniform(key, shape, np.float32))
    same_bits(random.uniform(key, shape, -1.0, 1.0), jax.random.uniform(key, shape, np.float32, -1.0, 1.0))
    same_bits(random.bernoulli(key, 0.1, shape), jax.random.bernoulli(key, np.float32(0.1), shape))


@pytest.mark.parametrize(("low", "high"), [(0.0, 3.0), (-0.3, 0.7), (1e-7, 1.0), (-1e5, 1e-5)])
def test_uniform_ranges_equal_jax(low, high):
    found = random.uniform(random.key(1), (1000,), low, high)
    same_bits(found, jax.random.uniform(jax.random.PRNGKey(1), (1000,), np.float32, low, high))
    assert found.min() >= np.float32(low)
    assert found.max() < high


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_bernoulli_probabilities_equal_jax(p):
    key = random.key(7)
    same_bits(random.bernoulli(key, p, (5000,)), jax.random.bernoulli(key, np.float32(p), (5000,)))
    assert abs(random.bernoulli(key, p, (5000,)).mean() - p) < 0.02


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_that_would_be_truncated_is_refused(seed):
    with pytest.raises(ValueError, match="whole number from 0"):
        random.key(seed)


@pytest.mark.parametrize("n", [0, 1, 2, 1000])
def test_permutation_is_a_permutation(n):
    found = random.permutation(random.key(2), n)
    assert sorted(found.tolist()) == list(range(n))


def test_permutations_are_uniform():
    """Every order of three things, of 6,000 draws: each within five standard deviations of 1,000."""
    orders = [tuple(random.permutation(key, 3)) for key in random.split(random.key(4), 6000)]
    counts = np.unique(orders, axis=0, return_counts=True)[1]
    assert len(counts) == 6
    assert np.abs(counts - 1000).max() < 5 * np.sqrt(6000 * (1 / 6) * (5 / 6))


def test_normal_has_the_moments_of_a_normal():
    """Of 10^6 draws, each moment within five standard deviations of it."""
    n = 1_000_000
    x = random.normal(random.key(6), (n,))
    assert x.dtype == np.float64
    assert np.isfinite(x).all()
    for power, wanted, variance in [(1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)]:
        assert abs(np.mean(x**power) - wanted) < 5 * np.sqrt(variance / n)
    assert abs(np.mean(np.abs(x) > 1.959964) - 0.05) < 5 * np.sqrt(0.05 * 0.95 / n)
    assert abs(np.mean(x[1:] * x[:-1])) < 5 / np.sqrt(n)


def test_randint_is_uniform_over_its_range():
    found = random.randint(random.key(8), (60_000,), -2, 4)
    counts = np.bincount(found + 2, minlength=6)
    assert found.dtype == np.int64
    assert len(counts) == 6
    assert np.abs(counts - 10_000).max() < 5 * np.sqrt(60_000 * (1 / 6) * (5 / 6))


def test_draws_are_pure():
    key = random.key(9)
    key.setflags(write=False)
    for draw in (random.bits, random.uniform, random.normal):
        assert np.array_equal(draw(key, (3,)), draw(key, (3,)))
