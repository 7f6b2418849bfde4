"""An answer read again: the question and what was said as one row for the model, and where each token was named."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from common.data.batching import AnyExamples, Examples, Pairs, Stretches, pad
from common.vocabulary import START


class Again(NamedTuple):
    """One answer, as one row. S tokens were asked, A tokens were said."""

    examples: AnyExamples
    """A single row, without padding."""
    asked: list[str]
    """What was read, token by token: what can be hidden and looked at."""
    said: list[str]
    ids: list[int]
    """The tokens that were said."""
    expected: list[int]
    """The tokens that would have been right; empty where nothing is."""
    places: list[int]
    """The position whose output named each of them."""
    names: Sequence[str]
    """Of every token that the model knows."""

    @property
    def reads(self) -> list[str]:
        """The tokens at the positions that the model computes: those asked, or the answer's where an encoder read."""
        if isinstance(self.examples, Pairs):
            return ["[START]", *self.said[:-1]]
        return self.asked + (self.said[:-1] if isinstance(self.examples, Stretches) else [])


def one(prompt: list[int], said: int, expected: int, names: Sequence[str]) -> Again:
    """Of a classifier: one token, named at position 0."""
    tokens_1T, mask_1T = pad([prompt])
    examples = Examples(tokens_1T, mask_1T, np.array([said], np.int64))
    return Again(examples, [names[i] for i in prompt], [names[said]], [said], [expected], [0], names)


def after(prompt: list[int], said: list[int], expected: list[int], names: Sequence[str]) -> Again:
    """Of a decoder alone, which goes on behind the prompt."""
    whole_1U = np.array([prompt + said], np.int64)  # U = T + 1: the last token is named, and not read
    examples = Stretches(whole_1U[:, :-1], whole_1U[:, 1:], np.ones((1, whole_1U.shape[1] - 1), bool))
    places = list(range(len(prompt) - 1, len(prompt) - 1 + len(said)))
    return Again(examples, [names[i] for i in prompt], [names[i] for i in said], said, expected, places, names)


def across(prompt: list[int], said: list[int], expected: list[int], names: Sequence[str]) -> Again:
    """Of an encoder-decoder, which reads the prompt as its source."""
    src_1S, mask_1S = pad([prompt])
    target_1T = np.array([said], np.int64)
    tokens_1T = np.array([[START, *said[:-1]]], np.int64)
    examples = Pairs(src_1S, mask_1S, tokens_1T, target_1T, np.ones(target_1T.shape, bool))
    places = list(range(len(said)))
    return Again(examples, [names[i] for i in prompt], [names[i] for i in said], said, expected, places, names)
