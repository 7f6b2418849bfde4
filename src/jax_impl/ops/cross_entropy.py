"""Cross-entropy. The math is in numpy_ref/ops/cross_entropy.py.

16-bit logits are widened to float32 first: a loss of 8 significant bits could not fall smoothly.
"""

import jax
import jax.numpy as jnp


def forward(logits_BC: jax.Array, *, targets_B: jax.Array) -> jax.Array:
    wide_BC = logits_BC.astype(jnp.promote_types(logits_BC.dtype, jnp.float32))
    rows = jnp.arange(len(targets_B))
    z_BC = wide_BC - jax.lax.stop_gradient(jnp.max(wide_BC, axis=-1, keepdims=True))
    e_BC = jnp.exp(z_BC)
    total_B1 = jnp.sum(e_BC, axis=-1, keepdims=True)
    loss = jnp.mean(jnp.log(total_B1[:, 0]) - z_BC[rows, targets_B])
    return loss


def forward_weighted(logits_BTV: jax.Array, *, targets_BT: jax.Array, weights_BT: jax.Array) -> jax.Array:
    wide_BTV = logits_BTV.astype(jnp.promote_types(logits_BTV.dtype, jnp.float32))
    share_R = (weights_BT.reshape(-1) / jnp.sum(weights_BT)).astype(wide_BTV.dtype)
    targets_R = targets_BT.reshape(-1)
    logits_RV = wide_BTV.reshape(-1, wide_BTV.shape[-1])
    z_RV = logits_RV - jax.lax.stop_gradient(jnp.max(logits_RV, axis=-1, keepdims=True))
    e_RV = jnp.exp(z_RV)
    total_R1 = jnp.sum(e_RV, axis=-1, keepdims=True)
    surprise_R = jnp.log(total_R1[:, 0]) - z_RV[jnp.arange(len(targets_R)), targets_R]
    loss = jnp.sum(surprise_R * share_R)
    return loss
