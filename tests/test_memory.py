"""Memory known before it is allocated: exact where it says so, about right where it says that."""

import gc
import re
import tracemalloc
from dataclasses import replace
from functools import partial
from pathlib import Path

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jax_impl.generate
import jax_impl.serve
import numpy_ref.generate
import numpy_ref.serve
from cases import random_params
from common import activations, memory, params, peaks, random, tree
from common.config import (
    ACTIVATIONS,
    GATES,
    KEEPS,
    ClassifierConfig,
    GPTConfig,
    LlamaConfig,
    Seq2SeqConfig,
    TrainConfig,
)
from common.data.batching import Examples, Pairs, Texts
from common.errors import UserError
from common.presets import PRESETS
from common.sampling import Sampling, padded
from console.memory import main
from jax_impl.device import memory as compiler
from numpy_ref import family, optim, train

LLAMA = LlamaConfig(11, 12, n_blocks=2, n_heads=4, n_kv_heads=2, d_head=6, d_ffn=10, max_len=40)
SEQ2SEQ = Seq2SeqConfig(9, 11, d_model=12, n_encoder=1, n_decoder=2, n_heads=3, d_ffn=10, max_len=40)
DECODERS = {
    "gpt": GPTConfig(11, 12, n_blocks=3, n_heads=3, d_ffn=10, max_len=40),
    "llama": LLAMA,
    "seq2seq": SEQ2SEQ,
}
FOUR = {**DECODERS, "classifier": ClassifierConfig(d_model=12, n_heads=3, d_ffn=10)}
every_decoder = pytest.mark.parametrize("name", DECODERS)
every_family = pytest.mark.parametrize("name", FOUR)


def weights(model, dtype=np.float32):
    return tree.cast(random_params(np.random.default_rng(0), params.shapes(model)), dtype)


def examples(model, batch, length, source):
    """A batch of the family's kind, all tokens 0."""
    tokens, real = np.zeros((batch, length), np.int64), np.ones((batch, length), bool)
    if isinstance(model, ClassifierConfig):
        return Examples(tokens, real, tokens[:, 0])
    if isinstance(model, Seq2SeqConfig):
        return Pairs(np.zeros((batch, source), np.int64), np.ones((batch, source), bool), tokens, tokens, real)
    return Texts(tokens, tokens, real)


def key_for(model):
    return random.key(1) if getattr(model, "dropout", 0.0) else None


def highest(function):
    """The most bytes that were allocated at once while a function ran, and were not before."""
    function()  # what is made once and kept is not counted
    gc.collect()
    tracemalloc.start()
    try:
        result = function()
        return tracemalloc.get_traced_memory()[1], result
    finally:
        tracemalloc.stop()


# ---- what is exact ----


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("digits", 102_036),
        ("gpt2", 124_439_808),
        ("smollm2-135m", 134_515_008),
        ("smollm2-1.7b", 1_711_376_384),
        ("llama-3.2-1b", 1_235_814_400),
        ("llama-3-8b", 8_030_261_248),
        ("llama-3-70b", 70_553_706_496),
    ],
)
def test_well_known_models_have_as_many_parameters_as_is_known(name, published):
    assert memory.parameters(PRESETS[name]) == published


@every_family
def test_parameters_are_counted_at_any_depth(name):
    model = FOUR[name]
    assert memory.parameters(model) == tree.count(weights(model))
    depth = {"n_encoder": 10**12} if name == "seq2seq" else {"n_blocks": 10**12}
    assert memory.parameters(replace(model, **depth)) > 10**14


@pytest.mark.parametrize("name", KEEPS)
def test_the_optimizer_keeps_so_much(name):
    state = optim.init(weights(LLAMA), TrainConfig(optimizer=name))
    assert memory.optimizer(LLAMA, name) == sum(part.size for part in state.values() if np.ndim(part))


@every_decoder
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_cache_takes_so_many_bytes(name, dtype):
    model, source = DECODERS[name], 5 if name == "seq2seq" else 0
    texts = padded([[1, 2, 3]] * 4, model=model, sources=[[1] * 5] * 4 if source else None)
    _, cache = numpy_ref.generate._prefill(weights(model, dtype), texts, size=9, model=model)
    told = memory.cache(model, rows=4, size=9, itemsize=np.dtype(dtype).itemsize, source=source)
    assert told == sum(leaf.nbytes for leaf in tree.leaves(cache))
    with jax.enable_x64(True):
        abstract = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), weights(model, dtype))
        _, twins = jax.eval_shape(lambda w: jax_impl.generate._prefill(w, texts, size=9, model=model), abstract)
    assert told == sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(twins))


def buffers(part):
    """The arrays that own the memory of all arrays in `saved`, by identity."""
    if isinstance(part, np.ndarray):
        while isinstance(part.base, np.ndarray):
            part = part.base
        return {id(part): part}
    inner = part.values() if isinstance(part, dict) else part if isinstance(part, (tuple, list)) else ()
    return {name: owner for each in inner for name, owner in buffers(each).items()}


@st.composite
def models(draw):
    def number(low, high):
        return draw(st.integers(low, high))

    def one(*values):
        return draw(st.sampled_from(values))

    heads, blocks = number(1, 3), number(1, 3)
    sizes = {"n_heads": heads, "d_model": 2 * heads * number(1, 3), "d_ffn": number(1, 8), "max_len": 16}
    kind = one("classifier", "gpt", "seq2seq", "llama")
    if kind == "classifier":
        return ClassifierConfig(number(2, 9), n_blocks=blocks, **sizes)
    if kind == "llama":
        kept = {"n_kv_heads": one(1, heads), "d_head": one(2, 6), "rope_share": one(0.0, 1.0), "window": one(0, 2)}
        how = {"gate": one(*GATES), "tied": one(False, True), "bias": one(False, True)}
        return LlamaConfig(number(2, 9), n_blocks=blocks, **sizes | kept | how)
    sizes |= {"activation": one(*ACTIVATIONS), "dropout": one(0.0, 0.3), "tied": one(False, True)}
    sizes |= {"positions": one("learned", "sinusoidal")}
    if kind == "gpt":
        return GPTConfig(number(2, 9), n_blocks=blocks, **sizes)
    return Seq2SeqConfig(number(2, 9), number(2, 9), n_encoder=blocks, n_decoder=number(1, 3), **sizes)


@settings(max_examples=120, deadline=None)
@given(model=models(), batch=st.integers(1, 4), length=st.integers(1, 5), source=st.integers(1, 5))
def test_what_a_forward_pass_keeps_is_known_to_the_byte(model, batch, length, source):
    w, given_ = weights(model), examples(model, batch, length, source)
    _, saved = family.logits(w, given_, model=model, key=key_for(model))
    theirs = buffers(w) | buffers(tuple(given_))
    found = sum(owner.nbytes for name, owner in buffers(saved).items() if name not in theirs)
    assert found == 4 * sum(activations.saved(model, batch=batch, length=length, source=source).values())


@pytest.mark.parametrize("clip_norm", [0.0, 1.0])
@pytest.mark.parametrize("weight_decay", [0.0, 1.0])
@pytest.mark.parametrize("name", KEEPS)
def test_an_update_of_the_parameters_takes_so_much(name, weight_decay, clip_norm):
    how = TrainConfig(optimizer=name, weight_decay=weight_decay, clip_norm=clip_norm)
    model = ClassifierConfig()
    w = weights(model)
    grads, state = tree.map(np.ones_like, w), optim.init(w, how)
    found, _ = highest(lambda: optim.update(w, grads, state, lr=1e-3, config=how))
    assert found == pytest.approx(4 * peaks.moving(model, how), rel=0.01)


# ---- what is about right ----

MIDDLING = [
    (LlamaConfig(500, 64, n_blocks=3, n_heads=4, n_kv_heads=2, d_ffn=170), 4, 128, 0),
    (LlamaConfig(3000, 64, n_blocks=2, n_heads=4, n_kv_heads=2, d_ffn=170, tied=False), 4, 64, 0),
    (LlamaConfig(50, 256, n_blocks=3, n_heads=4, n_kv_heads=2, d_head=64, d_ffn=700), 1, 16, 0),
    (GPTConfig(500, 64, n_blocks=3, max_len=128, dropout=0.1), 8, 64, 0),
    (Seq2SeqConfig(100, 100, max_len=128), 8, 64, 100),
    (ClassifierConfig(), 512, 6, 0),
]
every_size = pytest.mark.parametrize(("model", "batch", "length", "source"), MIDDLING)


@every_size
def test_an_update_takes_about_so_much_at_the_most(model, batch, length, source):
    w, how = weights(model), TrainConfig()
    state, given_ = optim.init(w, how), examples(model, batch, length, source)
    step = {"lr": 1e-3, "model": model, "train": how, "key": key_for(model)}
    found, _ = highest(lambda: train.train_step(w, state, given_, **step))
    held = 4 * (memory.parameters(model) + memory.optimizer(model, "adamw"))
    told = 4 * peaks.training(model, how, batch=batch, length=length, source=source)
    assert told == pytest.approx(found + held, rel=0.1)


@pytest.mark.parametrize(("model", "rows", "size", "source"), [case for case in MIDDLING if case[3] == 0][:-1])
def test_generation_takes_about_so_much_at_the_most(model, rows, size, source):
    w, prompts = weights(model), padded([[1] * size] * rows, model=model)
    reading, (_, cache) = highest(lambda: numpy_ref.generate._prefill(w, prompts, size=size, model=model))
    last = cache | {"position": cache["position"] - 1}
    going_on, _ = highest(lambda: numpy_ref.generate._decode(w, last, np.ones(rows, np.int32), model=model))
    held = 4 * memory.parameters(model)
    kept = memory.cache(model, rows=rows, size=size, itemsize=4)
    told = 4 * peaks.generation(model, rows=rows, size=size)
    assert told == pytest.approx(held + max(reading, kept + going_on), rel=0.1)


@pytest.mark.parametrize("case", [0, 3, 4, 5])
def test_the_compiler_is_asked_for_its_own_figures(case):
    model, batch, length, source = MIDDLING[case]
    how = {"batch": batch, "length": length, "source": source}
    found = compiler.of_update(model, TrainConfig(), **how)
    state = 4 * (memory.parameters(model) + memory.optimizer(model, "adamw"))
    assert found["arguments"] == pytest.approx(state, rel=0.05)  # and the batch
    assert found["results"] == pytest.approx(state, rel=0.01)
    guess = 4 * peaks.compiled(model, TrainConfig(), **how)
    assert 0.5 < guess / sum(found.values()) < 1.5


def test_compiled_decoding_writes_into_the_cache_it_is_given():
    model = replace(LLAMA, max_len=512)
    found = compiler.of_decoding(model, rows=3, size=512, dtype=np.float32)
    kept = memory.cache(model, rows=3, size=512, itemsize=4)
    assert found["arguments"] == pytest.approx(4 * memory.parameters(model) + kept, abs=100)
    assert found["results"] < 0.01 * kept


# ---- what does not fit ----


@every_decoder
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_would_fit_fits_and_no_more(name, dtype):
    model, w = DECODERS[name], weights(DECODERS[name], dtype)
    limit = sum(leaf.nbytes for leaf in tree.leaves(w)) + 2_000_000
    with_room_for = partial(memory.check_cache, w, model, source=7 if name == "seq2seq" else 0, limit=limit)
    with pytest.raises(UserError, match=r"too much for .* of memory beside .* of parameters") as raised:
        with_room_for(rows=500, size=40)
    found = re.search(r"at most ([\d,]+) of them or ([\d,]+) tokens in each would fit", str(raised.value))
    rows, size = int(found[1]), int(found[2])
    with_room_for(rows=rows, size=40)
    with_room_for(rows=500, size=size)
    for more in ({"rows": rows + 1, "size": 40}, {"rows": 500, "size": size + 1}):
        with pytest.raises(UserError):
            with_room_for(**more)


def test_where_nothing_fits_nothing_is_advised():
    with pytest.raises(UserError, match=r"1 text of 40 tokens is a KV cache .*: not even one token would fit"):
        memory.check_cache(weights(LLAMA), LLAMA, rows=1, size=40, limit=1000)


@pytest.mark.parametrize("twin", [numpy_ref, jax_impl], ids=["numpy", "jax"])
def test_a_cache_that_memory_cannot_hold_is_refused_before_it_is_made(twin, monkeypatch):
    w, asked = weights(LLAMA), {"model": LLAMA, "sampling": Sampling(max_new_tokens=8)}
    monkeypatch.setattr(memory, "machine", lambda: 20_000)
    for function in (twin.generate.generate, twin.generate.stream):
        with pytest.raises(UserError, match=r"room for 9 texts of .* tokens is a KV cache of"):
            function(w, [[1, 2]] * 9, **asked)
    with pytest.raises(UserError, match="room for 7 texts of 40 tokens is a KV cache of"):
        twin.serve.serve(w, [], model=LLAMA, slots=7, size=40)
    beams = {"model": SEQ2SEQ, "width": 30, "max_new_tokens": 9, "start_token": 1, "end_token": 2}
    with pytest.raises(UserError, match="room for 60 texts of"):
        twin.generate.beam_search(weights(SEQ2SEQ), [[3], [4]], **beams)
    monkeypatch.setattr(memory, "machine", lambda: None)
    assert len(numpy_ref.generate.generate(w, [[1, 2]] * 9, **asked)) == 9


def test_a_container_has_less_than_its_machine(tmp_path, monkeypatch):
    limits = {"max": "max\n", "small": "5000\n", "huge": f"{2**62}\n"}
    for name, text in limits.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(memory, "_LIMITS", [tmp_path / name for name in ("max", "huge", "absent")])
    whole = memory.machine()
    assert whole is None or whole > 10**8
    monkeypatch.setattr(memory, "_LIMITS", [tmp_path / "small"])
    assert memory.machine() in (None, 5000)


def test_bytes_in_words():
    known = {0: "0 bytes", 1023: "1,023 bytes", 1536: "1.5 KiB", 2**20: "1.0 MiB", 3 << 30: "3.0 GiB"}
    assert {size: memory.words(size) for size in known} == known


# ---- the command ----


def printed(capsys, *argv):
    assert main([*map(str, argv)]) == 0
    return capsys.readouterr().out


def test_the_command_prints_what_is_known(capsys):
    out = printed(capsys, "--preset", "smollm2-135m", "--batch", 8, "--length", 1024)
    assert "134,515,008 parameters" in out
    for row in ("parameters +513.1 MiB", "KV cache +360.0 MiB +45.0 KiB a token", "optimizer adamw +1.0 GiB +m and v"):
        assert re.search(row, out)
    parts = activations.saved(PRESETS["smollm2-135m"], batch=8, length=1024)
    for part, numbers in parts.items():
        assert re.search(f"{part} +{re.escape(memory.words(4 * numbers))}", out)


def test_the_command_says_what_would_fit(capsys, monkeypatch):
    monkeypatch.setattr(memory, "machine", lambda: 8 << 30)
    out = printed(capsys, "--preset", "smollm2-135m", "--batch", 64, "--length", 512)
    how = {"length": 512, "source": 0}
    fit = int(re.search(r"NumPy, at the most.*a batch of (\d+) would fit\s+JAX", out.split("To train")[1])[1])
    model, adamw = PRESETS["smollm2-135m"], TrainConfig()
    assert 4 * peaks.training(model, adamw, batch=fit, **how) <= 8 << 30
    assert 4 * peaks.training(model, adamw, batch=fit + 1, **how) > 8 << 30
    assert "more than this machine has" in out
    assert "not even a batch of 1 fits" in printed(capsys, "--preset", "llama-3-8b")


def test_a_model_may_be_a_file_or_sizes_of_ones_own(capsys, tmp_path):
    shipped = Path(__file__).parents[1] / "checkpoints" / "digits-medium.safetensors"
    assert "classifier: 102,036 parameters" in printed(capsys, "--checkpoint", shipped, "--length", 6)
    own = '{"family": "seq2seq", "src_vocab": 9, "tgt_vocab": 9, "d_model": 8, "n_encoder": 1}'
    (tmp_path / "own.json").write_text(own)
    assert printed(capsys, "--model-config", own) == printed(capsys, "--model-config", tmp_path / "own.json")
    changed = printed(capsys, "--preset", "gpt2", "--model-config", '{"n_blocks": 1}', "--dtype", "bfloat16")
    assert "n_blocks 1, d_model 768" in changed and "NumPy" not in changed.replace("as NumPy does it", "")


def test_the_command_asks_the_compiler(capsys):
    own = '{"family": "llama", "vocab": 9, "d_model": 8, "n_blocks": 1, "d_ffn": 8}'
    out = printed(capsys, "--model-config", own, "--length", 8, "--compile")
    assert out.count("JAX, compiled for CPU") == 2 and out.count("arguments") == 2


@pytest.mark.parametrize(
    ("argv", "wanted"),
    [
        ([], "which model?"),
        (["--preset", "gpt2", "--checkpoint", "x"], "both name a model"),
        (["--checkpoint", "/nowhere"], "no such file"),
        (["--model-config", "{x"], "not JSON"),
        (["--model-config", "/nowhere"], "no such file"),
        (["--model-config", '{"vocab": 9}'], 'needs a "family", one of classifier, gpt, seq2seq, llama'),
        (["--model-config", '{"family": ["gpt"]}'], 'needs a "family"'),
        (["--model-config", '{"family": "gpt"}'], "GPTConfig lacks vocab"),
        (["--model-config", '{"family": "gpt", "vocab": 9, "d_modl": 8}'], "did you mean 'd_model'?"),
        (["--model-config", '{"family": "gpt", "vocab": "9"}'], "vocab must be a whole number"),
        (["--preset", "gpt2", "--model-config", '{"family": "llama"}'], "another family"),
        (["--preset", "gpt2", "--length", "2000"], "--length 2000 is more than the model's 1024 positions"),
        (["--preset", "gpt2", "--source", "3"], "reads no sources"),
        (["--preset", "gpt2", "--compile", "--dtype", "float64"], "take another --dtype"),
    ],
)
def test_a_bad_request_is_a_sentence(capsys, argv, wanted):
    assert main(argv) == 2
    told = capsys.readouterr()
    assert wanted in told.err and told.err.count("\n") == 1 and told.out == ""


def test_a_number_that_cannot_be_is_a_sentence(capsys):
    with pytest.raises(SystemExit) as left:
        main(["--preset", "gpt2", "--batch", "0"])
    assert left.value.code == 2
    says = "error: --batch: must be a whole number from 1 to 2147483648, not '0'; --help explains the flags\n"
    assert capsys.readouterr().err == says
