"""How a model sees its tokens: the plane of greatest spread of their vectors, moment after moment the same way up."""

from typing import Any

import numpy as np

from common import evaluation
from common.types import Array
from console.report.packing import pack
from console.report.recording import Moments


def of(moments: Moments, table: str, ids: list[int], names: list[str], *, joined: bool) -> dict[str, Any]:
    """The places of tokens (moments, tokens, 2), and the share of their spread that lies in the plane.

    `table` is the tree's name of the embedding. The last moment stands with its first axis rising from the first token
    to the last; every other one is turned within its own plane to lie as near as it can to the moment after it, which
    leaves all distances as they are.
    """
    rows = [params[table]["w"][ids].astype(np.float64) for _, params in moments]
    flat = [evaluation.principal_components(row) for row in rows]
    placed = [_rising(flat[-1])]
    for places in reversed(flat[:-1]):
        placed.append(turned(places, placed[-1]))
    shares = [_share(row, places) for row, places in zip(rows, flat, strict=True)]
    return {"names": [names[i] for i in ids], "places": pack(placed[::-1], "f32"), "shares": shares, "joined": joined}


def turned(places: Array, like: Array) -> Array:
    """The places turned and mirrored within their plane to lie nearest to others (Procrustes; Schönemann 1966)."""
    left, _, right = np.linalg.svd(places.T @ like)
    return places @ (left @ right)


def _rising(places: Array) -> Array:
    """Either way along the first axis is as good: the one in which the tokens' order rises."""
    rises = np.sum(places[:, 0] * (np.arange(len(places)) - (len(places) - 1) / 2)) >= 0
    return places * np.array([1.0 if rises else -1.0, 1.0])


def _share(rows: Array, places: Array) -> float:
    centred = rows - rows.mean(axis=0)
    return float(np.sum(places * places) / max(np.sum(centred * centred), np.finfo(np.float64).tiny))
