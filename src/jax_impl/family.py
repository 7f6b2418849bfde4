"""The four model families behind one function each. What they do is in numpy_ref/family.py."""

import jax
import jax.numpy as jnp

from common import evaluation
from common.config import GPTConfig, LlamaConfig, ModelConfig, Seq2SeqConfig
from common.data.batching import AnyExamples
from common.types import Tree
from jax_impl.device import fused, layer_scan
from jax_impl.models import classifier, gpt, llama, seq2seq
from jax_impl.ops import cross_entropy


def logits(params: Tree, examples: AnyExamples, *, model: ModelConfig, key: jax.Array | None = None) -> jax.Array:
    """The logits of a batch, (B, C) or (B, T, V). A key means dropout.

    A decoder alone attends by the kernel of the device at hand, and a deep one loops over its blocks.
    """
    if isinstance(model, GPTConfig):
        kernel = _kernel(params, examples, model.d_model // model.n_heads)
        return gpt.forward(params, tokens_BT=examples.tokens, config=model, key=key, kernel=kernel)
    if isinstance(model, Seq2SeqConfig):
        return seq2seq.forward(
            params, src_BS=examples.src, src_mask_BS=examples.mask, tokens_BT=examples.tokens, config=model, key=key
        )
    if isinstance(model, LlamaConfig):
        kernel = _kernel(params, examples, model.d_head, model.window)
        forward = layer_scan.forward if model.n_blocks >= layer_scan.DEEP else llama.forward
        return forward(params, tokens_BT=examples.tokens, config=model, kernel=kernel)
    return classifier.forward_pooled(params, tokens_BT=examples.tokens, mask_BT=examples.mask, config=model)


def _kernel(params: Tree, examples: AnyExamples, width: int, window: int = 0) -> fused.Kernel:
    return fused.causal(examples.tokens.shape[1], width, params["emb"]["w"].dtype, window=window)


def loss(found: jax.Array, examples: AnyExamples) -> jax.Array:
    """The mean surprise (nats) at the targets, over all that count."""
    if found.ndim == 2:
        return cross_entropy.forward(found, targets_B=examples.targets)
    return cross_entropy.forward_weighted(found, targets_BT=examples.targets, weights_BT=examples.weights)


def right(found: jax.Array, examples: AnyExamples) -> jax.Array:
    """How much of each example is answered rightly, (B,): 0 or 1, of a stretch of text the share of its tokens."""
    hit = jnp.argmax(found, axis=-1) == examples.targets
    return evaluation.score(hit, examples)
