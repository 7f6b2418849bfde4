"""What a model can do, where it looks and how it is pulled, while it learns: lesson 09 measures this for many seeds.

    python benchmarks/dynamics.py       # writes benchmarks/results/dynamics.json

A run is a model of its own seed on the one split of the task. Looking changes nothing: the run goes on as it would.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np

from common import evaluation, tree
from common.config import ClassifierConfig, TrainConfig
from common.data import digits
from common.data.batching import Examples
from common.run import TrainState
from common.schedule import learning_rate
from common.trace import Trace
from common.types import Array, Tree
from common.vocabulary import DIGIT_IDS, OPERATIONS, TOKENS
from numpy_ref import optim, train
from numpy_ref.models import classifier

MODEL = ClassifierConfig()
LAST = "blocks.1.attn/attend.forward/w_BNGTS"
"""The attention weights of the last block."""


class Look(NamedTuple):
    """What a model is like inside, at one moment of its run."""

    attention: dict[str, float]
    """For each operation, the share of its last look that the first position gives to where the answer stands."""
    gradient: dict[str, float]
    """Length of the gradient in each part of the model."""
    number_line: float
    """|correlation| of a digit's value with its row's place on the first principal component of the digits' rows."""


def look(weights: Tree, data: digits.Digits) -> Look:
    """Attention on the validation part; the gradient of the first 256 training examples, the same at each look."""
    return Look(
        on_the_answer(weights, data.validation),
        lengths(weights, data.train.take(slice(0, 256))),
        evaluation.embedding_similarity(weights).number_line,
    )


def on_the_answer(weights: Tree, examples: Examples) -> dict[str, float]:
    """The mean over examples and heads; where several positions hold the answer's digit, their shares are added."""
    with Trace(weights) as trace:
        classifier.forward(weights, tokens_BT=examples.tokens, mask_BT=examples.mask, config=MODEL)
    first_BS = np.mean(trace[LAST][:, :, 0, 0], axis=1)
    holds_BS = examples.tokens == examples.targets[:, None]
    share_B = np.sum(first_BS * holds_BS, axis=1)
    return {op: float(np.mean(share_B[examples.groups == TOKENS.index(op)])) for op in _present(examples)}


def _present(examples: Examples) -> list[str]:
    return [op for op in OPERATIONS if np.any(examples.groups == TOKENS.index(op))]


def lengths(weights: Tree, examples: Examples) -> dict[str, float]:
    """The length of the gradient in the embedding, in each block and in the head."""
    _, grads, _ = train.loss_and_grads(weights, examples, model=MODEL)
    parts = {"emb": grads["emb"]} | {f"block {i}": block for i, block in enumerate(grads["blocks"])}
    return {name: float(np.linalg.norm(tree.flatten(part))) for name, part in (parts | {"head": grads["head"]}).items()}


def stops(
    settings: TrainConfig, data: digits.Digits, at: Callable[[int], bool], dtype: Any = np.float32
) -> Iterator[TrainState]:
    """The states of a run before its first update and wherever `at(updates made)` says so; asked every 6 updates."""
    start = train.init(MODEL, settings, dtype)
    yield start
    for state in train.fit(start, data, model=MODEL, train=settings, every=6):
        if at(state.step):
            yield state


def first_at(shares: Array, steps: Array, bar: float = 0.9) -> float:
    """The first step at which a share reaches the bar; infinity where it never does."""
    reached = np.flatnonzero(np.asarray(shares) >= bar)
    return float(steps[reached[0]]) if len(reached) else float("inf")


def number_line(rows: Array) -> float:
    """|correlation| of a digit's value with its row's place on the first principal component, 0 to 1; rows (10, D)."""
    return float(abs(np.corrcoef(np.arange(10), evaluation.principal_components(rows)[:, 0])[0, 1]))


def added(before: Tree, after: Tree, settings: TrainConfig) -> dict[str, float]:
    """The number line in the digits' rows, and in what was added to that which the decay alone would have left of them.

    `size` is the length of what was added, as a share of the length before.
    """
    old, new = (np.asarray(weights["emb"]["w"], np.float64)[list(DIGIT_IDS)] for weights in (before, after))
    rates = [rate(step, settings) for step in range(settings.steps)]
    gained = new - float(np.prod(1 - settings.weight_decay * np.array(rates))) * old
    size = float(np.linalg.norm(gained) / np.linalg.norm(old))
    return {"rows": number_line(new), "added": number_line(gained), "size": size}


def rate(step: int, settings: TrainConfig) -> float:
    """The learning rate of an update, counted from 0."""
    return learning_rate(step, steps=settings.steps, lr=settings.lr, schedule=settings.schedule, warmup=settings.warmup)


def gains(weights: Tree) -> float:
    """The mean of all gains of all norms; they begin at 1."""
    return float(np.mean([value.mean() for name, value in tree.items(weights) if name.endswith(".g")]))


def sparing(params: Tree, grads: Tree, state: dict, *, right: Callable = optim.update, lr: float, config: TrainConfig):
    """AdamW that leaves gains and biases alone: what the decay took from them is given back."""
    new, new_state = right(params, grads, state, lr=lr, config=config)
    taken = lr * config.weight_decay
    return tree.map(lambda old, p: p + taken * old if p.ndim == 1 else p, params, new), new_state


@contextmanager
def spared() -> Iterator[None]:
    """Train without decay of gains and biases while this is open."""
    with patch.object(optim, "update", sparing):
        yield
