"""The commands that choose what is in view: an example, a layer, a head, a position."""

from typing import TYPE_CHECKING

import numpy as np

from common.config import DigitsConfig, TextConfig
from common.data import batching, digits, parsing, reading, sequences, text
from common.data.batching import AnyExamples
from common.errors import UserError
from console.page import lines
from console.stepper.commands import Command, Shown, one, whole

if TYPE_CHECKING:
    from console.stepper.stepper import Stepper


def example(stepper: "Stepper", words: list[str]) -> Shown:
    last = len(stepper.moment.look.examples.targets) - 1
    number = whole(one(words, "e N"), "the number of the example", 0, last)
    stepper.place_in_view(None, number)
    return stepper.screen()


def ask(stepper: "Stepper", words: list[str]) -> Shown:
    if not words:
        raise UserError("`ask` needs an example, such as " + _sample(stepper))
    stepper.place_in_view(_read(" ".join(words), stepper))
    if stepper.part != "step":
        return lines("It is in view from the first update on: Enter goes there.")
    return stepper.screen()


def _sample(stepper: "Stepper") -> str:
    task = stepper.session.subject.task
    if isinstance(task, DigitsConfig):
        return f"`ask {parsing.example(task)}`"
    return "`ask` and some text" if isinstance(task, TextConfig) else f"`ask {reading.example(task)}`"


def _read(asked: str, stepper: "Stepper") -> AnyExamples:
    """An example of the task as a batch of one. Raises UserError for what the task does not have."""
    subject = stepper.session.subject
    task = subject.task
    if isinstance(task, DigitsConfig):
        return digits.to_examples([parsing.parse(asked, task)], task)
    if isinstance(task, TextConfig):
        ids = text.encode(asked, task)
        if not 2 <= len(ids) <= task.context + 1:
            raise UserError(f"a stretch to look at has 2 to {task.context + 1} tokens, not {len(ids)}")
        row = np.array([ids])
        return batching.Stretches(row[:, :-1], row[:, 1:], np.ones((1, len(ids) - 1), bool))
    problem = reading.read(asked, task)
    across = hasattr(subject.data.train, "src")
    return sequences.to_pairs([problem], task) if across else sequences.to_texts([problem], task)


def layer(stepper: "Stepper", words: list[str]) -> Shown:
    """To the same kind of station of another block."""
    kind = stepper.stations[stepper.index].kind
    kind = kind if kind in ("attention", "ffn") else "attention"
    places = [i for i, station in enumerate(stepper.stations) if station.kind == kind]
    stepper.go(places[whole(one(words, "layer N"), "the layer", 0, len(places) - 1)])
    return stepper.screen()


def head(stepper: "Stepper", words: list[str]) -> Shown:
    word = one(words, "head N, or head all")
    last = stepper.session.subject.model.n_heads - 1
    stepper.view.head = None if word == "all" else whole(word, "the head (or `all`)", 0, last)
    if stepper.part != "step" or stepper.station.kind == "attention":
        return stepper.screen()
    return [
        stepper.screen(),
        lines("", f"{'All heads are' if word == 'all' else f'Head {word} is'} shown at attention."),
    ]


def token(stepper: "Stepper", words: list[str]) -> Shown:
    word = one(words, "token N, or token all")
    last = stepper.moment.look.examples.tokens.shape[1] - 1
    if hasattr(stepper.moment.look.examples, "src"):
        last = max(last, stepper.moment.look.examples.src.shape[1] - 1)
    stepper.view.token = None if word == "all" else whole(word, "the position (or `all`)", 0, last)
    alone = stepper.moment.look.examples.targets.ndim == 1
    blind = ("batch", "backward", "optimizer", *(("logits", "loss", "after") if alone else ()))
    if stepper.station.kind not in blind:
        return stepper.screen()
    which = "All positions are" if word == "all" else f"Position {word} is"
    return [stepper.screen(), lines("", f"{which} shown at embeddings, attention and feed-forward.")]


COMMANDS = (
    Command(("e", "example"), "e N", "Look at example N of the batch.", example),
    Command(
        ("ask",),
        "ask EXAMPLE",
        "Look at an example of your own, beside the batch; nothing is learned from it. `e N` goes back.",
        ask,
    ),
    Command(("layer", "l"), "layer N", "Go to the same kind of station of layer N.", layer),
    Command(("head",), "head N | all", "Show one head of attention, or all.", head),
    Command(("token", "t"), "token N | all", "Choose a position, for embeddings, attention and answers.", token),
)
