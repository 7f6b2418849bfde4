"""A text, to be continued by a decoder alone."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import RenderableType

from common import random
from common.config import TrainConfig
from common.data import text
from common.data.batching import AnyExamples
from common.evaluation import Evaluation
from common.run import History
from common.sampling import Sampling, without_caches
from common.types import Tree
from console import screens, text_screens
from console.page import Page, visible
from console.subjects.base import Subject, View, evenly
from console.text_screens import TEMPERATURE, Guess

READ = 32
"""So many tokens are read before the model goes on, or half of what it can read."""
WRITTEN = 160
WATCHED = 8
"""So many positions of the example are watched."""
MEASURED = 64
"""So many stretches tell how the loss falls with what has been read."""


@dataclass(frozen=True)
class Texts(Subject):
    """Text from anywhere."""

    words: str
    held_out = "On text never trained on"

    @property
    def start(self) -> int:
        """How many tokens of a stretch are given before the model is asked."""
        return min(READ, self.task.context // 2)

    @property
    def example(self) -> list[int]:
        """The beginning of the test part."""
        return self.data.test.tokens[0].tolist()

    def ask(self, best: Path) -> str:
        found = re.search(r"[A-Za-z]+( [a-z]+)*", text.decode(self.example, self.task))
        begin = "" if found is None else f" --prompt {shlex.quote(found.group())}"
        return f"generate.py --checkpoint {shlex.quote(str(best))}{begin}"

    def dataset(self, page: Page) -> RenderableType:
        return text_screens.dataset(self.words, self.data, page)

    def split(self) -> RenderableType:
        data = self.data
        sizes = len(data.train.targets), len(data.validation.targets), len(data.test.targets)
        held = f"{data.overlap} of the {data.train_distinct:,} distinct paragraphs trained on are also held out."
        return screens.split(sizes, "stretches", "paragraph", f"Checked now: {held}")

    def batch(self, examples: AnyExamples, train: TrainConfig, page: Page) -> RenderableType:
        return text_screens.batch(examples, self.task, train, page)

    def answer(self, params: Tree, step: int, page: Page) -> RenderableType:
        before, right = self.example[: self.start], self.example[self.start]
        goes_on, first = self._go_on(params)
        [log_p] = self.twin.generate.log_probabilities(params, [[*before, right]], model=self.model)
        return text_screens.answer(Guess(before, right, first), -log_p[-1], goes_on, step, self.task, page)

    def one_answer(self, params: Tree, page: Page) -> str:
        return text_screens.one_answer(self._go_on(params)[0], self.task, page)

    def _go_on(self, params: Tree, temperature: float = 0.0) -> tuple[list[int], list[tuple[int, float]]]:
        """How the model goes on after the beginning of the example, and what it says of the first token."""
        length = min(WRITTEN, self.task.context - self.start)
        steps = self.twin.generate.stream(
            params,
            [self.example[: self.start]],
            model=self.model,
            sampling=Sampling(temperature=temperature, max_new_tokens=length),
            key=random.key(0),
            candidates=5,
        )
        found = without_caches(steps)
        return [token for step in found for token in step.tokens if token is not None], found[0].candidates[0]

    def tested(self, params: Tree, found: Evaluation, page: Page) -> RenderableType:
        return text_screens.tested(found, self.data.test, self.task, page)

    def samples(self, params: Tree, page: Page) -> RenderableType:
        test, start = self.data.test, self.start
        stretches = test.tokens[evenly(len(test.tokens), 10)].tolist()
        befores = [stretch[:start] for stretch in stretches]
        once = Sampling(max_new_tokens=1)
        [step] = self.twin.generate.stream(params, befores, model=self.model, sampling=once, candidates=1)
        guesses = [
            Guess(stretch[:start], stretch[start], candidates)
            for stretch, candidates in zip(stretches, step.candidates, strict=True)
        ]
        drawn, _ = self._go_on(params, TEMPERATURE)
        return text_screens.samples(guesses, drawn, self.task, page)

    def _view(self) -> View:
        return self.view_of(self.data.test.take(slice(0, 1)))

    def view_of(self, examples: AnyExamples) -> View:
        tokens = examples.tokens[0].tolist()
        start = min(self.start, len(tokens))
        letters = text_screens.letters(tokens[: start + WATCHED - 1], self.task)
        read = visible("".join(letters[:start]), ascii_only=True)
        intro = f"{read}: what the last position, from which the next token is read, looks at."
        return View(intro, examples, list(range(start - 1, len(letters))), letters[start - 1 :], letters, start)

    def pictures(self, params: Tree, history: History, found: Evaluation, folder: Path) -> list[Path]:
        from common import plots

        test = self.data.test
        texts = test.tokens[evenly(len(test.tokens), MEASURED)].tolist()
        nats_NT = -np.array(self.twin.generate.log_probabilities(params, texts, model=self.model))
        path = folder / "loss_by_position.svg"
        return [plots.loss_by_position(nats_NT.mean(axis=0).tolist(), path, even=float(np.log(self.task.vocab)))]
