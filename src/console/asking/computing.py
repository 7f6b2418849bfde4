"""Where the console makes the NumPy twin compute what no run needs, for `why`: it is this file and no other.

No formula stands here, only calls of what numpy_ref/models has. A decoder alone makes its own mask and takes none, so
its blocks are called here one after another, from what a trace has seen before the first of them.
"""

import numpy as np

from common.config import ClassifierConfig, GPTConfig, LlamaConfig, ModelConfig, Seq2SeqConfig
from common.data.batching import AnyExamples
from common.trace import Trace
from common.types import Array, Tree
from numpy_ref import family
from numpy_ref.layers import linear
from numpy_ref.models import classifier, gpt, llama, seq2seq


def logits(params: Tree, examples: AnyExamples, config: ModelConfig) -> Array:
    """The model's own logits, (B, C) or (B, T, V); the classifier computes every position of its last block too."""
    if isinstance(config, ClassifierConfig):
        return classifier.forward(params, tokens_BT=examples.tokens, mask_BT=examples.mask, config=config)[0]
    return family.logits(params, examples, model=config)[0]


def read_out(params: Tree, x_BTD: Array, config: ModelConfig) -> Array:
    """The logits that the model's last steps make of a stream, (B, T, V): of a classifier these are its head alone."""
    if isinstance(config, ClassifierConfig):
        return linear.forward(params["head"], x_BTD)[0]
    if isinstance(config, GPTConfig):
        return gpt.read_out(params, x_BTD, config=config)[0]
    if isinstance(config, LlamaConfig):
        return llama.read_out(params, x_BTD, config=config)[0]
    return seq2seq.read_out(params, x_BTD, config=config)[0]


def hidden(params: Tree, examples: AnyExamples, config: ModelConfig, hidden_RS: Array) -> Array:
    """The logits of one example, (R, T, V), with some of its S first tokens hidden from attention in each of R rows.

    Of a classifier T is 1. In a decoder alone a hidden token may look at itself.
    """
    if not isinstance(config, (ClassifierConfig, Seq2SeqConfig)):
        return _decoder(params, examples, config, hidden_RS)
    many = examples.take(np.zeros(len(hidden_RS), np.int64))
    found = logits(params, many._replace(mask=many.mask & ~hidden_RS), config)
    return found if found.ndim == 3 else found[:, None]


def _decoder(params: Tree, examples: AnyExamples, config: GPTConfig | LlamaConfig, hidden_RS: Array) -> Array:
    module, name = (gpt, "gpt") if isinstance(config, GPTConfig) else (llama, "llama")
    with Trace(params) as trace:
        logits(params, examples, config)
    begun = next(call for call in trace.calls if call.name == f"blocks.0/{name}.block_forward").locals
    R, T = len(hidden_RS), begun["x_BTD"].shape[1]
    unseen_RS = np.pad(hidden_RS, ((0, 0), (0, T - hidden_RS.shape[1])))
    left_RTS = begun["mask_BTS"] & (~unseen_RS[:, None] | np.eye(T, dtype=bool))
    rest = {"turn": begun["turn"]} if name == "llama" else {}
    xs = [np.repeat(begun["x_BTD"], R, axis=0)]
    for block in params["blocks"]:
        xs.append(module.block_forward(block, xs[-1], mask_BTS=left_RTS, config=config, **rest)[0])
    return read_out(params, xs[-1], config)
