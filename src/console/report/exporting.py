"""The weights as the page's script runs them: in float32 where they fit, else in float16 with the error that makes."""

from typing import Any, NamedTuple

import numpy as np

from common import params as params_map
from common import tree
from common.config import ClassifierConfig, DigitsConfig
from common.data import parsing
from common.run import AnyData
from common.types import Tree
from common.vocabulary import TOKENS
from console.report.packing import pack
from numpy_ref import train as training


class Rounded(NamedTuple):
    """What float16 does to the answers to the test part."""

    changed: int
    asked: int
    largest: float
    """Change of a probability."""


def of(params: Tree, model: Any, data: AnyData, room: int) -> dict[str, Any]:
    """The model for the page, in at most `room` characters; or `{"none": why}`."""
    if not isinstance(model, ClassifierConfig) or not isinstance(data.task, DigitsConfig):
        return {
            "none": "This page can ask classifiers only; ask this model with test_model_manually.py or generate.py."
        }
    numbers = tree.count(params)
    kind = next((kind for kind, size in (("f32", 4), ("f16", 2)) if numbers * size * 1.34 < room), None)
    if kind is None:
        return {"none": f"Its {numbers:,} weights are too many for one page; ask it with test_model_manually.py."}
    by_name = tree.named(params)
    task = data.task
    told = {name: getattr(model, name) for name in ("d_model", "n_blocks", "n_heads", "max_len", "eps")}
    told |= {"tokens": TOKENS, "ops": task.ops, "min_args": task.min_args, "max_args": task.max_args}
    told |= {"max_value": task.max_value, "fewest": {op: parsing.fewest(op) for op in task.ops}, "kind": kind}
    told |= {"example": parsing.example(task), "max_tokens": task.max_tokens}
    told["weights"] = {name: pack(by_name[name], kind) for name in params_map.names(model)}
    return told | ({} if kind == "f32" else {"rounded": rounded(params, model, data)._asdict()})


def rounded(params: Tree, model: ClassifierConfig, data: AnyData) -> Rounded:
    """Ask the test part with the weights rounded to float16, and with the weights as they are."""
    asked = data.test
    short = tree.map(lambda leaf: leaf.astype(np.float16).astype(np.float32), params)
    whole, cut = (training.predict(p, asked.tokens, asked.mask, model=model) for p in (params, short))
    changed = int(np.sum(np.argmax(whole, axis=-1) != np.argmax(cut, axis=-1)))
    return Rounded(changed, len(asked.targets), float(np.max(np.abs(whole - cut))))
