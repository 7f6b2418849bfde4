"""GGUF files: read as the package gguf reads them, in our layout; damaged and hostile ones refused with a sentence."""

import contextlib
import struct
import sys
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import gguf_files as made
from common import positions, tree
from common.config import LlamaConfig
from common.errors import UserError
from common.files import FileError
from common.weights import filling, gguf, gguf_llama, numbers
from gguf_files import ARRAY, BOOL, F32, SMALL, STRING, U32, U64

OURS = ("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0")


def saved(tmp_path, body):
    path = tmp_path / "model.gguf"
    path.write_bytes(body)
    return path


def loaded(path):
    return gguf_llama.load(gguf.read(path))


def refused(path, read=loaded):
    """The one line that refuses a file. Any other exception fails the test, and so does a file that loads."""
    with pytest.raises(FileError) as caught:
        read(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert message.isprintable()
    assert len(message) < 900
    return message


def blocks(form, rows, seed=0):
    """Rows of random blocks. Scales are of a usual size: random ones are infinite once in thirty."""
    package = pytest.importorskip("gguf.quants")
    size = numbers.SIZES[form][1]
    raw = np.random.default_rng(seed).integers(0, 256, (rows, 3 * size), dtype=np.uint8)
    raw.reshape(rows, 3, size)[..., 1:4:2] &= 0x3F
    with np.errstate(all="ignore"):
        return raw, package.dequantize(raw, package.GGMLQuantizationType[form])


# Numbers


@pytest.mark.parametrize("form", [*OURS, "BF16", "F16"])
def test_blocks_are_decoded_bit_for_bit_as_by_the_package(form):
    raw, wanted = blocks(form, 100)
    found = numbers.decoded(raw, form)
    assert found.dtype == wanted.dtype == np.float32
    assert np.isfinite(wanted).all()
    assert found.tobytes() == wanted.tobytes()


@pytest.mark.parametrize("form", OURS)
def test_every_byte_of_a_block_matters(form):
    raw, _ = blocks(form, 1)
    whole = numbers.decoded(raw, form)
    for place in range(raw.shape[1]):
        other = raw.copy()
        other[0, place] ^= 0x10
        assert not np.array_equal(numbers.decoded(other, form), whole), place


@pytest.mark.parametrize("form", [form for form in numbers.SIZES if form[-1] in "KSML0"])
def test_all_other_formats_go_through_the_package(form):
    raw, wanted = blocks(form, 5)
    found = numbers.decoded(raw, form)
    assert found.shape == (5, 3 * numbers.SIZES[form][0])
    assert np.array_equal(found, wanted, equal_nan=True)


def test_the_table_of_formats_is_that_of_the_package():
    constants = pytest.importorskip("gguf.constants")
    kinds = constants.GGMLQuantizationType
    assert {code: kinds(code).name for code in gguf._FORMATS} == gguf._FORMATS
    assert {form: constants.GGML_QUANT_SIZES[kinds[form]] for form in numbers.SIZES} == numbers.SIZES


def test_a_format_without_its_package_is_a_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "gguf.quants", None)
    with pytest.raises(UserError, match=r"a tensor in the format Q4_K needs the package gguf"):
        numbers.decoded(np.zeros((1, 144), np.uint8), "Q4_K")


# Files


EVERY_KIND = [
    ("u8", made.U8, 255),
    ("i8", made.I8, -128),
    ("u16", made.U16, 65535),
    ("i16", made.I16, -3),
    ("u32", U32, 2**32 - 1),
    ("i32", made.I32, -(2**31)),
    ("f32", F32, 0.5),
    ("yes", BOOL, True),
    ("text", STRING, "köln 🙂\n"),
    ("u64", U64, 2**64 - 1),
    ("i64", made.I64, -(2**63)),
    ("f64", made.F64, 0.1),
    ("words", (ARRAY, STRING), ["a", "", "ü"]),
    ("numbers", (ARRAY, F32), [0.5, -1.0]),
    ("flags", (ARRAY, BOOL), [True, False]),
    ("nothing", (ARRAY, STRING), []),
]


def test_every_kind_of_value_is_read(tmp_path):
    found = gguf.read(saved(tmp_path, made.file(EVERY_KIND, {}))).metadata
    assert list(found) == [key for key, _, _ in EVERY_KIND]
    for key, _, wanted in EVERY_KIND:
        assert (found[key].tolist() if isinstance(found[key], np.ndarray) else found[key]) == wanted
        assert type(found[key]) is type(wanted) or isinstance(found[key], np.ndarray)


def test_a_file_by_the_package_is_read(tmp_path):
    package = pytest.importorskip("gguf")
    rng = np.random.default_rng(0)
    tensors = {"a": rng.normal(size=(3, 5, 64)).astype(np.float32), "b": rng.normal(size=7).astype(np.float16)}
    writer = package.GGUFWriter(tmp_path / "x.gguf", "llama")
    writer.add_uint32("llama.block_count", 3)
    writer.add_array("tokenizer.ggml.tokens", ["x", "yz"])
    for name, tensor in tensors.items():
        writer.add_tensor(name, tensor)
    writer.add_tensor("q", package.quantize(tensors["a"], package.GGMLQuantizationType.Q4_1), raw_dtype=3)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    found = gguf.read(tmp_path / "x.gguf")
    assert found.metadata["llama.block_count"] == 3
    assert found.metadata["tokenizer.ggml.tokens"] == ["x", "yz"]
    assert {name: (t.shape, t.format) for name, t in found.tensors.items()} == {
        "a": ((3, 5, 64), "F32"),
        "b": ((7,), "F16"),
        "q": ((3, 5, 64), "Q4_1"),
    }
    for name, tensor in tensors.items():
        read = numbers.decoded(found.tensors[name].raw, found.tensors[name].format)
        assert np.array_equal(read.reshape(tensor.shape), tensor)
    q = package.dequantize(package.quantize(tensors["a"], package.GGMLQuantizationType.Q4_1), 3)
    assert np.array_equal(numbers.decoded(found.tensors["q"].raw, "Q4_1").reshape(3, 5, 64), q)


@pytest.mark.parametrize(
    "config",
    [
        SMALL,
        replace(SMALL, tied=False, n_kv_heads=4, rope_base=5e5),
        replace(SMALL, bias=True, n_kv_heads=1, n_blocks=1),
        replace(SMALL, d_head=8, window=9, eps=1e-6),
        replace(SMALL, rope_share=0.5, d_head=8),
    ],
    ids=["gqa", "untied mha", "biased mqa", "wide heads, window", "part of each head turns"],
)
def test_a_model_comes_back_in_our_layout(config, tmp_path):
    weights, tensors = made.llama(config)
    if config.turning < config.d_head:
        tensors |= half_turning(config, weights)
    window = {"attention.sliding_window": (U32, config.window)} if config.window else {}
    path = saved(tmp_path, made.file(made.described(config, **window), tensors))
    found, params = loaded(path)
    assert found == config
    assert list(tree.named(params)) == list(tree.named(weights))
    for (name, mine), wanted in zip(tree.named(params).items(), tree.leaves(weights), strict=True):
        multiplied = mine.T if config.tied and name == "emb.w" else mine
        assert np.array_equal(mine, wanted)
        assert mine.dtype == np.float32
        assert multiplied.flags.c_contiguous
        assert mine.flags.writeable


def half_turning(config, weights):
    """Query and key of a model whose heads turn in part: of those rows alone, two that turn together are neighbours."""
    found = {}
    for i, block in enumerate(weights["blocks"]):
        for letter, heads in (("q", config.n_heads), ("k", config.n_kv_heads)):
            w = block["attn"][letter]["w"].T.reshape(heads, config.d_head, -1)
            turning, rest = w[:, : config.turning], w[:, config.turning :]
            mixed = [made.neighbours(head, 1) for head in turning]
            found[f"blk.{i}.attn_{letter}.weight"] = np.concatenate([mixed, rest], axis=1).reshape(-1, config.d_model)
    return found


def test_the_order_of_rows_is_that_of_turning_neighbours():
    """Rows 2i and 2i + 1 of the file turn together; here it is rows i and i + 3."""
    assert gguf_llama._order("blk.0.attn_q.weight", 24, SMALL)[:12].tolist() == [0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11]
    assert gguf_llama._order("blk.0.attn_v.weight", 12, SMALL) is None
    assert gguf_llama._order("output", 24, SMALL) is None


def test_dtype_and_progress(tmp_path):
    _, tensors = made.llama(SMALL)
    file = gguf.read(saved(tmp_path, made.file(made.described(SMALL), tensors)))
    told = []
    _, params = gguf_llama.load(file, np.float64, lambda done, total: told.append((done, total)))
    assert {leaf.dtype for leaf in tree.leaves(params)} == {np.dtype(np.float64)}
    size = sum(leaf.nbytes for leaf in tree.leaves(params))
    assert [total for _, total in told] == [size] * len(tree.leaves(params))
    assert [done for done, _ in told] == np.cumsum([leaf.nbytes for leaf in tree.leaves(params)]).tolist()


def test_strips_make_no_difference(tmp_path, monkeypatch):
    weights, tensors = made.llama(SMALL)
    path = saved(tmp_path, made.file(made.described(SMALL), tensors))
    for strip in (1, 50, 10**6):
        monkeypatch.setattr(filling, "STRIP", strip)
        assert all(map(np.array_equal, tree.leaves(loaded(path)[1]), tree.leaves(weights)))


def test_defaults_are_those_of_the_format(tmp_path):
    config = replace(SMALL, n_heads=2)
    _, tensors = made.llama(config)
    silent = ("attention.head_count_kv", "attention.key_length", "attention.value_length", "rope.dimension_count")
    entries = made.described(config, **dict.fromkeys([*silent, "rope.freq_base", "vocab_size"]))
    assert loaded(saved(tmp_path, made.file(entries, tensors)))[0] == config


def divisors(config):
    plain = positions.speeds(replace(config, rope_factor=1.0))
    return (plain / positions.speeds(config)).astype(np.float32)


LONG = replace(SMALL, d_head=16, rope_base=5e5, rope_factor=8.0)


def test_the_scaling_of_llama_3_is_read_from_its_divisors(tmp_path):
    _, tensors = made.llama(LONG)
    tensors = {"rope_freqs.weight": divisors(LONG)} | tensors
    assert loaded(saved(tmp_path, made.file(made.described(LONG), tensors)))[0] == LONG
    short = replace(LONG, rope_factor=32.0, rope_trained_len=1000)
    entries = made.described(short, **{"rope.scaling.original_context_length": (U32, 1000)})
    tensors["rope_freqs.weight"] = divisors(short)
    assert loaded(saved(tmp_path, made.file(entries, tensors)))[0] == short


@pytest.mark.parametrize(
    "wrong",
    [lambda d: d * 1.001, lambda d: d[::-1].copy(), lambda d: d[1:].copy(), lambda d: d * np.nan, lambda d: 1 / d],
    ids=["off by a thousandth", "reversed", "shorter", "nan", "upside down"],
)
def test_other_divisors_are_refused(wrong, tmp_path):
    _, tensors = made.llama(LONG)
    body = made.file(made.described(LONG), {"rope_freqs.weight": wrong(divisors(LONG))} | tensors)
    assert "rope_freqs.weight" in refused(saved(tmp_path, body))


# Memory


def test_a_model_is_never_in_memory_twice(tmp_path):
    """Peak: the result and a strip. The largest tensor is a quarter of this model, so a copy of one would show."""
    config = replace(SMALL, vocab=4096, d_model=256, d_ffn=1024, n_heads=8, d_head=32, n_kv_heads=8, n_blocks=2)
    path = saved(tmp_path, made.file(made.described(config), made.llama(config)[1]))
    tracemalloc.start()
    _, params = loaded(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    size = sum(leaf.nbytes for leaf in tree.leaves(params))
    assert 10e6 < size < peak < size + 2.5e6


ABSURD = 2**63 - 1


@pytest.mark.parametrize(
    "body",
    [
        made.file([], {}, counts=(ABSURD, 0)),
        made.file([], {}, counts=(0, ABSURD)),
        made.file([], {}, counts=(0, 1))[:24] + struct.pack("<Q", ABSURD),
        made.file([], {}, counts=(0, 1))[:24] + made.string("k") + struct.pack("<IQ", STRING, 2**64 - 1),
        *(
            made.file([], {}, counts=(0, 1))[:24] + made.string("k") + struct.pack("<IIQ", ARRAY, kind, ABSURD)
            for kind in (STRING, F32, made.U8, BOOL, made.F64)
        ),
        made.file([], {"t": (0, (2**40, 2**40), b"")}),
        made.file([], {"t": (0, (2**63, 2**63, 2**63, 2**63), b"")}),
        made.file([], {"t": (3, (2**50, 32), b"")}),
    ],
    ids=range(12),
)
def test_what_a_file_claims_is_not_allocated(body, tmp_path):
    path = saved(tmp_path, body)
    refused(path, gguf.read)
    tracemalloc.start()
    refused(path, gguf.read)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


def test_a_billion_blocks_are_not_listed(tmp_path):
    _, tensors = made.llama(SMALL)
    body = made.file(made.described(SMALL, block_count=(U32, 10**9)), tensors)
    assert "tensors cannot make a model of 1000000000 blocks" in refused(saved(tmp_path, body))


# Damage


GOOD = [("k", U32, 7)]
ONE = {"t": np.ones((2, 3), np.float32)}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "is empty"),
        (b"GG", "ends too early"),
        (b"GGML" + bytes(60), "does not begin with the letters GGUF"),
        (made.file(GOOD, ONE, version=1), "version 1; versions 2 and 3"),
        (made.file(GOOD, ONE, version=4), "version 4; versions 2 and 3"),
        (made.file(GOOD, ONE, version=3 << 24), "big-endian"),
        (made.file(GOOD, ONE)[:-1], "'t' needs bytes up to"),
        (made.file(GOOD * 2, ONE), "key 'k' is there twice"),
        (made.file([("general.alignment", U32, 0)], ONE), "alignment is 0"),
        (made.file([("general.alignment", U32, 24)], ONE), "alignment is 24"),
        (made.file([("general.alignment", STRING, "x")], ONE), "alignment is 'x'"),
        (made.file([("k", STRING, b"\xff\xfe")], {}), "not UTF-8"),
        (made.file([("k", (ARRAY, STRING), ["a", b"\xff"])], {}), "entry 1 of 'k' is not UTF-8"),
        (made.file([(b"\xff", U32, 1)], {}), "not UTF-8"),
        (made.file([("x" * 70_000, U32, 1)], {}), "has 70000 letters"),
        (made.file([], {}, counts=(0, 1))[:24] + made.string("k") + struct.pack("<IQ", 99, 0), "unknown type 99"),
        (made.file([], {}, counts=(0, 1))[:24] + made.string("k") + struct.pack("<IB", BOOL, 2), "neither true nor"),
        (
            made.file([], {}, counts=(0, 1))[:24] + made.string("k") + struct.pack("<IIQIQ", ARRAY, ARRAY, 1, U32, 0),
            "arrays in an array",
        ),
        (made.file([], {}, counts=(1, 0))[:24] + made.listed("t", (), 0, 0), "has 0 dimensions"),
        (made.file([], {}, counts=(1, 0))[:24] + made.listed("t", (1,) * 5, 0, 0), "has 5 dimensions"),
        (made.file([], {"t": (0, (0, 3), b"")}), "cannot be stored as F32"),
        (made.file([], {"t": (3, (2, 33), bytes(80))}), "shape (2, 33) cannot be stored as Q4_1"),
        (made.file([], {"t": (24, (2, 32), bytes(80))}), "GGML's I8"),
        (made.file([], {"t": (4, (2, 32), bytes(80))}), "GGML's 4"),
        (made.file([], {"t": (10**9, (2, 32), bytes(80))}), "GGML's 1000000000"),
    ],
    ids=range(25),
)
def test_a_damaged_file_is_refused(body, reason, tmp_path):
    assert reason in refused(saved(tmp_path, body), gguf.read)


def test_tensors_may_not_share_bytes_or_names(tmp_path):
    table = made.listed("a", (8,), 0, 0) + made.listed("b", (8,), 0, 16)
    body = made.file([], {}, counts=(2, 0))[:24] + table
    body += bytes(-len(body) % 32) + bytes(64)
    assert "tensors 'a' and 'b' overlap" in refused(saved(tmp_path, body), gguf.read)
    body = body.replace(made.string("b"), made.string("a"))
    assert "tensor 'a' is there twice" in refused(saved(tmp_path, body), gguf.read)


def test_what_is_no_file_is_refused(tmp_path):
    assert "there is no such file" in refused(tmp_path / "missing", gguf.read)
    assert "a folder or a device" in refused(tmp_path, gguf.read)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"block_count": None}, "does not say its llama.block_count"),
        ({"block_count": (STRING, "two")}, "llama.block_count that cannot be read: 'two'"),
        ({"attention.head_count_kv": ((ARRAY, U32), [2, 2])}, "llama.attention.head_count_kv that cannot be read"),
        ({"attention.head_count_kv": (U32, 3)}, "heads cannot share"),
        ({"attention.head_count": (U32, 0)}, "n_heads must be"),
        ({"attention.value_length": (U32, 8)}, "values of another width"),
        ({"expert_count": (U32, 8)}, "mixture of experts"),
        ({"rope.scaling.type": (STRING, "yarn")}, "cannot be read: 'yarn'"),
        ({"rope.scaling.type": (STRING, "linear")}, "cannot be read: 'linear'"),
        ({"rope.scale_linear": (F32, 2.0)}, "scales its positions"),
        ({"rope.dimension_count": (U32, 5)}, "must be an even number"),
        ({"rope.dimension_count": (U32, 12)}, "rope_share must be"),
        ({"attention.layer_norm_rms_epsilon": (F32, float("nan"))}, "eps must be"),
        ({"rope.freq_base": (F32, float("inf"))}, "rope_base must be"),
        ({"embedding_length": (U32, 13)}, "token_embd.weight has shape (13, 12), not (13, 13)"),
        ({"vocab_size": (U32, 14)}, "token_embd.weight has shape (13, 12), not (14, 12)"),
    ],
    ids=range(16),
)
def test_metadata_that_cannot_be_are_refused(change, reason, tmp_path):
    body = made.file(made.described(SMALL, **change), made.llama(SMALL)[1])
    assert reason in refused(saved(tmp_path, body))


def test_another_architecture_is_refused(tmp_path):
    entries = [("general.architecture", STRING, "qwen2"), *made.described(SMALL)[1:]]
    message = refused(saved(tmp_path, made.file(entries, made.llama(SMALL)[1])))
    assert "architecture 'qwen2'; only 'llama' can be read" in message


def test_every_tensor_that_is_wrong_is_named_at_once(tmp_path):
    _, tensors = made.llama(replace(SMALL, tied=False))
    del tensors["blk.1.ffn_up.weight"], tensors["output_norm.weight"]
    tensors |= {"blk.9.attn_q.weight": np.ones(3, np.float32), "blk.0.attn_v.weight": np.ones((12, 11), np.float32)}
    path = saved(tmp_path, made.file(made.described(SMALL), tensors))
    message = refused(path)
    for reason in (
        "blk.1.ffn_up.weight is missing",
        "output_norm.weight is missing",
        "'blk.9.attn_q.weight' is no tensor of such a model",
        "blk.0.attn_v.weight has shape (12, 11), not (12, 12)",
    ):
        assert reason in message
    del tensors["blk.0.attn_norm.weight"], tensors["blk.0.ffn_norm.weight"], tensors["blk.1.ffn_norm.weight"]
    tensors |= {f"x{i}": np.ones(3, np.float32) for i in range(9)}
    path = saved(tmp_path, made.file(made.described(SMALL), tensors))
    assert refused(path).endswith("; and 8 more")
    with pytest.raises(FileError) as caught:
        loaded(path)
    assert len(caught.value.problems) == 16


def test_numbers_that_are_none_are_refused_by_name(tmp_path):
    _, tensors = made.llama(SMALL)
    tensors["blk.0.attn_q.weight"][3, 2] = np.nan
    tensors["output_norm.weight"][0] = -np.inf
    message = refused(saved(tmp_path, made.file(made.described(SMALL), tensors)))
    assert "blk.0.attn_q.weight holds NaN or infinity; output_norm.weight holds NaN or infinity" in message


# Any damage


def a_model():
    config = LlamaConfig(vocab=5, d_model=32, n_blocks=1, n_heads=2, n_kv_heads=1, d_head=4, d_ffn=3, max_len=8)
    _, tensors = made.llama(config)
    tensors["blk.0.attn_v.weight"] = (3, (4, 32), np.random.default_rng(0).integers(0, 40, 80, np.uint8).tobytes())
    entries = [*made.described(config), ("tokenizer.ggml.tokens", (ARRAY, STRING), ["a", "bc"])]
    return made.file(entries, tensors)


WHOLE = a_model()
HEADER = WHOLE.index(b"blk.0.ffn_norm") + 100


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    flips=st.lists(st.tuples(st.integers(0, HEADER), st.integers(1, 255)), min_size=1, max_size=4),
    length=st.one_of(st.just(len(WHOLE)), st.integers(0, len(WHOLE) - 1)),
)
def test_any_damage_ends_in_a_sentence_or_in_a_model(flips, length, tmp_path):
    body = bytearray(WHOLE[:length])
    for place, flip in flips:
        if place < len(body):
            body[place] ^= flip
    path = saved(tmp_path, bytes(body))
    with contextlib.suppress(FileError):  # any other exception fails the test
        config, params = loaded(path)
        assert length == len(WHOLE)
        assert all(np.isfinite(leaf).all() for leaf in tree.leaves(params))
        assert params["emb"]["w"].shape == (config.vocab, config.d_model)


def test_a_truncated_file_is_refused_at_any_length(tmp_path):
    for length in [*range(0, HEADER, 7), *range(HEADER, len(WHOLE), 61), len(WHOLE) - 1]:
        refused(saved(tmp_path, WHOLE[:length]))
