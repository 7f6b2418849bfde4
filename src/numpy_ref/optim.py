"""Optimizers: from a gradient to the next parameters. Pure functions: nothing is written into an argument.

    sgd        p' = p - lr g
    momentum   m' = mu m + g                               p' = p - lr m'
    adam       m' = b1 m + (1 - b1) g      v' = b2 v + (1 - b2) g^2
               p' = p - lr (m' / (1 - b1^t)) / (sqrt(v' / (1 - b2^t)) + eps)
    adamw      the same, and besides p shrinks by lr * weight_decay of itself, gradient or not

m and v start at zero and are too small at first; dividing by 1 - b^t corrects exactly that, so Adam's first step is lr
in every coordinate whose gradient is well above eps. Weight decay in sgd, momentum and adam is the classic kind, added
to the gradient; in adamw it is decoupled. Clipping scales the whole gradient down to a norm of at most `clip_norm`.

Both corrections of Adam are single numbers, so they are taken out of the vectors, two passes over the memory less:
               p' = p - lr (r / (1 - b1^t)) m' / (sqrt(v') + eps r)        with r = sqrt(1 - b2^t)

All tensors are laid end to end in one new vector of P numbers, so that an update is a handful of long operations and
not a hundred short ones; it works in place on vectors of its own. The state is {"step": count, "m": vector,
"v": vector}, with what the optimizer keeps.

Kingma and Ba 2015 (Adam); Loshchilov and Hutter 2019 (AdamW); Pascanu et al. 2013 (clipping).
Lesson: lessons/08_training_loop.md    Twin: jax_impl/optim.py
"""

import math

import numpy as np

from common import tree
from common.config import KEEPS, TrainConfig
from common.types import Array, Tree


def init(params: Tree, config: TrainConfig) -> dict:
    """The state before the first update: step 0, every kept vector zero."""
    flat_P = tree.flatten(params)
    return {"step": 0} | {name: np.zeros_like(flat_P) for name in KEEPS[config.optimizer]}


def update(params: Tree, grads: Tree, state: dict, *, lr: float, config: TrainConfig) -> tuple[Tree, dict]:
    """One update at learning rate `lr`: new parameters, and the new state."""
    p_P, raw_P = tree.flatten(params), tree.flatten(grads)
    g_P = _clip(raw_P, config.clip_norm) if config.clip_norm else raw_P
    step = state["step"] + 1
    decoupled = config.optimizer == "adamw"
    pulled_P = g_P + config.weight_decay * p_P if config.weight_decay and not decoupled else g_P
    direction_P, size, moments = _DIRECTION[config.optimizer](pulled_P, state, step, config)
    if decoupled:
        p_P *= 1 - lr * config.weight_decay
    p_P -= (lr * size) * direction_P
    return tree.unflatten(p_P, params), {"step": step} | moments


def _clip(g_P: Array, clip_norm: float) -> Array:
    """`g_P` itself if its Euclidean norm is at most `clip_norm`, else scaled down to that norm."""
    norm = math.sqrt(np.dot(g_P, g_P))
    return g_P * min(1.0, clip_norm / norm) if norm else g_P


def _sgd(g_P: Array, state: dict, step: int, config: TrainConfig) -> tuple[Array, float, dict]:
    return g_P, 1.0, {}


def _momentum(g_P: Array, state: dict, step: int, config: TrainConfig) -> tuple[Array, float, dict]:
    m_P = config.momentum * state["m"] + g_P
    return m_P, 1.0, {"m": m_P}


def _adam(g_P: Array, state: dict, step: int, config: TrainConfig) -> tuple[Array, float, dict]:
    # m = b1 m + (1 - b1) g, and so on; each vector is reused while it is still in the processor's cache
    m_P = config.beta1 * state["m"]
    v_P = config.beta2 * state["v"]
    part_P = (1 - config.beta1) * g_P
    m_P += part_P
    np.multiply(g_P, g_P, out=part_P)
    part_P *= 1 - config.beta2
    v_P += part_P
    root = math.sqrt(1 - config.beta2**step)
    np.sqrt(v_P, out=part_P)
    part_P += config.eps * root
    direction_P = np.divide(m_P, part_P, out=part_P)
    return direction_P, root / (1 - config.beta1**step), {"m": m_P, "v": v_P}


_DIRECTION = {"sgd": _sgd, "momentum": _momentum, "adam": _adam, "adamw": _adam}


def export(state: dict, params: Tree) -> dict:
    """The state with each kept vector as a tree like `params`: the form in which checkpoints and the twin name it."""
    return {name: part if name == "step" else tree.unflatten(part, params) for name, part in state.items()}


def restore(exported: dict) -> dict:
    """The inverse of `export`."""
    return {name: part if name == "step" else tree.flatten(part) for name, part in exported.items()}
