"""The pictures of a run, from its own numbers, into its folder."""

from pathlib import Path

import numpy as np

from common import params, tree
from common.data import batching
from common.evaluation import Evaluation
from common.run import Best
from common.types import Array
from console.session import Session, numbers

MOMENTS = 6
"""So many epochs are in the picture of attention over training, spread over the run."""


def draw(session: Session, best: Best, found: Evaluation) -> list[Path]:
    """Draw every picture; returns the files."""
    from common import plots

    history, folder = session.state.history, session.folder
    return [
        plots.training_curves(history, folder / "training.svg", best_epoch=best.epoch),
        *session.subject.pictures(numbers(best.params), history, found, folder),
        plots.gradient_norms(_gradient_norms(session), folder / "gradient_norms.svg"),
        *(_attention(session) if session.maps else []),
    ]


def _attention(session: Session) -> list[Path]:
    from common import plots

    maps, view, folder = session.maps, session.subject.view, session.folder
    chosen = sorted(set(np.linspace(0, len(maps) - 1, MOMENTS).round().astype(int).tolist()))
    w_HTS = maps[-1][1][-1]
    head = int(np.argmax(w_HTS[:, 0].max(axis=-1)))
    block = f"block {len(maps[-1][1]) - 1}"
    last = [(maps[i][0], maps[i][1][-1]) for i in chosen]
    sure = f"head {head} of {block}, the surest at the answer"
    over_training = folder / "attention_over_training.svg"
    return [
        plots.attention_heads(maps[-1][1], view.labels, folder / "attention.svg", rows=view.names),
        plots.attention_head(w_HTS[head], view.labels, folder / "attention_head.svg", rows=view.names, name=sure),
        plots.attention_over_training(last, view.labels, over_training, rows=view.names, name=block),
    ]


def _gradient_norms(session: Session) -> dict[str, float]:
    """The length of each tensor's gradient at the end of the run, on the batch of its last update.

    It is 0 where mathematics says so, whatever rounding left.
    """
    subject = session.subject
    batch = batching.batch(subject.data.train, session.train, session.train.steps - 1)
    _, grads, _ = subject.twin.train.loss_and_grads(session.state.params, batch, model=subject.model)
    zero = params.without_gradient(subject.model)
    return {name: 0.0 if name in zero else _length(leaf) for name, leaf in tree.items(grads)}


def _length(leaf: Array) -> float:
    return float(np.linalg.norm(np.asarray(leaf)))
