"""Examples over the moments of a run: what the model answers, where it looks, and what its loss asks it to change."""

from typing import Any, NamedTuple

import numpy as np

from common.config import ModelConfig
from common.types import Array
from console import attention
from console.report.packing import pack, pack_shares
from console.report.recording import Moments
from console.stepper import moment as passes
from console.stepper.moment import Look
from console.subjects import View
from numpy_ref.ops import softmax

SHOWN = 5
"""Candidates of each moment that are shown for the whole run."""
MOST = 12
"""Of all moments together."""


class Example(NamedTuple):
    """One example of the report."""

    text: str
    kind: str
    """Which part of the split it belongs to, in words."""
    loss_of: str
    """What its loss is the mean of, in words."""
    view: View
    candidates: list[int] | None
    """The tokens whose probabilities are shown; None chooses the most probable."""


def of(example: Example, moments: Moments, model: ModelConfig, names: list[str]) -> dict[str, Any]:
    """Probabilities (moments, tokens and the rest), attention and its gradient (moments, blocks, heads, T, S).

    `names` are the tokens by their ids. Parameters are NumPy arrays.
    """
    view = example.view
    looks = [passes.backward(params, view.examples, model, None)[0] for _, params in moments]
    target, probabilities_MV = _answer(view, looks)
    shown = example.candidates if example.candidates is not None else _candidates(probabilities_MV, target)
    few_MK = probabilities_MV[:, shown]
    rest_M1 = np.maximum(0, 1 - few_MK.sum(axis=1, keepdims=True))
    weights = np.stack([_cut(attention.read(look.trace, model), view) for look in looks])
    # downhill: where this is above zero, a larger score lowers the loss
    pull = -np.stack([_cut(attention.read(look.trace, model, "attend.backward/da_BNGTS"), view) for look in looks])
    scale_M = np.abs(pull).reshape(len(pull), -1).max(axis=1)
    unit_M = np.where(scale_M > 0, scale_M, 1.0)
    return {
        "text": example.text,
        "kind": example.kind,
        "rows": view.names,
        "columns": view.labels,
        "right": names[target],
        "said": [names[token] for token in probabilities_MV.argmax(axis=1).tolist()],
        "loss_of": example.loss_of,
        "loss": [look.loss for look in looks],
        "candidates": [names[token] for token in shown],
        "probabilities": pack_shares(np.concatenate([few_MK, rest_M1], axis=1), "f32"),
        "attention": pack_shares(weights),
        "pull": pack(pull / unit_M.reshape(-1, 1, 1, 1, 1)),
        "pull_scale": scale_M.tolist(),
    }


def _answer(view: View, looks: list[Look]) -> tuple[int, Array]:
    """The right token where the answer is read, and the probability of every token there, (moments, V), float64."""
    targets = view.examples.targets[0]
    target = int(targets if np.ndim(targets) == 0 else targets[view.rows[0]])
    logits_MV = np.stack([look.logits[0] if look.logits.ndim == 2 else look.logits[0, view.rows[0]] for look in looks])
    probabilities_MV, _ = softmax.forward(logits_MV.astype(np.float64))
    return target, probabilities_MV


def _candidates(probabilities_MV: Array, target: int) -> list[int]:
    """The right token and those that were ever among the most probable, the last moment's first."""
    ranked = [np.argsort(-row_V)[:SHOWN].tolist() for row_V in probabilities_MV[::-1]]
    best = [token for place in zip(*ranked, strict=True) for token in place]
    return list(dict.fromkeys([target, *best]))[:MOST]


def _cut(maps: list[Array], view: View) -> Array:
    """(blocks, heads, rows, columns) of the one example."""
    return np.stack([map_BHTS[0][:, view.rows, : len(view.labels)] for map_BHTS in maps])
