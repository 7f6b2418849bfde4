"""What a run is about, for the screens: its task asked of its model. What the kinds of tasks have in common."""

import shlex
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
from rich.console import RenderableType

from common import tree
from common.config import TrainConfig
from common.data.batching import AnyExamples
from common.evaluation import Evaluation
from common.run import AnyData, History
from common.types import Array, Tree
from console import attention, flow, screens
from console.backend import Twin
from console.page import Page, label


class View(NamedTuple):
    """An example whose attention is watched over the run."""

    intro: str
    """What the screen says of it."""
    examples: AnyExamples
    """It alone, as a batch."""
    rows: list[int]
    """The positions that look; the first of them is the one that an answer is read from."""
    names: list[str]
    """Their tokens."""
    labels: list[str]
    """The tokens that are looked at, from position 0 on."""
    reach: int
    """How many of them the first row can see."""


@dataclass(frozen=True)
class Subject(ABC):
    """A task and a model that learns it. Every method that takes parameters takes those of either twin."""

    twin: Twin
    model: Any
    """The ModelConfig."""
    data: AnyData
    held_out: ClassVar[str] = "On questions never trained on"
    """The title of the screen with the final figure."""

    @property
    def task(self) -> Any:
        return self.data.task

    @property
    def ahead(self) -> float:
        """How far accuracy in training may be ahead of that in validation before it is called overfitting."""
        return 0.1

    def ask(self, best: Path) -> str:
        """The script that asks the trained model, with its arguments."""
        return f"test_model_manually.py --checkpoint {shlex.quote(str(best))}"

    @abstractmethod
    def dataset(self, page: Page) -> RenderableType: ...

    @abstractmethod
    def split(self) -> RenderableType: ...

    @abstractmethod
    def batch(self, examples: AnyExamples, train: TrainConfig, page: Page) -> RenderableType: ...

    @abstractmethod
    def answer(self, params: Tree, step: int, page: Page) -> RenderableType:
        """An answer of the model as it is after `step` updates."""

    @abstractmethod
    def one_answer(self, params: Tree, page: Page) -> str:
        """The same in a line."""

    @abstractmethod
    def tested(self, params: Tree, found: Evaluation, page: Page) -> RenderableType: ...

    @abstractmethod
    def samples(self, params: Tree, page: Page) -> RenderableType: ...

    @abstractmethod
    def _view(self) -> View: ...

    @abstractmethod
    def view_of(self, examples: AnyExamples) -> View:
        """A batch of one example, to be watched."""

    @abstractmethod
    def pictures(self, params: Tree, history: History, found: Evaluation, folder: Path) -> list[Path]:
        """Draw what only this task has; parameters are NumPy arrays."""

    @cached_property
    def view(self) -> View:
        return self._view()

    def architecture(self, params: Tree, page: Page) -> RenderableType:
        return screens.architecture(params, flow.of(self.model), page)

    def look(self, params: Tree) -> list[Array]:
        """What the view's positions look at, for each block (heads, rows, labels)."""
        view = self.view
        found = attention.maps(tree.map(np.asarray, params), view.examples, self.model)
        return [w_BHTS[0][:, view.rows, : len(view.labels)] for w_BHTS in found]

    def attention(self, params: Tree, page: Page) -> RenderableType:
        view = self.view
        labels = [label(token, page.ascii_only) for token in view.labels[: view.reach]]
        return screens.attention(view.intro, labels, [w_HTS[:, 0, : view.reach] for w_HTS in self.look(params)], page)


def evenly(n: int, most: int) -> Array:
    """At most `most` of the numbers below `n`, evenly apart."""
    return np.linspace(0, n - 1, min(most, n)).astype(int)
