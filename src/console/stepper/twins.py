"""The state of a run between the twins: the stepper looks at NumPy's numbers, whichever twin trains."""

from dataclasses import replace

from common import params, tree
from common.run import TrainState
from common.types import Tree
from console.backend import Twin
from console.session import Session, numbers
from numpy_ref import optim


def to_numpy(session: Session) -> TrainState:
    """The session's state in NumPy's own form; the same object where NumPy trains."""
    state, twin = session.state, session.subject.twin
    if twin.name == "numpy":
        return state
    exported = twin.optim.export(state.opt, state.params)
    order = list(params.names(session.subject.model))
    opt = {name: int(part) if name == "step" else _ordered(part, order) for name, part in exported.items()}
    best = None if state.best is None else replace(state.best, params=_ordered(state.best.params, order))
    return TrainState(_ordered(state.params, order), optim.restore(opt), state.step, state.history, best)


def _ordered(part: Tree, order: list[str]) -> Tree:
    """A tree in NumPy with its leaves in the order of the model: JAX sorts the names in every dict it returns.

    Flat vectors of two orders would be added up number by number, and nothing would say so.
    """
    named = tree.named(numbers(part))
    return tree.build({name: named[name] for name in order})


def of_twin(state: TrainState, twin: Twin) -> TrainState:
    """A state of NumPy's in the form of the twin that trains."""
    if twin.name == "numpy":
        return state
    opt = twin.optim.restore(optim.export(state.opt, state.params))
    return TrainState(tree.copy(state.params), opt, state.step, state.history, state.best)
