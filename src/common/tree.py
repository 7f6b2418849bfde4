"""Trees: arrays in nested dicts and lists, like `{"blocks": [{"attn": {"q": {"w": ...}}}]}`.

A leaf has a name, its path joined by dots: `blocks.0.attn.q.w`. The order of the leaves is the order in which the
tree was built; the same names in the same order are the rows of every table, checkpoint and flat vector.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from common.types import Array, Tree


def items(tree: Tree, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Each leaf with its dotted name, in tree order."""
    if isinstance(tree, dict):
        children: Iterator = iter(tree.items())
    elif isinstance(tree, list):
        children = iter(enumerate(tree))
    else:
        yield prefix, tree
        return
    for key, child in children:
        yield from items(child, f"{prefix}.{key}" if prefix else str(key))


def leaves(tree: Tree) -> list[Array]:
    """The leaves, in tree order."""
    if not isinstance(tree, (dict, list)):
        return [tree]
    found: list[Array] = []
    _collect(tree, found)
    return found


def _collect(node: dict | list, found: list[Array]) -> None:
    for child in node.values() if isinstance(node, dict) else node:
        if isinstance(child, (dict, list)):
            _collect(child, found)
        else:
            found.append(child)


def named(tree: Tree) -> dict[str, Array]:
    """A flat dict from dotted name to leaf."""
    return dict(items(tree))


def count(tree: Tree) -> int:
    """How many numbers the tree holds."""
    return sum(int(np.size(leaf)) for leaf in leaves(tree))


def map(fn: Callable[..., object], tree: Tree, *rest: Tree) -> Tree:
    """Apply `fn` to each leaf (and to the leaves at the same place in `rest`): a tree of the same form."""
    if isinstance(tree, dict):
        return {key: map(fn, child, *[other[key] for other in rest]) for key, child in tree.items()}
    if isinstance(tree, list):
        return [map(fn, child, *[other[i] for other in rest]) for i, child in enumerate(tree)]
    return fn(tree, *rest)


def build(names: Mapping[str, Array]) -> Tree:
    """The inverse of `named`: a tree from dotted names. Parts that are whole numbers become places in a list."""
    root: dict = {}
    for name, leaf in names.items():
        *parents, last = name.split(".")
        node = root
        for part in parents:
            node = node.setdefault(part, {})
        node[last] = leaf
    return _lists(root)


def _lists(node: Tree) -> Tree:
    if not isinstance(node, dict):
        return node
    children = {key: _lists(child) for key, child in node.items()}
    if children and all(key.isdigit() for key in children):
        return [children[key] for key in sorted(children, key=int)]
    return children


def flatten(tree: Tree) -> Array:
    """All numbers of the tree in one new vector, leaf after leaf in tree order."""
    return np.concatenate(leaves(tree), axis=None)


def unflatten(flat: Array, like: Tree) -> Tree:
    """A tree of the form and shapes of `like` whose leaves are views into the vector `flat`; nothing is copied.

    Raises ValueError if `flat` has not as many numbers as `like`.
    """
    wanted = leaves(like)
    total = sum([leaf.size for leaf in wanted])
    if flat.shape != (total,):
        raise ValueError(f"a vector of shape {flat.shape} cannot fill a tree of {total} numbers")
    views, start = [], 0
    for leaf in wanted:
        stop = start + leaf.size
        views.append(flat[start:stop].reshape(leaf.shape))
        start = stop
    return _refilled(like, iter(views))


def _refilled(node: Tree, values: Iterator[Array]) -> Tree:
    """A tree of the form of `node` with the next value at each leaf."""
    if isinstance(node, dict):
        return {key: _refilled(child, values) for key, child in node.items()}
    if isinstance(node, list):
        return [_refilled(child, values) for child in node]
    return next(values)


def copy(tree: Tree) -> Tree:
    """The same tree with every leaf copied into memory of its own, contiguous."""
    return map(lambda leaf: np.array(leaf, order="C"), tree)


def cast(tree: Tree, dtype: object) -> Tree:
    """The same tree with every leaf in another dtype."""
    return map(lambda leaf: leaf.astype(dtype), tree)
