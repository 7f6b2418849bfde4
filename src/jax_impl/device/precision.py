"""bfloat16 where it pays: parameters and optimizer stay float32, the forward and backward pass run on a rounded copy.

bfloat16 has the range of float32 and a third of its digits. An update is often smaller than the last digit of the
weight it moves; kept in bfloat16, the weight would not move at all. Micikevicius et al. 2018, "Mixed precision
training".
"""

import jax
import jax.numpy as jnp

from common.types import Tree


def lower(params: Tree, dtype: str) -> Tree:
    """The parameters as the pass computes with them: themselves for `float32`, a rounded copy for `bfloat16`."""
    return params if dtype == "float32" else jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), params)


def like(grads: Tree, params: Tree) -> Tree:
    """Gradients in the dtype of the parameters that they will update."""
    return jax.tree.map(lambda g, p: g.astype(p.dtype), grads, params)
