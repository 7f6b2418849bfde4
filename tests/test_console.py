"""The screens: ten of them with a pause before each, on a terminal; none of them invents a number."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from common import evaluation
from common.config import ClassifierConfig, DigitsConfig, TrainConfig
from common.data import batching, digits
from common.evaluation import Evaluation, Member
from console import attention, draw, population, screens
from numpy_ref import train

ROOT = Path(__file__).parents[1]


def on_a_terminal(keys, *args, cwd, timeout=60):
    """Run the trainer on a pseudo-terminal, type `keys` at its prompts one after another; its output and exit code."""
    ours, theirs = pty.openpty()
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "TERM": "dumb", "COLUMNS": "80"}
    command = [sys.executable, str(ROOT / "train_step_by_step.py"), *args]
    process = subprocess.Popen(command, cwd=cwd, env=environment, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    said, answered = "", 0
    try:
        while True:
            ready, _, _ = select.select([ours], [], [], timeout)
            assert ready, f"nothing more after: {said[-300:]}"
            try:
                part = os.read(ours, 65536).decode()
            except OSError:  # the other end is closed
                break
            if not part:
                break
            said += part
            while answered < len(keys) and said.count("q to leave > ") > answered:
                if keys[answered] == "Ctrl-C":
                    time.sleep(0.3)  # CPython loses a signal between printing a prompt and reading from it
                    process.send_signal(signal.SIGINT)
                else:
                    os.write(ours, keys[answered].encode())
                answered += 1
    finally:
        os.close(ours)
        code = process.wait(timeout)
    return said.replace("\r", ""), code


TITLES = ["The data", "The split", "A batch", "The model", "An answer before training", "How it is trained", "Training"]
TITLES += ["On expressions never trained on", "Single answers", "Attention"]


@pytest.mark.slow
def test_ten_screens_with_a_pause_before_each(tmp_path):
    said, code = on_a_terminal(
        ["\n"] * 10, "--size", "small", "--epochs", "1", "--no-plots", "--out", "r", cwd=tmp_path
    )
    assert code == 0, said
    assert re.findall(r"\[(\d+)/10\] (.*?): Enter", said) == [(str(i), t) for i, t in enumerate(TITLES, 1)]
    assert "102,036" in said
    assert (tmp_path / "r" / "best.safetensors").exists()


@pytest.mark.parametrize("keys", [["q\n"], ["\n", "\n", "\x04"], ["\n", "Ctrl-C"]])
def test_leaving_before_training_writes_nothing(keys, tmp_path):
    said, code = on_a_terminal(keys, "--size", "small", cwd=tmp_path)
    assert code == 0
    assert "nothing was written" in said
    assert list(tmp_path.iterdir()) == []


# ---- what the screens show ----

TASK = DigitsConfig(min_args=2, max_args=4)
MODEL = ClassifierConfig(d_model=16, n_heads=2, d_ffn=24)
TRAIN = TrainConfig(examples=200, epochs=1, batch_size=32)


@pytest.fixture(scope="module")
def run():
    data = digits.load(TASK, seed=0, examples=TRAIN.examples)
    *_, state = train.fit(train.init(MODEL, TRAIN), data, model=MODEL, train=TRAIN)
    return data, state


def text(renderable, width=100):
    console = Console(width=width, color_system=None, force_terminal=False)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


def everything(data, state, ascii_only=False):
    found = train.evaluate(state.params, data.test, model=MODEL)
    p_NV = train.predict(state.params, data.test.tokens[:3], data.test.mask[:3], model=MODEL)
    texts = ["Max ( 1 2 )"] * 3
    maps = attention.weights(state.params, data.test.tokens[:1], data.test.mask[:1], MODEL)
    labels = screens.words(data.test.tokens[0].tolist())
    yield screens.dataset(data, ascii_only)
    yield screens.split(data)
    yield screens.batching(batching.batch(data.train, TRAIN, 0), TRAIN)
    yield screens.architecture(state.params, MODEL)
    yield screens.before(texts[0], 4, p_NV[0], 0, ascii_only)
    yield screens.setup(TRAIN, "numpy on CPU", ascii_only)
    yield screens.trained(state.history, state.best, ascii_only)
    yield screens.tested(found, data.test.targets, ascii_only)
    yield screens.samples(texts, [4, 4, 4], p_NV)
    yield screens.attention(texts[0], labels, [w[0] for w in maps], ascii_only)


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_every_screen_fits(run, width):
    for screen in everything(*run):
        assert max(len(line) for line in text(screen, width).splitlines()) <= width


def test_ascii_terminals_get_ascii(run):
    for screen in everything(*run, ascii_only=True):
        assert text(screen).isascii()


def test_the_split_screen_counts(run):
    data, _ = run
    shown = text(screens.split(data))
    assert f"0 of the {len(data.validation.targets) + len(data.test.targets):,} held-out" in shown


def test_wrong_answers_are_named():
    targets = np.array([2, 3, 4, 5])
    found = Evaluation(0.5, 0.5, {"Max": 0.5}, np.array([2, 3, 3, 0]))
    shown = text(screens.tested(found, targets, True))
    assert re.search(r"^ +2 +1 +1$", shown, re.M)
    assert re.search(r"^ +3 +other +1$", shown, re.M)


def test_attention_weights_are_those_of_the_forward(run):
    data, state = run
    maps = attention.weights(state.params, data.test.tokens[:4], data.test.mask[:4], MODEL)
    assert [w.shape for w in maps] == [(4, 2, 7, 7)] * 2
    for w_BHTS in maps:
        np.testing.assert_allclose(w_BHTS.sum(axis=-1), 1, rtol=1e-5)
        assert (w_BHTS[~np.broadcast_to(data.test.mask[:4, None, None], w_BHTS.shape)] == 0).all()


@pytest.mark.parametrize(
    ("share", "said"),
    [(1.0, "100 %"), (0.99999, "99.99 %"), (0.9996, "99.96 %"), (0.5, "50.0 %"), (0.0, "0.0 %")],
)
def test_a_hundred_percent_means_all(share, said):
    assert evaluation.percent(share) == said


def test_bars_and_curves():
    assert draw.bar(0.5, 4) == "██  "
    assert draw.bar(0.5, 4, ascii_only=True) == "##  "
    assert draw.bar(2.0, 3) == "███"
    assert draw.curve([0, 1, 2, 4], 4) == " ▂▄█"
    assert draw.curve([], 4) == ""


# ---- populations ----


def members(*shares):
    return [Member(i, 1, evaluation.Evaluation(0.1, s, {"Max": s}, np.zeros(1))) for i, s in enumerate(shares)]


def test_the_histogram_counts_every_run_once():
    shares = [0.9, 0.95, 0.951, 1.0, 1.0, 1.0]
    counts = [int(re.search(r"% +(\d+)", row)[1]) for row in population.histogram(shares, True)]
    assert sum(counts) == 6
    assert counts[-1] == 3


def test_the_summary_gives_the_ends_and_the_middle():
    shown = text(population.summary(members(0.9, 1.0, 0.95), True))
    for said in ("median 95.0 %", "lowest 90.0 %", "highest 100 %", "1 of 3 runs"):
        assert said in shown


def test_the_command_writes_every_figure(tmp_path, monkeypatch, capsys):
    import json

    from console import trainer

    monkeypatch.chdir(tmp_path)
    args = [
        "--no-interactive",
        "--examples",
        "64",
        "--batch-size",
        "32",
        "--epochs",
        "1",
        "--seeds",
        "2",
        "--seed",
        "5",
    ]
    assert trainer.main(args) == 0
    (written,) = tmp_path.rglob("population.json")
    found = json.loads(written.read_text())["members"]
    assert [member["seed"] for member in found] == [5, 6]
    out = capsys.readouterr().out
    for member in found:
        assert f"seed {member['seed']}: {evaluation.percent(member['accuracy'])}" in out
