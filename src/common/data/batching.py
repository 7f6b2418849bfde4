"""Rows of examples, padded and masked, and the order in which a run sees them.

The batch of update number `step` is a pure function of (examples, seed, step): both twins train on the same batches,
and a resumed run goes on with the batch that would have come next.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from common import random
from common.config import TrainConfig
from common.errors import UserError
from common.types import AnyArray, Array
from common.vocabulary import PAD


class Examples(NamedTuple):
    """N examples, or a batch of B of them."""

    tokens: AnyArray
    """Token ids, int64, shape (N, T)."""
    mask: AnyArray
    """True where a token is real, False where it is padding, bool, shape (N, T)."""
    targets: AnyArray
    """The token id of the answer, int64, shape (N,)."""

    @property
    def groups(self) -> AnyArray:
        """The first token of each question, the operation, (N,): accuracy is counted by it."""
        return self.tokens[:, 0]

    def take(self, rows: AnyArray | slice) -> "Examples":
        return Examples(self.tokens[rows], self.mask[rows], self.targets[rows])


class Texts(NamedTuple):
    """N texts for the decoder alone, or a batch of B of them: each position is asked for the token that comes next."""

    tokens: AnyArray
    """Token ids, int64, shape (N, T)."""
    targets: AnyArray
    """The token that comes next, int64, shape (N, T)."""
    weights: AnyArray
    """True where the answer counts, bool, shape (N, T)."""

    @property
    def groups(self) -> AnyArray:
        """The first token of each text, (N,)."""
        return self.tokens[:, 0]

    def take(self, rows: AnyArray | slice) -> "Texts":
        return Texts(self.tokens[rows], self.targets[rows], self.weights[rows])


class Stretches(NamedTuple):
    """N stretches of one text, or a batch of B of them, for the decoder alone: each token counts by itself."""

    tokens: AnyArray
    """Token ids, int64, shape (N, T)."""
    targets: AnyArray
    """The token that comes next, int64, shape (N, T)."""
    weights: AnyArray
    """True where a next token is known, bool, shape (N, T)."""

    def take(self, rows: AnyArray | slice) -> "Stretches":
        return Stretches(self.tokens[rows], self.targets[rows], self.weights[rows])


class Pairs(NamedTuple):
    """N sources and targets for encoder and decoder, or a batch of B of them."""

    src: AnyArray
    """Token ids of the source, int64, shape (N, S)."""
    mask: AnyArray
    """True where the source is real, bool, shape (N, S)."""
    tokens: AnyArray
    """What the decoder reads, the start token first, int64, shape (N, T)."""
    targets: AnyArray
    """What it shall write, the end token last, int64, shape (N, T)."""
    weights: AnyArray
    """True where the target is real, bool, shape (N, T)."""

    @property
    def groups(self) -> AnyArray:
        """The first token of each source, (N,)."""
        return self.src[:, 0]

    def take(self, rows: AnyArray | slice) -> "Pairs":
        return Pairs(*(part[rows] for part in self))


AnyExamples: TypeAlias = Any
"""Examples, Texts, Stretches or Pairs: whatever the model family reads. All have `targets` and `take`."""


def check(examples: AnyExamples, model: Any) -> None:
    """Raises UserError for a token that the model does not know, and for a row longer than it can read.

    Asked before either twin computes: NumPy would raise an IndexError or count from the end, JAX would answer in
    silence.
    """
    if isinstance(examples, Pairs):
        sides = [(examples.src, model.src_vocab), (examples.tokens, model.tgt_vocab)]
    else:
        sides = [(examples.tokens, model.vocab)]
    for tokens, vocab in sides:
        if tokens.shape[1] > model.max_len:
            raise UserError(
                f"a row of {tokens.shape[1]} tokens is longer than the {model.max_len} that the model reads"
            )
        if tokens.size and not (tokens.min() >= 0 and tokens.max() < vocab):
            wrong = tokens[(tokens < 0) | (tokens >= vocab)][0]
            raise UserError(f"the model knows tokens 0 to {vocab - 1}, not {wrong}")


def pad(sequences: Sequence[Sequence[int]], length: int | None = None) -> tuple[Array, Array]:
    """Token ids and mask, both (N, T), of sequences padded at the end to `length`, or to the longest of them.

    Raises UserError for an empty sequence (it has nothing to attend to) and for one longer than `length`.
    """
    longest = max(map(len, sequences))
    wide = longest if length is None else length
    if min(map(len, sequences)) == 0:
        raise UserError("an empty sequence has no first token to read the answer from")
    if longest > wide:
        raise UserError(f"a sequence of {longest} tokens does not fit into {wide}")
    tokens_NT = np.full((len(sequences), wide), PAD, dtype=np.int64)
    mask_NT = np.zeros((len(sequences), wide), dtype=bool)
    for row, sequence in enumerate(sequences):
        tokens_NT[row, : len(sequence)] = sequence
        mask_NT[row, : len(sequence)] = True
    return tokens_NT, mask_NT


def rows(train: TrainConfig, epoch: int) -> Array:
    """The rows that each update of an epoch takes, shape (steps in an epoch, batch): a new shuffle each epoch."""
    shuffled = random.permutation(random.fold_in(random.fold_in(random.key(train.seed), 2), epoch), train.examples)
    return shuffled[: train.steps_per_epoch * train.batch_size].reshape(train.steps_per_epoch, train.batch_size)


def batch(examples: Examples, train: TrainConfig, step: int) -> Examples:
    """The batch of update number `step`, counted from 0."""
    epoch, place = divmod(step, train.steps_per_epoch)
    return examples.take(rows(train, epoch)[place])
