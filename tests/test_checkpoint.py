"""Checkpoints: what is saved comes back bit for bit, what is damaged is refused, what is there survives a failure."""

import errno
import json
import os
import pickle
import re
import signal
import stat
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from common import checkpoint, params, random, tree
from common.checkpoint import CheckpointError, Model, Run
from common.config import KEEPS, ClassifierConfig, DigitsConfig, TrainConfig
from common.run import Best, History, TrainState

CONFIG = ClassifierConfig(d_model=8, n_heads=2, d_ffn=12, n_blocks=2)
TASK = DigitsConfig(ops=("Max", "Min"), max_value=5, split_seed=3)
KEY = "transformer_twins"


def weights(seed, dtype=np.float32):
    return params.init(random.key(seed), CONFIG, dtype)


def model(seed=0, dtype=np.float32, tree_of=weights):
    return Model("classifier", CONFIG, TASK, tree_of(seed, dtype), TrainConfig(), {"accuracy": 1.0, "epoch": 3})


def run(seed=0, dtype=np.float32, optimizer="adamw", best=True):
    kept = {name: weights(seed + i, dtype) for i, name in enumerate(KEEPS[optimizer], 1)}
    epochs = [{"epoch": 1, "step": 3, "loss": 0.1, "accuracy": 1 / 3, "by_op": {"Max": 0.5}, "train_loss": 0.2}]
    history = History([0.1, 0.2 / 3, 1e-300], [0.0, 1.0, 0.5], epochs)
    kept_best = Best(weights(seed + 9, dtype), 1, 3, 1 / 3, 0.1) if best else None
    state = TrainState(weights(seed, dtype), {"step": 3, **kept}, 3, history, kept_best)
    return Run("classifier", CONFIG, TASK, TrainConfig(optimizer=optimizer, seed=5, examples=200, batch_size=64), state)


def assert_same_bits(found, wanted):
    a, b = tree.named(found), tree.named(wanted)
    assert list(a) == list(b)
    for name in a:
        assert (a[name].dtype, a[name].shape, a[name].tobytes()) == (b[name].dtype, b[name].shape, b[name].tobytes())


def refused(path, load=checkpoint.load_model, **options):
    """The one line that refuses the file. Any other exception fails the test, and so does a file that loads."""
    with pytest.raises(CheckpointError) as caught:
        load(path, **options)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert message.isprintable()
    assert len(message) < 700
    return message


def forged(path, tensors, about):
    """A file with a checksum that holds, whatever is in it."""
    text = about if isinstance(about, str) else json.dumps(about)
    envelope = {"about": text, "sha256": checkpoint._digest(tensors, text)}
    safetensors.numpy.save_file(tensors, path, {KEY: json.dumps(envelope)})
    return path


def opened(path):
    with safetensors.safe_open(path, "np") as file:
        about = json.loads(json.loads(file.metadata()[KEY])["about"])
        return {name: file.get_tensor(name) for name in file.keys()}, about  # noqa: SIM118


@pytest.fixture
def good(tmp_path):
    path = tmp_path / "good.safetensors"
    checkpoint.save_model(path, model())
    return path


@pytest.fixture
def good_run(tmp_path):
    path = tmp_path / "run.safetensors"
    checkpoint.save_run(path, run())
    return path


# There and back


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_model_comes_back_bit_for_bit(dtype, tmp_path):
    saved = model(dtype=dtype)
    checkpoint.save_model(tmp_path / "m", saved)
    found = checkpoint.load_model(tmp_path / "m", family="classifier")
    assert_same_bits(found.params, saved.params)
    assert replace(found, params=None) == replace(saved, params=None)


@pytest.mark.parametrize("optimizer", KEEPS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_run_comes_back_bit_for_bit(optimizer, dtype, tmp_path):
    saved = run(dtype=dtype, optimizer=optimizer)
    checkpoint.save_run(tmp_path / "r", saved)
    found = checkpoint.load_run(tmp_path / "r", family="classifier")
    assert replace(found, state=None) == replace(saved, state=None)
    assert_same_bits(found.state.params, saved.state.params)
    assert_same_bits(found.state.best.params, saved.state.best.params)
    assert list(found.state.opt) == list(saved.state.opt)
    for name in KEEPS[optimizer]:
        assert_same_bits(found.state.opt[name], saved.state.opt[name])
    assert (found.state.step, found.state.opt["step"]) == (3, 3)
    assert found.state.history == saved.state.history
    assert replace(found.state.best, params=None) == replace(saved.state.best, params=None)


def test_a_run_file_can_be_asked_and_answers_with_its_best_parameters(good_run, tmp_path):
    found = checkpoint.load_model(good_run)
    assert_same_bits(found.params, run().state.best.params)
    assert found.notes == {"epoch": 1, "step": 3, "accuracy": 1 / 3, "loss": 0.1}
    checkpoint.save_run(tmp_path / "early", run(best=False))
    assert_same_bits(checkpoint.load_model(tmp_path / "early").params, run().state.params)
    assert checkpoint.load_run(tmp_path / "early").state.best is None


def test_a_run_before_its_first_update_comes_back(tmp_path):
    fresh = replace(run(optimizer="sgd", best=False), state=TrainState(weights(0), {"step": 0}, 0, History()))
    checkpoint.save_run(tmp_path / "r", fresh)
    assert checkpoint.load_run(tmp_path / "r").state.history == History()


@pytest.mark.parametrize(
    "layout",
    [
        np.asfortranarray,
        lambda x: np.ascontiguousarray(x.T).T,
        lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
        lambda x: np.ascontiguousarray(x[::-1])[::-1],
        lambda x: x.astype(x.dtype.newbyteorder(">")),
    ],
    ids=["fortran", "transposed", "strided", "reversed", "big-endian"],
)
def test_memory_layout_is_no_matter(layout, tmp_path):
    plain, turned = model(), model(tree_of=lambda *a: tree.map(layout, weights(*a)))
    checkpoint.save_model(tmp_path / "plain", plain)
    checkpoint.save_model(tmp_path / "turned", turned)
    assert (tmp_path / "turned").read_bytes() == (tmp_path / "plain").read_bytes()
    assert_same_bits(checkpoint.load_model(tmp_path / "turned").params, plain.params)


def test_the_bytes_are_a_function_of_the_content(tmp_path):
    for name in ("a", "b"):
        checkpoint.save_run(tmp_path / name, run())
    script = "import sys, test_checkpoint as t; t.checkpoint.save_run(sys.argv[1], t.run())"
    for seed in ("1", "2"):
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(["src", "tests"]), "PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", script, tmp_path / f"process{seed}"], env=environment, check=True)
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1
    assert len(list(tmp_path.iterdir())) == 4


def test_the_order_of_notes_is_no_matter(tmp_path):
    for name, notes in (("a", {"x": 1, "y": 2}), ("b", {"y": 2, "x": 1})):
        checkpoint.save_model(tmp_path / name, replace(model(), notes=notes))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


# Damage


def test_a_truncated_file_is_refused_at_any_length(good_run):
    body = good_run.read_bytes()
    header = 8 + int.from_bytes(body[:8], "little")
    near = [*range(12), *range(header - 2, header + 3), len(body) - 1]
    for length in (*near, *range(12, len(body), 101)):
        good_run.write_bytes(body[:length])
        refused(good_run, checkpoint.load_run)
    good_run.write_bytes(body + b"\0")
    refused(good_run, checkpoint.load_run)


def test_no_flipped_bit_loads(good_run):
    """400 flips over the whole file, and every bit of the eight bytes that hold the header's length."""
    body = good_run.read_bytes()
    header = 8 + int.from_bytes(body[:8], "little")
    rng = np.random.default_rng(0)
    places = [(byte, bit) for byte in range(8) for bit in range(8)]
    for low, high in ((8, header), (header, len(body))):
        places += zip(rng.integers(low, high, 200).tolist(), rng.integers(0, 8, 200).tolist(), strict=True)
    for byte, bit in places:
        damaged = bytearray(body)
        damaged[byte] ^= 1 << bit
        good_run.write_bytes(damaged)
        message = refused(good_run, checkpoint.load_run)
        assert byte < header or "does not match its checksum" in message


def test_random_bytes_in_the_header_never_raise_anything_else(good):
    body = good.read_bytes()
    header = 8 + int.from_bytes(body[:8], "little")
    rng = np.random.default_rng(1)
    for _ in range(300):
        damaged = bytearray(body)
        for byte in rng.integers(8, header, rng.integers(2, 12)):
            damaged[byte] = rng.integers(256)
        good.write_bytes(damaged)
        refused(good)


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t | {"head.w": t["head.w"].view(np.int32)},
        lambda t: t | {"blocks.0.attn.q.w": t["blocks.0.attn.k.w"], "blocks.0.attn.k.w": t["blocks.0.attn.q.w"]},
        lambda t: t | {"blocks.0.ffn.up.w": t["blocks.0.ffn.up.w"].reshape(12, 8)},
        lambda t: {f"{name}x" if name == "head.w" else name: tensor for name, tensor in t.items()},
    ],
    ids=["dtype", "order", "shape", "name"],
)
def test_the_checksum_covers_names_shapes_and_dtypes(change, good):
    with safetensors.safe_open(good, "np") as file:
        metadata = file.metadata()
    safetensors.numpy.save_file(change(opened(good)[0]), good, metadata)
    assert "does not match its checksum" in refused(good)


def lengthened(header: bytes) -> bytes:
    return len(header).to_bytes(8, "little") + header


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "no safetensors file at all"),
        (b"hello, this is a text file and nothing else\n", "no safetensors file at all"),
        (pickle.dumps({"param_0": [1.0, 2.0]}), "no safetensors file at all"),
        (b"\xff" * 4096, "no safetensors file at all"),
        ((2**40).to_bytes(8, "little") + b"{}", "no safetensors file at all"),
        (lengthened(b'{"x":{"dtype":"F64","shape":[1000000000000],"data_offsets":[0,8000000000000]}}'), "damaged"),
        (lengthened(b'{"x":{"dtype":"F64","shape":[4294967296,4294967296],"data_offsets":[0,0]}}'), "damaged"),
        (lengthened(b"[" * 100_000), "damaged"),
        (lengthened(b'{"__metadata__":7}'), "damaged"),
        (lengthened(b"{}"), "not a checkpoint of this project"),
        (safetensors.numpy.save({"w": np.ones(3)}), "not a checkpoint of this project"),
        (safetensors.numpy.save({"w": np.ones(3)}, {"format": "pt"}), "not a checkpoint of this project"),
        (safetensors.numpy.save({"w": np.ones(3)}, {KEY: "not JSON"}), "description cannot be read"),
        (safetensors.numpy.save({"w": np.ones(3)}, {KEY: "[" * 100_000}), "description cannot be read"),
        (safetensors.numpy.save({"w": np.ones(3)}, {KEY: '{"about": 3, "sha256": ""}'}), "description cannot be read"),
        (safetensors.numpy.save({"w": np.ones(3)}, {KEY: r'{"about": "\ud800", "sha256": ""}'}), "cannot be read"),
    ],
    ids=range(16),
)
def test_a_foreign_file_is_refused(body, reason, tmp_path):
    path = tmp_path / "foreign"
    path.write_bytes(body)
    assert reason in refused(path)
    assert reason in refused(path, checkpoint.load_run)


def test_what_is_no_file_is_refused(tmp_path):
    assert "there is no such file" in refused(tmp_path / "missing")
    assert "there is no such file" in refused(tmp_path / "no" / "such" / "folder")
    assert "is a folder or a device" in refused(tmp_path)
    assert "is a folder or a device" in refused(Path("/dev/zero"))
    os.mkfifo(tmp_path / "pipe")
    assert "is a folder or a device" in refused(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert "cannot be read: Too many levels" in refused(tmp_path / "loop")
    assert "cannot be read: Not a directory" in refused(Path(__file__) / "x")
    with pytest.raises(CheckpointError, match="null byte"):
        checkpoint.load_model("a\0b")


@contextmanager
def as_an_ordinary_user(mode=0o644):
    """A good file of this mode in a read-only folder. Inside the block the process is not root, who may do anything."""
    with tempfile.TemporaryDirectory() as folder:
        checkpoint.save_model(Path(folder, "good"), model())
        os.chmod(Path(folder, "good"), mode)
        os.chmod(folder, 0o555)
        root = os.geteuid() == 0
        if root:
            os.seteuid(65534)
        try:
            yield Path(folder, "good")
        finally:
            if root:
                os.seteuid(0)
            os.chmod(folder, 0o755)


def test_an_unreadable_file_is_refused():
    with as_an_ordinary_user(mode=0) as path:
        assert refused(path) == f"{path}: cannot be read: Permission denied"


def test_another_family_is_refused(good):
    message = refused(good, family="llama")
    assert message.endswith("this is a classifier model; here a llama model is needed")
    tensors, about = opened(good)
    assert "model family 'gtp' is unknown" in refused(forged(good, tensors, about | {"family": "gtp"}))


def test_another_version_is_refused(good):
    tensors, about = opened(good)
    assert "format version 2; this program reads version 1" in refused(forged(good, tensors, about | {"version": 2}))


def test_a_model_cannot_be_resumed(good):
    assert "no run to resume" in refused(good, checkpoint.load_run)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda t: t.pop("head.b"), "head.b is missing"),
        (lambda t: t.update({"head.c": np.ones(1)}), "'head.c' is unknown"),
        (lambda t: t.update({"\x1b[31m\n": np.ones(1)}), r"'\x1b[31m\n' is unknown"),
        (lambda t: t.update({"x" * 5000: np.ones(1)}), "xxx"),
        (lambda t: t.update({"head.b": np.ones(21, np.float32)}), "head.b has shape (21,), not (20,)"),
        (lambda t: t.update({"head.w": t["head.w"].T.copy()}), "head.w has shape (20, 8), not (8, 20)"),
        (lambda t: t.update({"head.b": np.array(1, np.float32)}), "head.b has shape (), not (20,)"),
        (lambda t: t.update({"head.b": np.ones(20, np.int32)}), "head.b is int32, not float32 or float64"),
        (lambda t: t.update({"head.b": np.ones(20, np.float16)}), "head.b is float16, not float32 or float64"),
        (lambda t: t.update({"head.b": np.full(20, np.nan)}), "head.b holds NaN or infinity"),
        (lambda t: t.update({"head.b": np.full(20, -np.inf)}), "head.b holds NaN or infinity"),
        (lambda t: t.clear(), "0 tensors cannot make a model of 2 blocks"),
    ],
    ids=range(12),
)
def test_wrong_tensors_are_named_though_the_checksum_holds(change, reason, good):
    tensors, about = opened(good)
    change(tensors)
    assert reason in refused(forged(good, tensors, about))


@pytest.mark.parametrize("name", ["params.emb.w", "best.head.b", "opt.m.blocks.1.attn.q.w", "opt.v.head.w"])
def test_every_part_of_a_run_is_checked(name, good_run):
    tensors, about = opened(good_run)
    lacking = {n: t for n, t in tensors.items() if n != name}
    assert f"{name} is missing" in refused(forged(good_run, lacking, about), checkpoint.load_run)
    with_nan = tensors | {name: np.full_like(tensors[name], np.nan)}
    assert f"{name} holds NaN" in refused(forged(good_run, with_nan, about), checkpoint.load_run)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda t: [t.pop(n) for n in list(t) if n.startswith("opt.v.")], "0 tensors cannot make a model"),
        (lambda t: t.update({"opt.u.head.b": np.ones(20)}), "'opt.u.head.b' is no part of a run with adamw"),
        (lambda t: t.update({"stray": np.ones(20)}), "'stray' is no part of a run"),
        (lambda t: t.pop("history.loss"), "history is not that of a run of 3 updates"),
        (lambda t: t.update({"history.loss": np.ones(4)}), "history is not that of a run of 3 updates"),
        (lambda t: t.update({"history.more": np.ones(3)}), "history is not that of a run of 3 updates"),
    ],
    ids=range(6),
)
def test_a_run_with_other_parts_is_refused(change, reason, good_run):
    tensors, about = opened(good_run)
    change(tensors)
    assert reason in refused(forged(good_run, tensors, about), checkpoint.load_run)


HUGE = ClassifierConfig(n_blocks=10**9).to_dict()


@pytest.mark.parametrize(
    "about",
    [
        *("", "[]", "3", '"text"', "null", "{}", '{"version": 1}', "[" * 100_000, "9" * 10_000),
        *({"kind": kind} for kind in (None, [], "other", 3)),
        *({"family": family} for family in (None, [], {}, 3)),
        *({"config": config} for config in (None, [], "x", {}, {"vocab": 20}, HUGE, HUGE | {"d_model": "x"})),
        *({"task": task} for task in (None, [1], {}, {"ops": 3}, DigitsConfig().to_dict() | {"ops": 3})),
        *({"train": train} for train in (3, ["x"], {"lr": -1}, TrainConfig().to_dict() | {"lr": None})),
        *({"step": step} for step in (None, -1, "3", 3.0, True, [], 4)),
        *({"opt_step": step} for step in (None, -1, "3", 2.5)),
        *({"epochs": epochs} for epochs in (None, 3, [3], {})),
        *({"best": best} for best in (None, 3, [], {}, {"epoch": 1, "step": 1, "accuracy": "1", "loss": 0.1})),
        *({"notes": notes, "kind": "model"} for notes in (3, [], "x")),
    ],
    ids=lambda about: str(about)[:40],
)
def test_a_description_that_makes_no_sense_is_refused_though_the_checksum_holds(about, good_run):
    tensors, right = opened(good_run)
    forged(good_run, tensors, about if isinstance(about, str) else right | about)
    refused(good_run, checkpoint.load_run)
    if not isinstance(about, str) and not set(about) & {"step", "opt_step", "epochs"}:
        refused(good_run, checkpoint.load_model)


# Failing to save


@pytest.mark.parametrize(("module", "name"), [("os", "replace"), ("os", "fsync"), ("builtins", "open")])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EACCES])
def test_a_failed_save_leaves_the_last_good_file_and_nothing_else(module, name, code, good, monkeypatch):
    before = good.read_bytes()

    def fail(*_, **__):
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as broken:
        broken.setattr(f"{module}.{name}", fail)
        with pytest.raises(CheckpointError) as caught:
            checkpoint.save_model(good, model(seed=1))
    assert str(caught.value) == f"{good}: cannot be written: {os.strerror(code)}"
    assert good.read_bytes() == before
    assert list(good.parent.iterdir()) == [good]


def test_a_disk_that_fills_half_way_leaves_the_last_good_file_and_nothing_else(good):
    before = good.read_bytes()
    script = (
        "import resource, signal, sys, test_checkpoint as t\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: t.checkpoint.save_model(sys.argv[1], t.model(seed=1))\n"
        "except t.CheckpointError as error: sys.exit(0 if 'File too large' in str(error) else str(error))\n"
        "sys.exit('it was saved')"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(["src", "tests"]), "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([sys.executable, "-c", script, good], env=environment, check=True)
    assert good.read_bytes() == before
    assert list(good.parent.iterdir()) == [good]


def test_ctrl_c_while_saving_leaves_the_last_good_file_and_nothing_else(good, monkeypatch):
    before = good.read_bytes()

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", interrupted)
        with pytest.raises(KeyboardInterrupt):
            checkpoint.save_model(good, model(seed=1))
    assert good.read_bytes() == before
    assert list(good.parent.iterdir()) == [good]


def test_a_disk_that_cannot_sync_folders_is_good_enough(good, monkeypatch):
    real = os.fsync

    def files_only(handle):
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        real(handle)

    monkeypatch.setattr(os, "fsync", files_only)
    checkpoint.save_model(good, model(seed=1))
    assert_same_bits(checkpoint.load_model(good).params, weights(1))


def test_saving_makes_the_folder(tmp_path):
    checkpoint.save_model(tmp_path / "new" / "deep" / "m", model())
    assert_same_bits(checkpoint.load_model(tmp_path / "new" / "deep" / "m").params, weights(0))


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    places = [tmp_path / "file" / "m", tmp_path / "folder", tmp_path / ("x" * 300), Path("/proc/m"), Path("/")]
    for place in places:
        with pytest.raises(CheckpointError) as caught:
            checkpoint.save_model(place, model())
        assert str(caught.value).startswith(f"{place}: cannot be written: ")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]
    with pytest.raises(CheckpointError, match="cannot be written"):
        checkpoint.save_model("a\0b", model())


def test_a_read_only_folder_keeps_its_file():
    with as_an_ordinary_user() as path:
        with pytest.raises(CheckpointError, match="good: cannot be written: Permission denied"):
            checkpoint.save_model(path, model(seed=1))
        assert_same_bits(checkpoint.load_model(path).params, weights(0))
        assert list(path.parent.iterdir()) == [path]


def broken_at(name, value):
    flat = tree.named(weights(0))
    flat[name] = value
    return tree.build(flat)


def test_what_could_not_be_loaded_is_not_saved(good, good_run):
    before, before_run = good.read_bytes(), good_run.read_bytes()
    nan, short = broken_at("head.b", np.full(20, np.nan, np.float32)), broken_at("head.b", np.ones(3, np.float32))
    for wrong, reason in ((nan, "holds NaN or infinity"), (short, "has shape (3,), not (20,)")):
        with pytest.raises(CheckpointError) as caught:
            checkpoint.save_model(good, replace(model(), params=wrong))
        assert str(caught.value) == f"{good}: cannot be written: head.b {reason}"
        state = run().state
        for changed in (
            replace(state, params=wrong),
            replace(state, opt=state.opt | {"v": wrong}),
            replace(state, best=replace(state.best, params=wrong)),
        ):
            with pytest.raises(CheckpointError, match=re.escape(f"head.b {reason}")):
                checkpoint.save_run(good_run, replace(run(), state=changed))
    with pytest.raises(CheckpointError, match="no state of adamw"):
        checkpoint.save_run(good_run, replace(run(), state=replace(state, opt={"step": 3})))
    assert (good.read_bytes(), good_run.read_bytes()) == (before, before_run)


# Others reading, and sudden death

SAVER = """
import itertools, sys, test_checkpoint as t
a, b = t.run(0), t.run(1)
for number in itertools.count():
    t.checkpoint.save_run(sys.argv[1], (a, b)[number % 2])
    if number == 3:
        print("ready", flush=True)
"""


def start_saving(path):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(["src", "tests"])}
    saver = subprocess.Popen([sys.executable, "-c", SAVER, path], env=environment, stdout=subprocess.PIPE, text=True)
    assert saver.stdout.readline() == "ready\n"
    return saver


def stop(saver):
    os.kill(saver.pid, signal.SIGKILL)
    saver.wait()
    saver.stdout.close()


def assert_is_one_of_two(path):
    found = checkpoint.load_run(path).state
    seed = 0 if np.array_equal(found.params["emb"]["w"], weights(0)["emb"]["w"]) else 1
    assert_same_bits(found.params, weights(seed))
    assert_same_bits(found.opt["v"], weights(seed + 2))
    assert_same_bits(found.best.params, weights(seed + 9))
    return seed


def test_whoever_reads_while_another_saves_sees_a_whole_file(tmp_path):
    path = tmp_path / "run"
    saver = start_saving(path)
    try:
        seen = [assert_is_one_of_two(path) for _ in range(60)]
    finally:
        stop(saver)
    assert set(seen) == {0, 1}  # it was being written while it was read


@pytest.mark.slow
def test_a_process_killed_while_saving_leaves_a_file_that_loads(tmp_path):
    path = tmp_path / "run"
    rng = np.random.default_rng(0)
    for _ in range(10):
        saver = start_saving(path)
        time.sleep(rng.uniform(0, 0.02))
        stop(saver)
        assert_is_one_of_two(path)


def test_nothing_in_the_source_uses_pickle():
    """Loading a pickle runs whatever code is in it."""
    root = Path(__file__).parent.parent
    sources = [*(root / "src").rglob("*.py"), *root.glob("*.py")]
    assert len(sources) > 20
    word = re.compile(
        r"import (c?pickle|dill|joblib|shelve|marshal)\b|allow_pickle\s*=\s*True|\.dump\(|np\.save|torch\.load"
    )
    guilty = [str(path.relative_to(root)) for path in sources if word.search(path.read_text())]
    assert guilty == []


def test_a_history_that_does_not_belong_to_its_update_is_not_saved(tmp_path):
    good = run()
    checkpoint.save_run(tmp_path / "r", good)
    before = (tmp_path / "r").read_bytes()
    longer = replace(good, state=replace(good.state, history=good.state.history.with_updates([0.1], [0.5])))
    with pytest.raises(CheckpointError, match="does not belong to update 3"):
        checkpoint.save_run(tmp_path / "r", longer)
    assert (tmp_path / "r").read_bytes() == before
