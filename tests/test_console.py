"""The screens: ten of them with a pause before each, on a terminal; none of them invents a number."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
import unicodedata
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from common import evaluation
from common.config import ClassifierConfig, DigitsConfig, GPTConfig, Seq2SeqConfig, SequenceConfig, TrainConfig
from common.data import batching, sequences, tasks, text
from common.evaluation import Evaluation, Member
from common.run import TrainState
from common.sampling import Sampling
from common.vocabulary import EOS, START, WORDS
from console import (
    attention,
    backend,
    digit_screens,
    draw,
    pictures,
    population,
    screens,
    sequence_screens,
    subjects,
)
from console.page import Page, visible
from console.session import Session
from console.subjects import Subject
from console.subjects.sequences import question
from numpy_ref import generate, train

ROOT = Path(__file__).parents[1]
PROMPT = re.compile(r"^(?:\[\d+/\d+\]|Save update).* > ", re.M)


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
            while answered < len(keys) and len(PROMPT.findall(said)) > answered:
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


TITLES = ["The data", "The split", "A batch", "The model", "An answer before training", "How it is trained"]
TITLES += ["Trained", "On expressions never trained on", "Single answers", "Attention"]


@pytest.mark.slow
def test_ten_screens_around_the_training(tmp_path):
    keys = ["\n"] * 5 + ["run\n"] + ["\n"] * 4
    said, code = on_a_terminal(keys, "--size", "small", "--epochs", "1", "--no-plots", "--out", "r", cwd=tmp_path)
    assert code == 0, said
    assert re.findall(r"^([A-Z].*?) [-─]{9,}$", said, re.M) == TITLES
    assert "102,036" in said
    assert (tmp_path / "r" / "best.safetensors").exists()


@pytest.mark.parametrize("keys", [["q\n"], ["\n", "\n", "\x04"], ["\n", "Ctrl-C", "Ctrl-C"], ["\n"] * 9 + ["q\n"]])
def test_leaving_before_the_first_update_writes_nothing(keys, tmp_path):
    said, code = on_a_terminal(keys, "--size", "small", cwd=tmp_path)
    assert code == 0
    assert "nothing was written" in said
    assert list(tmp_path.iterdir()) == []


# ---- what the screens show ----

TRAIN = TrainConfig(examples=70, epochs=2, batch_size=35, warmup=1)
SMALL = {"d_model": 8, "n_heads": 2, "d_ffn": 12}
NASTY = "".join(f"\x1b[31m {i} tücke\u202e 漢字 $x$\t\x07 {i * i}, é\n\n" for i in range(99))
SIDES = {"src_vocab": len(WORDS), "tgt_vocab": len(WORDS), **SMALL}


def gpt(task, **kw):
    return GPTConfig(vocab=task.vocab, **SMALL, **kw)


def a_text(level):
    task = text.describe(NASTY, level=level, context=24)
    return task, gpt(task, max_len=24, dropout=0.1), NASTY


SORT, ADD = SequenceConfig("sort", max_length=30), SequenceConfig("add")
KINDS = {
    "digits": lambda: (DigitsConfig(min_args=2, max_args=4), ClassifierConfig(**SMALL), ""),
    "gpt-operations": lambda: (SequenceConfig(min_args=1, max_args=3, ops=("Max", "Min")), gpt(SORT), ""),
    "gpt-add": lambda: (ADD, gpt(ADD, tied=False, positions="sinusoidal"), ""),
    "seq2seq-sort": lambda: (SORT, Seq2SeqConfig(**SIDES), ""),
    "seq2seq-operations": lambda: (SequenceConfig(), Seq2SeqConfig(**SIDES, tied=True, positions="learned"), ""),
    "char": lambda: a_text("char"),
    "byte": lambda: a_text("byte"),
}


class Trained(NamedTuple):
    subject: Subject
    state: TrainState
    found: Evaluation
    """Of the best parameters on the test part."""


@cache
def trained(kind):
    task, model, written = KINDS[kind]()
    subject = subjects.of(backend.choose("numpy"), model, tasks.load(task, model, TRAIN, written), written)
    *_, state = train.fit(train.init(model, TRAIN), subject.data, model=model, train=TRAIN)
    return Trained(subject, state, train.evaluate(state.best.params, subject.data.test, model=model))


every_kind = pytest.mark.parametrize("kind", KINDS)


def shown(renderable, width=100):
    console = Console(width=width, color_system=None, force_terminal=False)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


def everything(run, page):
    subject, state, found = run
    params, first = state.best.params, batching.batch(run.subject.data.train, TRAIN, 0)
    yield subject.dataset(page)
    yield subject.split()
    yield subject.batch(first, TRAIN, page)
    yield subject.architecture(params, page)
    yield subject.answer(params, 0, page)
    yield screens.setup(TRAIN, "numpy on CPU", page)
    yield screens.epoch_head(page)
    yield from (Text(screens.epoch_line(record, 100, True, page)) for record in state.history.epochs)
    yield subject.one_answer(params, page)
    yield screens.trained(state.history, state.best, page)
    yield subject.tested(params, found, page)
    yield subject.samples(params, page)
    yield subject.attention(params, page)


@every_kind
@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_every_screen_fits_and_sends_the_terminal_nothing_but_text(kind, width):
    for screen in everything(trained(kind), Page(width)):
        text = shown(screen, width)
        assert max(cell_len(line) for line in text.splitlines()) <= width
        assert [c for c in text if c != "\n" and unicodedata.category(c) in ("Cc", "Cf")] == []


@pytest.mark.parametrize("width", [40, 60, 66])
def test_a_row_of_an_epoch_is_one_line(width):
    record = {"epoch": 7, "train_loss": 10.23456, "train_accuracy": 0.99991, "loss": 12.3456, "accuracy": 0.99991}
    assert len(screens.epoch_line(record, 100, True, Page(width))) <= width
    assert all(len(line) <= width for line in screens.epoch_head(Page(width)).splitlines())


@every_kind
def test_ascii_terminals_get_ascii(kind):
    for screen in everything(trained(kind), Page(100, ascii_only=True)):
        assert shown(screen).isascii()


@every_kind
def test_the_split_screen_counts(kind):
    subject = trained(kind).subject
    data = subject.data
    told = shown(subject.split())
    assert data.overlap == 0
    if kind in ("char", "byte"):
        assert f"0 of the {data.train_distinct:,} distinct paragraphs" in told
    else:
        assert f"0 of the {len(data.validation.targets) + len(data.test.targets):,} held-out" in told


def test_wrong_answers_are_named():
    targets = np.array([2, 3, 4, 5])
    found = Evaluation(0.5, 0.5, {"Max": 0.5}, np.array([2, 3, 3, 0]))
    told = shown(digit_screens.tested(found, targets, Page(100, ascii_only=True)))
    assert re.search(r"^ +2 +1 +1$", told, re.M)
    assert re.search(r"^ +3 +other +1$", told, re.M)


SEQUENCES = ["gpt-operations", "gpt-add", "seq2seq-sort", "seq2seq-operations"]
sequence = pytest.mark.parametrize("kind", SEQUENCES)


@sequence
def test_questions_are_those_of_the_task(kind):
    subject = trained(kind).subject
    problems = sequences.held_out(subject.task, "test")
    told = [question(subject.data.test, i) for i in range(len(problems))]
    assert told == [(problem.prompt, problem.reply) for problem in problems]


@sequence
def test_an_answer_is_what_generation_writes_and_its_loss_is_the_models(kind):
    subject, state, _ = trained(kind)
    asked, params = subject.example, state.params
    assert len(asked.prompt) == max(len(problem.prompt) for problem in sequences.held_out(subject.task, "test"))
    start = START if subject.across else None
    until = Sampling(max_new_tokens=subject.task.max_answer + 1, end_token=EOS)
    [tokens] = generate.generate(params, [asked.prompt], model=subject.model, sampling=until, start_token=start)
    [written] = subject._write(params, [asked])
    assert [token for token in written.tokens if token != EOS] == tokens
    row = subject.data.test.take(slice(subject.row, subject.row + 1))
    loss, _, _ = train.loss_and_grads(params, row, model=subject.model)
    assert np.mean(subject._losses(params)) == pytest.approx(float(loss), rel=1e-5)
    assert f"Their mean is {float(loss):.3f}" in shown(subject.answer(params, 0, Page(100)))


@sequence
def test_shares_by_kind_add_up_and_wrong_answers_are_wrong(kind):
    subject, state, found = trained(kind)
    test = subject.data.test
    kinds = subject._kinds(test)
    assert sum(rows.sum() for rows in kinds.values()) == len(test.targets)
    if subject.operations:
        assert set(kinds) == set(found.by_op)
    told = shown(subject.tested(state.best.params, found, Page(200)), 200)
    n_wrong = round(len(test.targets) * (1 - found.accuracy))
    assert f"{n_wrong:,} of {len(test.targets):,} answers were wrong" in told
    said = re.findall(r"->  (.*), not (.*?) *$", told, re.M)
    assert len(said) == min(n_wrong, 8)
    assert all(right != wrong for right, wrong in said)


def test_long_rows_are_counted_in_groups():
    groups = sequence_screens.lengths([1, 30, 7])
    assert [length for lengths in groups.values() for length in lengths] == list(range(1, 31))
    assert next(iter(groups)) == "1-3 tokens"
    assert list(sequence_screens.lengths([1, 2])) == ["1 token", "2 tokens"]


@pytest.mark.parametrize("kind", ["char", "byte"])
def test_a_text_is_told_in_bits_beside_an_even_guess(kind):
    subject, state, found = trained(kind)
    told = shown(subject.tested(state.best.params, found, Page(100)))
    assert re.search(rf"the model +{found.loss:.4f} +{found.loss / np.log(2):.4f}", told)
    assert re.search(rf"an even guess .*{np.log2(subject.task.vocab):.4f}", told)


@pytest.mark.parametrize("kind", ["char", "byte"])
def test_what_was_said_of_a_text_stands_under_it(kind):
    subject, state, found = trained(kind)
    told = shown(subject.tested(state.best.params, found, Page(100)))
    text, said = (re.search(rf"^{name}  (.*)$", told, re.M)[1] for name in ("text", "said"))
    right = found.predictions[0] == subject.data.test.targets[0]
    assert [c == "·" for c in said.ljust(24)] == right.tolist()
    assert len(text) <= 24


@every_kind
def test_the_watched_attention_is_that_of_the_forward(kind):
    subject, state, _ = trained(kind)
    view, maps = subject.view, subject.look(state.params)
    assert len(maps) == 2
    for w_HTS in maps:
        assert w_HTS.shape == (2, len(view.names), len(view.labels))
        np.testing.assert_allclose(w_HTS.sum(axis=-1), 1, rtol=1e-5)
    if subject.model.__class__ is GPTConfig:
        first = len(view.labels) - len(view.names)
        assert view.labels[first:] == view.names
        for w_HTS in maps:
            assert (w_HTS[:, 0, first + 1 :] == 0).all()


def test_attention_weights_leave_padding_out():
    subject, state, _ = trained("digits")
    test = subject.data.test
    for w_BHTS in attention.weights(state.params, test.tokens[:4], test.mask[:4], subject.model):
        assert w_BHTS.shape == (4, 2, 7, 7)
        assert (w_BHTS[~np.broadcast_to(test.mask[:4, None, None], w_BHTS.shape)] == 0).all()


def test_places_that_do_not_fit_are_left_to_the_largest():
    w_HS = np.array([[0.1, 0.6, 0.3]])
    wide, narrow = (shown(screens.attention("x", ["a", "b", "c"], [w_HS], Page(width)), width) for width in (80, 30))
    assert re.search(r"head 0 +10 % +60 % +30 %", wide)
    assert "b at 1: 60 %" in narrow and "10 %" not in narrow


@every_kind
def test_every_picture_of_a_run_is_drawn(kind, tmp_path):
    subject, state, found = trained(kind)
    maps = [(epoch["step"], subject.look(state.params)) for epoch in state.history.epochs]
    session = Session(Console(), subject, TRAIN, tmp_path, None, state, maps=maps)
    files = pictures.draw(session, state.best, found)
    assert sorted(files) == sorted(tmp_path.iterdir())
    names = {file.name for file in files}
    assert names >= {"training.svg", "gradient_norms.svg", "attention.svg", "attention_over_training.svg"}
    assert ("accuracy_by_operation.svg" in names) == ("operations" in kind or kind == "digits")
    assert ("accuracy_by_length.svg" in names) == (kind in ("gpt-add", "seq2seq-sort"))
    assert ("loss_by_position.svg" in names) == (kind in ("char", "byte"))


@pytest.mark.parametrize(
    ("text", "signs", "ascii"),
    [
        ("a b", "a b", "a b"),
        ("\n", "↵", "\\n"),
        ("\x1b[1m", "\\x1b[1m", "\\x1b[1m"),
        ("é", "é", "\\xe9"),
        ("\u202e", "\\u202e", "\\u202e"),
    ],
)
def test_text_is_shown_and_not_obeyed(text, signs, ascii):
    assert (visible(text, False), visible(text, True)) == (signs, ascii)


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
    return [Member(i, 1, evaluation.Evaluation(0.1, s, {"Max": s}, np.zeros(200))) for i, s in enumerate(shares)]


def rows_of(shares, asked):
    """Rows of the histogram as (first, last, count), in answers."""
    found = []
    for row in population.histogram(shares, asked, True):
        ends, count = re.fullmatch(r" *([\d. -]+) % +(\d+)( +#*)?", row).group(1, 2)
        numbers = [round(float(end) / 100 * asked) for end in ends.split(" - ")]
        found.append((numbers[0], numbers[-1], int(count)))
    return found


@given(st.integers(1, 600).flatmap(lambda n: st.tuples(st.just(n), st.lists(st.integers(0, n), min_size=1))))
def test_the_histogram_counts_every_run_in_its_row_and_no_row_is_finer_than_an_answer(drawn):
    asked, right = drawn
    rows = rows_of([n / asked for n in right], asked)
    assert [count for *_, count in rows] == [sum(low <= n <= high for n in right) for low, high, _ in rows]
    assert sum(count for *_, count in rows) == len(right)
    assert all(low <= high < later for (low, high, _), (later, _, _) in pairwise(rows))
    assert len(rows) <= 11 and rows[-1][:2] == (asked, asked)


def test_the_summary_gives_the_ends_and_the_middle():
    told = shown(population.summary(members(0.9, 1.0, 0.95), True), 60)
    assert max(map(len, shown(population.summary(members(0.9, 1.0), False), 40).splitlines())) <= 40
    for said in ("median 95.0 %", "lowest 90.0 %", "highest 100 %", "1 of 3 runs"):
        assert said in told


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
