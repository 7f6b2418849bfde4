"""Deep models: the blocks as a loop of the compiled program, so that compiling takes no longer the more there are.

Written out one after another, thirty blocks are thirty times the program of one, and compiling takes thirty times as
long. All blocks have the same shapes: stacked, with an axis for the block in front, one is compiled and runs for each.
models/llama.py is the plain form; logits and gradients are the same (tests/test_fused.py). Stacking copies the blocks'
weights once an update.
"""

from typing import Any

import jax
import jax.numpy as jnp

from common import masks
from common.config import LlamaConfig
from common.params import Llama
from jax_impl.device.fused import Kernel
from jax_impl.layers import embedding
from jax_impl.models import llama
from jax_impl.ops import attend

DEEP = 8
"""From so many blocks on, training goes this way: with fewer, XLA does better when it sees them all."""


def forward(params: Llama, *, tokens_BT: jax.Array, config: LlamaConfig, kernel: Kernel = attend.forward) -> jax.Array:
    """`llama.forward`, its blocks in a loop."""
    x_BTD = embedding.forward(params["emb"], tokens_BT=tokens_BT)
    position_BT = jnp.broadcast_to(jnp.arange(tokens_BT.shape[1]), tokens_BT.shape)
    turn = llama.turns(position_BT, tokens_BT.shape[1], config, x_BTD.dtype)
    mask_BTS = masks.seen(position_BT, tokens_BT.shape[1], config.window)

    def one(x_BTD: jax.Array, block: Any) -> tuple[jax.Array, None]:
        y_BTD = llama.block_forward(block, x_BTD, mask_BTS=mask_BTS, turn=turn, config=config, kernel=kernel)
        return y_BTD, None

    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *params["blocks"])
    last_BTD, _ = jax.lax.scan(one, x_BTD, stacked)
    return llama.read_out(params, last_BTD, config=config)
