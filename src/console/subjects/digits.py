"""The digit task, answered by the classifier."""

from pathlib import Path

import numpy as np
from rich.console import RenderableType

from common import evaluation
from common.config import TrainConfig
from common.data import digits
from common.data.batching import AnyExamples
from common.data.digits import Expression
from common.evaluation import Evaluation
from common.run import History
from common.types import Array, Tree
from common.vocabulary import DIGIT_IDS, decode, words
from console import digit_screens, screens
from console.page import Page
from console.subjects.base import Subject, View, evenly

EXAMPLE = (5, 3, 9, 1, 7, 2, 8, 0, 6, 4)


class Digits(Subject):
    """Expressions with an answer of one token."""

    held_out = "On expressions never trained on"

    @property
    def example(self) -> Expression:
        """`Max ( 5 3 9 )`, or what comes nearest to it in this task."""
        task = self.task
        args = tuple(value % (task.max_value + 1) for value in EXAMPLE)
        count = min(max(3, task.min_args), task.max_args)
        return Expression("Max" if "Max" in task.ops else task.ops[0], (args * (1 + count // 10))[:count])

    def dataset(self, page: Page) -> RenderableType:
        return digit_screens.dataset(self.data, page)

    def split(self) -> RenderableType:
        data = self.data
        held = len(data.validation.targets), len(data.test.targets)
        asked = f"{data.overlap} of the {sum(held):,} held-out expressions are among the training examples."
        return screens.split((data.train_distinct, *held), "expressions", "expression", f"Checked now: {asked}")

    def batch(self, examples: AnyExamples, train: TrainConfig, page: Page) -> RenderableType:
        return digit_screens.batch(examples, train)

    def answer(self, params: Tree, step: int, page: Page) -> RenderableType:
        asked = self.example
        return digit_screens.answer(asked.text, asked.target, self._ask(params), step, page)

    def one_answer(self, params: Tree, page: Page) -> str:
        return digit_screens.one_answer(self.example.text, self._ask(params))

    def tested(self, params: Tree, found: Evaluation, page: Page) -> RenderableType:
        return digit_screens.tested(found, self.data.test.targets, page)

    def samples(self, params: Tree, page: Page) -> RenderableType:
        test = self.data.test
        asked = test.take(evenly(len(test.targets), 10))
        texts = [decode(row) for row in asked.tokens.tolist()]
        return digit_screens.samples(texts, asked.targets.tolist(), self._predict(params, asked), page)

    def _ask(self, params: Tree) -> Array:
        """The probabilities of the answers to the example."""
        return self._predict(params, digits.to_examples([self.example], self.task))[0]

    def _predict(self, params: Tree, asked: AnyExamples) -> Array:
        return np.asarray(self.twin.train.predict(params, asked.tokens, asked.mask, model=self.model))

    def _view(self) -> View:
        return self.view_of(digits.to_examples([self.example], self.task))

    def view_of(self, examples: AnyExamples) -> View:
        labels = words(examples.tokens[0][examples.mask[0]].tolist())
        intro = f"{' '.join(labels)}: what the first position, from which the answer is read, looks at."
        return View(intro, examples, list(range(len(labels))), labels, labels, len(labels))

    def pictures(self, params: Tree, history: History, found: Evaluation, folder: Path) -> list[Path]:
        from common import plots

        similar = evaluation.embedding_similarity(params)
        places = evaluation.principal_components(params["emb"]["w"][list(DIGIT_IDS)])
        confusion = evaluation.confusion(found.predictions, self.data.test.targets)
        return [
            plots.accuracy_by_operation(history.epochs, folder / "accuracy_by_operation.svg"),
            plots.confusion(confusion, folder / "confusion.svg"),
            plots.embedding_pca(places, similar.number_line, folder / "embedding_pca.svg"),
            plots.similarity_matrix(similar, folder / "embedding_similarity.svg"),
        ]
