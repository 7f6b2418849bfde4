"""The query program: what it shows is what the model computed, and every way of asking it, well and badly."""

import importlib.util
import json
import os
import select
import subprocess
import sys
import time
import types
from pathlib import Path

import numpy as np
import pytest
from rich.cells import cell_len

from common import checkpoint
from common.checkpoint import Model
from common.config import ClassifierConfig, DigitsConfig, TrainConfig
from common.data import digits
from common.data.parsing import parse
from common.trace import Trace
from common.vocabulary import TOKENS
from console import query
from console.asking import cases
from numpy_ref import train as numpy_train

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "test_model_manually.py"
SMALL = ClassifierConfig(d_model=32, n_heads=4, d_ffn=64)
TASK = DigitsConfig()
TASKS = {
    "default": TASK,
    "2-7": DigitsConfig(min_args=2, max_args=7),
    "one": DigitsConfig(ops=("First", "Min"), min_args=1, max_args=1, max_value=4),
    "twenty": DigitsConfig(min_args=20, max_args=20),
}


def trained(task, epochs):
    run = TrainConfig(examples=4000, epochs=epochs)
    data = digits.load(task, seed=0, examples=run.examples)
    *_, last = numpy_train.fit(numpy_train.init(SMALL, run), data, model=SMALL, train=run, every=10**6)
    return Model("classifier", SMALL, task, last.params, run)


@pytest.fixture(scope="session")
def model():
    return trained(TASK, epochs=5)


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def good(model, folder):
    checkpoint.save_model(folder / "good.safetensors", model)
    return folder / "good.safetensors"


@pytest.fixture(scope="session")
def untrained(folder):
    """For each task a model that has learned nothing."""
    params = numpy_train.init(SMALL, TrainConfig()).params
    for name, task in TASKS.items():
        checkpoint.save_model(folder / f"{name}.safetensors", Model("classifier", SMALL, task, params))
    return {name: folder / f"{name}.safetensors" for name in TASKS}


@pytest.fixture(scope="session")
def probabilities(model):
    """Of every expression, the model's own answer, asked in one batch."""
    expressions = list(digits.listed(TASK))
    asked = digits.to_examples(expressions, TASK)
    p_BV = numpy_train.predict(model.params, asked.tokens, asked.mask, model=SMALL)
    return dict(zip(expressions, p_BV, strict=True))


@pytest.fixture(scope="session")
def right(probabilities):
    return next(e for e, p_V in probabilities.items() if np.argmax(p_V) == e.target)


@pytest.fixture(scope="session")
def wrong(probabilities):
    return next(e for e, p_V in probabilities.items() if np.argmax(p_V) != e.target)


@pytest.fixture
def ask(good, capsys, monkeypatch):
    """Run the program here: exit code, lines of stdout, stderr."""

    def run(*argv, path=good, width=80):
        monkeypatch.setenv("COLUMNS", str(width))
        code = query.main(["--checkpoint", str(path), *map(str, argv)])
        printed = capsys.readouterr()
        return code, printed.out.splitlines(), printed.err

    return run


def script(*argv, **kw):
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "src"), "LANG": "C.UTF-8", **kw.pop("env", {})}
    kw = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True, "timeout": 60} | kw
    return subprocess.run([sys.executable, SCRIPT, *map(str, argv)], env=env, check=False, **kw)


# ---- what is shown is what was computed


def test_json_holds_the_probabilities_and_the_attention_of_the_model(ask, model, probabilities, right):
    code, [line], err = ask("--json", "--expr", right.text, "--top", 20)
    found = json.loads(line)
    p_V = probabilities[right]
    assert (code, err) == (0, "")
    assert found["expression"] == right.text
    assert found["tokens"] == right.text.split()
    assert found["ids"] == right.tokens
    assert (found["answer"], found["expected"], found["correct"]) == (str(right.answer), str(right.answer), True)
    assert found["part"] == digits.part(right, TASK.split_seed)
    assert [entry["token"] for entry in found["top"]] == [TOKENS[i] for i in np.argsort(-p_V)]
    assert np.allclose([entry["probability"] for entry in found["top"]], np.sort(p_V)[::-1], rtol=1e-4)

    asked = digits.to_examples([right], TASK)
    with Trace(model.params) as trace:
        numpy_train.predict(model.params, asked.tokens, asked.mask, model=SMALL)
    w_HS = trace["blocks.1.attn/attend.forward/w_BNGTS"][0, :, 0, 0]
    attention = found["attention"]
    assert attention["block"] == 1
    assert np.allclose(attention["mean"], w_HS.mean(axis=0), rtol=1e-4)
    strongest = attention["strongest"]
    assert np.isclose(strongest["share"], w_HS.max(), rtol=1e-4)
    assert np.isclose(w_HS[strongest["head"], strongest["position"]], w_HS.max())
    assert strongest["token"] == right.text.split()[strongest["position"]]


def test_attention_leaves_the_padding_out(ask, untrained):
    _, [line], _ = ask("--json", "--expr", "Max(1,2)", path=untrained["2-7"])
    found = json.loads(line)
    assert len(found["attention"]["mean"]) == len(found["tokens"]) == 5
    assert sum(found["attention"]["mean"]) == pytest.approx(1, abs=1e-4)


def test_the_screen_tells_the_same(ask, probabilities, right, wrong):
    code, lines, err = ask("--expr", right.text, "--expr", wrong.text)
    text = "\n".join(lines)
    answer = TOKENS[np.argmax(probabilities[wrong])]
    assert (code, err) == (1, "")
    assert right.text in text and wrong.text in text
    assert "verdict  right" in text and "verdict  wrong" in text
    assert f"answer   {answer}  (" in text
    assert f"right    {wrong.answer}" in text
    assert f"part     {digits.part(right, 0)}: " in text
    assert " ".join(map(str, right.tokens)) in " ".join(text.split())
    for p in np.sort(probabilities[wrong])[-5:]:
        assert f"{100 * p:.2f} %" in text


@pytest.mark.parametrize(("p", "shown"), [(1, "100.00 %"), (0.99999, ">99.99 %"), (0.00009, "<0.01 %"), (0, "0.00 %")])
def test_a_percentage_is_not_rounded_to_certainty(p, shown):
    assert query.answers.probability(p) == shown


def test_all_counts_every_expression(ask, probabilities):
    n_right = sum(np.argmax(p_V) == e.target for e, p_V in probabilities.items())
    assert 2500 < n_right < 5000
    code, lines, err = ask("--all")
    text = "\n".join(lines)
    assert (code, err) == (1, "")
    assert f"{n_right:,} of 5,000 right" in text
    loss = -np.mean([np.log(p_V[e.target]) for e, p_V in probabilities.items()])
    assert f"mean loss {loss:.4f} nats" in text
    rows = [line.split()[:3] for line in lines]
    for op in TASK.ops:
        n = sum(np.argmax(p_V) == e.target for e, p_V in probabilities.items() if e.op == op)
        assert [op, f"{n:,}", "1,000"] in rows
    parts = [digits.part(e, 0) for e in probabilities]
    n = sum(np.argmax(p_V) == e.target for e, p_V in probabilities.items() if digits.part(e, 0) == "test")
    assert ["test", str(n), str(parts.count("test"))] in rows
    table = lines[lines.index("confusion: right digit down, answer across") + 2 :][:10]
    for digit, row in enumerate(table):
        answers = [np.argmax(p_V) for e, p_V in probabilities.items() if e.answer == digit]
        wanted = [answers.count(TOKENS.index(str(j))) for j in range(10)]
        assert [int(cell.replace(".", "0")) for cell in row.split()[:11]] == [digit, *wanted]


def test_all_as_json_asks_the_same(ask, probabilities):
    code, lines, _ = ask("--all", "--json", "--top", 1)
    found = [json.loads(line) for line in lines]
    assert code == 1
    assert [parse(one["expression"], TASK) for one in found] == list(probabilities)
    assert [one["answer"] for one in found] == [TOKENS[np.argmax(p_V)] for p_V in probabilities.values()]


def test_all_of_a_space_too_large_to_list_is_the_held_out_part(ask, untrained):
    _, lines, _ = ask("--all", "--json", path=untrained["2-7"])
    assert len(lines) == digits.SAMPLE
    assert {json.loads(line)["part"] for line in lines} == {"test"}


def test_the_backend_that_is_named_answers(ask, monkeypatch, right):
    def predict(params, tokens_BT, mask_BT, *, model):
        return np.eye(20)[[TOKENS.index("Last")]] * np.ones((len(tokens_BT), 1))

    fake = types.SimpleNamespace(predict=predict)
    monkeypatch.setattr(query.backend, "choose", lambda name: query.backend.Twin(name, fake, None, "nothing"))
    code, [line], _ = ask("--json", "--expr", right.text, "--backend", "jax")
    assert (code, json.loads(line)["answer"]) == (1, "Last")


def test_a_backend_that_is_not_installed_is_a_sentence(ask, monkeypatch):
    for name in [*(name for name in sys.modules if name.split(".")[0] == "jax_impl"), "jax_impl"]:
        monkeypatch.setitem(sys.modules, name, None)
    code, lines, err = ask("--backend", "jax", "--batch")
    assert (code, lines) == (2, [])
    assert err.startswith("error: --backend jax needs")
    assert err.count("\n") == 1


# ---- the cases


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_the_batch_has_fourteen_cases_of_the_task_in_four_groups(task):
    groups = dict(cases(task))
    assert [len(group) for group in groups.values()] == [5, 3, 3, 3]
    assert list(groups) == ["easy", "all the same", "duplicates", "extremes"]
    every = [e for group in groups.values() for e in group]
    assert [parse(e.text, task) for e in every] == every
    assert {e.op for e in every} == set(task.ops)
    assert all(len(set(e.args)) == 1 for e in groups["all the same"])
    assert {arg for e in groups["extremes"] for arg in e.args} == {0, task.max_value}
    assert task.max_args == 1 or all(len(set(e.args)) < len(e.args) for e in groups["duplicates"])


def test_the_easy_cases_of_the_default_task_have_no_digit_twice():
    assert all(len(set(e.args)) == 3 for e in dict(cases(TASK))["easy"])


def test_batch_and_quick_print_one_line_a_case(ask):
    code, lines, _ = ask("--batch")
    shown = [line for line in lines if " ) " in line]
    assert len(shown) == 14
    assert code == int(any("wrong" in line for line in shown))
    n_right = sum("wrong" not in line for line in shown)
    assert lines[-1] == f"{n_right} of 14 right"
    first, again, other = (ask("--quick", "--json", "--seed", seed)[1] for seed in (1, 1, 2))
    assert len(first) == query.QUICK
    assert first == again != other


def test_batch_as_json_names_the_groups(ask):
    groups = [json.loads(line)["group"] for line in ask("--batch", "--json")[1]]
    assert groups == ["easy"] * 5 + ["all the same"] * 3 + ["duplicates"] * 3 + ["extremes"] * 3


# ---- bad input and exit codes


def test_a_caret_stands_under_what_is_wrong(ask):
    code, lines, err = ask("--expr", "Max(5,23,9)")
    assert (code, lines) == (2, [])
    assert err.splitlines() == [
        "  Max(5,23,9)",
        "        ^",
        "23 has 2 digits; the model reads single digits 0-9, and 23 is not 2 3",
    ]


@pytest.mark.parametrize(("text", "mark"), [("Max(５,23,9)", "23"), ("Max(5,\t23,9)", "23"), ("あ" * 90 + "!", "あ")])
@pytest.mark.parametrize("width", [40, 80])
def test_the_caret_knows_wide_characters_tabs_and_long_lines(ask, text, mark, width):
    _, _, err = ask("--expr", text.replace("５", "5"), width=width)
    shown, caret, _ = err.splitlines()
    before = cell_len(caret) - 1
    at = next(i for i in range(len(shown)) if cell_len(shown[:i]) == before)
    assert shown[at:].startswith(mark)
    assert cell_len(shown) <= width


def test_the_worst_of_several_is_the_exit_code(ask, right, wrong):
    def code(*texts):
        return ask(*(word for text in texts for word in ("--expr", text)))[0]

    assert code(right.text) == 0
    assert code(right.text, wrong.text, right.text) == 1
    assert code("Max(1)", wrong.text, right.text) == 2


def test_one_bad_expression_does_not_keep_the_others_from_an_answer(ask, right):
    code, lines, _ = ask("--json", "--expr", "Maxi 1 2 3", "--expr", right.text)
    bad, good = map(json.loads, lines)
    assert code == 2
    assert bad == {"error": "there is no operation 'Maxi'; did you mean Max?", "column": 0, "input": "Maxi 1 2 3"}
    assert good["correct"]


FILE = b"""\xef\xbb\xbf# first

max 1 2 3\r
  MIN(1,2,3) # why not
Max(5,x)
Max(5\xff,3,9)
Max(1,2,%s)
last 1 2 3""" % (b"3" * 9000)


def test_a_file_is_read_line_by_line(ask, tmp_path):
    path = tmp_path / "asked.txt"
    path.write_bytes(FILE)
    code, lines, err = ask("--file", path, "--json")
    found = [json.loads(line) for line in lines]
    assert (code, err) == (2, "")
    assert [(one["line"], one.get("expression"), one.get("column")) for one in found] == [
        (3, "Max ( 1 2 3 )", None),
        (4, "Min ( 1 2 3 )", None),
        (5, None, 6),
        (6, None, 5),
        (7, None, 200),
        (8, "Last ( 1 2 3 )", None),
    ]
    assert all(line.isascii() for line in lines)
    assert found[3]["input"] == "Max(5\ufffd,3,9)"
    _, _, err = ask("--file", path)
    assert f"{path}, line 5: 'x' stands where a digit belongs" in err
    assert "Max(5?,3,9)\n       ^\n" in err


def test_a_terminal_is_sent_no_control_characters(ask, tmp_path):
    path = tmp_path / "asked.txt"
    path.write_bytes(b"Max(5,3,9\x1b[31m)\n\xe2\x80\xaeMax\x07\n[red]x[/red]\n")
    _, _, err = ask("--file", path)
    assert all(c.isprintable() or c == "\n" for c in err)
    assert "[red]x[/red]" in err


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--file", "nowhere.txt"], "nowhere.txt: cannot be read: No such file"),
        (["--file", "."], ".: cannot be read: Is a directory"),
        (["--file", os.devnull], "there is no expression in this file"),
        (["--json"], "--json has no prompt: add --expr"),
    ],
)
def test_what_cannot_be_asked_is_one_line(ask, argv, says):
    code, lines, err = ask(*argv)
    assert (code, lines) == (2, [])
    assert says in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("argv", [["--top", "0"], ["--top", "21"], ["--top", "x"], ["--seed", "-1"], ["--al"], ["x"]])
def test_a_bad_flag_exits_with_2(argv):
    with pytest.raises(SystemExit) as left:
        query.main(argv)
    assert left.value.code == 2


def test_a_checkpoint_that_cannot_be_asked_is_one_line(ask, folder, capsys):
    big = ClassifierConfig(vocab=30, d_model=8, n_heads=2, d_ffn=8)
    params = numpy_train.init(big, TrainConfig()).params
    checkpoint.save_model(folder / "big.safetensors", Model("classifier", big, TASK, params))
    (folder / "broken.safetensors").write_bytes(b"nonsense")
    for name, says in {"big": "knows 30 tokens", "broken": "damaged", "missing": "no such file"}.items():
        code, lines, err = ask("--batch", path=folder / f"{name}.safetensors")
        assert (code, lines, err.count("\n")) == (2, [], 1)
        assert f"{name}.safetensors" in err
        assert says in err
    assert query.main(["--batch"], shipped=folder / "none.safetensors") == 2
    assert "make train" in capsys.readouterr().err


def test_weights_that_overflow_are_a_sentence(ask, model, folder):
    params = {**model.params, "head": {**model.params["head"], "w": np.full((32, 20), 3e38, np.float32)}}
    checkpoint.save_model(folder / "huge.safetensors", Model("classifier", SMALL, TASK, params))
    code, lines, err = ask("--expr", "max 1 2 3", path=folder / "huge.safetensors")
    assert (code, lines) == (2, [])
    assert "overflow" in err


# ---- terminals


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
@pytest.mark.parametrize("task", TASKS)
def test_everything_fits_the_width(ask, untrained, width, task):
    path = untrained[task]
    longest = max((e for _, group in cases(TASKS[task]) for e in group), key=lambda e: len(e.text)).text
    calls = [["--batch"], ["--quick"], ["--expr", longest, "--top", 20]]
    for argv in calls + ([["--all"]] if task == "default" and width in (40, 200) else []):
        _, lines, err = ask(*argv, path=path, width=width)
        assert err == ""
        assert max(map(cell_len, lines)) <= width


def test_a_terminal_without_unicode_gets_ascii(good):
    argv = ("--checkpoint", good, "--expr", "max 5 3 9", "--expr", "Max(５,3,9)", "--batch")
    plain = script(*argv, env={"PYTHONIOENCODING": "ascii"})
    assert plain.stdout.isascii() and plain.stderr.isascii()
    assert "##" in plain.stdout
    assert "##" not in script(*argv).stdout


def test_no_color_is_honoured(good):
    argv = ("--checkpoint", good, "--expr", "max 5 3 9")
    forced = {"FORCE_COLOR": "1", "TERM": "xterm-256color"}
    assert "\x1b[36m" in script(*argv, env=forced).stdout
    assert "\x1b[3" not in script(*argv, env=forced | {"NO_COLOR": "1"}).stdout


def test_a_closed_pipe_is_no_traceback(good):
    for argv in (["--all"], ["--all", "--json"]):
        command = f"'{sys.executable}' '{SCRIPT}' --checkpoint '{good}' {' '.join(argv)} | head -n 1"
        env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
        done = subprocess.run(command, shell=True, env=env, capture_output=True, text=True, timeout=60, check=True)
        assert done.stdout.count("\n") == 1
        assert done.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_a_sentence(good):
    with open("/dev/full", "w") as full:
        done = script("--checkpoint", good, "--batch", capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 2
    assert done.stderr == "error: the answers cannot be written: No space left on device\n"


def test_without_a_terminal_it_says_what_to_add(good):
    done = script("--checkpoint", good)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--expr" in done.stderr
    assert done.stderr.count("\n") == 1


def test_standard_input_can_be_a_file(good):
    done = script("--checkpoint", good, "--file", "-", "--json", input=FILE, text=False, stdin=None)
    assert done.returncode == 2
    assert [json.loads(line)["line"] for line in done.stdout.splitlines()] == [3, 4, 5, 6, 7, 8]


def test_without_the_package_it_says_how_to_install(tmp_path):
    done = subprocess.run(
        [sys.executable, "-S", "-I", SCRIPT], capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False
    )
    assert done.returncode == 2
    assert "make train" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_script_can_be_imported_and_does_nothing(capsys):
    spec = importlib.util.spec_from_file_location("asked", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert capsys.readouterr() == ("", "")
    assert not [name for name in vars(module) if name.startswith("test")]


# the terminal becomes the one whose Ctrl-C reaches the program
TAKE = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"


class Terminal:
    """The program at a pseudo-terminal: send keys, wait for text."""

    def __init__(self, path):
        pty = pytest.importorskip("pty")
        self.seen = ""
        self.handle, theirs = pty.openpty()
        env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "src"), "TERM": "xterm", "LANG": "C.UTF-8"}
        command = [sys.executable, "-c", TAKE, sys.executable, str(SCRIPT), "--checkpoint", str(path)]
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

    def code(self):
        return self.process.wait(timeout=30)


@pytest.fixture
def terminal(good):
    opened = Terminal(good)
    yield opened
    opened.process.kill()
    opened.process.wait()
    os.close(opened.handle)


def test_the_prompt_answers_explains_and_goes_on(terminal):
    menu = terminal.until("> ")
    for word in ("Max(5,3,9)", "batch", "quick", "all", "ops", "help", ":quit"):
        assert word in menu
    terminal.send("max 5 3 9\r")
    assert "verdict" in terminal.until("\n> ")
    terminal.send("Maxi(5,3,9)\r")
    assert "did you mean Max?" in terminal.until("\n> ")
    terminal.send("\r")
    terminal.until("\n> ")
    terminal.send("batch\r")
    terminal.until("of 14 right")
    terminal.send("quick\r")
    terminal.until("of 5 right")
    terminal.send("all\r")
    terminal.until("of 5,000 right")
    terminal.send("ops\r")
    terminal.until("the smallest argument")
    terminal.send("help\r")
    terminal.until("so does Ctrl-D")
    terminal.send(":quit\r")
    assert terminal.code() == 0


def test_ctrl_c_clears_the_line_and_ctrl_d_leaves(terminal):
    terminal.until("> ")
    terminal.send("max 1 2")
    terminal.until("max 1 2")
    time.sleep(0.2)  # CPython notices a signal while readline waits for a key, not while it handles one
    terminal.send("\x03")
    terminal.until("\n> ")
    terminal.send("min 4 5 6\r")
    assert "Min ( 4 5 6 )" in terminal.until("\n> ")
    terminal.send("\x04")
    assert terminal.code() == 0
