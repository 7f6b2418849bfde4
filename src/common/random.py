"""Random numbers from explicit keys: Threefry-2x32 in NumPy, bit-equal to `jax.random`.

A key is two 32-bit words. Whoever wants randomness passes a key; whoever wants more keys splits one. Nothing is
hidden and nothing advances by itself, so the NumPy model and its JAX twin draw the same dropout masks and the same
tokens from the same key, and a resumed run draws what the uninterrupted one would have drawn.

`key split fold_in bits uniform bernoulli` return the bits of `jax.random.{PRNGKey, split, fold_in, bits, uniform,
bernoulli}` (in JAX's default mode, `jax_threefry_partitionable`). Draws are always float32, also where a model runs in
float64: JAX's own streams change with the dtype. `gumbel` is a formula on `uniform` that the JAX twin writes out for
itself. `normal`, `permutation` and `randint` are ours alone: only NumPy calls them, to initialize parameters and to
order data.

Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3".
"""

import math

import numpy as np
from numpy.typing import DTypeLike

from common.types import Array, Key

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = np.uint32(0x1BD11BDA)
HALF_STEP = np.float32(2**-24)
"""Half of the distance between two neighbours among the 2^23 numbers that `uniform` draws from [0, 1)."""


def _threefry(key: Key, x0: Array, x1: Array) -> tuple[Array, Array]:
    """Encrypt the counters (x0, x1) under the key: 20 rounds of add, rotate, xor; every word modulo 2^32."""
    schedule = (key[0], key[1], key[0] ^ key[1] ^ _PARITY)
    with np.errstate(over="ignore"):
        a, b = x0 + schedule[0], x1 + schedule[1]
        for group in range(5):
            for r in _ROTATIONS[group % 2]:
                a = a + b
                b = a ^ ((b << np.uint32(r)) | (b >> np.uint32(32 - r)))
            a = a + schedule[(group + 1) % 3]
            b = b + schedule[(group + 2) % 3] + np.uint32(group + 1)
    return a, b


def _counters(shape: tuple[int, ...]) -> tuple[Array, Array]:
    """The 64-bit index of each element, as its high and its low 32-bit word."""
    index = np.arange(math.prod(shape), dtype=np.uint64).reshape(shape)
    return (index >> np.uint64(32)).astype(np.uint32), index.astype(np.uint32)


def key(seed: int) -> Key:
    """A key, shape (2,) uint32, from a whole number 0 <= seed < 2^32. Equals `jax.random.PRNGKey(seed)`.

    Raises ValueError outside that range: JAX would truncate the number in silence.
    """
    if not 0 <= seed < 2**32:
        raise ValueError(f"a seed is a whole number from 0 to 2^32 - 1, not {seed}")
    return np.array([0, seed], dtype=np.uint32)


def split(key: Key, n: int = 2) -> Array:
    """`n` new keys, shape (n, 2)."""
    return np.stack(_threefry(key, *_counters((n,))), axis=-1)


def fold_in(key: Key, number: int) -> Key:
    """The key that belongs to `number` (a step, an epoch, a layer) under `key`; 0 <= number < 2^32."""
    zero, word = np.zeros(1, np.uint32), np.array([number], np.uint32)
    return np.concatenate(_threefry(key, zero, word))


def bits(key: Key, shape: tuple[int, ...]) -> Array:
    """Uniform 32-bit words, uint32."""
    high, low = _threefry(key, *_counters(shape))
    return high ^ low


def uniform(key: Key, shape: tuple[int, ...], minval: float = 0.0, maxval: float = 1.0) -> Array:
    """Uniform in [minval, maxval), float32: 23 random bits as the fraction of a number in [1, 2), minus 1."""
    low, high = np.float32(minval), np.float32(maxval)
    return np.maximum(low, _fraction(bits(key, shape)) * (high - low) + low)


def _fraction(words: Array) -> Array:
    return ((words >> np.uint32(9)) | np.uint32(0x3F800000)).view(np.float32) - np.float32(1)


def bernoulli(key: Key, p: float, shape: tuple[int, ...]) -> Array:
    """True with probability p (rounded to float32), bool."""
    return uniform(key, shape) < np.float32(p)


def gumbel(keys: Array, number: int | Array, n: int, dtype: DTypeLike) -> Array:
    """Gumbel noise -log(-log(u)), one row of `n` for each of the `keys` (B, 2): shape (B, n).

    The largest of log p + noise is a draw from p (Gumbel 1954). Row b is `uniform(fold_in(keys[b], number), (n,))`, or
    with number[b] of several numbers, in float32, moved by half of its 2^-23 steps into the open interval, where both
    logarithms are finite; the logarithms are taken in `dtype`.
    """
    zero, word = np.zeros(1, np.uint32), np.asarray(number, np.uint32).reshape(-1)
    folded = [half[:, None] for half in _threefry(np.asarray(keys).T, zero, word)]
    high, low = _threefry(np.stack(folded), *_counters((n,)))
    u = (_fraction(high ^ low) + HALF_STEP).astype(dtype)
    return -np.log(-np.log(u))


def normal(key: Key, shape: tuple[int, ...]) -> Array:
    """Standard normal, float64, by the method of Box and Muller (1958). Not the numbers of `jax.random.normal`."""
    radius_key, angle_key = split(key)
    u = 1.0 - uniform(radius_key, shape).astype(np.float64)
    angle = 2 * np.pi * uniform(angle_key, shape).astype(np.float64)
    return np.sqrt(-2 * np.log(u)) * np.cos(angle)


def permutation(key: Key, n: int) -> Array:
    """The numbers 0 to n - 1 in random order, int64: the order that sorts n random 64-bit words."""
    high, low = _threefry(key, *_counters((n,)))
    return np.argsort((high.astype(np.uint64) << np.uint64(32)) | low, kind="stable")


def randint(key: Key, shape: tuple[int, ...], low: int, high: int) -> Array:
    """Whole numbers low <= i < high, int64: the random word scaled to the range. Not `jax.random.randint`'s numbers.

    The bias, under (high - low) / 2^32, is far below anything a run could show.
    """
    words = bits(key, shape).astype(np.uint64)
    return low + ((words * np.uint64(high - low)) >> np.uint64(32)).astype(np.int64)
