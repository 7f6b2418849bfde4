"""What several stations need: the names of tokens, cells of numbers, the head line of an example."""

import math

import numpy as np
from rich.console import Group, RenderableType
from rich.text import Text

from common import tree
from common.config import ModelConfig, Seq2SeqConfig, TaskConfig, TextConfig
from common.data.batching import AnyExamples, Examples, Pairs, Stretches
from common.types import Array, Tree
from common.vocabulary import WORDS
from console.page import Page, label
from console.stepper.moment import Look, Moment
from console.text_screens import letters


def names(ids: Array, task: TaskConfig, page: Page) -> list[str]:
    """Each token by itself, visible."""
    found = letters(ids.tolist(), task) if isinstance(task, TextConfig) else [WORDS[i] for i in ids.tolist()]
    return [label(word, page.ascii_only) for word in found]


def sentence(ids: Array, task: TaskConfig, page: Page, most: int = 0) -> str:
    """Tokens in a row, padding at the end left out; at most so many characters, where `most` is given."""
    kept = ids if isinstance(task, TextConfig) else ids[ids != 0]
    text = ("" if isinstance(task, TextConfig) else " ").join(names(kept, task, page))
    return text if not most or len(text) <= most else text[: most - 3] + "..."


def length(examples: AnyExamples, row: int, side: str = "tokens") -> int:
    """How many positions of a row are worth showing: the real ones."""
    if isinstance(examples, Pairs) and side == "tokens":
        return int(examples.weights[row].sum())
    if isinstance(examples, Pairs | Examples):
        return int(examples.mask[row].sum())
    return int(np.flatnonzero(examples.weights[row])[-1]) + 1


def reads_out(examples: AnyExamples, row: int) -> int:
    """The position from which the answer, or its first token, is read; of a text the last one."""
    if isinstance(examples, Examples):
        return 0
    return int(np.flatnonzero(examples.weights[row])[-1 if isinstance(examples, Stretches) else 0])


def head_line(moment: Moment, look: Look, row: int, page: Page) -> Text:
    """Which example is in view, and whether the update learns from it."""
    example = look.examples
    ids = example.src[row] if isinstance(example, Pairs) else example.tokens[row]
    answer = ""
    if isinstance(example, Examples | Pairs):
        right = example.targets[row][example.weights[row]] if isinstance(example, Pairs) else example.targets[[row]]
        answer = f" -> {sentence(right, moment.task, page)}"
    what = f"example {row} of the batch" if look.trained_on else "asked by you, beside the batch"
    return Text(f"{sentence(ids, moment.task, page, 3 * page.width)}{answer}   ({what})")


def number(value: float) -> str:
    """Four significant digits in at most 9 characters."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else str(value)
    return f"{value:.4g}" if 1e-3 <= abs(value) < 1e5 else f"{value:.2e}"


def rms(values: Array) -> float:
    """Root of the mean square."""
    wide = np.asarray(values, np.float64)
    return float(np.sqrt(np.mean(wide * wide))) if wide.size else 0.0


def norm(values: Array) -> float:
    """Euclidean length of all numbers together."""
    return float(np.linalg.norm(np.asarray(values, np.float64).ravel()))


def shape(values: Array) -> str:
    return " x ".join(map(str, np.shape(values))) or "a number"


def vocabulary(model: ModelConfig) -> int:
    """How many tokens can be answered."""
    return model.tgt_vocab if isinstance(model, Seq2SeqConfig) else model.vocab


def leaf(tree_: Tree, name: str) -> Array:
    """A tensor by its dotted name. Raises KeyError."""
    return tree.named(tree_)[name]


def result(look: Look, name: str) -> Array:
    """What a recorded call returned. Raises KeyError."""
    for call in look.trace.calls:
        if call.name == name:
            return call.result
    raise KeyError(name)


def over(*parts: RenderableType) -> Group:
    """One above the other."""
    return Group(*parts)


def probabilities(look: Look, row: int) -> Array:
    """Of an example, (C,) or (T, V): as the loss computed them."""
    rank = look.logits.ndim
    _, saved = result(look, "/cross_entropy.forward" if rank == 2 else "/cross_entropy.forward_weighted")
    return saved[0][row] if rank == 2 else saved[0].reshape(look.logits.shape)[row]
