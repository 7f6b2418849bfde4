"""The report of a run: collected, built, made to fit, written."""

from pathlib import Path

import numpy as np

from common import tree
from common.config import family_of, kind_of
from common.data.batching import AnyExamples
from common.errors import UserError
from common.run import TrainState
from console.report import collecting, page
from console.report.recording import Recorder
from console.session import Session, numbers

FORMS = ((24, 16), (16, 16), (12, 8), (6, 8), (2, 4))
"""(moments, blocks of a gradient along an axis): the first that fits is taken."""
WEIGHTS = 900_000
"""Characters of a page that exported weights may take."""


def write(
    session: Session, state: TrainState, path: Path, *, asked: AnyExamples | None = None, banner: str = ""
) -> list[str]:
    """Write the report of a run as it is in `state`; what was written, in words.

    Raises UserError if the file cannot be written, if training has diverged, or if not even a few moments of the model
    fit into a page.
    """
    page.check(path)
    if not all(np.all(np.isfinite(leaf)) for leaf in tree.leaves(numbers(state.params))):
        raise UserError("there is nothing to report: training has diverged, some weights are no longer finite numbers")
    seen = Recorder(list(session.recorder.moments))
    seen.see(state, session.train, always=True)
    task = session.subject.task
    name = f"{family_of(session.subject.model)}, {getattr(task, 'task', kind_of(task))}"
    for most, cells in FORMS:
        content = collecting.collect(
            session, state, seen.moments, asked=asked, banner=banner, most=most, cells=cells, room=WEIGHTS
        )
        made = page.build(f"A training run: {name}", content)
        if len(made.encode()) <= page.LIMIT:
            page.write(path, made)
            moments = len(content["moments"])
            told = f"{moments} moment{'' if moments == 1 else 's'}"
            return [f"Report: {path} ({len(made.encode()) / 1000:,.0f} kB, {told})"]
    raise UserError(f"{path}: this model has too many tensors for a page of {page.LIMIT / 1e6:g} MB; plots show it too")
