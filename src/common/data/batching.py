"""Rows of examples, padded and masked, and the order in which a run sees them.

The batch of update number `step` is a pure function of (examples, seed, step): both twins train on the same batches,
and a resumed run goes on with the batch that would have come next.
"""

from collections.abc import Sequence
from typing import NamedTuple

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

    def take(self, rows: AnyArray | slice) -> "Examples":
        return Examples(self.tokens[rows], self.mask[rows], self.targets[rows])


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
