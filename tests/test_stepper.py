"""The stepper: stepping is training, every station fits and tells what was recorded, every command does its work."""

import json
import os
import signal
import subprocess
import sys
import unicodedata
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from rich.cells import cell_len
from rich.console import Console

from common import checkpoint, tree
from common.config import ClassifierConfig, DigitsConfig, GPTConfig, Seq2SeqConfig, SequenceConfig, TrainConfig
from common.data import digits, tasks, text
from common.vocabulary import WORDS, decode, encode
from console import backend, options, running, subjects, trainer
from console.page import Page
from console.session import Session
from console.stepper import at_optimizer, names, prompting, stations, unattended
from console.stepper.stepper import Stepper
from numpy_ref import train as training

ROOT = Path(__file__).parents[1]
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
        labels, rules = {label for label, _, _ in rows}, [how for _, how, _ in rows]
        clipped = "g'" in labels
        assert any(how.endswith(" g'") or " g'^2" in how for how in rules) == clipped


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


# ---- commands ----


def test_back_over_the_border_of_an_update_computes_nothing_again(tmp_path, monkeypatch):
    one = stepper("digits", tmp_path)
    forth = [said(one, line) for line in ["."] + ["n"] * 5 + ["n"] * 2 * len(stations.of(_entered("digits", tmp_path)))]
    monkeypatch.setattr("console.stepper.moment.record", None)
    back = [said(one, "b") for _ in forth[1:]]
    assert back == [forth[0].removesuffix(_progress_of(forth[0])), *forth[1:]][-2::-1]
    assert "first station" in said(one, "b")


def _progress_of(screen):
    return "\n0 of 4 updates are made.\n" if screen.endswith("\n0 of 4 updates are made.\n") else ""


def test_going_back_unmakes_nothing(tmp_path):
    one = stepper("digits", tmp_path)
    one.enter()
    before = one.state
    one.go(one.place_of("optimizer"))
    made = one.state
    assert made.step == before.step + 1
    said(one, "b")
    assert one.state is made
    one.go(0)
    one.go(one.place_of("after"))
    said(one, "n")
    assert one.moment.before is made


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("foo", "there is no command 'foo'"),
        ("stepp", "did you mean step"),
        ("some words that are no command", "there is no command 'some'"),
        ("step x", "whole number"),
        ("run until", "used like this"),
        ("run until acc 2", "at most 1"),
        ("run until loss low", "takes a number like 0.1"),
        ("run until 1", "behind"),
        ("e 35", "0 to 34, not '35'"),
        ("layer 2", "0 to 1"),
        ("head 9", "0 to 1"),
        ("ask Mox ( 1 2 )", "Max"),
        ("ask", "`ask` needs an example"),
        ("show", "show grad.head.w; `names`"),
        ("py", "no command 'py'; `help`"),
        ("chck", "did you mean gradcheck"),
        ("break nonsense", "called 'nonsense'; `break`"),
        ("report nowhere/r.html", "no folder nowhere; make it"),
        ("show hed.w", "head.w"),
        ("show w", "names end in w"),
        ("show head.w[99,0]", "there is no [99,0]"),
        ("show head.w[x]", "whole numbers"),
        ("watch head.w", "head.w[0,0]"),
        ("names nothing_like_it", "no name holds"),
        ("lr fast", "the highest learning rate is a number like 0.001, not 'fast'"),
        ("wd x", "the weight decay is a number like 0.01, not 'x'"),
        ("lr -1", "lr must be"),
        ("opt adm", "did you mean adam"),
        ("batch 71", "1 to 70"),
        ("plot", "end of an epoch"),
        ("load nowhere", "no such file"),
        ("help foo", "no command"),
        ("n 5", "used alone"),
        ("b[31m\x1b[31m", "there is no command"),
    ],
)
def test_a_refused_command_is_a_sentence_and_changes_nothing(line, told, tmp_path):
    one = stepper("digits", tmp_path, 200)
    said(one, "step 2")
    before = (one.state, one.index, one.session.train, len(one.moments))
    out = said(one, line)
    assert told in out and "\x1b" not in out
    assert len(out.splitlines()) == 1
    assert (one.state, one.index, one.session.train, len(one.moments)) == before
    assert list(tmp_path.iterdir()) == []


def test_what_is_chosen_where_it_is_not_seen_is_said(tmp_path):
    one = stepper("digits", tmp_path)
    assert "`step` goes to one, and Enter" in said(one, "go loss")
    one.enter()
    said(one, "go loss")
    assert "Head 1 is shown at attention." in said(one, "head 1")
    assert "Position 2 is shown at embeddings" in said(one, "token 2")
    said(one, "go attention")
    assert "is shown at" not in said(one, "head 0") + said(one, "token all")
    assert "show q" in said(one, "show")


def test_a_changed_optimizer_tells_what_it_keeps(tmp_path):
    one = stepper("digits", tmp_path, train=replace(TRAIN, weight_decay=0.5))
    one.enter()
    assert "The weight decay stays 0.5" in said(one, "opt sgd")
    assert "Weight decay" not in said(one, "lr 0.01")
    assert said(one, "wd").startswith("The weight decay is 0.5.\n")


def test_every_value_can_be_shown_by_its_name(tmp_path):
    one = stepper("digits", tmp_path)
    one.enter()
    made = one.moment
    assert names.find("head.w[1,2]", made, one.view).value == made.params["head"]["w"][1, 2]
    assert names.find("grad.head.w", made, one.view).whole is made.grads["head"]["w"]
    assert names.find("after.head.b[3]", made, one.view).value == made.after.params["head"]["b"][3]
    assert names.find("m.emb.w", made, one.view).whole.shape == (20, 8)
    full = "blocks.1.attn/attend.forward/w_BNGTS"
    assert names.find(full, made, one.view).whole is made.look.trace[full]
    assert names.find("w", made, one.view, "blocks.1.attn").name == full
    one.go(one.place_of("attention blocks.0.attn"))
    assert "attention.forward/k_turned_BSNK[0,:,0]" in said(one, "show k")
    assert "5 x 12" not in said(one, "show blocks.0.ffn.up.w")
    assert "8 x 12, float32" in said(one, "show blocks.0.ffn.up.w")


def test_an_asked_example_stands_at_the_batch_with_its_ids_and_whether_the_batch_holds_it(tmp_path):
    one = stepper("digits", tmp_path)
    one.enter()
    held = decode(one.moment.look.examples.tokens[3])
    shown_ = said(one, f"ask {held}")
    assert f"ids {' '.join(map(str, encode(held)))}" in shown_
    assert "It is in the batch too, " in shown_
    rows = [decode(row) for row in one.moment.look.examples.tokens]
    other = next(e.text for e in digits.listed(one.session.subject.task) if e.text not in rows)
    assert "It is not in the batch" in said(one, f"ask {other}")
    assert "asked by you" not in said(one, "e 3")


def test_a_step_before_training_goes_to_the_update_of_that_number(tmp_path):
    for line, number in (("step", 1), ("step 2", 2)):
        one = stepper("digits", tmp_path)
        said(one, line)
        assert one.moment.number == number
        said(one, "step 1")
        assert one.moment.number == number + 1


def test_the_first_name_over_a_head_is_whole(tmp_path):
    one = stepper("digits", tmp_path)
    said(one, "step")
    said(one, "ask Max(5, 3, 9)")
    assert "Max  (  5  3  9  )" in said(one, "go attention blocks.0")


def test_an_asked_example_is_the_models_own_answer_before_and_after(tmp_path):
    one = stepper("digits", tmp_path)
    said(one, "ask Max(5, 3, 9)")
    one.enter()
    look = one.view.look(one.moment)
    p = training.predict(one.moment.params, look.examples.tokens, look.examples.mask, model=one.moment.model)
    np.testing.assert_allclose(np.exp(-look.loss), p[0, 11], rtol=1e-5)
    after = training.predict(one.moment.after.params, look.examples.tokens, look.examples.mask, model=one.moment.model)
    assert np.argmax(one.view.beside_after.logits) == np.argmax(after)
    one.go(one.place_of("loss"))
    assert "Max ( 5 3 9 ) -> 9   (asked by you" in said(one, ".")
    assert "example 3 of the batch" in said(one, "e 3")


def test_a_watched_number_stands_under_every_station(tmp_path):
    one = stepper("digits", tmp_path)
    one.enter()
    said(one, "watch head.w[1, 2]")
    made = one.moment
    old, new = (f"{float(state.params['head']['w'][1, 2]):.4g}" for state in (made.before, made.after))
    assert f"head.w[1,2]  {old} -> {new}" in said(one, "n")
    one.go(one.place_of("optimizer"))
    assert "head.w[1,2]\n" in said(one, ".")
    said(one, "unwatch")
    assert "->" not in said(one, "b")


def test_steps_and_runs_stop_where_they_say_at_the_same_station(tmp_path):
    one = stepper("digits", tmp_path, train=TrainConfig(examples=70, epochs=30, batch_size=7, warmup=1, lr=1e-2))
    said(one, "step")
    assert (one.state.step, one.moment.number, one.station.name) == (0, 1, "batch")
    said(one, "layer 1")
    said(one, "step 3")
    assert (one.state.step, one.moment.number, one.station.name) == (3, 4, "attention blocks.1.attn")
    assert len(one.moments) == 4
    said(one, "run 4")
    assert (one.state.step, one.station.name) == (7, "attention blocks.1.attn")
    said(one, "run epoch")
    assert one.state.step == 10
    said(one, "run epoch 3")
    assert one.state.step == 30
    said(one, "go after")
    assert one.state.step == 31
    said(one, "run 4")
    assert (one.state.step, one.station.name) == (35, "batch")
    said(one, "run until acc 0.31")
    recent = one.state.history.accuracy
    assert np.mean(recent[-20:]) >= 0.31 > np.mean(recent[-21:-1])
    said(one, "run")
    assert (one.state.step, one.part) == (300, "epilogue")
    assert "complete" in said(one, "run")
    said(one, "b")
    assert one.part == "step"


def test_the_moments_that_are_kept_are_bounded(tmp_path, monkeypatch):
    one = stepper("digits", tmp_path, train=TrainConfig(examples=70, epochs=30, batch_size=7))
    said(one, "step 25")
    assert [made.number for made in one.moments] == list(range(6, 26))
    monkeypatch.setattr("console.stepper.stepper.MEMORY", one.moments[-1].cost * 3.5)
    said(one, "step")
    assert [made.number for made in one.moments] == [24, 25, 26]
    for _ in range(2 * len(one.stations)):
        said(one, "b")
    assert "nothing before this is kept" in said(one, "b")


# ---- settings on the way ----


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [("lr 0.01", "lr", 0.01), ("wd 0", "weight_decay", 0.0), ("opt sgd", "optimizer", "sgd"),
     ("opt adam", "optimizer", "adam"), ("batch 20", "batch_size", 20)],
)  # fmt: skip
def test_a_changed_run_resumes_to_the_same_bytes_and_says_what_was_changed(line, field, value, tmp_path):
    train = TrainConfig(examples=70, epochs=3, batch_size=14, warmup=1)
    one = stepper("digits", tmp_path / "r", train=train)
    said(one, "step 3")
    assert "from update 3 on" in said(one, line)
    assert getattr(one.moment.train, field) == value
    said(one, "run 2")
    said(one, "save")
    run = checkpoint.load_run(tmp_path / "r" / "last.safetensors")
    assert getattr(run.train, field) == value
    assert json.loads((tmp_path / "r" / "changes.json").read_text())[0]["after_update"] == 2
    resumed = trainer.resumed(options.read(["--no-plots"]), Console(), tmp_path / "r")
    other = Stepper(resumed)
    assert resumed.changes == one.session.changes
    for walked in (one, other):
        said(walked, "run")
    assert same(one.state.params, other.state.params) and one.state.history == other.state.history
    assert checkpoint.load_model(tmp_path / "r" / "best.safetensors").notes["changes"] == one.session.changes


def test_a_setting_changed_before_the_optimizer_changes_the_update_in_view(tmp_path):
    one = stepper("digits", tmp_path)
    one.enter()
    first = one.moment
    assert "this one, which was run again" in said(one, "lr 0.1")
    assert one.moment.lr != first.lr and one.moment.number == 1
    one.go(one.place_of("optimizer"))
    made = one.moment
    assert "this one" not in said(one, "lr 0.2")
    assert one.moment is made


def test_a_batch_size_that_would_move_the_epochs_is_refused(tmp_path):
    one = stepper("digits", tmp_path, train=TrainConfig(examples=70, epochs=3, batch_size=14, warmup=1))
    said(one, "step 7")
    assert "the epochs that were counted" in said(one, "batch 70")


# ---- scripts ----


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


QUICK = ("--examples", "70", "--batch-size", "35", "--epochs", "2", "--d-model", "8", "--n-heads", "2", "--no-plots")


def test_a_script_is_walked_to_its_end_and_saved(here, capsys):
    (here / "s").write_text("# to the first update\nstep\n\nlayer 1   # the second\nrun 1\n")
    assert trainer.main([*QUICK, "--script", "s", "--out", "r"]) == 0
    out = capsys.readouterr().out
    assert "[1/4] batch > layer 1" in out and "Attention, block 1 (update 2 of 4)" in out
    assert "--resume r" in out
    assert checkpoint.load_run(here / "r" / "last.safetensors").state.step == 1


def test_a_script_with_a_refused_command_goes_on_and_exits_with_1(here, capsys):
    (here / "s").write_text("foo\nstep\nq!\nstep\n")
    assert trainer.main([*QUICK, "--script", "s", "--out", "r"]) == 1
    out = capsys.readouterr().out
    assert "there is no command 'foo'" in out and "> q!" in out and out.count("> step") == 1
    assert not (here / "r").exists()


def test_stepping_to_the_end_writes_the_bytes_of_a_plain_run(here, capsys):
    (here / "s").write_text("step 3\nrun 1\nstep 5\n" + "n\n" * 4)
    assert trainer.main([*QUICK, "--script", "s", "--out", "stepped"]) == 0
    assert "Ask it" in capsys.readouterr().out
    assert trainer.main([*QUICK, "--no-interactive", "--out", "plain"]) == 0
    for name in ("last.safetensors", "best.safetensors"):
        assert (here / "stepped" / name).read_bytes() == (here / "plain" / name).read_bytes()


def test_json_is_one_object_an_update_and_nothing_else(here, capsys):
    assert trainer.main([*QUICK, "--json", "--steps", "3", "--out", "r"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["step"] for one in found] == [1, 2, 3]
    assert ["epoch" in one for one in found] == [False, True, False]
    history = checkpoint.load_run(here / "r" / "last.safetensors").state.history
    assert [one["loss"] for one in found] == history.loss
    params = checkpoint.load_model(here / "r" / "last.safetensors").params
    assert found[0]["gradient_norms"].keys() == tree.named(params).keys()


def test_steps_show_every_station_without_pauses(here, capsys):
    assert trainer.main([*QUICK, "--steps", "1", "--out", "r"]) == 0
    out = capsys.readouterr().out
    for title in ("Batch", "Embedding", "Attention, block 1", "Loss", "Backward: block 0", "Optimizer", "After"):
        assert title in out


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("--steps", "0"), "--steps must be at least 1"),
        (("--json", "--no-interactive"), "leave one of them out"),
        (("--script", "s", "--steps", "2"), "leave out --steps"),
        (("--script", "nowhere"), "nowhere: cannot be read"),
        (("--script", "s", "--seeds", "2"), "--seeds does not"),
    ],
)
def test_a_bad_request_for_a_walk_is_one_sentence(args, told, here, capsys):
    assert trainer.main([*QUICK, *args, "--out", "r"]) == 2
    assert told in capsys.readouterr().err
    assert list(here.iterdir()) == []


@pytest.mark.slow
def test_pictures_are_drawn_and_a_saved_run_is_loaded_again(here, capsys):
    (here / "s").write_text("run epoch\nn\nplot\nsave\nstep 2\nload\nload elsewhere\nq")
    assert trainer.main([*QUICK, "--script", "s", "--out", "r"]) == 1
    out = capsys.readouterr().out
    assert "Drawn in r: training.svg" in out and (here / "r" / "attention.svg").exists()
    assert "Loaded r/last.safetensors: 2 updates are made." in out
    assert "no such file" in out
    assert checkpoint.load_run(here / "r" / "last.safetensors").state.step == 2


@pytest.mark.slow
def test_jax_runs_and_numpy_shows(here, capsys):
    (here / "s").write_text("step\nrun 2\ngo optimizer\nrun\n")
    assert trainer.main([*QUICK, "--backend", "jax", "--script", "s", "--out", "r"]) == 0
    out = capsys.readouterr().out
    assert out.count("Stations show NumPy's numbers") == out.count("compiling, first time only") == 1
    found = checkpoint.load_run(here / "r" / "last.safetensors").state
    assert trainer.main([*QUICK, "--no-interactive", "--out", "n"]) == 0
    wanted = checkpoint.load_run(here / "n" / "last.safetensors").state
    np.testing.assert_allclose(found.history.loss, wanted.history.loss, rtol=1e-5)


def test_jax_is_imported_only_where_it_is_asked_for(here):
    code = (
        "import sys; from console import trainer; "
        f"code = trainer.main({[*QUICK, '--steps', '1', '--out', 'r']}); "
        "sys.exit(code or 'jax' in sys.modules)"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "COLUMNS": "80"}
    done = subprocess.run([sys.executable, "-c", code], cwd=here, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


# ---- signals ----


def at_the_prompt(monkeypatch, *answers):
    """Let these lines or exceptions be what the user does, one after another; a number is a signal that arrives."""
    left = list(answers)

    def answer(prompt):
        what = left.pop(0)
        if isinstance(what, str):
            return what
        if isinstance(what, int):
            signal.raise_signal(what)
            return ""
        raise what

    monkeypatch.setattr("builtins.input", answer)
    monkeypatch.setattr("console.draw.interactive", lambda: True)
    return left


@pytest.mark.parametrize(
    ("answers", "code", "saved"),
    [
        (["step 2", EOFError()], 0, 1),
        (["step 2", "q"], 0, 1),
        (["step 2", "q!"], 0, None),
        (["step 2", KeyboardInterrupt(), "y"], 0, 1),
        (["step 2", KeyboardInterrupt(), "n"], 0, None),
        (["step 2", KeyboardInterrupt(), KeyboardInterrupt()], 0, None),
        (["step 2", KeyboardInterrupt(), "", "step", "q"], 0, 2),
        (["step 2", signal.SIGTERM], 143, 1),
        (["step", KeyboardInterrupt(), KeyboardInterrupt()], 0, None),
        (["step", KeyboardInterrupt(), "step", KeyboardInterrupt(), "n"], 0, None),
    ],
)
def test_leaving_saves_what_would_be_lost_unless_it_is_not_wanted(answers, code, saved, here, monkeypatch, capsys):
    left = at_the_prompt(monkeypatch, *answers)
    assert trainer.main([*QUICK, "--out", "r"]) == code
    assert left == []
    out = capsys.readouterr().out
    path = here / "r" / "last.safetensors"
    assert path.exists() == (saved is not None)
    if saved is not None:
        assert checkpoint.load_run(path).state.step == saved
        assert "--resume r" in out
    else:
        assert "othing was written" in out


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_a_signal_in_a_run_finishes_the_update(number, code, here, monkeypatch, capsys):
    monkeypatch.setattr(running, "_show", lambda *a: signal.raise_signal(number) if a[2].step == 2 else None)
    left = at_the_prompt(monkeypatch, "step", "run", "q")
    assert trainer.main([*QUICK, "--out", "r"]) == code
    assert len(left) == (0 if number == signal.SIGINT else 1)
    assert checkpoint.load_run(here / "r" / "last.safetensors").state.step == 2
    assert ("Stopped: 2 of 4" in capsys.readouterr().out) == (number == signal.SIGINT)


def test_a_run_that_is_done_begins_behind_its_last_update(here, monkeypatch, capsys):
    assert trainer.main([*QUICK, "--no-interactive", "--out", "r"]) == 0
    before = (here / "r" / "last.safetensors").read_bytes()
    at_the_prompt(monkeypatch, "step", "n", "q")
    assert trainer.main(["--resume", "r", "--no-plots"]) == 0
    assert "already complete" not in capsys.readouterr().err
    assert (here / "r" / "last.safetensors").read_bytes() == before


@pytest.mark.parametrize(("args", "made"), [(("--script", "s"), 2), (("--json",), 2), (("--steps", "4"), 2)])
def test_ctrl_c_where_nobody_is_asked_saves_and_ends(args, made, here, monkeypatch, capsys):
    (here / "s").write_text("run\nstep\n")
    monkeypatch.setattr(running, "_show", lambda *a: signal.raise_signal(signal.SIGINT) if a[2].step == 2 else None)
    updates = []

    def interrupted(stepper):
        updates.append(stepper.moment.number)
        if len(updates) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(unattended, "_print_update", interrupted)
    assert trainer.main([*QUICK, *args, "--out", "r"]) == 130
    assert checkpoint.load_run(here / "r" / "last.safetensors").state.step == made
    assert ("--resume r" in capsys.readouterr().out) == ("--json" not in args)
