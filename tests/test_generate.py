"""Generation: the cache changes nothing, a batch is its rows, and both twins choose the same tokens."""

from dataclasses import replace
from itertools import product
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jax_impl.generate
import jax_impl.models.gpt
import jax_impl.models.llama
import jax_impl.models.seq2seq
import numpy_ref.generate
import numpy_ref.models.gpt
import numpy_ref.models.llama
import numpy_ref.models.seq2seq
from cases import padding, random_params, read_only
from common import params, random, tree
from common import sampling as shared
from common.config import GATES, GPTConfig, LlamaConfig, Seq2SeqConfig
from common.errors import UserError
from common.sampling import Sampling
from common.trace import Trace
from test_shapes import complaints

BAR = 1e-12
START = 1
GPT = GPTConfig(vocab=11, d_model=12, n_blocks=2, n_heads=3, d_ffn=10, max_len=80)
S2S = Seq2SeqConfig(9, 11, d_model=12, n_encoder=1, n_decoder=2, n_heads=3, d_ffn=10, max_len=80)
LLAMA = LlamaConfig(11, 12, n_blocks=2, n_heads=4, n_kv_heads=2, d_head=6, d_ffn=10, max_len=80)
MODELS = {
    "gpt": GPT,
    "gpt-untied": replace(GPT, positions="sinusoidal", tied=False),
    "seq2seq": S2S,
    "seq2seq-tied": replace(S2S, positions="learned", tied=True),
    "llama": LLAMA,
    "llama-window-partial": replace(LLAMA, tied=False, bias=True, window=5, rope_share=4 / 6, rope_factor=8.0),
}


def lively(model, seed):
    """Weights with which a model does not say one token for ever: small biases, so that what is read decides."""
    drawn = tree.named(random_params(np.random.default_rng(seed), params.shapes(model)))
    change = {"b": lambda x: 0.1 * x, "g": lambda x: 1 + x, "w": lambda x: 1.5 * x}
    return tree.build({name: change[name[-1]](x) for name, x in drawn.items()})


WEIGHTS = {name: lively(model, 5) for name, model in MODELS.items()}
PROMPTS = [[3, 8, 5], [2], [7, 7, 1, 4, 6, 2, 0, 3]]
NEW = 40
"""How many tokens most tests ask for: with any of the prompts they fill the same bucket, so that JAX compiles once."""
GREEDY = Sampling(max_new_tokens=NEW)
MIXED = Sampling(0.9, top_k=8, top_p=0.95, min_p=0.02, repetition_penalty=1.2, max_new_tokens=NEW, end_token=3)
KEY = random.key(3)

every_model = pytest.mark.parametrize("name", MODELS)
one_of_each = pytest.mark.parametrize("name", ["gpt", "seq2seq", "llama"])
both_twins = pytest.mark.parametrize("twin", [numpy_ref, jax_impl], ids=["numpy", "jax"])


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


def options(name):
    """What `generate` needs to be told of a model."""
    return {"model": MODELS[name]} | ({"start_token": START} if name.startswith("seq2seq") else {})


def begin(name):
    """What `generate` hands to prefill, with the room that most tests need."""
    return shared.request(PROMPTS, max_new_tokens=NEW, width=shared.bucket, **options(name))


def module(model, twin=numpy_ref):
    return {GPTConfig: twin.models.gpt, LlamaConfig: twin.models.llama}.get(type(model), twin.models.seq2seq)


def apart(a, b):
    return np.max(np.abs(np.asarray(a) - np.asarray(b))) / np.max(np.abs(b))


def whole(w, text, source, model):
    """The logits (T, V) of one text, by the forward pass that training uses."""
    texts = {"tokens_BT": np.array([text]), "config": model}
    if isinstance(model, Seq2SeqConfig):
        texts |= {"src_BS": np.array([source]), "src_mask_BS": np.ones((1, len(source)), bool)}
    return module(model).forward(w, **texts)[0][0]


def request(texts, sources, model):
    return shared.padded(texts, model=model, sources=sources if isinstance(model, Seq2SeqConfig) else None)


def prefill(w, texts, sources, model, size, twin=numpy_ref):
    asked = request(texts, sources, model)
    kw = {"tokens_BT": asked.tokens, "lengths_B": asked.lengths, "size": size, "config": model}
    if asked.src is not None:
        kw |= {"src_BS": asked.src, "src_mask_BS": asked.src_mask}
    return module(model, twin).prefill(w, **kw)


# ---- the cache changes nothing ----


@st.composite
def situations(draw):
    """A small random model, texts and sources of mixed lengths, and the tokens that follow."""
    sizes = {"d_model": 2 * draw(st.integers(1, 3)), "d_ffn": draw(st.integers(1, 5)), "max_len": 16}
    sizes |= {"n_heads": draw(st.sampled_from([1, 2])), "tied": draw(st.booleans())}
    blocks, vocab, rows = draw(st.integers(1, 3)), draw(st.integers(2, 7)), draw(st.integers(1, 4))
    texts = st.lists(st.lists(st.integers(0, vocab - 1), min_size=1, max_size=6), min_size=rows, max_size=rows)
    positions = {"positions": draw(st.sampled_from(["learned", "sinusoidal"]))}
    rotary = {
        "n_kv_heads": draw(st.sampled_from([1, sizes["n_heads"]])),
        "d_head": 4,
        "rope_share": draw(st.sampled_from([0.0, 0.5, 1.0])),
        "window": draw(st.integers(0, 9)),
        "gate": draw(st.sampled_from(GATES)),
        "bias": draw(st.booleans()),
    }
    model = draw(
        st.sampled_from(
            [
                GPTConfig(vocab=vocab, n_blocks=blocks, **sizes | positions),
                Seq2SeqConfig(vocab, vocab, n_encoder=1, n_decoder=blocks, **sizes | positions),
                LlamaConfig(vocab=vocab, n_blocks=blocks, **sizes | rotary),
            ]
        )
    )
    seed, new = draw(st.integers(0, 99)), draw(st.integers(1, 8))
    rng = np.random.default_rng(seed)
    w = random_params(rng, params.shapes(model))
    return SimpleNamespace(
        model=model,
        w=w,
        texts=draw(texts),
        sources=draw(texts),
        new_BL=rng.integers(0, vocab, (rows, new)),
        spare=draw(st.integers(0, 2)),
        rng=rng,
    )


@settings(max_examples=60, deadline=None)
@given(case=situations())
def test_cached_equals_uncached(case):
    size = max(map(len, case.texts)) + case.new_BL.shape[1] + case.spare
    logits_BV, cache = prefill(case.w, case.texts, case.sources, case.model, size)
    steps = [logits_BV]
    for tokens_B in case.new_BL.T:
        logits_BV, cache = module(case.model).decode(case.w, read_only(cache), tokens_B=tokens_B, config=case.model)
        steps.append(logits_BV)
    for row, (text, source) in enumerate(zip(case.texts, case.sources, strict=True)):
        wanted = whole(case.w, text + case.new_BL[row].tolist(), source, case.model)[len(text) - 1 :]
        assert apart(np.array(steps)[:, row], wanted) <= BAR
    assert cache["position"].tolist() == [len(text) + case.new_BL.shape[1] for text in case.texts]


@settings(max_examples=40, deadline=None)
@given(case=situations())
def test_what_comes_later_changes_nothing(case):
    text = case.texts[0]
    cut = case.rng.integers(0, len(text)) + 1
    other = text[:cut] + case.rng.integers(0, 2, 5).tolist()
    found, wanted = (whole(case.w, t, case.sources[0], case.model)[:cut] for t in (other, text))
    assert apart(found, wanted) <= BAR


@settings(max_examples=40, deadline=None)
@given(case=situations())
def test_what_stands_in_the_padding_is_never_seen(case):
    asked = request(case.texts, case.sources, case.model)
    real_BT = padding([len(text) for text in case.texts], asked.tokens.shape[1])
    kw = {"lengths_B": asked.lengths, "size": asked.tokens.shape[1], "config": case.model}
    other = {}
    if asked.src is not None:
        kw |= {"src_BS": asked.src, "src_mask_BS": asked.src_mask}
        other = {"src_BS": np.where(asked.src_mask, asked.src, 1)}
    run = module(case.model).prefill
    wanted, _ = run(case.w, tokens_BT=asked.tokens, **kw)
    found, _ = run(case.w, tokens_BT=np.where(real_BT, asked.tokens, 1), **(kw | other))
    assert np.array_equal(found, wanted)


@every_model
def test_a_wider_source_changes_nothing(name):
    model, w = MODELS[name], WEIGHTS[name]
    wanted, _ = prefill(w, [[START]] * 3, PROMPTS, model, 4)
    if not isinstance(model, Seq2SeqConfig):
        wider = shared.padded([[START]] * 3, model=model, width=lambda n: n + 5)
        kw = {}
    else:
        wider = shared.padded([[START]] * 3, model=model, sources=PROMPTS, width=lambda n: n + 5)
        kw = {"src_BS": wider.src, "src_mask_BS": wider.src_mask}
    found, _ = module(model).prefill(w, tokens_BT=wider.tokens, lengths_B=wider.lengths, size=6, config=model, **kw)
    assert apart(found, wanted) <= BAR


@every_model
def test_prefill_and_decode_equal_the_twins(name):
    model, w = MODELS[name], WEIGHTS[name]
    mine, twin = numpy_ref.generate, jax_impl.generate
    asked, size = begin(name)
    a, cache_a = mine._prefill(w, asked, size=size, model=model)
    b, cache_b = twin._prefill(w, asked, size=size, model=model)
    for tokens in ([4, 0, 10], [4, 1, 3]):
        assert apart(b, a) <= BAR
        a, cache_a = mine._decode(w, cache_a, np.array(tokens, np.int32), model=model)
        b, cache_b = twin._decode(w, cache_b, np.array(tokens, np.int32), model=model)
    assert apart(b, a) <= BAR
    assert cache_a.keys() == cache_b.keys()
    for part, kept in cache_a.items():
        for leaf_a, leaf_b in zip(tree.leaves(kept), tree.leaves(cache_b[part]), strict=True):
            assert apart(1.0 * leaf_b, 1.0 * leaf_a) <= BAR


# ---- whole answers ----


@pytest.mark.parametrize(
    ("twin", "name"),
    # of the others prefill and decode are held equal to NumPy's above: their loops would only take time to compile
    [*((numpy_ref, name) for name in MODELS), *((jax_impl, name) for name in ("gpt", "seq2seq", "llama"))],
)
def test_greedy_answers_are_those_of_the_long_way(twin, name):
    model, w = MODELS[name], WEIGHTS[name]
    found = twin.generate.generate(w, PROMPTS, sampling=GREEDY, **options(name))
    for prompt, answer in zip(PROMPTS, found, strict=True):
        text = [START] if name.startswith("seq2seq") else prompt
        for _ in range(NEW):
            text = [*text, int(np.argmax(whole(w, text, prompt, model)[-1]))]
        assert answer == text[-NEW:]
    assert len({tuple(answer) for answer in found}) == 3


@one_of_each
@both_twins
def test_a_batch_equals_its_rows(twin, name):
    how = {"sampling": MIXED} | options(name)
    together = twin.generate.generate(WEIGHTS[name], PROMPTS, key=KEY, **how)
    times = (
        3 if twin is jax_impl else 1
    )  # a batch of one would be another program to compile; alike is as good as alone
    for row, prompt in enumerate(PROMPTS):
        keys = np.stack([random.fold_in(KEY, row)] * times)
        assert twin.generate.generate(WEIGHTS[name], [prompt] * times, key=keys, **how) == [together[row]] * times


@one_of_each
@both_twins
def test_a_stream_is_the_answer_with_probabilities(twin, name):
    model, w = MODELS[name], WEIGHTS[name]
    wanted = twin.generate.generate(w, PROMPTS, sampling=MIXED, key=KEY, **options(name))
    steps = list(twin.generate.stream(w, PROMPTS, sampling=MIXED, key=KEY, candidates=3, **options(name)))
    assert 3 < len(steps) == min(max(map(len, wanted)) + 1, NEW)
    for row, (prompt, answer) in enumerate(zip(PROMPTS, wanted, strict=True)):
        tokens = [step.tokens[row] for step in steps]
        ended = len(answer) < len(steps)
        assert tokens == answer + ([3] + [None] * (len(steps) - len(answer) - 1) if ended else [])
        text = [START] if name.startswith("seq2seq") else prompt
        for number, step in enumerate(steps):
            if number > len(answer):
                assert step.candidates[row] == []
                continue
            logits_V = whole(w, text + answer[:number], prompt, model)[-1]
            p_V = np.exp(logits_V) / np.exp(logits_V).sum()
            best = np.argsort(-p_V)[:3]
            assert [token for token, _ in step.candidates[row]] == best.tolist()
            np.testing.assert_allclose([p for _, p in step.candidates[row]], p_V[best], rtol=1e-10)


@pytest.mark.parametrize("name", ["gpt", "llama-window-partial"])
@both_twins
def test_what_is_kept_need_not_be_read_again(twin, name, monkeypatch):
    """A conversation in turns, one of them taken back: the same words as read anew, and only new tokens are read."""
    how = {"sampling": replace(MIXED, max_new_tokens=10, end_token=None), "key": KEY} | options(name)
    read, wanted_read, kept = [], [], None
    rest = shared.rest
    monkeypatch.setattr(shared, "rest", lambda *given: read.append(rest(*given)) or read[-1])
    texts = [PROMPTS[2], [*PROMPTS[2], 1, 5], [*PROMPTS[2], 1, 5, *range(11), *range(9)], [*PROMPTS[2], 4], [9]]
    for text in texts:
        start = max(n for n in range(len(text)) if kept.tokens[:n] == text[:n]) if kept else 0
        wanted_read += [(start, len(text) - start)] if kept else []
        steps = list(twin.generate.stream(WEIGHTS[name], [text], kept=kept, candidates=11, **how))
        anew = list(twin.generate.stream(WEIGHTS[name], [text], candidates=11, **how))
        assert [step.tokens for step in steps] == [step.tokens for step in anew]
        found, wanted = ([[p for _, p in step.candidates[0]] for step in run] for run in (steps, anew))
        assert apart(found, wanted) <= BAR
        kept = shared.Kept([*text, *(step.tokens[0] for step in steps[:-1])], steps[-1].cache)
    assert [(start, int(left.lengths[0])) for left, start in read] == wanted_read
    assert wanted_read[0][0] >= len(texts[0]) == wanted_read[2][0]


@given(st.lists(st.integers(0, 2)), st.lists(st.integers(0, 2), min_size=1))
def test_the_shared_beginning_leaves_a_token_to_read(old, new):
    n = shared.shared_beginning(shared.Kept(old, {}), new)
    assert old[:n] == new[:n]
    assert n < len(new)
    assert n == len(new) - 1 or n == len(old) or old[n] != new[n]


@both_twins
def test_what_is_kept_is_of_one_text_alone(twin):
    kept = shared.Kept([3], {})
    for name, prompts in (("gpt", PROMPTS), ("seq2seq", PROMPTS[:1])):
        with pytest.raises(UserError, match="is of one text"):
            next(twin.generate.stream(WEIGHTS[name], prompts, sampling=GREEDY, kept=kept, **options(name)))


@one_of_each
@both_twins
def test_an_end_token_that_comes_first_is_an_empty_answer(twin, name):
    free = twin.generate.generate(WEIGHTS[name], PROMPTS, sampling=GREEDY, **options(name))
    end = free[0][0]
    found = twin.generate.generate(WEIGHTS[name], PROMPTS, sampling=replace(GREEDY, end_token=end), **options(name))
    assert found[0] == []
    assert found == [row[: row.index(end)] if end in row else row for row in free]
    assert any(found)


@one_of_each
@both_twins
def test_the_first_of_several_end_tokens_ends(twin, name):
    free = twin.generate.generate(WEIGHTS[name], PROMPTS, sampling=GREEDY, **options(name))
    ends = (free[0][2], free[1][4])
    how = {"sampling": replace(GREEDY, end_token=ends)} | options(name)
    found = twin.generate.generate(WEIGHTS[name], PROMPTS, **how)
    cuts = [next((i for i, token in enumerate(row) if token in ends), NEW) for row in free]
    assert found == [row[:cut] for row, cut in zip(free, cuts, strict=True)]
    steps = list(twin.generate.stream(WEIGHTS[name], PROMPTS, **how))
    assert len(steps) == min(max(cuts) + 1, NEW)


def test_other_end_tokens_are_not_compiled_anew():
    programs = [jax_impl.generate._prefill, jax_impl.generate._loop]
    ends = [None, (), 0, 5, (3,), (4, 7), (1, 2)]
    kinds = [replace(GREEDY, end_token=end) for end in ends]
    jax_impl.generate.generate(WEIGHTS["gpt"], PROMPTS, model=GPT, sampling=kinds[0])
    before = [program._cache_size() for program in programs]
    for sampling in kinds:
        jax_impl.generate.generate(WEIGHTS["gpt"], PROMPTS, model=GPT, sampling=sampling)
    assert [program._cache_size() for program in programs] in ([before[0], before[1] + n] for n in (0, 1))


@one_of_each
def test_the_loop_on_the_device_stops_when_all_have_ended(name):
    how = {"sampling": MIXED, "key": random.fold_in(KEY, 16)} | options(name)
    lengths = [len(answer) + 1 for answer in jax_impl.generate.generate(WEIGHTS[name], PROMPTS, **how)]
    assert max(lengths) < NEW
    asked, size = begin(name)
    logits_BV, cache = jax_impl.generate._prefill(WEIGHTS[name], asked, size=size, model=MODELS[name])
    keys_BW, program = shared.row_keys(how["key"], 3, MIXED), jax_impl.generate._program(MIXED)
    ends_E = np.array(MIXED.ends, np.int32)  # as `generate` gives them, so that nothing is compiled anew
    chosen_BL, full = jax_impl.generate._loop(
        WEIGHTS[name], cache, logits_BV, asked.seen, keys_BW, NEW, ends_E, model=MODELS[name], sampling=program
    )
    assert np.array_equal(np.asarray(chosen_BL) >= 0, padding(lengths, size))
    assert np.array_equal(full["position"] - asked.lengths, [max(lengths) - 1] * 3)


# ---- the same tokens in both twins ----


def test_noise_is_the_same():
    keys, number = random.split(KEY, 5), 12
    found = random.gumbel(keys, number, 1000, np.float64)
    u = [jax.random.uniform(jax.random.fold_in(key, number), (1000,), np.float32) for key in keys]
    np.testing.assert_allclose(found, -np.log(-np.log(np.float64(u) + 2.0**-24)), rtol=1e-15)
    assert apart(jax_impl.generate._gumbel(keys, number, 1000, np.float64), found) <= 1e-15
    assert abs(found.mean() - np.euler_gamma) < 5 * np.pi / np.sqrt(6 * found.size)


def test_noise_is_finite_at_both_ends(monkeypatch):
    for word in (0, 0xFFFFFFFF):
        monkeypatch.setattr(random, "_threefry", lambda key, a, b, word=word: (b * 0 + np.uint32(word), a * 0))
        for dtype in (np.float32, np.float64):
            assert np.isfinite(random.gumbel(np.zeros((1, 2), np.uint32), 0, 1, dtype)).all()


def test_a_thousand_choices_are_the_same(record_property, capsys):
    """Rows whose two best scores lie within rounding of each other are no evidence: they are counted."""
    rng = np.random.default_rng(0)
    logits_BV, seen_BV, keys_BW = 3 * rng.normal(size=(1000, 11)), rng.random((1000, 11)) < 0.3, random.split(KEY, 1000)
    logits_BV[:, 3] = logits_BV[:, 4]
    for sampling in (MIXED, Sampling(temperature=1.3), Sampling()):
        mine = numpy_ref.generate.choose(logits_BV, seen_BV, keys_BW, 7, sampling=sampling)
        twin = jax_impl.generate.choose(logits_BV, seen_BV, keys_BW, 7, sampling=sampling)
        score_BV = numpy_ref.generate.adjust(logits_BV, seen_BV, sampling=sampling)
        noise_BV = random.gumbel(keys_BW, 7, 11, np.float64) if sampling.temperature else 0.0
        best_BV = np.sort(score_BV + noise_BV, axis=-1)
        ties_B = best_BV[:, -1] - best_BV[:, -2] < 1e-13
        record_property(f"ties at temperature {sampling.temperature}", int(ties_B.sum()))
        with capsys.disabled():
            print(f" [{ties_B.sum()} ties of 1000]", end="")
        assert np.array_equal(mine[~ties_B], twin[~ties_B])
        assert ties_B.sum() == 0 or sampling.temperature == 0


@one_of_each
def test_a_thousand_draws_are_the_same(name):
    answers, draws = [], 0
    while draws < 1000:
        how = {"sampling": MIXED, "key": random.fold_in(KEY, len(answers))} | options(name)
        mine, twin = (package.generate.generate(WEIGHTS[name], PROMPTS, **how) for package in (numpy_ref, jax_impl))
        assert mine == twin
        answers += mine
        draws += sum(min(len(answer) + 1, NEW) for answer in mine)
    assert len({tuple(answer) for answer in answers}) > 0.8 * len(answers)
    assert len(set(map(len, answers))) > 5


# ---- the settings ----


def brute_force(logits, seen, s):
    """The probabilities of one row, token by token, from the definitions."""
    x = [
        (v / s.repetition_penalty if v > 0 else v * s.repetition_penalty) if was else v
        for v, was in zip(logits, seen, strict=True)
    ]
    order = sorted(range(len(x)), key=lambda i: (-x[i], i))
    p = np.exp((np.array(x) - max(x)) / s.temperature)
    kept = order[: s.top_k or len(x)]
    share = {i: p[i] / sum(p[j] for j in kept) for i in kept}
    shortest = next((n for n in range(1, len(kept)) if sum(share[i] for i in kept[:n]) >= s.top_p), len(kept))
    kept = [i for i in kept[:shortest] if share[i] >= s.min_p * share[kept[0]]]
    return [p[i] / sum(p[j] for j in kept) if i in kept else 0.0 for i in range(len(x))]


SETTINGS = [
    Sampling(temperature=0.7),
    Sampling(temperature=1.0, top_k=3),
    Sampling(temperature=1.0, top_k=50),
    Sampling(temperature=1.5, top_p=0.6),
    Sampling(temperature=1.0, top_p=1e-9),
    Sampling(temperature=1.0, min_p=0.2),
    Sampling(temperature=1.0, min_p=1.0),
    Sampling(temperature=1.0, repetition_penalty=1.7),
    Sampling(temperature=0.8, top_k=6, top_p=0.8, min_p=0.15, repetition_penalty=0.6),
]


@pytest.mark.parametrize("sampling", SETTINGS)
@both_twins
def test_settings_do_what_they_are_defined_to(twin, sampling):
    rng = np.random.default_rng(2)
    logits_BV, seen_BV = 2 * rng.normal(size=(40, 9)), rng.random((40, 9)) < 0.4
    logits_BV[:20] = np.round(logits_BV[:20])  # equals among them
    x_BV = np.asarray(twin.generate.adjust(logits_BV, seen_BV, sampling=sampling))
    p_BV = np.exp(x_BV - x_BV.max(axis=1, keepdims=True))
    p_BV /= p_BV.sum(axis=1, keepdims=True)
    wanted = [brute_force(*row, sampling) for row in zip(logits_BV, seen_BV, strict=True)]
    np.testing.assert_allclose(p_BV, wanted, rtol=1e-12)


def test_draws_have_the_frequencies_of_the_model():
    n, logits_V = 20_000, np.array([1.0, -0.5, 0.0, 2.0])
    tokens = numpy_ref.generate.choose(
        np.tile(logits_V, (n, 1)),
        np.zeros((n, 4), bool),
        random.split(KEY, n),
        0,
        sampling=Sampling(temperature=1.0),
    )
    p_V = np.exp(logits_V) / np.exp(logits_V).sum()
    assert np.all(np.abs(np.bincount(tokens, minlength=4) - n * p_V) < 5 * np.sqrt(n * p_V * (1 - p_V)))


def test_a_penalty_is_counted_over_prompt_and_answer():
    found = numpy_ref.generate.generate(
        WEIGHTS["gpt"], PROMPTS, model=GPT, sampling=Sampling(max_new_tokens=6, repetition_penalty=3.0)
    )
    for prompt, answer in zip(PROMPTS, found, strict=True):
        for number, token in enumerate(answer):
            text = prompt + answer[:number]
            x_V = whole(WEIGHTS["gpt"], text, None, GPT)[-1]
            assert token == np.argmax(np.where(np.isin(np.arange(11), text), np.where(x_V > 0, x_V / 3, x_V * 3), x_V))


@both_twins
@one_of_each
def test_log_probabilities_are_those_of_the_forward_pass(twin, name):
    model, w = MODELS[name], WEIGHTS[name]
    texts, sources = [[1, 4, 2, 2], [5], [3, 10, 0, 1, 1, 1]], PROMPTS if name == "seq2seq" else None
    found = twin.generate.log_probabilities(w, texts, model=model, sources=sources)
    for row, text in enumerate(texts):
        logits_TV = whole(w, text, PROMPTS[row], model)[:-1]
        log_p_TV = logits_TV - np.log(np.exp(logits_TV).sum(axis=-1, keepdims=True))
        np.testing.assert_allclose(found[row], log_p_TV[np.arange(len(text) - 1), text[1:]], rtol=1e-11)


# ---- beam search ----

TINY = Seq2SeqConfig(5, 4, d_model=4, n_encoder=1, n_decoder=1, n_heads=2, d_ffn=3, max_len=8)
TINY_W = random_params(np.random.default_rng(5), params.shapes(TINY))
END = 2


def exhaustive(source, length, length_penalty):
    """All answers of up to `length` tokens with their scores, best first."""
    found = []
    for n in range(1, length + 1):
        for answer in product(range(4), repeat=n):
            if END not in answer[:-1] and (answer[-1] == END or n == length):
                text = [START, *answer]
                (log_p,) = numpy_ref.generate.log_probabilities(TINY_W, [text], model=TINY, sources=[source])
                tokens = [token for token in answer if token != END]
                found.append((sum(log_p) / n**length_penalty, tokens, sum(log_p)))
    return sorted(found, reverse=True)


@pytest.mark.parametrize("length_penalty", [0.0, 1.0])
@both_twins
def test_a_beam_wide_enough_finds_the_best_of_all(twin, length_penalty):
    sources = [[3, 1, 4], [0, 2]]
    how = {"width": 64, "max_new_tokens": 3, "start_token": START, "end_token": END, "length_penalty": length_penalty}
    for source, found in zip(sources, twin.generate.beam_search(TINY_W, sources, model=TINY, **how), strict=True):
        wanted = exhaustive(source, 3, length_penalty)
        assert len(found) == len(wanted) == 1 + 3 + 9 * 4
        assert [h.tokens for h in found[:10]] == [tokens for _, tokens, _ in wanted[:10]]
        np.testing.assert_allclose([h.score for h in found], [score for score, _, _ in wanted], rtol=1e-12)
        np.testing.assert_allclose([h.log_probability for h in found], [p for _, _, p in wanted], rtol=1e-12)


@both_twins
def test_a_beam_of_one_is_greedy(twin):
    w = WEIGHTS["seq2seq"]
    end = twin.generate.generate(w, PROMPTS, model=S2S, sampling=GREEDY, start_token=START)[1][0]
    sampling = replace(GREEDY, end_token=end)
    greedy = twin.generate.generate(w, PROMPTS, model=S2S, sampling=sampling, start_token=START)
    how = {"width": 1, "max_new_tokens": NEW, "start_token": START, "end_token": end, "length_penalty": 0.6}
    found = twin.generate.beam_search(w, PROMPTS, model=S2S, **how)
    assert [[h.tokens for h in row] for row in found] == [[answer] for answer in greedy]
    assert [row[0].ended for row in found] == [len(answer) < NEW for answer in greedy]


def test_beams_are_the_same_in_both_twins_and_in_any_batch():
    how = {"model": S2S, "width": 4, "max_new_tokens": NEW, "start_token": START, "end_token": 3, "length_penalty": 0.8}
    mine, twin = (package.generate.beam_search(WEIGHTS["seq2seq"], PROMPTS, **how) for package in (numpy_ref, jax_impl))
    alone = [numpy_ref.generate.beam_search(WEIGHTS["seq2seq"], [prompt], **how)[0] for prompt in PROMPTS]
    for other in (twin, alone):
        assert [[(h.tokens, h.ended) for h in row] for row in mine] == [[(h.tokens, h.ended) for h in r] for r in other]
        np.testing.assert_allclose(*([h.score for row in found for h in row] for found in (mine, other)), rtol=1e-12)
    assert {h.ended for row in mine for h in row} == {True, False}


# ---- what cannot be done ----


@pytest.mark.parametrize(
    ("name", "prompts", "change", "wanted"),
    [
        ("gpt", [[1] * 75, [1]], {"max_new_tokens": 6}, "75 tokens and 6 new ones .* 80 positions.* at most 5"),
        ("gpt", [[1] * 80], {}, "80 tokens and 32 new ones do not fit .*: shorten the prompt"),
        ("gpt", [[1] * 81], {}, "prompt 1 has 81 tokens, the model 80 positions: shorten it"),
        ("seq2seq", [[1]], {"max_new_tokens": 80}, "1 tokens and 80 new ones do not fit"),
        ("seq2seq", [[1], [1] * 81], {}, "source 2 has 81 tokens"),
        ("gpt", [], {}, "there is no text: give at least one"),
        ("gpt", [[3], []], {}, "prompt 2 is empty"),
        ("gpt", [[3, 11]], {}, "prompt 1 holds 11, which is no token id: ids go from 0 to 10"),
        ("gpt", [[3, -1]], {}, "prompt 1 holds -1, which is no token id"),
        ("seq2seq", [[1]], {"start_token": 11}, "start_token holds 11, which is no token id: ids go from 0 to 10"),
        ("seq2seq", [[9]], {}, "source 1 holds 9, which is no token id: ids go from 0 to 8"),
        ("gpt", [[3]], {"end_token": 11}, "end_token holds 11, which is no token id"),
        ("gpt", [[3]], {"end_token": (2, 11)}, "end_token holds 11, which is no token id"),
        ("gpt", [[3]], {"temperature": 0.5}, "sampling at temperature 0.5 needs a key"),
    ],
)  # fmt: skip
@both_twins
def test_what_a_model_cannot_read_is_a_sentence(twin, name, prompts, change, wanted):
    how = options(name) | {key: change[key] for key in change.keys() & {"start_token"}}
    sampling = Sampling(**{key: change[key] for key in change.keys() - {"start_token"}})
    for function in (twin.generate.generate, twin.generate.stream):
        with pytest.raises(UserError, match=wanted):
            function(WEIGHTS[name], prompts, sampling=sampling, **how)


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"temperature": -1.0}, "temperature must be 0 or at least 0.000001, not -1.0"),
        ({"temperature": float("nan")}, "temperature must be a number, not nan"),
        ({"temperature": "hot"}, "temperature must be a number, not 'hot'"),
        ({"top_k": 1.5}, "top_k must be a whole number of at least 0, not 1.5"),
        ({"top_p": 0.0}, "top_p must be above 0 and at most 1, not 0.0"),
        ({"min_p": 1.1}, "min_p must be from 0 to 1, not 1.1"),
        ({"repetition_penalty": 0.0}, "repetition_penalty must be from 0.01 to 100, not 0.0"),
        ({"max_new_tokens": 0}, "max_new_tokens must be a whole number of at least 1, not 0"),
        ({"end_token": -1}, "end_token must be a token id, a tuple of token ids or None, not -1"),
        ({"end_token": (3, "x")}, r"end_token must be a token id, a tuple of token ids or None, not \(3, 'x'\)"),
        ({"end_token": [3]}, r"end_token must be a token id, a tuple of token ids or None, not \[3\]"),
    ],
)
def test_a_setting_that_is_wrong_is_a_sentence(change, wanted):
    with pytest.raises(UserError, match=wanted):
        Sampling(**change)


@both_twins
def test_a_start_token_belongs_to_an_encoder_and_keys_to_rows(twin):
    greedy, warm = Sampling(max_new_tokens=2), Sampling(temperature=1.0)
    with pytest.raises(UserError, match="needs a start token"):
        twin.generate.generate(WEIGHTS["seq2seq"], PROMPTS, model=S2S, sampling=greedy)
    with pytest.raises(UserError, match="leave out start_token"):
        twin.generate.generate(WEIGHTS["gpt"], PROMPTS, model=GPT, sampling=greedy, start_token=1)
    with pytest.raises(UserError, match="2 keys for 3 prompts"):
        twin.generate.generate(WEIGHTS["gpt"], PROMPTS, model=GPT, sampling=warm, key=random.split(KEY))
    with pytest.raises(UserError, match="one source for each of 3 texts"):
        twin.generate.log_probabilities(WEIGHTS["seq2seq"], PROMPTS, model=S2S, sources=PROMPTS[:2])
    with pytest.raises(UserError, match="width must be a whole number of at least 1"):
        twin.generate.beam_search(
            WEIGHTS["seq2seq"], PROMPTS, model=S2S, width=0, max_new_tokens=2, start_token=1, end_token=2
        )


@pytest.mark.parametrize(
    ("name", "change"), [("gpt", {}), ("gpt-untied", {}), ("seq2seq", {}), ("llama", {}), ("llama", {"rope_share": 0})]
)
def test_a_full_cache_is_never_overwritten(name, change):
    model, w, tokens_B = replace(MODELS[name], **change), WEIGHTS[name], np.array([1, 1, 1], np.int32)
    asked, size = begin(name)
    _, cache = numpy_ref.generate._prefill(w, asked, size=size, model=model)
    full = cache | {"position": np.array([3, size, 7], np.int32)}
    with pytest.raises(IndexError):
        numpy_ref.generate._decode(w, full, tokens_B, model=model)
    logits_BV, after = jax_impl.generate._decode(w, tree.map(jnp.asarray, full), tokens_B, model=model)
    assert np.isnan(logits_BV).all(axis=1).tolist() == [False, True, False]
    for before, now in zip(cache["k"] + cache["v"], after["k"] + after["v"], strict=True):
        assert np.array_equal(before[1], now[1])
        assert not np.array_equal(before[0], now[0])


# ---- how it is computed ----


@pytest.mark.parametrize("name", ["gpt", "seq2seq"])
def test_prompts_of_any_length_in_a_bucket_compile_once(name):
    programs = [jax_impl.generate._prefill, jax_impl.generate._loop]
    small = {"n_blocks": 1} if name == "gpt" else {"n_decoder": 1}  # and no other test has compiled it
    model = replace(MODELS[name], **small)
    w = random_params(np.random.default_rng(8), params.shapes(model))
    before = [program._cache_size() for program in programs]
    for length in range(9, 17):
        sampling = Sampling(max_new_tokens=33 - length)
        jax_impl.generate.generate(w, [[3] * length, [4]], sampling=sampling, **(options(name) | {"model": model}))
    assert [program._cache_size() for program in programs] == [n + 1 for n in before]


def test_buckets_are_powers_of_two():
    assert [shared.bucket(n) for n in (1, 8, 9, 16, 17, 1000)] == [8, 8, 16, 16, 32, 1024]


@every_model
def test_letters_are_shapes(name):
    model, w = MODELS[name], WEIGHTS[name]
    with Trace(w) as trace:
        numpy_ref.generate.generate(w, PROMPTS[:2], sampling=replace(MIXED, max_new_tokens=3), key=KEY, **options(name))
        numpy_ref.generate.log_probabilities(
            w, PROMPTS[:2], model=model, sources=PROMPTS[1:] if name.startswith("seq2seq") else None
        )
        if name.startswith("seq2seq"):
            how = {"width": 4, "max_new_tokens": 3, "start_token": START, "end_token": 2}
            numpy_ref.generate.beam_search(w, PROMPTS[:2], model=model, **how)

    def both(w_twin):
        _, cache = prefill(w_twin, PROMPTS, PROMPTS, model, 11, jax_impl)
        return module(model, jax_impl).decode(w_twin, cache, tokens_B=jnp.array([1, 2, 3]), config=model)

    with Trace({}, package="jax_impl") as traced:
        jax.eval_shape(both, w)
    for calls in (trace.calls, traced.calls):
        assert {call.function.split(".")[1].split("#")[0] for call in calls} >= {"prefill", "decode", "forward_cached"}
        assert [text for call in calls for text in complaints(call)] == []


@one_of_each
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_the_dtype_follows_the_parameters(name, dtype):
    model, sampling = MODELS[name], jax_impl.generate._program(MIXED)
    asked, size = begin(name)
    keys_BW = random.split(KEY, 3)

    def all_of_it(w):
        logits_BV, cache = jax_impl.generate._prefill(w, asked, size=size, model=model)
        how = {"model": model, "sampling": sampling}
        tokens_BL, full = jax_impl.generate._loop(w, cache, logits_BV, asked.seen, keys_BW, NEW, 5, **how)
        how = {"model": model, "width": 3, "end_token": 5, "length_penalty": 0.5}
        beams, _ = jax_impl.generate._search(w, cache, logits_BV, NEW, **how)
        return (logits_BV, cache["k"], cache["v"], full["k"], full["v"]), tokens_BL, beams

    w = tree.map(lambda leaf: jnp.asarray(leaf, dtype), WEIGHTS[name])
    kept, tokens_BL, beams = jax.eval_shape(all_of_it, w)
    assert {leaf.dtype for leaf in jax.tree.leaves(kept)} == {jnp.dtype(dtype)}
    assert (tokens_BL.dtype, beams.tokens.dtype, beams.log_p.dtype) == (jnp.int32, jnp.int32, jnp.float32)


@one_of_each
def test_the_dtype_follows_the_parameters_in_numpy(name):
    w = tree.cast(WEIGHTS[name], np.float32)
    logits_BV, cache = prefill(w, PROMPTS, PROMPTS, MODELS[name], 11)
    later_BV, grown = module(MODELS[name]).decode(w, cache, tokens_B=np.array([1, 2, 3]), config=MODELS[name])
    x_BV = numpy_ref.generate.adjust(logits_BV, np.zeros(logits_BV.shape, bool), sampling=MIXED)
    noise_BV = random.gumbel(random.split(KEY, 3), 0, 5, np.float32)
    found = [logits_BV, later_BV, x_BV, noise_BV, *cache["k"], *cache["v"], *grown["k"], *grown["v"]]
    assert {leaf.dtype for leaf in found} == {np.dtype(np.float32)}
