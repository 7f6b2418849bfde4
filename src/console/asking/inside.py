"""What stands inside a model while it answers, from a trace of the NumPy forward, and what its head makes of it."""

from typing import NamedTuple

import numpy as np

from common.config import ClassifierConfig, GPTConfig, LlamaConfig, ModelConfig, Seq2SeqConfig
from common.trace import Trace
from common.types import Array, Tree
from console.asking import computing
from console.asking.again import Again
from numpy_ref.ops import softmax

PLACES = {"encoder": "encoder.{}.attn", "decoder": "decoder.{}.attn", "across": "decoder.{}.cross"}
"""Where an encoder-decoder looks: at the source in the source, back in the answer, from the answer at the source."""


class Inside(NamedTuple):
    """One row's way through a model."""

    stream: list[Array]
    """The vectors that the blocks read and write, (T, D): before the first block, then after each."""
    heads: dict[str, list[tuple[Array, Array]]]
    """By kind of attention, for each block: every head's shares (H, T, S), and what its mask allows (T, S)."""


def look(params: Tree, again: Again, config: ModelConfig) -> Inside:
    """The stream and the attention of one answer's row."""
    with Trace(params) as trace:
        computing.logits(params, again.examples, config)
    if isinstance(config, Seq2SeqConfig):
        name, before, after, n = "decoder.{}/seq2seq.decoder_forward", "y_BTD", "z_BTD", config.n_decoder
        counts = {"across": config.n_decoder, "decoder": config.n_decoder, "encoder": config.n_encoder}
        heads = {kind: [_heads(trace, PLACES[kind].format(i)) for i in range(m)] for kind, m in counts.items()}
    else:
        module = {ClassifierConfig: "classifier", GPTConfig: "gpt", LlamaConfig: "llama"}[type(config)]
        before = "x_BSD" if module == "classifier" else "x_BTD"
        name, after, n = f"blocks.{{}}/{module}.block_forward", "y_BTD", config.n_blocks
        heads = {"attention": [_heads(trace, f"blocks.{i}.attn") for i in range(n)]}
    stream = [trace[f"{name.format(0)}/{before}"][0], *(trace[f"{name.format(i)}/{after}"][0] for i in range(n))]
    return Inside(stream, heads)


def _heads(trace: Trace, place: str) -> tuple[Array, Array]:
    w_BNGTS, mask_BTS = (trace[f"{place}/attend.forward/{name}"] for name in ("w_BNGTS", "mask_BTS"))
    return w_BNGTS[0].reshape(-1, *w_BNGTS.shape[-2:]), mask_BTS[0]


def depths(params: Tree, again: Again, inside: Inside, config: ModelConfig) -> Array:
    """The logit lens: probabilities (L + 1, A, V) of what the head reads before the first block and after each."""
    x_LAD = np.stack(inside.stream)[:, again.places]
    return softmax.forward(computing.read_out(params, x_LAD, config))[0]
