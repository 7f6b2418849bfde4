"""The stepper: stepping is training, every station fits and tells what was recorded, every command does its work."""

import unicodedata
from functools import cache

import numpy as np
import pytest
from rich.cells import cell_len
from rich.console import Console

from common import tree
from common.config import ClassifierConfig, DigitsConfig, GPTConfig, Seq2SeqConfig, SequenceConfig, TrainConfig
from common.data import tasks, text
from common.vocabulary import WORDS
from console import backend, options, subjects
from console.page import Page
from console.session import Session
from console.stepper import at_optimizer, prompting, stations
from console.stepper.stepper import Stepper
from numpy_ref import train as training

SMALL = {"d_model": 8, "n_heads": 2, "d_ffn": 12}
TRAIN = TrainConfig(examples=70, epochs=2, batch_size=35, warmup=1)
BOOK = "".join(f"\x1b[31m {i} tücke\u202e 漢字 $x$\t\x07 {i * i}, é\n\n" for i in range(99))
SIDES = {"src_vocab": len(WORDS), "tgt_vocab": len(WORDS), **SMALL}
SORT, ADD = SequenceConfig("sort", max_length=30), SequenceConfig("add")


def gpt(task, **kw):
    return GPTConfig(vocab=task.vocab, **SMALL, **kw)


def a_text(level):
    task = text.describe(BOOK, level=level, context=24)
    return task, gpt(task, max_len=24, dropout=0.1), BOOK


KINDS = {
    "digits": lambda: (DigitsConfig(min_args=2, max_args=4), ClassifierConfig(**SMALL), ""),
    "gpt-sort": lambda: (SORT, gpt(SORT), ""),
    "gpt-add": lambda: (ADD, gpt(ADD, tied=False, positions="sinusoidal", dropout=0.2), ""),
    "seq2seq-sort": lambda: (SORT, Seq2SeqConfig(**SIDES, dropout=0.1), ""),
    "seq2seq-operations": lambda: (SequenceConfig(), Seq2SeqConfig(**SIDES, tied=True, positions="learned"), ""),
    "char": lambda: a_text("char"),
    "byte": lambda: a_text("byte"),
}
every_kind = pytest.mark.parametrize("kind", KINDS)
ASKS = {
    "digits": "Max(5, 3, 9)", "gpt-sort": "Sort 3 1 2", "gpt-add": "12 + 7", "seq2seq-sort": "Sort 3 1 2",
    "seq2seq-operations": "Max ( 5 , 33 , 9 )", "char": "tücke", "byte": "ü 漢",
}  # fmt: skip


@cache
def subject(kind):
    task, model, written = KINDS[kind]()
    return subjects.of(backend.choose("numpy"), model, tasks.load(task, model, TRAIN, written), written)


def stepper(kind, folder, width=80, train=TRAIN, **kw):
    console = Console(width=width, color_system=None, force_terminal=False, **kw)
    of = subject(kind)
    asked = options.read(["--no-plots"])
    return Stepper(Session(console, of, train, folder, asked, training.init(of.model, train)))


def said(one, line):
    """What a command prints, whole."""
    with one.session.console.capture() as capture:
        prompting.do(one, line)
    return capture.get()


def same(a, b):
    named_a, named_b = tree.named(a), tree.named(b)
    return named_a.keys() == named_b.keys() and all(np.array_equal(named_a[n], named_b[n]) for n in named_a)


# ---- stepping is training ----


@every_kind
def test_stepping_is_training_bit_for_bit(kind, tmp_path):
    one = stepper(kind, tmp_path)
    of = one.session.subject
    states = list(training.fit(one.state, of.data, model=of.model, train=TRAIN))
    for state in states:
        one.enter()
        assert one.moment.before is one.state
        one.go(one.place_of("optimizer"))
        assert same(one.state.params, state.params) and one.state.history == state.history
        assert same({"opt": one.state.opt["m"]}, {"opt": state.opt["m"]})
    assert one.state.best.step == states[-1].best.step


@every_kind
def test_what_is_shown_is_what_training_used(kind, tmp_path):
    one = stepper(kind, tmp_path)
    one.enter()
    made = one.moment
    assert made.look.loss == pytest.approx(made.after.history.loss[0], rel=1e-5)
    top = max(np.abs(leaf).max() for leaf in tree.leaves(made.grads))
    for name, leaf in tree.items(made.grads):
        np.testing.assert_allclose(leaf, tree.named(made.used)[name], rtol=1e-4, atol=1e-5 * top)


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam", "adamw"])
def test_the_ledger_adds_up(optimizer, tmp_path):
    train = TrainConfig(examples=70, epochs=2, batch_size=35, warmup=1, optimizer=optimizer, clip_norm=0.5)
    one = stepper("digits", tmp_path, train=train)
    one.enter()
    one.go(one.place_of("optimizer"))
    one.enter()
    for name, index in (("head.w", (3, 4)), ("blocks.1.norm2.g", (0,)), ("emb.w", (0, 0))):
        rows = at_optimizer.ledger(one.moment, name, index)
        *_, (_, _, after) = rows
        before = next(value for label, how, value in rows if (label, how) == ("weight", "before"))
        changes = [value for label, _, value in rows if label.startswith("-")]
        assert after == float(tree.named(one.moment.after.params)[name][index])
        assert before + sum(changes) == pytest.approx(after, rel=1e-6, abs=1e-9)


# ---- every station of every family ----


@every_kind
@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_every_station_fits_and_sends_the_terminal_nothing_but_text(kind, width, tmp_path):
    one = stepper(kind, tmp_path, width)
    screens = [said(one, "where"), *(said(one, "n") for _ in range(6 + len(stations.of(_entered(kind, tmp_path)))))]
    screens += [said(one, line) for line in ("watch head.b[0]", "show grad.emb.w", "help", "help run", "names", "lr")]
    screens.append(said(one, f"ask {ASKS[kind]}"))
    screens += [said(one, "b") for _ in range(len(one.stations))]
    for screen in screens:
        assert screen.strip()
        assert max(cell_len(line) for line in screen.splitlines()) <= width
        assert [c for c in screen if c != "\n" and unicodedata.category(c) in ("Cc", "Cf")] == []


def _entered(kind, folder):
    one = stepper(kind, folder)
    one.enter()
    return one.moment


@every_kind
def test_ascii_terminals_get_ascii(kind, tmp_path):
    one = stepper(kind, tmp_path, 100)
    one.enter()
    for place in range(len(one.stations)):
        one.go(place)
        station = one.station
        with one.session.console.capture() as capture:
            one.session.console.print(station.render(one.moment, one.view, Page(100, ascii_only=True)))
        assert capture.get().isascii(), station.name
