"""Whether a question was drawn for training: its part of the split, and what the run's seed really drew.

A run draws its examples before its first update and passes them all in each epoch: a checkpoint from within its first
epoch may not have seen what was drawn.
"""

from collections import Counter
from functools import lru_cache
from typing import NamedTuple

from common.checkpoint import Model
from common.config import DigitsConfig, SequenceConfig, TaskConfig
from common.data import tasks
from common.data.split import Part


class Drawn(NamedTuple):
    """What is known of a question's place in training."""

    part: Part | None
    times: int | None
    """How often it stands among the run's training examples; None where the file does not say what was drawn."""
    examples: int | None
    """How many those are; None where the file does not say."""
    seed: int | None


MANY = 20_000
"""More examples than these take a while to draw again."""


def slow(model: Model, part: Part | None) -> bool:
    """Whether `drawn` will keep a user waiting."""
    return model.train is not None and part == "train" and model.train.examples > MANY


def drawn(model: Model, text: str, part: Part | None) -> Drawn:
    """How often a question was drawn for training, by drawing once more what the run drew."""
    if model.train is None:
        return Drawn(part, None, None, None)
    n, seed = model.train.examples, model.train.seed
    if part != "train":
        return Drawn(part, 0, n, seed)
    return Drawn(part, _all(model.task, seed, n)[text], n, seed)


@lru_cache(maxsize=2)
def _all(task: TaskConfig, seed: int, n: int) -> Counter[str]:
    assert isinstance(task, (DigitsConfig, SequenceConfig))
    return Counter(tasks.drawn(task, seed=seed, examples=n))
