"""Serving: whoever else is there, a request is answered as `generate` answers it alone."""

import inspect
from dataclasses import replace
from functools import cache
from queue import Queue

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jax_impl.serve
import numpy_ref.generate
import numpy_ref.serve
from cases import random_params
from common import params, random, serving, slots, tree
from common import sampling as shared
from common.config import ClassifierConfig
from common.errors import UserError
from common.sampling import Sampling
from common.serving import Ask, Piece
from common.trace import Trace
from test_generate import KEY, MODELS, S2S, WEIGHTS
from test_shapes import complaints

SIZE = 32
KINDS = [
    Sampling(max_new_tokens=7),
    Sampling(max_new_tokens=20, end_token=(3, 5), repetition_penalty=1.5),
    Sampling(0.8, max_new_tokens=12),
    Sampling(1.2, max_new_tokens=30, end_token=4),
    Sampling(0.9, top_k=6, top_p=0.9, min_p=0.02, repetition_penalty=1.2, max_new_tokens=9, end_token=(1, 2, 8)),
    Sampling(1.5, top_p=0.8, max_new_tokens=1),
]

every_decoder = pytest.mark.parametrize("name", [name for name in MODELS if not name.startswith("seq2seq")])
one_of_each = pytest.mark.parametrize("name", ["gpt", "llama"])
both_twins = pytest.mark.parametrize("twin", [numpy_ref, jax_impl], ids=["numpy", "jax"])


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


@cache
def alone(name, prompt, kind, seed):
    how = {"model": MODELS[name], "sampling": KINDS[kind], "key": random.key(seed)[None]}
    return numpy_ref.generate.generate(WEIGHTS[name], [list(prompt)], **how)[0]


def ask(asked):
    prompt, kind, seed = asked
    return Ask(list(prompt), KINDS[kind], random.key(seed))


def fits(asked, size=SIZE):
    return len(asked[0]) + KINDS[asked[1]].max_new_tokens <= size


def steps(twin, name, asks, *, slots=2, size=SIZE, stride=1):
    return list(twin.serve.serve(WEIGHTS[name], asks, model=MODELS[name], slots=slots, size=size, stride=stride))


def answers(found):
    """The tokens of each request, in the order of their numbers; that each comes to one end is held here."""
    tokens, ended = {}, set()
    for piece in (piece for pieces in found for piece in pieces):
        assert piece.request not in ended
        tokens[piece.request] = tokens.get(piece.request, []) + piece.tokens
        if piece.finished:
            ended.add(piece.request)
        assert piece.tokens or piece.finished
        assert not piece.refused or (piece.finished and not tokens[piece.request])
    assert ended == set(tokens) == set(range(len(tokens)))
    return [tokens[number] for number in range(len(tokens))]


prompts = st.lists(st.integers(0, 10), min_size=1, max_size=20).map(tuple)
requests = st.tuples(prompts, st.integers(0, len(KINDS) - 1), st.integers(0, 5))
queues = st.lists(st.none() | requests | requests, max_size=9)


@every_decoder
@settings(max_examples=40, deadline=None)
@given(queue=queues, slots=st.integers(1, 4), stride=st.integers(1, 5))
def test_every_answer_is_that_of_the_request_alone(name, queue, slots, stride):
    found = steps(numpy_ref, name, map(lambda one: one and ask(one), queue), slots=slots, stride=stride)
    asked = [one for one in queue if one is not None]
    assert answers(found) == [alone(name, *one) if fits(one) else [] for one in asked]
    refused = {piece.request for pieces in found for piece in pieces if piece.refused}
    assert refused == {number for number, one in enumerate(asked) if not fits(one)}


@one_of_each
@settings(max_examples=15, deadline=None)
@given(queue=queues, stride=st.sampled_from([1, 4]))
def test_every_answer_is_the_twins(name, queue, stride):
    how = {"stride": stride if name == "gpt" else 1}  # another stride is another program to compile
    found = answers(steps(jax_impl, name, map(lambda one: one and ask(one), queue), **how))
    assert found == [alone(name, *one) if fits(one) else [] for one in queue if one is not None]


def test_every_answer_is_that_of_the_twins_own_generate():
    asks = [Ask(prompt, KINDS[4], random.fold_in(KEY, i)) for i, prompt in enumerate([[3, 8, 5], [2], [7, 1], [4, 4]])]
    how = {"model": MODELS["gpt"], "sampling": KINDS[4], "key": np.stack([one.key for one in asks])}
    wanted = jax_impl.generate.generate(WEIGHTS["gpt"], [one.prompt for one in asks], **how)
    assert answers(steps(jax_impl, "gpt", asks)) == wanted
    assert len(set(map(len, wanted))) > 1


def test_a_slot_is_given_to_whoever_waits_as_soon_as_it_is_free():
    kinds = [0, 3, 0, 2, 5, 1, 0, 4]
    found = steps(numpy_ref, "gpt", [ask(((1, number), kind, number)) for number, kind in enumerate(kinds)], slots=3)
    there, started, waited = set(), [], 0
    for pieces in found:
        fresh = [piece.request for piece in pieces if piece.request not in started]
        assert not fresh or len(pieces) == 1
        if not fresh:
            assert {piece.request for piece in pieces} == there
            waited += 1
            assert len(there) == 3 or len(started) == len(kinds)  # nobody goes on while a slot is free and one waits
        started += fresh
        there |= set(fresh)
        assert len(there) <= 3
        there -= {piece.request for piece in pieces if piece.finished}
    assert started == list(range(len(kinds)))
    assert waited == max_steps([len(alone("gpt", (1, n), kind, n)) for n, kind in enumerate(kinds)], kinds)


def max_steps(lengths, kinds):
    """The decoding steps of three slots, each taken by the first who waits: an answer of n tokens, its end token
    counted, takes n - 1."""
    free = [0, 0, 0]
    for length, kind in zip(lengths, kinds, strict=True):
        ended = length < KINDS[kind].max_new_tokens
        at = min(free)
        free[free.index(at)] = at + length + ended - 1
    return max(free)


@both_twins
def test_who_cannot_be_answered_is_told_why_and_at_once(twin):
    good = ask(((3, 8), 0, 0))
    greedy, warm = KINDS[0], KINDS[2]
    bad = [
        (Ask([], greedy), "the prompt is empty: give it at least one token"),
        (Ask([3, 11], greedy), "the prompt holds 11, which is no token id: ids go from 0 to 10"),
        (Ask([1] * 81, greedy), "the prompt has 81 tokens, the model 80 positions: shorten it"),
        (Ask([1] * 26, greedy), "26 tokens and 7 new ones do not fit into a slot of 32: set max_new_tokens to at most"),
        (Ask([1] * 32, greedy), "32 tokens and 7 new ones do not fit into a slot of 32: shorten the prompt"),
        (Ask([1], replace(greedy, end_token=(1, 99))), "end_token holds 99, which is no token id"),
        (Ask([1], warm), "sampling at temperature 0.8 needs a key"),
        (Ask([1], warm, random.split(KEY)), "a request has one key, two words"),
    ]
    asks = [good] * 4 + [one for one, _ in bad] + [good]
    found = steps(twin, "gpt", asks)
    assert [piece.request for piece in found[0]] == list(range(4, 12))
    for piece, (_, wanted) in zip(found[0], bad, strict=True):
        assert piece.refused.startswith(wanted) and piece.finished
    wanted = alone("gpt", (3, 8), 0, 0)
    assert answers(found) == [wanted] * 4 + [[]] * 8 + [wanted]


@both_twins
def test_an_end_token_that_comes_first_is_an_empty_answer(twin):
    first = alone("gpt", (3, 8), 0, 0)[0]
    asks = [Ask([3, 8], replace(KINDS[0], end_token=(first, 10))), ask(((3, 8), 0, 0))]
    found = steps(twin, "gpt", asks)
    assert found[0] == [Piece(0, [], True)]
    assert answers(found) == [[], alone("gpt", (3, 8), 0, 0)]


def test_nothing_is_ever_read_beyond_the_end_of_a_slot(monkeypatch):
    """A slot filled to its last place, then empty for long while its neighbour goes on."""
    seen, decode = [], numpy_ref.generate._decode

    def watched(params, cache, tokens_B, **kw):
        seen.append(cache["position"])
        return decode(params, cache, tokens_B, **kw)

    monkeypatch.setattr(numpy_ref.generate, "_decode", watched)
    full, long = Ask([1] * 25, KINDS[0]), Ask([2, 3], replace(KINDS[0], max_new_tokens=30))
    answers(steps(numpy_ref, "gpt", [full, long]))
    position_SB = np.array(seen)
    assert position_SB[:, 0].tolist() == [25, 26, 27, 28, 29, 30, *[0] * 23]
    assert position_SB[:, 1].tolist() == list(range(2, 31))


@both_twins
def test_a_slot_is_silent_after_its_end(twin):
    w, model = WEIGHTS["gpt"], MODELS["gpt"]
    state = twin.serve._empty(w, model=model, number=2, size=SIZE)
    first, third = (alone("gpt", (3, 8), 0, 0)[i] for i in (0, 2))
    for slot, kind in enumerate([replace(KINDS[0], end_token=third), replace(KINDS[0], max_new_tokens=2)]):
        begun = shared.padded([[3, 8]], model=model, width=lambda n: 8)
        state, token = twin.serve._join(w, state, begun, slots.row(kind, None, begun), slot, model=model)
        assert token == first
    after, chosen_LB = twin.serve._step(w, state, model=model, stride=4)
    said = np.asarray(chosen_LB).T.tolist()
    assert [[token for token in row if token >= 0] for row in said] == [alone("gpt", (3, 8), 0, 0)[1:3], said[0][:1]]
    assert not np.any(after.rows.active)


@both_twins
def test_requests_come_at_any_time(twin):
    queue = Queue()
    walk = twin.serve.serve(WEIGHTS["gpt"], serving.arrivals(queue), model=MODELS["gpt"], slots=2, size=SIZE)
    assert [next(walk), next(walk)] == [[], []]
    queue.put(ask(((3, 8), 0, 0)))
    found = [next(walk), next(walk)]
    queue.put(ask(((5,), 2, 1)))
    found += [next(walk) for _ in range(20)]
    assert found[-1] == []
    queue.put(ask(((9, 9), 4, 2)))
    queue.put(None)
    assert answers(found + list(walk)) == [
        alone("gpt", (3, 8), 0, 0),
        alone("gpt", (5,), 2, 1),
        alone("gpt", (9, 9), 4, 2),
    ]


def test_both_twins_are_asked_alike():
    mine, twin = (inspect.signature(package.serve.serve).parameters for package in (numpy_ref, jax_impl))
    assert list(mine.items()) == list(twin.items())


def test_no_request_is_no_step():
    assert steps(numpy_ref, "gpt", []) == []


def test_a_server_compiles_one_program_a_bucket_and_one_for_all_steps():
    programs = [jax_impl.serve._join, jax_impl.serve._step]
    model = replace(MODELS["gpt"], n_blocks=1)  # no other test has compiled it
    w = random_params(np.random.default_rng(8), params.shapes(model))
    rng = np.random.default_rng(3)
    asks = [
        Ask([1] * length, replace(KINDS[rng.integers(6)], max_new_tokens=3, end_token=(length % 11,)), random.key(1))
        for length in range(1, 30)
    ]
    before = [program._cache_size() for program in programs]
    answers(jax_impl.serve.serve(w, asks, model=model, slots=2, size=SIZE))
    assert [program._cache_size() for program in programs] == [before[0] + 3, before[1] + 1]


@pytest.mark.parametrize("platform", ["tpu", "cuda", "cpu"])
def test_a_server_is_lowered_for_every_platform(platform):
    w, model = WEIGHTS["llama"], MODELS["llama"]
    state = jax_impl.serve._empty(w, model=model, number=2, size=SIZE)
    begun = shared.padded([[3, 8]], model=model, width=shared.bucket)
    row = slots.row(KINDS[4], random.key(0), begun)
    for program, args, how in ((jax_impl.serve._join, (begun, row, 0), {}), (jax_impl.serve._step, (), {"stride": 2})):
        exported = jax.export.export(program, platforms=[platform])(w, state, *args, model=model, **how)
        text = exported.mlir_module()
        assert exported.platforms == (platform,) and "stablehlo.case" in text
        # the one kernel is JAX's own for random bits on CUDA, promised to exported programs
        assert text.count("custom_call @") == text.count("custom_call @cu_threefry2x32_ffi")


@both_twins
@pytest.mark.parametrize(
    ("model", "change", "wanted"),
    [
        ("seq2seq", {}, "slots are for a decoder alone, gpt or llama"),
        ("classifier", {}, "slots are for a decoder alone, gpt or llama"),
        ("gpt", {"slots": 0}, "slots must be a whole number of at least 1, not 0"),
        ("gpt", {"stride": 1.5}, "stride must be a whole number of at least 1, not 1.5"),
        ("gpt", {"size": 81}, "slots of 81 tokens are longer than the model's 80 positions"),
    ],
)
def test_slots_that_cannot_be_are_a_sentence(twin, model, change, wanted):
    config = {"seq2seq": S2S, "classifier": ClassifierConfig()}.get(model, MODELS["gpt"])
    with pytest.raises(UserError, match=wanted):
        twin.serve.serve(WEIGHTS["gpt"], [], **{"model": config, "slots": 2, "size": 8} | change)


@one_of_each
def test_letters_are_shapes(name):
    w = WEIGHTS[name]
    with Trace(w) as trace:
        steps(numpy_ref, name, [ask(((3, 8), 4, 0)), ask(((5,), 2, 1))])
    calls = [call for call in trace.calls if call.function.startswith("serve") and "_placed" not in call.function]
    assert {call.function.split(".")[1].split("#")[0] for call in calls} >= {"_join", "_step", "_chosen"}
    assert [text for call in calls for text in complaints(call)] == []


def test_the_cache_has_the_dtype_of_the_parameters():
    w = tree.cast(WEIGHTS["llama"], np.float32)
    for twin in (numpy_ref, jax_impl):
        state = twin.serve._empty(w, model=MODELS["llama"], number=2, size=8)
        assert {str(leaf.dtype) for leaf in state.cache["k"] + state.cache["v"]} == {"float32"}
