"""Everything that a report shows, from a session and the moments it kept, as one object of JSON."""

import math
from typing import Any

import numpy as np

from common import params as params_map
from common import tree
from common.config import TrainConfig, family_of
from common.data.batching import AnyExamples
from common.evaluation import accuracy_table
from common.run import History, TrainState
from console.page import visible
from console.report import examples, exporting, gradients, looks, planes
from console.report.packing import pack, stretches
from console.report.recording import Moments, thinned
from console.session import Session, numbers

POINTS = 300
"""Points of a curve, at most: each is the mean of a stretch of updates."""
RECORDS = 200
"""Epochs in the curves, at most."""


def collect(
    session: Session,
    state: TrainState,
    moments: Moments,
    *,
    asked: AnyExamples | None = None,
    banner: str = "",
    most: int,
    cells: int,
    room: int,
) -> dict[str, Any]:
    """The content of the page: at most `most` moments, gradients in `cells` by `cells` blocks, weights in `room`.

    `state` is the run as it is, of either twin; `asked` is an example of the user's, `banner` says what is not as it
    should be. Computes forwards and backwards of NumPy on copies; nothing of the run is changed.
    """
    subject, train, model = session.subject, session.train, session.subject.model
    kept, names = thinned(moments, most), examples.tokens(session.subject)
    ordered = [(step, _ordered(params, model)) for step, params in kept]
    table, ids, joined = examples.embedded(subject)
    best, first = state.best, gradients.probe(subject.data, train)
    asked_params, asked_step = (best.params, best.step) if best is not None else (state.params, state.step)
    return {
        "task": examples.sentence(subject),
        "facts": facts(session, state),
        "notes": notes(session, moments[0][0], banner),
        "steps": train.steps,
        "per_epoch": train.steps_per_epoch,
        "moments": [step for step, _ in ordered],
        "curves": curves(state.history),
        "test": _tested(session, state),
        "about_maps": examples.about_maps(subject),
        "examples": [looks.of(one, ordered, model, names) for one in examples.chosen(subject, asked)],
        "gradients": gradients.of(ordered, first, model, names, cells, broken=bool(banner)),
        "embedding": planes.of(ordered, table, ids, names, joined=joined),
        "model": exporting.of(_ordered(asked_params, model), model, subject.data, room) | {"step": asked_step},
    }


def _ordered(params: Any, model: Any) -> Any:
    """The tree in NumPy with its leaves in the order of the model: JAX sorts the names in what it returns."""
    named = tree.named(numbers(params))
    return tree.build({name: named[name] for name in params_map.names(model)})


def facts(session: Session, state: TrainState) -> list[tuple[str, str]]:
    """What the run is, in a few rows."""
    subject, train = session.subject, session.train
    pass_ = "dropout off" if getattr(subject.model, "dropout", 0.0) else ""
    rows = [
        ("model", f"{family_of(subject.model)}, {tree.count(numbers(state.params)):,} parameters"),
        ("updates made", f"{state.step:,} of {train.steps:,}, {train.batch_size} examples in each"),
        ("training examples", f"{examples.drawn(subject, train.examples)}; {train.epochs} epochs"),
        ("optimizer", _optimizer(train)),
        ("seed", f"{train.seed}"),
        ("trained with", f"{subject.twin.name} on {subject.twin.device}"),
        ("folder", visible(str(session.folder), False)),
    ]
    return rows + ([("these pictures", pass_)] if pass_ else [])


def _optimizer(train: TrainConfig) -> str:
    told = f"{train.optimizer}, learning rate up to {train.lr:g} ({train.schedule}, {train.warmup} of warm-up)"
    return told + (f", weight decay {train.weight_decay:g}" if train.weight_decay else "")


def notes(session: Session, begun: int, banner: str) -> list[str]:
    """What a reader has to know before believing the pictures."""
    told = [f"{banner}: the gradients below were taken with it."] if banner else []
    if begun:
        told.append(f"The pictures begin at update {begun:,}, where this call of the program began; curves are whole.")
    for one in session.changes:
        told.append(f"After update {one['after_update']:,}, {one['setting']} went from {one['from']} to {one['to']}.")
    return [visible(line, False) for line in told]


def curves(history: History) -> dict[str, Any]:
    """Loss and accuracy: of the batches (points, 2), place and value; of the validation part a record each epoch."""
    epochs = _evenly(history.epochs, RECORDS)
    groups = [op for op, _ in accuracy_table(epochs[-1]["by_op"])] if epochs else []
    groups = groups if len(groups) > 1 else []
    return {
        "loss": pack(np.reshape(list(stretches(history.loss, POINTS)), (-1, 2)), "f32"),
        "accuracy": pack(np.reshape(list(stretches(history.accuracy, POINTS)), (-1, 2)), "f32"),
        "mean_of": math.ceil(len(history.loss) / POINTS),
        "epochs": [{"step": one["step"], "loss": one["loss"], "accuracy": one["accuracy"]} for one in epochs],
        "groups": {op: [one["by_op"].get(op, 0.0) for one in epochs] for op in groups},
    }


def _evenly(records: list[Any], most: int) -> list[Any]:
    """At most so many of the records, the first and the last among them."""
    if len(records) <= most:
        return records
    return [records[round(i * (len(records) - 1) / (most - 1))] for i in range(most)]


def _tested(session: Session, state: TrainState) -> str | None:
    """The best parameters on the test part, once the run is complete: they are counted only then."""
    if state.step < session.train.steps or state.best is None:
        return None
    subject = session.subject
    found = subject.twin.train.evaluate(state.best.params, subject.data.test, model=subject.model)
    return examples.tested(subject, found)
