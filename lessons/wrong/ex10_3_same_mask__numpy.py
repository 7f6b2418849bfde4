# says: draw it with jax.random
from common import random


def mask(key, p, shape):
    return random.bernoulli(key, p, shape)
