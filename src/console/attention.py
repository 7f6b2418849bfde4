"""Attention weights as the model used them, read from a trace of the NumPy forward; nothing is computed again."""

from common.config import ClassifierConfig
from common.trace import Trace
from common.types import Array, Tree
from numpy_ref.models import classifier


def weights(params: Tree, tokens_BT: Array, mask_BT: Array, config: ClassifierConfig) -> list[Array]:
    """For each block, every head's shares of attention, shape (B, heads, T, T): rows look, columns are looked at."""
    with Trace(params) as trace:
        classifier.forward(params, tokens_BT=tokens_BT, mask_BT=mask_BT, config=config)
    maps = []
    for i in range(config.n_blocks):
        w_BNGTS = trace[f"blocks.{i}.attn/attend.forward/w_BNGTS"]
        maps.append(w_BNGTS.reshape(len(w_BNGTS), config.n_heads, *w_BNGTS.shape[-2:]))
    return maps
