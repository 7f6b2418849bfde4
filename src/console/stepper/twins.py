"""The state of a run between the twins: the stepper looks at NumPy's numbers, whichever twin trains."""

from common import tree
from common.run import Best, TrainState
from console.backend import Twin
from console.session import Session, numbers
from numpy_ref import optim


def to_numpy(session: Session) -> TrainState:
    """The session's state in NumPy's own form; the same object where NumPy trains."""
    state, twin = session.state, session.subject.twin
    if twin.name == "numpy":
        return state
    exported = twin.optim.export(state.opt, state.params)
    opt = {name: int(part) if name == "step" else numbers(part) for name, part in exported.items()}
    return TrainState(numbers(state.params), optim.restore(opt), state.step, state.history, _best(state.best))


def of_twin(state: TrainState, twin: Twin) -> TrainState:
    """A state of NumPy's in the form of the twin that trains."""
    if twin.name == "numpy":
        return state
    opt = twin.optim.restore(optim.export(state.opt, state.params))
    return TrainState(tree.copy(state.params), opt, state.step, state.history, state.best)


def _best(best: Best | None) -> Best | None:
    if best is None:
        return None
    return Best(numbers(best.params), best.epoch, best.step, best.accuracy, best.loss)
