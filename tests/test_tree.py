"""Trees: names, order, and the flat vector of all numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common import params, random, tree
from common.config import ClassifierConfig

SMALL = {"b": np.arange(6.0).reshape(2, 3), "a": [{"w": np.array(7.0)}, {"w": np.zeros(0), "z": np.ones(2)}]}
keys = st.text("abcxyz_", min_size=1, max_size=4)
leaf = st.integers(0, 3).map(lambda n: np.arange(float(n)))
trees = st.dictionaries(
    keys,
    st.recursive(
        leaf,
        lambda inner: st.dictionaries(keys, inner, min_size=1, max_size=3) | st.lists(inner, min_size=1, max_size=12),
        max_leaves=15,
    ),
    min_size=1,
)


def same(a, b):
    """The same form, names in the same order, and equal leaves."""
    left, right = tree.named(a), tree.named(b)
    assert list(left) == list(right)
    assert all(np.array_equal(left[name], right[name]) for name in left)


def test_names_follow_the_order_of_building():
    assert list(tree.named(SMALL)) == ["b", "a.0.w", "a.1.w", "a.1.z"]
    assert [np.size(x) for x in tree.leaves(SMALL)] == [6, 1, 0, 2]
    assert tree.count(SMALL) == 9


@settings(deadline=None, max_examples=50)
@given(trees)
def test_build_undoes_named(grown):
    same(tree.build(tree.named(grown)), grown)


@settings(deadline=None, max_examples=50)
@given(trees)
def test_unflatten_undoes_flatten(grown):
    flat = tree.flatten(grown)
    assert flat.shape == (tree.count(grown),)
    same(tree.unflatten(flat, grown), grown)


def test_more_than_ten_places_of_a_list_keep_their_order():
    long = {"blocks": [{"w": np.array([float(i)])} for i in range(12)]}
    names = tree.named(long)
    same(tree.build(dict(sorted(names.items()))), long)


def test_unflatten_gives_views():
    flat = np.arange(9.0)
    views = tree.unflatten(flat, SMALL)
    assert all(np.shares_memory(leaf, flat) for leaf in tree.leaves(views) if leaf.size)
    assert views["b"].shape == (2, 3)


def test_flatten_copies():
    one = {"w": np.ones(3)}
    assert not np.shares_memory(tree.flatten(one), one["w"])


@pytest.mark.parametrize("size", [8, 10])
def test_a_vector_of_the_wrong_length_is_refused(size):
    with pytest.raises(ValueError, match="9 numbers"):
        tree.unflatten(np.zeros(size), SMALL)


def test_map_walks_several_trees_together():
    doubled = tree.map(lambda x, y: x + y, SMALL, SMALL)
    same(doubled, tree.map(lambda x: 2 * x, SMALL))
    assert isinstance(doubled["a"], list)


def test_map_refuses_a_tree_that_lacks_a_place():
    with pytest.raises((KeyError, IndexError)):
        tree.map(lambda x, y: x, SMALL, {"b": SMALL["b"], "a": []})


def test_copy_is_separate_and_contiguous():
    turned = {"w": np.arange(6.0).reshape(2, 3).T}
    copied = tree.copy(turned)
    same(copied, turned)
    assert copied["w"].flags.c_contiguous
    assert not np.shares_memory(copied["w"], turned["w"])


def test_cast():
    assert {x.dtype for x in tree.leaves(tree.cast(SMALL, np.float32))} == {np.dtype(np.float32)}
    assert {x.dtype for x in tree.leaves(SMALL)} == {np.dtype(np.float64)}


def test_the_map_of_the_weights_is_what_init_fills():
    config = ClassifierConfig(n_blocks=3, d_model=8)
    drawn = tree.named(params.init(random.key(0), config))
    assert {name: w.shape for name, w in drawn.items()} == params.names(config)
    assert list(drawn)[:2] == ["emb.w", "blocks.0.attn.q.w"]
