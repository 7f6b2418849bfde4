"""The state of a training run: everything that has to be kept to go on exactly where it stopped.

Training is a walk from one TrainState to the next; a checkpoint is a TrainState written down (common/checkpoint.py).
"""

from dataclasses import dataclass, field
from typing import Any, TypeAlias

from common.types import Tree

AnyData: TypeAlias = Any
"""The data of a run, of any task: `train`, `validation`, `test`, examples of the model's family."""


@dataclass(frozen=True)
class History:
    """What was measured on the way. A longer one is a new one; nothing in it depends on the clock."""

    loss: list[float] = field(default_factory=list)
    """Mean loss of each update's batch, before the update, in nats."""
    accuracy: list[float] = field(default_factory=list)
    """Share of each update's batch that was answered rightly, before the update."""
    epochs: list[dict[str, Any]] = field(default_factory=list)
    """One record an epoch: epoch, step, train_loss, train_accuracy, loss, accuracy and by_op of the validation part."""

    def with_updates(self, loss: list[float], accuracy: list[float]) -> "History":
        """A new history, longer by these updates."""
        return History(self.loss + loss, self.accuracy + accuracy, self.epochs)

    def with_epoch(self, record: dict[str, Any]) -> "History":
        """A new history, longer by this epoch."""
        return History(self.loss, self.accuracy, [*self.epochs, record])


@dataclass(frozen=True)
class Best:
    """The parameters at the end of the epoch with the highest validation accuracy (then the lowest loss)."""

    params: Tree
    epoch: int
    step: int
    accuracy: float
    loss: float


@dataclass(frozen=True)
class TrainState:
    params: Tree
    opt: dict
    """The optimizer's state, in the twin's own form; see `optim.export` and `optim.restore`."""
    step: int
    """How many updates have been made."""
    history: History
    best: Best | None = None
