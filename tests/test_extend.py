"""A conversation that goes on: tokens read beside a cache are as good as all read at once."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jax_impl.models.gpt
import jax_impl.models.llama
import numpy_ref.models.gpt
import numpy_ref.models.llama
from cases import random_params, read_only
from common import gradcheck, params, tree
from common.config import GPTConfig, LlamaConfig

SIZE = 24
GPT = GPTConfig(11, 12, n_heads=3, d_ffn=10, max_len=SIZE)
LLAMA = LlamaConfig(11, 12, n_heads=4, n_kv_heads=2, d_head=4, d_ffn=10, max_len=SIZE)
MODELS = {
    "gpt": (GPT, "gpt"),
    "gpt-sinusoidal": (replace(GPT, positions="sinusoidal"), "gpt"),
    "llama": (LLAMA, "llama"),
    "llama-window": (replace(LLAMA, window=3, rope_share=0.5), "llama"),
}
rows = st.lists(st.lists(st.integers(0, 10), min_size=1, max_size=5), min_size=2, max_size=2)


def padded(texts):
    lengths_B = np.array([len(text) for text in texts])
    tokens_BT = np.zeros((len(texts), lengths_B.max()), int)
    for row, text in zip(tokens_BT, texts, strict=True):
        row[: len(text)] = text
    return {"tokens_BT": tokens_BT, "lengths_B": lengths_B}


def apart(a, b):
    return max(gradcheck.difference({"x": np.asarray(a)}, {"x": np.asarray(b)}).values())


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=25, deadline=None)
@given(parts=st.tuples(rows, rows, rows), seed=st.integers(0, 99))
def test_in_pieces_or_at_once(name, parts, seed):
    """Rows of mixed lengths in three pieces, then one token more: what stood in the padding is overwritten."""
    config, family = MODELS[name]
    model = getattr(numpy_ref.models, family)
    weights = random_params(np.random.default_rng(seed), params.shapes(config))
    first, *others = parts
    logits_BV, cache = model.prefill(weights, **padded(first), size=SIZE, config=config)
    for part in others:
        logits_BV, cache = model.extend(weights, read_only(cache), **padded(part), config=config)
    whole = [[*a, *b, *c] for a, b, c in zip(*parts, strict=True)]
    wanted_BV, wanted_cache = model.prefill(weights, **padded(whole), size=SIZE, config=config)
    assert apart(logits_BV, wanted_BV) <= 1e-12
    assert cache["position"].tolist() == [len(text) for text in whole]
    tokens_B = np.array([3, 7])
    next_BV, _ = model.decode(weights, cache, tokens_B=tokens_B, config=config)
    wanted_next_BV, _ = model.decode(weights, wanted_cache, tokens_B=tokens_B, config=config)
    assert apart(next_BV, wanted_next_BV) <= 1e-12


@pytest.mark.parametrize("name", ["gpt", "llama-window"])
def test_the_twins_go_on_alike(name):
    config, family = MODELS[name]
    mine, twin = getattr(numpy_ref.models, family), getattr(jax_impl.models, family)
    weights = random_params(np.random.default_rng(0), params.shapes(config))
    _, cache = mine.prefill(weights, **padded([[1, 2, 3], [4]]), size=SIZE, config=config)
    more = padded([[5], [6, 7, 8]])
    logits_BV, grown = mine.extend(weights, cache, **more, config=config)
    with jax.enable_x64(True):
        on_device = tree.map(jnp.asarray, cache)
        found_BV, found = jax.jit(partial(twin.extend, **more, config=config))(weights, on_device)
        assert apart(found_BV, logits_BV) <= 1e-12
        for part in ("k", "v", "position"):
            assert max(map(apart, tree.leaves([found[part]]), tree.leaves([grown[part]]))) <= 1e-12


def test_a_cache_without_room_is_an_error():
    weights = random_params(np.random.default_rng(0), params.shapes(LLAMA))
    model = numpy_ref.models.llama
    _, cache = model.prefill(weights, **padded([[1, 2, 3]]), size=4, config=LLAMA)
    with pytest.raises(IndexError):
        model.extend(weights, cache, **padded([[1, 2]]), config=LLAMA)
