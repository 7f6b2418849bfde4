"""What LLaMA's parts promise, whatever the weights, shapes and texts are.

What it shares with the other sequence models is in test_sequence_facts.py, generation in test_generate.py, the figures
of Hugging Face in test_golden.py.
"""

import json
import math
from dataclasses import replace
from decimal import Decimal, localcontext
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cases import attention as attention_shapes
from cases import random_params
from common import masks, params, random, tree
from common.config import GATES, LlamaConfig
from common.errors import UserError
from common.positions import rotary, speeds
from jax_impl.models import llama as twin_llama
from numpy_ref.layers import attention, rmsnorm
from numpy_ref.models import llama
from numpy_ref.ops import rope, silu, softmax
from test_sequence_facts import apart, cotangent, few, models, run

BAR = 1e-12
SMALL = LlamaConfig(11, 12, n_heads=4, n_kv_heads=2, d_head=6, d_ffn=10, max_len=9)
SCALED = {"rope_base": 50.0, "rope_factor": 8.0, "rope_trained_len": 12}
TOKENS_BT = np.array([[8, 3, 6, 9, 0, 1, 4], [10, 9, 4, 2, 5, 0, 7]])
"""No token twice in a row, so that each place is told from the others."""


def weights_of(config, seed=0):
    return random_params(np.random.default_rng(seed), params.shapes(config))


def turn_of(position_T, speed_P):
    angle_1TP = np.asarray(position_T)[None, :, None] * speed_P
    return np.cos(angle_1TP), np.sin(angle_1TP)


# ---- turning ----


@st.composite
def turned(draw):
    """Queries and keys of one row, the speeds of their pairs, and a distance to move all of them by."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    length, pairs, rest = draw(st.integers(1, 6)), draw(st.integers(0, 3)), draw(st.integers(0, 3))
    shape = (1, length, draw(st.integers(1, 3)), 2 * pairs + max(rest, pairs == 0))
    return rng.normal(size=shape), rng.normal(size=shape), rng.uniform(0, 1, pairs), draw(st.integers(1, 300))


@given(case=turned())
@few
def test_scores_depend_on_distances_alone(case):
    q_BTHK, k_BTHK, speed_P, shift = case

    def scores(by):
        turn = turn_of(np.arange(q_BTHK.shape[1]) + by, speed_P)
        a_BTHK, b_BTHK = (rope.forward(x_BTHK, turn=turn)[0] for x_BTHK in (q_BTHK, k_BTHK))
        return a_BTHK.swapaxes(1, 2) @ b_BTHK.transpose(0, 2, 3, 1)

    assert apart([scores(shift)], [scores(0)]) <= BAR


@given(case=turned())
@few
def test_turning_keeps_lengths_and_leaves_the_rest(case):
    x_BTHK, dy_BTHK, speed_P, shift = case
    half = len(speed_P)
    turn = turn_of(np.arange(x_BTHK.shape[1]) * shift, speed_P)
    y_BTHK, saved = rope.forward(x_BTHK, turn=turn)
    assert np.array_equal(y_BTHK[:, :1], x_BTHK[:, :1])  # the first position is not turned
    assert np.array_equal(y_BTHK[..., 2 * half :], x_BTHK[..., 2 * half :])
    for z_BTHK in (y_BTHK, rope.backward(dy_BTHK, saved)):
        before = x_BTHK if z_BTHK is y_BTHK else dy_BTHK
        lengths = [np.hypot(z[..., :half], z[..., half : 2 * half]) for z in (z_BTHK, before)]
        np.testing.assert_allclose(*lengths, rtol=1e-14, atol=0)
    assert apart([rope.backward(y_BTHK, saved)], [x_BTHK]) <= 1e-15


def vectors(config, weights, tokens_BT, position_T):
    """The tokens' vectors after all blocks, with the tokens standing at these positions."""
    x_BTD = weights["emb"]["w"][tokens_BT]
    where_BT = np.broadcast_to(position_T, tokens_BT.shape)
    turn = llama.turns(where_BT, int(np.max(position_T)) + 1, config, x_BTD.dtype)
    mask_BTS = masks.seen(np.broadcast_to(np.arange(len(position_T)), tokens_BT.shape), len(position_T), config.window)
    for block in weights["blocks"]:
        x_BTD, _ = llama.block_forward(block, x_BTD, mask_BTS=mask_BTS, turn=turn, config=config)
    return x_BTD


@given(data=st.data())
@few
def test_a_text_that_begins_later_is_read_alike(data):
    config, weights, sides = data.draw(models(LlamaConfig))
    position_T = np.arange(sides["tokens_BT"].shape[1])
    shifts = 0, data.draw(st.integers(1, 300))
    begun, later = (vectors(config, weights, sides["tokens_BT"], position_T + shift) for shift in shifts)
    assert apart([later], [begun]) <= BAR


def test_a_text_that_is_stretched_is_not():
    position_T, weights = np.arange(7), weights_of(SMALL)
    near, far = (vectors(SMALL, weights, TOKENS_BT, factor * position_T) for factor in (1, 2))
    assert np.array_equal(near[:, 0], far[:, 0])
    assert np.all(np.any(np.abs(near - far)[:, 1:] > 1e-3, axis=2))


@pytest.mark.parametrize(("share", "blind"), [(0.0, True), (1 / 3, False), (1.0, False)])
def test_only_turning_tells_the_order_of_what_came_before(share, blind):
    config = replace(SMALL, n_blocks=1, rope_share=share)
    weights, other_BT = weights_of(config), TOKENS_BT[:, [4, 2, 0, 5, 1, 3, 6]]
    found, wanted = (run(config, weights, {"tokens_BT": x})[0][:, -1:] for x in (other_BT, TOKENS_BT))
    assert (apart([found], [wanted]) <= BAR) == blind
    assert apart([found], [wanted]) <= BAR or apart([found], [wanted]) > 1e-3


@pytest.mark.parametrize("share", [0.0, 1 / 3, 1.0])
def test_a_keys_bias_counts_where_it_turns(share):
    """What is added to all keys alike moves all scores of a query alike, unless it is turned on its way."""
    config = replace(SMALL, bias=True, rope_share=share)
    logits_BTV, backward = run(config, weights_of(config), {"tokens_BT": TOKENS_BT})
    grads = backward(cotangent(logits_BTV))
    top = np.max(np.abs(grads["blocks"][0]["attn"]["q"]["b"]))
    for block in grads["blocks"]:
        db_NK = np.abs(block["attn"]["k"]["b"]).reshape(config.n_kv_heads, -1)
        assert np.all(db_NK[:, : config.turning] > 1e-6 * top)
        assert np.all(db_NK[:, config.turning :] < 1e-13 * top)


# ---- how fast ----


def meta_speeds(config):
    """The frequencies of Meta's code: precompute_freqs_cis, apply_scaling."""
    width = config.turning
    freqs = 1.0 / (config.rope_base ** (np.arange(0, width, 2)[: width // 2] / max(width, 1)))
    if config.rope_factor == 1:
        return freqs
    low_freq_wavelen = config.rope_trained_len / config.rope_low_turns
    high_freq_wavelen = config.rope_trained_len / config.rope_high_turns
    new_freqs = []
    for freq in freqs:
        wavelen = 2 * math.pi / freq
        if wavelen < high_freq_wavelen:
            new_freqs.append(freq)
        elif wavelen > low_freq_wavelen:
            new_freqs.append(freq / config.rope_factor)
        else:
            smooth = (config.rope_trained_len / wavelen - config.rope_low_turns) / (
                config.rope_high_turns - config.rope_low_turns
            )
            new_freqs.append((1 - smooth) * freq / config.rope_factor + smooth * freq)
    return np.array(new_freqs)


@st.composite
def stretches(draw):
    low = draw(st.floats(0.1, 4.0))
    return LlamaConfig(
        1,
        d_head=2 * draw(st.integers(1, 64)),
        rope_base=draw(st.floats(2.0, 1e6)),
        rope_factor=draw(st.floats(1.0, 64.0)),
        rope_low_turns=low,
        rope_high_turns=low + draw(st.floats(0.1, 8.0)),
        rope_trained_len=draw(st.integers(1, 10_000)),
    )


@given(config=stretches())
@few
def test_fast_hands_are_left_alone_and_slow_ones_slowed_by_the_factor(config):
    found, plain = speeds(config), speeds(replace(config, rope_factor=1.0))
    turns = config.rope_trained_len * plain / (2 * np.pi)
    fast, slow = turns >= config.rope_high_turns, turns <= config.rope_low_turns
    assert np.array_equal(found[fast], plain[fast])
    np.testing.assert_allclose(found[slow], plain[slow] / config.rope_factor, rtol=3e-16)
    between = ~fast & ~slow
    assert np.all(found[between] <= plain[between])
    assert np.all(found[between] >= plain[between] / config.rope_factor * (1 - 3e-16))
    assert np.all(np.diff(found) < 0)
    np.testing.assert_allclose(found, meta_speeds(config), rtol=1e-13)


def test_a_share_of_a_head_turns_as_a_narrower_head_would():
    config = replace(SMALL, d_head=16, rope_share=0.25, **SCALED)
    assert np.array_equal(speeds(config), speeds(replace(config, d_head=4, rope_share=1.0)))


def test_a_factor_of_one_stretches_nothing():
    plain = replace(SMALL, rope_low_turns=0.3, rope_high_turns=0.5, rope_trained_len=3)
    np.testing.assert_allclose(speeds(plain), 10_000.0 ** (-np.arange(0, 6, 2) / 6), rtol=3e-16)
    assert np.any(speeds(replace(plain, rope_factor=2.0)) != speeds(plain))


PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494459230781640628620899")


def exact_cos_sin(angle: Decimal):
    """Of an angle of any size, by the series."""
    rest = angle % (2 * PI)
    terms = [rest**n / math.factorial(n) for n in range(90)]
    cos, sin = (sum((-1) ** (n // 2) * terms[n] for n in range(odd, 90, 2)) for odd in (0, 1))
    return float(cos), float(sin)


FAR = 100_000
LONG = replace(SMALL, d_head=16, max_len=FAR + 1, rope_base=500_000.0)


def test_the_table_is_right_at_position_100_000():
    """Off by no more than the rounding of the angle itself, an ulp or two. Angles in float32 would be off by 0.001."""
    with localcontext() as context:
        context.prec = 70
        speed = [Decimal(500_000) ** (Decimal(-2 * i) / 16) for i in range(8)]
        exact = np.array([exact_cos_sin(FAR * s) for s in speed]).T
    cos_SP, sin_SP = rotary(FAR + 1, LONG)
    angle_P = FAR * np.array([float(s) for s in speed])
    for found, wanted in ((cos_SP[FAR], exact[0]), (sin_SP[FAR], exact[1])):
        assert np.all(np.abs(found - wanted) <= 2.0**-52 * (2 * angle_P + 1))
    narrow_P = np.float32(FAR) * speeds(LONG).astype(np.float32)
    assert np.max(np.abs(np.cos(narrow_P) - exact[0])) > 1e-4


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_the_twins_turn_by_that_table_in_float32_too(dtype):
    """Angles are computed in float64 and only their cosines and sines are rounded, not below float32."""
    position_BT = np.array([[FAR, 3]])
    exact = [table_SP[position_BT] for table_SP in rotary(FAR + 1, LONG)]
    twin = twin_llama.turns(jnp.asarray(position_BT), FAR + 1, LONG, dtype)
    found = [twin] if dtype == jnp.bfloat16 else [twin, llama.turns(position_BT, FAR + 1, LONG, np.dtype(np.float32))]
    for tables in found:
        for table, wanted in zip(tables, exact, strict=True):
            assert table.dtype == np.float32
            assert np.max(np.abs(np.float64(table) - wanted)) <= 2.0**-24


# ---- the other layout ----


def interleaved(w, heads):
    """The columns of a projection as Meta keeps them: the two of a pair side by side, not half a head apart."""
    return w.reshape(*w.shape[:-1], heads, 2, -1).swapaxes(-1, -2).reshape(w.shape)


@given(data=st.data())
@few
def test_metas_layout_and_rotation_give_the_same_logits(data):
    """Weights permuted, and Meta's apply_rotary_emb: neighbours are one complex number, turned by a product."""
    config, weights, sides = data.draw(models(LlamaConfig, rope_share=1.0))

    def apply_rotary_emb(x, *, turn):
        t = np.arange(sides["tokens_BT"].shape[1])
        freqs_cis = np.exp(1j * np.outer(t, meta_speeds(config)))
        x_ = np.ascontiguousarray(x).view(np.complex128)
        shape = [x_.shape[i] if i in (1, x_.ndim - 1) else 1 for i in range(x_.ndim)]
        return (x_ * freqs_cis.reshape(shape)).view(np.float64), None

    def permuted(name, w):
        heads = {"attn.q": config.n_heads, "attn.k": config.n_kv_heads}.get(".".join(name.split(".")[2:4]))
        return interleaved(w, heads) if heads else w

    metas = tree.build({name: permuted(name, w) for name, w in tree.named(weights).items()})
    wanted, _ = run(config, weights, sides)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rope, "forward", apply_rotary_emb)
        found, _ = run(config, metas, sides)
        mixed, _ = run(config, weights, sides)
    assert apart([found], [wanted]) <= BAR
    if config.d_head > 2 and config.window != 1 and len({*sides["tokens_BT"][0].tolist()}) > 1:
        assert apart([mixed], [wanted]) > 1e-9  # the layout is not a matter of taste


# ---- shared heads ----


@given(seed=st.integers(0, 2**32 - 1), heads=st.integers(1, 4), width=st.integers(1, 5), turning=st.booleans())
@few
def test_a_key_head_for_each_query_head_is_ordinary_attention(seed, heads, width, turning):
    """Head by head, from the definition."""
    rng = np.random.default_rng(seed)
    b, t, d = rng.integers(1, 6, 3)
    weights = random_params(rng, attention_shapes(d, heads, heads, 2 * width, bias=True))
    x_BTD, mask_BTT = rng.normal(size=(b, t, d)), np.broadcast_to(masks.causal(t), (b, t, t))
    turn = turn_of(np.arange(t), rng.uniform(0, 1, width)) if turning else None
    found, _ = attention.forward(weights, x_BTD, x_BTD, n_heads=heads, n_kv_heads=heads, mask_BTS=mask_BTT, turn=turn)
    answers = []
    for head in range(heads):
        own = slice(2 * width * head, 2 * width * (head + 1))
        q, k, v = (x_BTD @ weights[n]["w"][:, own] + weights[n]["b"][own] for n in "qkv")
        q, k = (rope.forward(x, turn=turn)[0] for x in (q, k))
        scores = np.where(mask_BTT, q @ k.swapaxes(1, 2) / math.sqrt(2 * width), -np.inf)
        answers.append(softmax.forward(scores)[0] @ v)
    assert apart([found], [np.concatenate(answers, axis=-1) @ weights["o"]["w"] + weights["o"]["b"]]) <= BAR


@given(data=st.data())
@few
def test_shared_heads_are_repeated_ones_and_get_the_sum_of_their_gradients(data):
    config, weights, sides = data.draw(models(LlamaConfig))
    n, group = config.n_kv_heads, config.n_heads // config.n_kv_heads

    def shared(name):
        return any(part in name for part in (".attn.k.", ".attn.v."))

    def repeated(w):
        return np.repeat(w.reshape(*w.shape[:-1], n, -1), group, axis=-2).reshape(*w.shape[:-1], -1)

    def summed(g):
        return g.reshape(*g.shape[:-1], n, group, -1).sum(axis=-2).reshape(*g.shape[:-1], -1)

    apiece = {name: repeated(w) if shared(name) else w for name, w in tree.named(weights).items()}
    logits_BTV, backward = run(config, weights, sides)
    found_BTV, found_backward = run(replace(config, n_kv_heads=config.n_heads), tree.build(apiece), sides)
    assert apart([found_BTV], [logits_BTV]) <= BAR
    grads = tree.named(found_backward(cotangent(logits_BTV)))
    found = {name: summed(g) if shared(name) else g for name, g in grads.items()}
    assert apart(tree.build(found), backward(cotangent(logits_BTV))) <= BAR


# ---- the window ----


@given(data=st.data())
@few
def test_a_window_reaches_so_far_back_in_every_block_and_no_further(data):
    """Each token in its own row of the table: where the gradient of one position arrives is what it has seen."""
    window, length = data.draw(st.integers(1, 5)), 12
    config, weights, _ = data.draw(models(LlamaConfig, vocab=length, tied=False, window=window))
    tokens_1T = np.random.default_rng(length).permutation(length)[None]
    place = data.draw(st.integers(0, length - 1))
    logits_1TV, backward = run(config, weights, {"tokens_BT": tokens_1T})
    d_emb = backward(cotangent(logits_1TV) * (np.arange(length) == place)[:, None])["emb"]["w"]
    seen = np.flatnonzero(np.any(d_emb[tokens_1T[0]] != 0.0, axis=1))
    assert seen.tolist() == list(range(max(0, place - config.n_blocks * (window - 1)), place + 1))


@given(data=st.data())
@few
def test_a_window_as_long_as_the_text_is_none(data):
    config, weights, sides = data.draw(models(LlamaConfig, window=0))
    length = sides["tokens_BT"].shape[1]
    wanted, _ = run(config, weights, sides)
    for window in (length, length + 3):
        assert np.array_equal(run(replace(config, window=window), weights, sides)[0], wanted)


@pytest.mark.parametrize("window", [0, 1, 3, 9])
def test_what_is_seen_from_any_position(window):
    """From the definition, place by place; positions of a row may begin anywhere, and twins share the function."""
    position_BT, size = np.array([[0, 1, 2], [3, 7, 5]]), 8
    found = masks.seen(position_BT, size, window)
    for b, t, place in np.ndindex(found.shape):
        position = position_BT[b, t]
        assert found[b, t, place] == (place <= position and (window == 0 or position - place < window))
    assert np.array_equal(masks.seen(jnp.asarray(position_BT), size, window), found)


# ---- RMSNorm and SiLU ----


@given(seed=st.integers(0, 2**32 - 1), factor=st.floats(1e-3, 1e3))
@few
def test_a_norm_forgets_length_and_has_no_gradient_along_it(seed, factor):
    """Exactly so where eps is 0; where it is not, a short vector is seen to be short."""
    rng = np.random.default_rng(seed)
    x_BTD, dy_BTD, g_D = rng.normal(size=(2, 3, 5)), rng.normal(size=(2, 3, 5)), rng.normal(size=5)
    y_BTD, saved = rmsnorm.forward({"g": g_D}, x_BTD, eps=0.0)
    longer_BTD, saved_longer = rmsnorm.forward({"g": g_D}, factor * x_BTD, eps=0.0)
    assert apart([longer_BTD], [y_BTD]) <= 1e-14
    np.testing.assert_allclose(np.mean((y_BTD / g_D) ** 2, axis=-1), 1.0, rtol=1e-14)
    d_params, dx_BTD = rmsnorm.backward(dy_BTD, saved)
    d_longer, dx_longer_BTD = rmsnorm.backward(dy_BTD, saved_longer)
    assert apart([d_longer, factor * dx_longer_BTD], [d_params, dx_BTD]) <= 1e-13
    assert np.max(np.abs(np.sum(dx_BTD * x_BTD, axis=-1))) <= 1e-13 * np.max(np.abs(dy_BTD * y_BTD))
    short_BTD, saved_short = rmsnorm.forward({"g": g_D}, 1e-3 * x_BTD, eps=1e-3)
    assert np.max(np.abs(short_BTD)) < 0.2 * np.max(np.abs(y_BTD))
    assert np.any(np.abs(np.sum(rmsnorm.backward(dy_BTD, saved_short)[1] * x_BTD, axis=-1)) > 1e-3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_silu_is_a_smooth_step_that_never_overflows(dtype):
    x = np.concatenate([np.linspace(-30, 30, 601), [-1e4, 1e4]]).astype(dtype)
    (y, saved), (y_mirrored, _) = silu.forward(x), silu.forward(-x)
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(y - y_mirrored, x, rtol=2 * eps, atol=eps)
    wanted = [v / (1 + math.exp(-v)) if v > -700 else 0.0 for v in x.tolist()]
    np.testing.assert_allclose(y, wanted, rtol=40 * eps, atol=1e-300)  # relative: its tail is small, not zero
    assert np.all(np.isfinite(silu.backward(np.ones_like(x), saved)))


def test_the_twins_silu_keeps_its_digits_in_bfloat16():
    import jax.numpy as jnp

    from jax_impl.ops import silu as twin

    x = np.linspace(-12, 12, 97)
    found = np.asarray(twin.forward(jnp.asarray(x, jnp.bfloat16)), np.float64)
    rounded = np.asarray(jnp.asarray(x, jnp.bfloat16), np.float64)
    np.testing.assert_allclose(found, silu.forward(rounded)[0], rtol=2**-8)


# ---- dtype ----


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_follows_the_parameters(dtype):
    """In the twin also where float64 is on, so that a constant in float64 would show."""
    sides = {"tokens_BT": TOKENS_BT}
    for gate in GATES:
        config = replace(SMALL, gate=gate, bias=True, tied=gate == "silu", window=3, **SCALED)
        weights = params.init(random.key(0), config, dtype)
        logits_BTV, backward = run(config, weights, sides)
        assert {leaf.dtype for leaf in [logits_BTV, *tree.leaves(backward(cotangent(logits_BTV)))]} == {np.dtype(dtype)}
        if gate != "silu":
            continue  # the twin's gates are asked one by one in test_parity.py

        def both(weights, config=config):
            logits_BTV, vjp = jax.vjp(partial(twin_llama.forward, **sides, config=config), weights)
            return logits_BTV, vjp(jnp.ones_like(logits_BTV))

        with jax.enable_x64(True):
            assert {leaf.dtype for leaf in jax.tree.leaves(jax.eval_shape(both, weights))} == {np.dtype(dtype)}


# ---- what cannot be configured ----


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"vocab": 0}, "vocab must be a whole number of at least 1, not 0"),
        ({"n_kv_heads": 0}, "n_kv_heads must be a whole number of at least 1, not 0"),
        ({"d_head": 6.0}, "d_head must be a whole number of at least 1, not 6.0"),
        ({"n_kv_heads": 3}, "4 heads cannot share 3 key/value heads evenly: make n_heads a multiple"),
        ({"n_kv_heads": 8}, "4 heads cannot share 8 key/value heads evenly: make n_heads a multiple"),
        (
            {"d_head": 5},
            "rope_share 1 of a head of 5 is 5 numbers: pairs turn, so it must be an even number",
        ),
        (
            {"rope_share": 0.5},
            "rope_share 0.5 of a head of 6 is 3 numbers: pairs turn, so it must be an even number",
        ),
        ({"rope_share": 1.5}, "rope_share must be a number at least 0 and at most 1, not 1.5"),
        ({"rope_base": 1}, "rope_base must be a number above 1, not 1"),
        ({"rope_factor": 0.5}, "rope_factor must be a number at least 1, not 0.5"),
        ({"rope_low_turns": 0}, "rope_low_turns must be a number above 0, not 0"),
        ({"rope_low_turns": 4.0}, "rope_high_turns must be a number above 4, not 4.0"),
        ({"rope_trained_len": 0}, "rope_trained_len must be a whole number of at least 1, not 0"),
        ({"gate": "swish"}, "gate must be one of silu, gelu, gelu_exact, relu, not 'swish'"),
        ({"tied": 1}, "tied must be true or false, not 1"),
        ({"bias": "no"}, "bias must be true or false, not 'no'"),
        ({"window": -1}, "window must be a whole number of at least 0, not -1"),
        ({"eps": 0}, "eps must be a number above 0, not 0"),
    ],
    ids=str,
)
def test_a_wrong_value_is_named_with_what_is_right(values, sentence):
    with pytest.raises(UserError) as caught:
        replace(SMALL, **values)
    assert str(caught.value) == sentence


def test_to_a_dict_and_back_through_json():
    config = replace(SMALL, tied=False, bias=True, window=4, gate="relu", rope_share=4 / 6, **SCALED)
    assert LlamaConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_a_head_of_odd_width_may_stay_as_it_is():
    config = replace(SMALL, d_head=5, rope_share=0.0)
    logits_BTV, _ = run(config, weights_of(config), {"tokens_BT": TOKENS_BT})
    assert np.all(np.isfinite(logits_BTV))
