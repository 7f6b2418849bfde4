"""Training: what an update does, resuming bit for bit, and the command line around it."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from common import checkpoint, tree
from common.config import ClassifierConfig, DigitsConfig, TrainConfig
from common.data import digits
from common.errors import UserError
from common.run import History, TrainState
from console import backend, options, running, trainer
from numpy_ref import optim, train

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "train_step_by_step.py"
TINY = ClassifierConfig(d_model=16, n_heads=2, d_ffn=24)
SHORT = TrainConfig(examples=200, epochs=3, batch_size=32, warmup=5, seed=7)


@pytest.fixture(scope="module")
def data():
    return digits.load(DigitsConfig(), seed=SHORT.seed, examples=SHORT.examples)


def finished(state, data, **kw):
    *_, last = train.fit(state, data, model=TINY, train=SHORT, **kw)
    return last


def same(a, b):
    named_a, named_b = tree.named(a), tree.named(b)
    return named_a.keys() == named_b.keys() and all(np.array_equal(named_a[n], named_b[n]) for n in named_a)


def test_a_run_learns_and_leaves_its_start_untouched(data):
    start = train.init(TINY, SHORT)
    before = tree.copy(start.params)
    end = finished(start, data)
    assert same(start.params, before)
    assert end.step == SHORT.steps == len(end.history.loss) == len(end.history.accuracy)
    assert [e["step"] for e in end.history.epochs] == [6, 12, 18]
    assert np.mean(end.history.loss[-3:]) < 0.8 * np.mean(end.history.loss[:3])


def test_a_start_can_be_trained_from_again_and_each_state_keeps_its_own_history(data):
    start = train.init(TINY, SHORT)
    states = list(train.fit(start, data, model=TINY, train=SHORT))
    assert start.history == History()
    assert [len(state.history.loss) for state in states] == [state.step for state in states]
    assert [len(state.history.epochs) for state in states] == [state.step // 6 for state in states]
    again = finished(start, data)
    assert same(again.params, states[-1].params)
    assert again.history == states[-1].history


@pytest.mark.parametrize(("token", "said"), [(20, "tokens 0 to 19, not 20"), (-1, "not -1")])
@pytest.mark.parametrize("twin", ["numpy", "jax"])
def test_an_unknown_token_is_refused_before_either_twin_computes(data, twin, token, said):
    module = backend.choose(twin).train
    tokens = data.test.tokens[:2].copy()
    tokens[1, 3] = token
    params = module.init(TINY, SHORT).params
    wrong = data.test.take(slice(0, 2))._replace(tokens=tokens)
    with pytest.raises(UserError, match=said):
        module.predict(params, tokens, wrong.mask, model=TINY)
    with pytest.raises(UserError, match=said):
        module.evaluate(params, wrong, model=TINY)
    with pytest.raises(UserError, match=said):
        next(iter(module.fit(module.init(TINY, SHORT), data._replace(train=wrong), model=TINY, train=SHORT)))


def test_a_row_longer_than_the_model_reads_is_refused(data):
    short = replace(TINY, max_len=5)
    with pytest.raises(UserError, match="6 tokens is longer than the 5"):
        train.evaluate(train.init(short, SHORT).params, data.test, model=short)


def test_the_chunks_in_which_states_are_yielded_change_nothing(data):
    one = finished(train.init(TINY, SHORT), data, every=1)
    four = finished(train.init(TINY, SHORT), data, every=4)
    steps = [s.step for s in train.fit(train.init(TINY, SHORT), data, model=TINY, train=SHORT, every=4)]
    assert steps == [4, 6, 10, 12, 16, 18]
    assert same(one.params, four.params) and one.history == four.history


def test_the_best_epoch_is_the_one_with_the_highest_validation_accuracy(data):
    end = finished(train.init(TINY, SHORT), data)
    best = max(end.history.epochs, key=lambda e: (e["accuracy"], -e["loss"]))
    assert (end.best.epoch, end.best.accuracy) == (best["epoch"], best["accuracy"])
    again = train.evaluate(end.best.params, data.validation, model=TINY)
    assert again.accuracy == best["accuracy"]


@pytest.mark.parametrize("stop_at", [1, 6, 11, 17])
def test_a_run_stopped_anywhere_and_resumed_ends_with_the_same_bytes(data, tmp_path, stop_at):
    def save(state, path):
        kept = TrainState(state.params, optim.export(state.opt, state.params), state.step, state.history, state.best)
        checkpoint.save_run(path, checkpoint.Run("classifier", TINY, data.task, SHORT, kept))

    save(finished(train.init(TINY, SHORT), data), tmp_path / "whole")
    for state in train.fit(train.init(TINY, SHORT), data, model=TINY, train=SHORT):
        if state.step == stop_at:
            break
    save(state, tmp_path / "part")
    run = checkpoint.load_run(tmp_path / "part")
    kept = TrainState(run.state.params, optim.restore(run.state.opt), run.state.step, run.state.history, run.state.best)
    save(finished(kept, data), tmp_path / "resumed")
    assert (tmp_path / "whole").read_bytes() == (tmp_path / "resumed").read_bytes()


def test_a_diverging_run_says_so(data):
    hot = TrainConfig(examples=200, epochs=3, batch_size=32, warmup=0, optimizer="sgd", weight_decay=0.0, lr=1e30)
    with pytest.raises(UserError, match="diverged"), np.errstate(all="ignore"):
        for _ in train.fit(train.init(TINY, hot), data, model=TINY, train=hot):
            pass


def test_predictions_are_probabilities(data):
    state = train.init(TINY, SHORT)
    p = train.predict(state.params, data.test.tokens[:9], data.test.mask[:9], model=TINY)
    assert p.shape == (9, 20) and (p > 0).all()
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-6)


# ---- the command line ----


def run(*args, cwd, env=None, **kw):
    command = [sys.executable, str(SCRIPT), *args]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "COLUMNS": "100"} | (env or {})
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, **kw)


QUICK = ("--no-interactive", "--size", "small", "--epochs", "2")


def test_the_plain_run_says_what_it_uses_proves_its_split_and_saves(tmp_path):
    done = run(*QUICK, "--out", "r", cwd=tmp_path, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    assert "0 of the 1,019 held-out expressions are among the training" in done.stdout
    for said in ("adamw", "0.003", "cosine", "epoch 2/2", "Second", "test_model_manually.py"):
        assert said in done.stdout
    model = checkpoint.load_model(tmp_path / "r" / "best.safetensors", family="classifier")
    assert model.train.epochs == 2
    assert {p.suffix for p in (tmp_path / "r").iterdir()} >= {".safetensors", ".svg"}


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((), "--no-interactive"),
        (("--no-interactive", "--max-value", "12"), "one token"),
        (("--no-interactive", "--num-args", "x"), "range like 2-5"),
        (("--no-interactive", "--num-args", "1"), "--num-args must be"),
        (("--no-interactive", "--ops", "Maxx"), "did you mean Max"),
        (("--no-interactive", "--lr", "-1"), "--lr must be"),
        (("--no-interactive", "--resume", "nowhere"), "no such file"),
        (("--no-interactive", "--resume", "nowhere", "--epochs", "3"), "leave out --epochs"),
        (("--no-interactive", "--size", "huge"), "invalid choice"),
        (("--no-interactive", "--num-args", "٣"), "range like 2-5"),
        (("--no-interactive", "--seed", "4294967295", "--seeds", "2"), "beyond the last seed"),
        (("--no-interactive", "--dtype", "bfloat16"), "--backend jax"),
        (("--no-interactive", "--device", "gpu"), "--backend jax"),
        (("--no-interactive", "--overwrite"), "add --out"),
        (("--no-interactive", "--warmup", "999"), "--warmup 999 is longer than the run of 936 updates"),
        (("--no-interactive", "--task", "text", "--text", "nowhere"), "nowhere: cannot be read"),
        (("--no-interactive", "--task", "sort", "--max-digits", "3"), "--max-digits belongs to --task add"),
        (("--no-interactive", "--model", "gpt", "--seeds", "3"), "--seeds belongs to --task digits"),
    ],
)
def test_a_bad_request_is_one_sentence_and_exit_2(args, said, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    try:
        code = trainer.main(list(args))
    except SystemExit as stop:  # argparse's own
        code = stop.code
    err = capsys.readouterr().err
    assert code == 2 and said in err and "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_a_run_is_not_overwritten_by_accident(tmp_path):
    assert run(*QUICK, "--no-plots", "--out", "r", cwd=tmp_path).returncode == 0
    before = (tmp_path / "r" / "last.safetensors").read_bytes()
    again = run(*QUICK, "--out", "r", "--seed", "1", cwd=tmp_path)
    assert again.returncode == 2 and "--overwrite" in again.stderr
    assert (tmp_path / "r" / "last.safetensors").read_bytes() == before


def test_resuming_names_its_own_file_and_finds_its_best_model(tmp_path):
    assert run(*QUICK, "--no-plots", "--out", "r", cwd=tmp_path).returncode == 0
    last, best = tmp_path / "r" / "last.safetensors", tmp_path / "r" / "best.safetensors"
    before, best_before = last.read_bytes(), best.read_bytes()
    copy = tmp_path / "r" / "backup.safetensors"
    copy.write_bytes(before)
    refused = run("--no-interactive", "--resume", str(copy), cwd=tmp_path)
    assert refused.returncode == 2
    assert "last.safetensors" in refused.stderr
    best.unlink()
    again = run("--no-interactive", "--no-plots", "--resume", "r", cwd=tmp_path)
    assert again.returncode == 0
    assert "already complete" in again.stdout
    assert best.read_bytes() == best_before
    assert last.read_bytes() == before


def test_a_population_that_cannot_be_written_is_refused_before_it_is_trained(tmp_path, monkeypatch, capsys):
    (tmp_path / "taken").write_text("a file")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("numpy_ref.train.fit", None)
    assert trainer.main(["--no-interactive", "--seeds", "2", "--out", "taken"]) == 2
    assert "taken cannot be used as a folder" in capsys.readouterr().err


@pytest.mark.parametrize("out", ["taken", "taken/below"])
def test_a_file_where_the_folder_should_be_is_refused_before_anything_is_trained(out, tmp_path, monkeypatch, capsys):
    (tmp_path / "taken").write_text("a file")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("numpy_ref.train.fit", None)
    assert trainer.main(["--no-interactive", "--out", out]) == 2
    assert "taken is a file; give --out another name" in capsys.readouterr().err
    assert (tmp_path / "taken").read_text() == "a file"


def test_a_key_pressed_while_preparing_is_no_traceback(monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("common.data.digits.load", interrupted)
    assert trainer.main(["--no-interactive"]) == 130
    assert "interrupted" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_process_resumes_to_the_same_bytes(tmp_path, how):
    long = ("--no-interactive", "--no-plots", "--size", "small", "--epochs", "12", "--save-every", "7")
    assert run(*long, "--out", "whole", cwd=tmp_path).returncode == 0
    command = [sys.executable, str(SCRIPT), *long, "--out", "part"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if line.startswith("epoch  3/"):
                break
        time.sleep(0.05)
        process.send_signal(how)
        said = process.stdout.read()
        code = process.wait(30)
    assert code == (-how if how == signal.SIGKILL else 128 + how)
    if how != signal.SIGKILL:
        assert "--resume part" in said
    stopped = checkpoint.load_run(tmp_path / "part" / "last.safetensors")
    assert 0 < stopped.state.step < stopped.train.steps
    resumed = run("--no-interactive", "--no-plots", "--resume", "part", cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    for name in ("last.safetensors", "best.safetensors"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "part" / name).read_bytes()


def test_sizes_set_everything_and_each_setting_can_be_overridden():
    plain = options.read(["--size", "small"]).train
    assert (plain.examples, plain.optimizer, plain.weight_decay) == (1000, "adamw", 1.0)
    changed = options.read(["--size", "small", "--optimizer", "sgd", "--lr", "0.1", "--num-args", "2-5"])
    assert (changed.train.optimizer, changed.train.lr, changed.train.weight_decay) == ("sgd", 0.1, 0.0)
    assert (changed.task.min_args, changed.task.max_args) == (2, 5)


# ---- every family and task ----

SMALL = (
    "--d-model",
    "8",
    "--n-blocks",
    "1",
    "--n-heads",
    "2",
    "--examples",
    "40",
    "--batch-size",
    "8",
    "--epochs",
    "2",
)
BOOK = "\n\n".join(f"{i} pages, and {i * i} words." for i in range(150))
FAMILIES = {
    "gpt-operations": ["--model", "gpt", "--ops", "max,min", "--num-args", "1-2"],
    "gpt-copy": ["--model", "gpt", "--task", "copy", "--dropout", "0.1"],
    "gpt-text": ["--task", "text", "--text", "book", "--context", "8", "--dropout", "0"],
    "seq2seq-operations": ["--model", "seq2seq", "--max-value", "500"],
    "seq2seq-reverse": ["--model", "seq2seq", "--task", "reverse", "--dropout", "0.1"],
    "seq2seq-add": ["--model", "seq2seq", "--task", "add", "--positions", "learned"],
}


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "book").write_text(BOOK)
    return tmp_path


def go(*args):
    return trainer.main(["--no-interactive", *args])


@pytest.mark.parametrize("kind", FAMILIES)
def test_each_family_trains_on_its_tasks_and_a_stopped_run_ends_with_the_same_bytes(kind, here, monkeypatch, capsys):
    assert go(*FAMILIES[kind], *SMALL, "--no-plots") == 0
    assert f"Model: runs/{kind}-seed0/best.safetensors" in capsys.readouterr().out
    whole, part = here / "runs" / f"{kind}-seed0", here / "part"
    with monkeypatch.context() as patch:
        patch.setattr(running, "_show", lambda *a: signal.raise_signal(signal.SIGINT) if a[2].step == 7 else None)
        assert go(*FAMILIES[kind], *SMALL, "--no-plots", "--out", "part") == 130
    assert "--resume part --no-interactive --no-plots" in capsys.readouterr().out
    assert checkpoint.load_run(part / "last.safetensors").state.step == 7
    assert go("--resume", "part", "--no-plots") == 0
    for name in sorted(file.name for file in whole.iterdir()):
        assert (whole / name).read_bytes() == (part / name).read_bytes(), name
    assert checkpoint.load_model(part / "best.safetensors").family == kind.split("-")[0]


TEXT = ("--task", "text", "--text", "book", "--context", "8", "--no-plots", *SMALL)


def test_a_text_is_kept_beside_its_run_and_the_file_it_came_from_is_not_needed_again(here, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(running, "_show", lambda *a: signal.raise_signal(signal.SIGINT))
        assert go(*TEXT, "--out", "r") == 130
    assert (here / "r" / "text.txt").read_text() == BOOK
    (here / "book").unlink()
    assert go("--resume", "r", "--no-plots") == 0


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda path: path.write_text(f"{BOOK}!"), "not the text that the run was begun with"),
        (Path.unlink, "text.txt: cannot be read"),
    ],
)
def test_a_text_run_without_its_text_is_not_resumed(damage, sentence, here, capsys):
    assert go(*TEXT, "--out", "r") == 0
    damage(here / "r" / "text.txt")
    assert go("--resume", "r") == 2
    assert sentence in capsys.readouterr().err


def test_another_text_in_the_folder_is_not_lost_by_accident(here, capsys):
    (here / "r").mkdir()
    (here / "r" / "text.txt").write_text("mine")
    assert go(*TEXT, "--out", "r") == 2
    assert "holds another text" in capsys.readouterr().err
    assert (here / "r" / "text.txt").read_text() == "mine"
    assert go(*TEXT, "--out", "r", "--overwrite") == 0
    assert (here / "r" / "text.txt").read_text() == BOOK


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gpt-text", "seq2seq-operations"])
def test_each_family_trains_in_the_other_backend_and_goes_on_in_this_one(kind, here, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        patch.setattr(running, "_show", lambda *a: signal.raise_signal(signal.SIGINT))
        assert go(*FAMILIES[kind], *SMALL, "--out", "r", "--backend", "jax") == 130
    assert go("--resume", "r", "--backend", "jax") == 0
    assert "jax on CPU" in capsys.readouterr().out
    assert len(list((here / "r").glob("*.svg"))) >= 6
    assert go("--resume", "r") == 0


def test_a_run_of_a_family_that_is_trained_elsewhere_is_refused(here, monkeypatch, capsys):
    assert go(*QUICK[1:], "--no-plots", "--out", "r") == 0
    run = checkpoint.load_run(here / "r" / "last.safetensors")
    monkeypatch.setattr(checkpoint, "load_run", lambda path: replace(run, family="llama"))
    assert go("--resume", "r") == 2
    assert "a run of the family llama; this program trains classifier, gpt, seq2seq" in capsys.readouterr().err


@pytest.mark.parametrize("context", ["2", "3"])
def test_the_shortest_contexts_are_trained_and_shown(context, here):
    assert go(*TEXT[:4], "--context", context, "--level", "byte", *SMALL, "--out", "r") == 0
    assert (here / "r" / "loss_by_position.svg").exists()


def test_too_little_memory_is_a_sentence(here, monkeypatch, capsys):
    def full(*_, **__):
        raise MemoryError

    monkeypatch.setattr("common.data.sequences.load", full)
    assert go("--model", "gpt") == 2
    assert "more memory than there is" in capsys.readouterr().err
