"""Errors to plant in the training loop, each of a kind that people make; lesson 08 trains with them and finds them.

    with planted("uncorrected"):
        ...                 # numpy_ref.optim.update lacks Adam's corrections in here

Every gradient stays exact: what is wrong comes before or after it. `right`, a default argument, is what ships: inside
`planted` the module's own name stands for the wrong one.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from types import ModuleType
from typing import Any
from unittest.mock import patch

import numpy as np

from common import random, tree
from common.config import TrainConfig
from common.data.batching import AnyExamples
from common.run import TrainState
from common.types import Array, Tree
from numpy_ref import optim, train


def uncorrected(params: Tree, grads: Tree, state: dict, *, lr: float, config: TrainConfig):
    """AdamW without its two corrections: m and v as they are."""
    p_P, g_P = tree.flatten(params), tree.flatten(grads)
    m_P = config.beta1 * state["m"] + (1 - config.beta1) * g_P
    v_P = config.beta2 * state["v"] + (1 - config.beta2) * g_P * g_P
    new_P = (1 - lr * config.weight_decay) * p_P - lr * m_P / (np.sqrt(v_P) + config.eps)
    return tree.unflatten(new_P, params), {"step": state["step"] + 1, "m": m_P, "v": v_P}


def mixed(
    params: Tree, grads: Tree, state: dict, *, lr: float, config: TrainConfig, right: Callable[..., Any] = optim.update
):
    """Weight decay is added to the gradient, and goes through Adam with it."""
    return right(params, grads, state, lr=lr, config=replace(config, optimizer="adam"))


def accumulated(
    params: Tree, grads: Tree, state: dict, *, lr: float, config: TrainConfig, right: Callable[..., Any] = optim.update
):
    """Nobody sets the gradients back to zero: each update is made of the sum of all so far."""
    total_P = tree.flatten(grads) + state.get("total", 0)
    new_params, new_state = right(params, tree.unflatten(total_P, params), state, lr=lr, config=config)
    return new_params, new_state | {"total": total_P}


def same_order(settings: TrainConfig, epoch: int, right: Callable[..., Any] = train.rows) -> Array:
    """One shuffle for all epochs: the number of the epoch does not reach the key."""
    return right(settings, 0)


def apart(
    state: TrainState,
    examples: AnyExamples,
    order: Array,
    *,
    model: Any,
    train: TrainConfig,
    right: Callable[..., Any] = train._updates,
) -> TrainState:
    """Questions and answers are shuffled by two different draws, anew each epoch."""
    draw = random.fold_in(random.key(train.seed + 1), state.step // train.steps_per_epoch)
    other = examples.targets[random.permutation(draw, len(examples.targets))]
    return right(state, examples._replace(targets=other), order, model=model, train=train)


def forgetful(
    state: TrainState, data: Any, *, model: Any, train: TrainConfig, right: Callable[..., Any] = train._end_of_epoch
) -> TrainState:
    """The run is stopped after each epoch and goes on from the weights alone: moments and their count begin anew."""
    return replace(right(state, data, model=model, train=train), opt=optim.init(state.params, train))


HOME: dict[str, tuple[ModuleType, str]] = {
    "uncorrected": (optim, "update"),
    "mixed": (optim, "update"),
    "accumulated": (optim, "update"),
    "same_order": (train, "rows"),
    "apart": (train, "_updates"),
    "forgetful": (train, "_end_of_epoch"),
}
"""Whose function each error replaces."""


@contextmanager
def planted(*names: str) -> Iterator[None]:
    """Let everything that trains use these functions instead of those that ship."""
    with ExitStack() as stack:
        for name in names:
            module, attribute = HOME[name]
            stack.enter_context(patch.object(module, attribute, globals()[name]))
        yield
