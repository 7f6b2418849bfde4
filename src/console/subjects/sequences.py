"""Tasks whose answer is a row of tokens, written by a decoder alone or by encoder and decoder."""

import math
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from rich.console import RenderableType

from common import evaluation
from common.config import Seq2SeqConfig, TrainConfig
from common.data.batching import AnyExamples, Pairs
from common.evaluation import Evaluation
from common.run import History
from common.sampling import Sampling, without_caches
from common.types import Array, Tree
from common.vocabulary import DIGIT_IDS, EOS, PAD, START, WORDS, decode, words
from console import screens, sequence_screens
from console.page import Page
from console.sequence_screens import Question, Written
from console.subjects.base import Subject, View, evenly

FEW = 8
"""So many wrong answers are shown."""


class Sequences(Subject):
    """Questions with an answer of any length."""

    @property
    def across(self) -> bool:
        """Whether an encoder reads the question."""
        return isinstance(self.model, Seq2SeqConfig)

    @property
    def operations(self) -> bool:
        return self.task.task == "operations"

    @property
    def ahead(self) -> float:
        """Short rows, which are easy, are many in training and few among distinct questions: no sign of anything."""
        return 0.1 if self.operations else math.inf

    @cached_property
    def row(self) -> int:
        """Which question of the test part is the example: the first of the longest."""
        test = self.data.test
        return int(np.argmax(test.mask.sum(axis=1) if self.across else (test.tokens != PAD).sum(axis=1)))

    @property
    def example(self) -> Question:
        return question(self.data.test, self.row)

    def dataset(self, page: Page) -> RenderableType:
        train = self.data.train
        few = [question(train, i) for i in range(min(5, len(train.targets)))]
        drawn = len(train.targets), self.data.train_distinct
        kinds = {name: int(rows_N.sum()) for name, rows_N in self._kinds(train).items()}
        return sequence_screens.dataset(self.task, drawn, kinds, few, page)

    def _kinds(self, examples: AnyExamples) -> dict[str, Array]:
        """Which examples are of each operation or, where there is only one, of each length of the answer."""
        if self.operations:
            return {op: examples.groups == WORDS.index(op) for op in self.task.ops}
        sizes_N = answer_lengths(examples)
        groups = sequence_screens.lengths(sizes_N.tolist())
        return {name: np.isin(sizes_N, lengths) for name, lengths in groups.items()}

    def split(self) -> RenderableType:
        data = self.data
        held = len(data.validation.targets), len(data.test.targets)
        asked = f"{data.overlap} of the {sum(held):,} held-out questions are among the training examples."
        return screens.split((data.train_distinct, *held), "questions", "question", f"Checked now: {asked}")

    def batch(self, examples: AnyExamples, train: TrainConfig, page: Page) -> RenderableType:
        return sequence_screens.batch(examples, train)

    def answer(self, params: Tree, step: int, page: Page) -> RenderableType:
        [written] = self._write(params, [self.example], candidates=3)
        return sequence_screens.answer(self.example, written, self._losses(params), step, page)

    def one_answer(self, params: Tree, page: Page) -> str:
        [written] = self._write(params, [self.example], candidates=3)
        return sequence_screens.one_answer(self.example, written)

    def tested(self, params: Tree, found: Evaluation, page: Page) -> RenderableType:
        test = self.data.test
        right_N = evaluation.score(found.predictions == test.targets, test)
        shares = {name: float(right_N[rows_N].mean()) for name, rows_N in self._kinds(test).items() if rows_N.any()}
        missed = [question(test, i) for i in np.flatnonzero(right_N < 1)[:FEW].tolist()]
        # always as many at once, so that JAX compiles one program for any number of them
        said = self._write(params, (missed * FEW)[:FEW]) if missed else []
        return sequence_screens.tested(found, len(test.targets), shares, list(zip(missed, said, strict=False)), page)

    def samples(self, params: Tree, page: Page) -> RenderableType:
        test = self.data.test
        asked = [question(test, i) for i in evenly(len(test.targets), 10).tolist()]
        return sequence_screens.samples(list(zip(asked, self._write(params, asked), strict=True)), page)

    def _write(self, params: Tree, asked: Sequence[Question], candidates: int = 1) -> list[Written]:
        """The model's own answers, always the most probable token, as one batch."""
        steps = without_caches(
            self.twin.generate.stream(
                params,
                [one.prompt for one in asked],
                model=self.model,
                sampling=Sampling(max_new_tokens=self.task.max_answer + 1, end_token=EOS),
                start_token=START if self.across else None,
                candidates=candidates,
            )
        )
        return [
            Written(
                [token for step in steps if (token := step.tokens[row]) is not None],
                [step.candidates[row] for step in steps if step.candidates[row]],
            )
            for row in range(len(asked))
        ]

    def _losses(self, params: Tree) -> list[float]:
        """The surprise, in nats, at each token of the example's right answer."""
        asked = self.example
        text = [START, *asked.reply] if self.across else asked.prompt + asked.reply
        sources = {"sources": [asked.prompt]} if self.across else {}
        [found] = self.twin.generate.log_probabilities(params, [text], model=self.model, **sources)
        return [-log_p for log_p in found[-len(asked.reply) :]]

    def _view(self) -> View:
        return self.view_of(self.data.test.take(slice(self.row, self.row + 1)))

    def view_of(self, examples: AnyExamples) -> View:
        asked = question(examples, 0)
        written = asked.reply[:-1]
        who = "the start token" if self.across else "the last position of the question"
        intro = f"{decode(asked.prompt)}: what {who}, from which the answer's first token is read, looks at."
        if self.across:
            rows, source = list(range(len(asked.reply))), words(asked.prompt)
            return View(intro, examples, rows, words([START, *written]), source, len(source))
        last = len(asked.prompt) - 1
        rows = list(range(last, last + len(asked.reply)))
        text = asked.prompt + written
        return View(intro, examples, rows, words(text[last:]), words(text), len(asked.prompt))

    def pictures(self, params: Tree, history: History, found: Evaluation, folder: Path) -> list[Path]:
        from common import plots

        emb = params["src" if self.across else "emb"]
        similar = evaluation.embedding_similarity({"emb": emb})
        places = evaluation.principal_components(emb["w"][list(DIGIT_IDS)])
        pca = plots.embedding_pca(places, similar.number_line, folder / "embedding_pca.svg")
        if self.operations:
            return [
                plots.accuracy_by_operation(history.epochs, folder / "accuracy_by_operation.svg"),
                plots.similarity_matrix(similar, folder / "embedding_similarity.svg"),
                pca,
            ]
        right_N = evaluation.score(found.predictions == self.data.test.targets, self.data.test)
        sizes_N = answer_lengths(self.data.test)
        shares = {int(n): float(right_N[sizes_N == n].mean()) for n in np.unique(sizes_N)}
        return [plots.accuracy_by_length(shares, folder / "accuracy_by_length.svg"), pca]


def question(examples: AnyExamples, i: int) -> Question:
    """Example number `i` as question and answer."""
    reply = examples.targets[i][examples.weights[i]].tolist()
    if isinstance(examples, Pairs):
        return Question(examples.src[i][examples.mask[i]].tolist(), reply)
    return Question(examples.tokens[i][: int(np.argmax(examples.weights[i])) + 1].tolist(), reply)


def answer_lengths(examples: AnyExamples) -> Array:
    """The tokens of each answer, its end not counted, (N,)."""
    return examples.weights.sum(axis=1) - 1
