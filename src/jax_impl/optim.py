"""Optimizers. The math is in numpy_ref/optim.py; here is only what JAX changes.

The state keeps trees, not one long vector: XLA fuses an update into one pass a tensor by itself, and a tree can be laid
out over several devices like the parameters it belongs to. `step` is an int32 array, so that one compiled update
serves every step.
"""

import math

import jax
import jax.numpy as jnp

from common import tree
from common.config import KEEPS, TrainConfig
from common.types import Tree


def init(params: Tree, config: TrainConfig) -> dict:
    """The state before the first update: step 0, every kept tree zero."""
    kept = {name: jax.tree.map(jnp.zeros_like, params) for name in KEEPS[config.optimizer]}
    return {"step": jnp.zeros((), jnp.int32)} | kept


def update(params: Tree, grads: Tree, state: dict, *, lr: float, config: TrainConfig) -> tuple[Tree, dict]:
    """One update at learning rate `lr`: new parameters, and the new state."""
    g = _clip(grads, config.clip_norm) if config.clip_norm else grads
    step = state["step"] + 1
    if config.optimizer == "adamw":
        direction, kept = _adam(g, state, step, config)
        new = jax.tree.map(lambda p, d: p * (1 - lr * config.weight_decay) - lr * d, params, direction)
    else:
        decayed = jax.tree.map(lambda g, p: g + config.weight_decay * p, g, params) if config.weight_decay else g
        direction, kept = _DIRECTION[config.optimizer](decayed, state, step, config)
        new = jax.tree.map(lambda p, d: p - lr * d, params, direction)
    return new, {"step": step} | kept


def _clip(grads: Tree, clip_norm: float) -> Tree:
    """`grads` itself if its Euclidean norm is at most `clip_norm`, else scaled down to that norm."""
    norm = jnp.sqrt(sum(jnp.vdot(g, g) for g in jax.tree.leaves(grads)))
    factor = jnp.where(norm > clip_norm, clip_norm / norm, 1.0)
    return jax.tree.map(lambda g: g * factor, grads)


def _sgd(g: Tree, state: dict, step: jax.Array, config: TrainConfig) -> tuple[Tree, dict]:
    return g, {}


def _momentum(g: Tree, state: dict, step: jax.Array, config: TrainConfig) -> tuple[Tree, dict]:
    m = jax.tree.map(lambda m, g: config.momentum * m + g, state["m"], g)
    return m, {"m": m}


def _adam(g: Tree, state: dict, step: jax.Array, config: TrainConfig) -> tuple[Tree, dict]:
    m = jax.tree.map(lambda m, g: config.beta1 * m + (1 - config.beta1) * g, state["m"], g)
    v = jax.tree.map(lambda v, g: config.beta2 * v + (1 - config.beta2) * (g * g), state["v"], g)

    def direction(m, v):
        m_hat = m / _correction(config.beta1, step, m.dtype)
        v_hat = v / _correction(config.beta2, step, v.dtype)
        return m_hat / (jnp.sqrt(v_hat) + config.eps)

    return jax.tree.map(direction, m, v), {"m": m, "v": v}


def _correction(beta: float, step: jax.Array, dtype: jnp.dtype) -> jax.Array | float:
    """1 - beta^step. In float32, beta rounded and then subtracted from 1 would lose four digits; expm1 keeps them."""
    return -jnp.expm1(step.astype(dtype) * math.log(beta)) if beta else 1.0


_DIRECTION = {"sgd": _sgd, "momentum": _momentum, "adam": _adam}


def export(state: dict, params: Tree) -> dict:
    """The state with each kept part as a tree like `params`: the form in which checkpoints and the twin name it."""
    return dict(state)


def restore(exported: dict) -> dict:
    """The inverse of `export`."""
    kept = {name: tree.map(jnp.asarray, part) for name, part in exported.items() if name != "step"}
    return {"step": jnp.asarray(exported["step"], jnp.int32)} | kept
