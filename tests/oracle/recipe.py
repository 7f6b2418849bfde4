"""What the makers and the readers of the golden files have in common. Needs no PyTorch."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open

from common import params, random, tree
from common.config import ClassifierConfig
from common.types import Array, Tree

GOLDEN = Path(__file__).parents[1] / "golden"


def load(name: str) -> tuple[dict[str, Array], Any]:
    """The tensors of a golden file by name, and what it says about itself."""
    with safe_open(GOLDEN / f"{name}.safetensors", framework="numpy") as file:
        return {key: file.get_tensor(key) for key in sorted(file.keys())}, json.loads(file.metadata()["about"])


def generic(config: ClassifierConfig, seed: int) -> Tree:
    """Initial weights, each moved a little, so that no gain is one and no bias zero."""
    key = random.key(seed)
    fresh = tree.named(params.init(key, config, np.float64))
    moved = {
        n: w + 0.1 * random.normal(random.fold_in(key, 100 + i), w.shape) for i, (n, w) in enumerate(fresh.items())
    }
    return tree.build(moved)


def projected(grads: Tree) -> Tree:
    """The products of each tensor with three random directions; all the default model's gradients are 816 kB."""
    return tree.build(
        {
            name: random.normal(random.fold_in(random.key(77), i), (3, g.size)) @ g.ravel()
            for i, (name, g) in enumerate(tree.items(grads))
        }
    )
