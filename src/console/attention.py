"""Attention weights as the model used them, read from a trace of the NumPy forward; nothing is computed again."""

from common.config import ClassifierConfig, ModelConfig, Seq2SeqConfig
from common.data.batching import AnyExamples, Examples
from common.trace import Trace
from common.types import Array, Tree
from numpy_ref import family
from numpy_ref.models import classifier


def maps(params: Tree, examples: AnyExamples, config: ModelConfig) -> list[Array]:
    """For each block, every head's shares of attention, (B, heads, T, S): rows look, columns are looked at.

    Of an encoder-decoder it is the decoder's look across at the source. Parameters are NumPy arrays.
    """
    with Trace(params) as trace:
        if isinstance(config, ClassifierConfig):  # training computes the last block at the first position alone
            classifier.forward(params, tokens_BT=examples.tokens, mask_BT=examples.mask, config=config)
        else:
            family.logits(params, examples, model=config)
    return read(trace, config)


def read(trace: Trace, config: ModelConfig, local: str = "attend.forward/w_BNGTS") -> list[Array]:
    """A local of every block's attention, (B, heads, T, S), from the trace of a forward or backward.

    Raises KeyError where the trace has not seen it.
    """
    across = isinstance(config, Seq2SeqConfig)
    blocks = config.n_decoder if isinstance(config, Seq2SeqConfig) else config.n_blocks
    found = []
    for i in range(blocks):
        place = f"decoder.{i}.cross" if across else f"blocks.{i}.attn"
        value_BNGTS = trace[f"{place}/{local}"]
        found.append(value_BNGTS.reshape(len(value_BNGTS), config.n_heads, *value_BNGTS.shape[-2:]))
    return found


def weights(params: Tree, tokens_BT: Array, mask_BT: Array, config: ClassifierConfig) -> list[Array]:
    """`maps` of the classifier, from padded token ids and their mask."""
    return maps(params, Examples(tokens_BT, mask_BT, tokens_BT), config)
