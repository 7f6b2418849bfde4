"""The four model families behind one set of functions: what training needs to know of a model, and no more.

The configuration says which model runs, and a batch is of the form that its family reads (common/data/batching.py).
"""

import numpy as np

from common import evaluation
from common.config import GPTConfig, LlamaConfig, ModelConfig, Seq2SeqConfig
from common.data.batching import AnyExamples
from common.types import Array, Key, Tree
from numpy_ref.models import classifier, gpt, llama, seq2seq
from numpy_ref.ops import cross_entropy


def logits(params: Tree, examples: AnyExamples, *, model: ModelConfig, key: Key | None = None):
    """The logits of a batch, (B, C) or (B, T, V), and what backward needs. A key means dropout."""
    if isinstance(model, GPTConfig):
        return gpt.forward(params, tokens_BT=examples.tokens, config=model, key=key)
    if isinstance(model, Seq2SeqConfig):
        return seq2seq.forward(
            params, src_BS=examples.src, src_mask_BS=examples.mask, tokens_BT=examples.tokens, config=model, key=key
        )
    if isinstance(model, LlamaConfig):
        return llama.forward(params, tokens_BT=examples.tokens, config=model)
    return classifier.forward_pooled(params, tokens_BT=examples.tokens, mask_BT=examples.mask, config=model)


def logits_backward(dlogits: Array, saved, *, model: ModelConfig) -> Tree:
    """The gradient of every parameter."""
    if isinstance(model, GPTConfig):
        return gpt.backward(dlogits, saved)
    if isinstance(model, Seq2SeqConfig):
        return seq2seq.backward(dlogits, saved)
    if isinstance(model, LlamaConfig):
        return llama.backward(dlogits, saved)
    return classifier.backward(dlogits, saved)


def loss(found: Array, examples: AnyExamples):
    """The mean surprise (nats) at the targets, over all that count, and what backward needs."""
    if found.ndim == 2:
        return cross_entropy.forward(found, targets_B=examples.targets)
    return cross_entropy.forward_weighted(found, targets_BT=examples.targets, weights_BT=examples.weights)


def loss_backward(dloss: Array, saved, *, rank: int) -> Array:
    """The gradient of logits of that rank."""
    return cross_entropy.backward(dloss, saved) if rank == 2 else cross_entropy.backward_weighted(dloss, saved)


def right(found: Array, examples: AnyExamples) -> Array:
    """How much of each example is answered rightly, (B,): 0 or 1, of a stretch of text the share of its tokens."""
    hit = np.argmax(found, axis=-1) == examples.targets
    return evaluation.score(hit, examples)
