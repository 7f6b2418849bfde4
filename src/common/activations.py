"""What the NumPy twin keeps of a forward pass until its backward pass: how many numbers, part by part.

These are the tuples that every forward returns as `saved`, counted from the configuration alone. Arrays that several
layers keep are counted once, parameters and tokens not at all. All grows with the number of tokens but for the weights
of attention, which grow with its square. JAX decides for itself what to keep; it comes to something like it.

Lesson: lessons/07_backpropagation.md
"""

from collections import Counter

from common.config import ClassifierConfig, GPTConfig, LlamaConfig, ModelConfig, Seq2SeqConfig

_OF_ACTIVATION = {"relu": 1, "silu": 2, "gelu": 3, "gelu_exact": 3}
"""Numbers that the backward pass of an activation needs for each of its own."""


def saved(model: ModelConfig, *, batch: int, length: int, source: int = 0) -> dict[str, int]:
    """Numbers kept of `batch` texts of `length` tokens, and of sources of `source` tokens (an encoder-decoder's)."""
    if isinstance(model, ClassifierConfig):
        one = _classifier(model, length)
    elif isinstance(model, Seq2SeqConfig):
        one = _seq2seq(model, length, source)
    elif isinstance(model, LlamaConfig):
        one = _llama(model, length)
    else:
        one = _gpt(model, length)
    return {part: batch * numbers for part, numbers in one.items() if numbers}


def _classifier(model: ClassifierConfig, length: int) -> Counter[str]:
    """In the last block only the first position asks."""
    d, heads = model.d_model, model.n_heads
    found = Counter({"sums": length * d})
    for asked in [length] * (model.n_blocks - 1) + [1]:
        found += _attention(asked, length, heads, d, d) + _ffn(asked, model) + _norms(2 * asked, d)
    return found


def _gpt(model: GPTConfig, length: int) -> Counter[str]:
    d, blocks = model.d_model, model.n_blocks
    dropped = _dropout((1 + 2 * blocks) * length, d, model.dropout)
    block = _attention(length, length, model.n_heads, d, d) + _ffn(length, model)
    return _times(blocks, block) + _norms((1 + 2 * blocks) * length, d) + dropped


def _llama(model: LlamaConfig, length: int) -> Counter[str]:
    """The turns of the positions are the same in all blocks."""
    asked, kept = model.n_heads * model.d_head, model.n_kv_heads * model.d_head
    block = _attention(length, length, model.n_heads, asked, kept) + _ffn(length, model)
    turns = Counter({"positions": length * model.turning})
    return _times(model.n_blocks, block) + _norms((1 + 2 * model.n_blocks) * length, model.d_model) + turns


def _seq2seq(model: Seq2SeqConfig, length: int, source: int) -> Counter[str]:
    d, heads, encoders, decoders = model.d_model, model.n_heads, model.n_encoder, model.n_decoder
    encoder = _attention(source, source, heads, d, d) + _ffn(source, model)
    decoder = _attention(length, length, heads, d, d) + _attention(length, source, heads, d, d)
    decoder += _ffn(length, model)
    norms = _norms(2 * encoders * source + 3 * decoders * length, d)
    dropped = _dropout((1 + 2 * encoders) * source + (1 + 3 * decoders) * length, d, model.dropout)
    sums = Counter({"sums": (source + length) * d})
    return _times(encoders, encoder) + _times(decoders, decoder) + norms + dropped + sums


def _attention(asked: int, answering: int, heads: int, width: int, kv_width: int) -> Counter[str]:
    """Queries, keys, values and what the heads answered; and how much each query took of each value."""
    vectors = 2 * asked * width + 2 * answering * kv_width
    return Counter({"queries, keys, values": vectors, "attention weights": heads * asked * answering})


def _ffn(tokens: int, model: ModelConfig) -> Counter[str]:
    return Counter({"feed-forward": tokens * model.d_ffn * hidden(model)})


def hidden(model: ModelConfig) -> int:
    """Numbers kept for each of a token's hidden ones: what the activation needs and what it gives; of a gated layer
    also the half that is let through, and what of it came through."""
    if isinstance(model, LlamaConfig):
        return _OF_ACTIVATION[model.gate] + 3
    return _OF_ACTIVATION["relu" if isinstance(model, ClassifierConfig) else model.activation] + 1


def _norms(vectors: int, width: int) -> Counter[str]:
    """Of each vector its normalized form, what is made of that, and its length."""
    return Counter({"norms": vectors * (2 * width + 1)})


def _dropout(vectors: int, width: int, rate: float) -> Counter[str]:
    return Counter({"dropout": vectors * width * (rate > 0)})


def _times(n: int, counts: Counter[str]) -> Counter[str]:
    return Counter({part: n * numbers for part, numbers in counts.items()})
