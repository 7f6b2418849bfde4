"""What a run is judged by: accuracy by operation, a confusion table, the best epoch, a warning when it overfits, and
how the model came to see the digits. Everything here is counted from predictions and parameters; nothing is drawn.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from common.data.batching import AnyExamples, Pairs, Stretches
from common.run import Best, History, TrainState
from common.types import AnyArray, Array, Tree
from common.vocabulary import DIGIT_IDS, OPERATIONS, TOKENS, WORDS


class Evaluation(NamedTuple):
    """The answers of a model to N examples."""

    loss: float
    """Mean cross-entropy in nats."""
    accuracy: float
    """Share of right answers, 0 to 1."""
    by_op: dict[str, float]
    """Share of right answers for each operation that occurs."""
    predictions: Array
    """The most probable token of each example, int64, (N,); of each position, (N, T), where answers have several."""


class Member(NamedTuple):
    """One model of a population (the same training from many seeds), judged by its best epoch."""

    seed: int
    best_epoch: int
    test: Evaluation
    """Its answers to the test part, which all members share."""


def rows_at_once(examples: AnyExamples) -> int:
    """How many examples to ask at once: 512, and of long ones so many as hold 16,384 tokens. What a forward pass keeps
    for its backward grows with the tokens: 0.9 GB of a small text model's for 65,536.
    """
    sides = (examples.src, examples.tokens) if isinstance(examples, Pairs) else (examples.tokens,)
    return max(1, min(512, 16_384 // max(side.shape[1] for side in sides)))


def judge(loss: float, predictions: Array, examples: AnyExamples) -> Evaluation:
    """Count right answers, in all and by operation (the first token of each question)."""
    right_N = score(predictions == examples.targets, examples)
    groups = {} if isinstance(examples, Stretches) else dict(_present(examples.groups))
    by_op = {op: float(np.mean(right_N[examples.groups == i])) for i, op in groups.items()}
    return Evaluation(float(loss), float(np.mean(right_N)), by_op, predictions)


def score(hit: AnyArray, examples: AnyExamples) -> AnyArray:
    """What each example scores, (B,), where `hit`, (B,) or (B, T), tells which tokens were predicted.

    An answer of several tokens is right if all of them are. Each was predicted with the right ones before it, and as
    long as all of those were right too it is what greedy decoding would have written: exact match, without decoding.
    A stretch of text scores the share of its tokens.
    """
    if isinstance(examples, Stretches):
        return (hit & examples.weights).sum(axis=1) / examples.weights.sum(axis=1)
    return hit if hit.ndim == 1 else (hit | ~examples.weights).all(axis=1)


def _present(groups_N: Array) -> list[tuple[int, str]]:
    return [(i, WORDS[i]) for i in np.unique(groups_N).tolist() if i not in DIGIT_IDS]


def confusion(predictions_N: Array, targets_N: Array) -> Array:
    """How often digit i (row) was answered with digit j (column), int64 (10, 11); column 10 is any other token."""
    column = np.full(len(TOKENS), 10)
    column[list(DIGIT_IDS)] = np.arange(10)
    table = np.zeros((10, 11), dtype=np.int64)
    np.add.at(table, (column[targets_N], column[predictions_N]), 1)
    return table


def better(best: Best | None, found: Evaluation) -> bool:
    """Whether an epoch's evaluation beats the best so far: higher accuracy or, with the same, lower loss."""
    return best is None or (found.accuracy, -found.loss) > (best.accuracy, -best.loss)


def end_of_epoch(state: TrainState, found: Evaluation, updates: int) -> TrainState:
    """The state with the record of the epoch that ends with it, `updates` long, and with the best epoch up to date.

    `found` is the evaluation of its parameters on the validation part.
    """
    epoch = state.step // updates
    record = {"epoch": epoch, "step": state.step, "loss": found.loss, "accuracy": found.accuracy, "by_op": found.by_op}
    record["train_loss"] = float(np.mean(state.history.loss[-updates:]))
    record["train_accuracy"] = float(np.mean(state.history.accuracy[-updates:]))
    best = state.best
    if better(best, found):
        best = Best(state.params, epoch, state.step, found.accuracy, found.loss)
    return TrainState(state.params, state.opt, state.step, state.history.with_epoch(record), best)


def overfitting(history: History, gap: float = 0.1) -> str | None:
    """A sentence if the last epoch's training accuracy is `gap` above its validation accuracy, or validation loss has
    risen for three epochs while training loss fell; else None."""
    epochs = history.epochs
    if not epochs:
        return None
    last = epochs[-1]
    ahead = last["train_accuracy"] - last["accuracy"]
    if ahead > gap:
        return (
            f"overfitting: {100 * last['train_accuracy']:.1f} % right in training, "
            f"{100 * last['accuracy']:.1f} % in validation"
        )
    if len(epochs) > 3 and all(
        later["loss"] > earlier["loss"] and later["train_loss"] < earlier["train_loss"]
        for earlier, later in zip(epochs[-4:], epochs[-3:], strict=False)
    ):
        return "overfitting: validation loss has risen for three epochs while training loss fell"
    return None


class Similarity(NamedTuple):
    """How the embedding sees the ten digits and the operations."""

    norms: Array
    """Length of each digit's vector, shape (10,)."""
    cosine: Array
    """Cosine of each pair of digits, shape (10, 10)."""
    neighbours: float
    """Mean cosine of digits that differ by 1."""
    distant: float
    """Mean cosine of digits that differ by 5 or more."""
    number_line: float
    """|correlation| of a digit's value with its place on the first principal component, 0 to 1."""
    op_cosine: Array
    """Cosine of each pair of operations, in the vocabulary's order, shape (5, 5)."""


def embedding_similarity(params: Tree) -> Similarity:
    """Measure the rows of `emb.w`: neighbours against distant digits, and how straight the number line is."""
    w_VD = np.asarray(params["emb"]["w"], dtype=np.float64)
    digits, ops = w_VD[list(DIGIT_IDS)], w_VD[[TOKENS.index(op) for op in OPERATIONS]]
    cosine = _cosines(digits)
    apart = np.abs(np.subtract.outer(np.arange(10), np.arange(10)))
    return Similarity(
        np.sqrt(np.sum(digits * digits, axis=1)),
        cosine,
        float(cosine[apart == 1].mean()),
        float(cosine[apart >= 5].mean()),
        float(abs(np.corrcoef(np.arange(10), principal_components(digits)[:, 0])[0, 1])),
        _cosines(ops),
    )


def _cosines(rows: Array) -> Array:
    unit = rows / np.sqrt(np.sum(rows * rows, axis=1, keepdims=True))
    return unit @ unit.T


def principal_components(rows: Array, n: int = 2) -> Array:
    """Each row's place along the `n` directions of greatest spread, shape (rows, n)."""
    centred = rows - rows.mean(axis=0)
    left, spread, _ = np.linalg.svd(centred, full_matrices=False)
    return left[:, :n] * spread[:n]


def attention_pattern(w_TS: Array) -> str:
    """A name for how a head looks around: by the mean entropy of its rows against that of an even look.

    `focused` below a third, `mixed` below two thirds, `distributed` above. Rows of padding must be left out.
    """
    entropy = -np.sum(w_TS * np.log(np.where(w_TS > 0, w_TS, 1.0)), axis=-1).mean()
    share = entropy / np.log(w_TS.shape[-1]) if w_TS.shape[-1] > 1 else 0.0
    return "focused" if share < 1 / 3 else "mixed" if share < 2 / 3 else "distributed"


def padding_share(mask_NT: Array) -> float:
    """Share of places that are padding, 0 to 1."""
    return float(1 - mask_NT.mean())


def accuracy_table(by_op: dict[str, float]) -> Sequence[tuple[str, float]]:
    """Operations in the vocabulary's order with their accuracy."""
    return [(op, by_op[op]) for op in WORDS if op in by_op]


def percent(share: float) -> str:
    """A share as people read it, `99.2 %`. Only what is all of them is `100 %`: 99.97 % is not rounded up."""
    return "100 %" if share == 1 else f"{min(100 * share, 99.99):.2f} %" if share > 0.999 else f"{100 * share:.1f} %"
