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

import numpy_ref.generate
import numpy_ref.train
import tiny
from common import checkpoint
from common.checkpoint import Model
from common.config import ClassifierConfig, DigitsConfig, SequenceConfig, TrainConfig
from common.data import digits, sequences, split
from common.data import text as texts
from common.data.parsing import parse
from common.data.reading import read
from common.sampling import Sampling
from common.trace import Trace
from common.vocabulary import EOS, START, TOKENS, decode, encode
from console import asking, query
from console.answers import digits as digit_screens
from console.answers import parts
from console.asking.cases import cases as sequence_cases
from console.asking.digit_cases import cases
from console.asking.digits import Answer as DigitAnswer
from console.asking.digits import Look
from console.asking.written import Answer, Question, Token
from console.terminal import Screen
from numpy_ref import train as numpy_train
from tiny import SMALL

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "test_model_manually.py"
TASK = DigitsConfig()
TASKS = {
    "default": TASK,
    "2-7": DigitsConfig(min_args=2, max_args=7),
    "one": DigitsConfig(ops=("First", "Min"), min_args=1, max_args=1, max_value=4),
    "twenty": DigitsConfig(min_args=20, max_args=20),
}


@pytest.fixture(scope="session")
def model():
    return tiny.digits()


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
    for name, task in TASKS.items():
        checkpoint.save_model(folder / f"{name}.safetensors", tiny.untrained(task))
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
    assert parts.probability(p) == shown


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
    monkeypatch.setattr(query.backend, "choose", lambda name: query.backend.Twin(name, fake, None, None, "nothing"))
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
    assert len(first) == asking.QUICK
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
        "23 has 2 digits; the model reads single digits 0-9: write 2 3 if that is meant",
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
        (["--file", os.devnull], "there is no question in this file"),
        (["--json"], "--json has no prompt: add --expr"),
        (["--batch", "--top", "21"], "this model knows 20 tokens: so many can be shown at most, not 21"),
        (["--batch", "--beams", "2"], "--beams searches among the answers of a seq2seq model; this is a classifier"),
    ],
)
def test_what_cannot_be_asked_is_one_line(ask, argv, says):
    code, lines, err = ask(*argv)
    assert (code, lines) == (2, [])
    assert says in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("argv", [["--top", "0"], ["--top", "x"], ["--beams", "0"], ["--seed", "-1"], ["--al"], ["x"]])
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


# ---- sequence models: what is shown is what was computed


REVERSED = ("Reverse 3 1 4 =", "Reverse 5 5 2 7 =", "Reverse 0 1 2 3 4 =", "Reverse 9 8 =")


@pytest.fixture(scope="session")
def sequence_models(folder):
    """Models of the sequence tasks and of texts: trained ones, and of larger tasks ones that have learned nothing."""
    made = {"reverse": tiny.reverse(), "sort": tiny.sort(), "char": tiny.text_model(), "byte": tiny.text_model("byte")}
    made |= {
        f"{name} {family}": tiny.untrained(task, seq2seq=family == "seq2seq")
        for name, task in WIDE.items()
        for family in ("gpt", "seq2seq")
    }
    for name, one in made.items():
        checkpoint.save_model(folder / f"{name}.safetensors", one)
    return {name: folder / f"{name}.safetensors" for name in made}


WIDE = {
    "operations": SequenceConfig(min_args=2, max_args=6, max_value=9999),
    "add": SequenceConfig(task="add", max_digits=12),
    "copy": SequenceConfig(task="copy", max_length=20),
}


def greedy(model, prompts):
    """What the model writes, and the log-probability of each text's tokens, by its plain forward pass."""
    pairs = model.family == "seq2seq"
    sampling = Sampling(max_new_tokens=8, end_token=EOS)
    how = {"model": model.config, "sampling": sampling} | ({"start_token": START} if pairs else {})
    answers = numpy_ref.generate.generate(model.params, prompts, **how)
    begun = [[START]] * len(prompts) if pairs else prompts
    texts = [[*begin, *answer, EOS] for begin, answer in zip(begun, answers, strict=True)]
    sources = prompts if pairs else None
    each = numpy_ref.generate.log_probabilities(model.params, texts, model=model.config, sources=sources)
    return answers, [row[-len(answer) - 1 :] for row, answer in zip(each, answers, strict=True)]


@pytest.mark.parametrize("name", ["reverse", "sort"])
def test_json_tells_each_token_as_the_plain_forward_has_it(ask, sequence_models, name):
    model = checkpoint.load_model(sequence_models[name])
    texts = [text.replace("Reverse", name.capitalize()) for text in ("Reverse 3 1 4 =", "Reverse 5 2 2 7 =")]
    code, lines, err = ask(
        "--json", *(word for text in texts for word in ("--expr", text)), "--top", 26, path=sequence_models[name]
    )
    answers, log_ps = greedy(model, [encode(text) for text in texts])
    found = [json.loads(line) for line in lines]
    assert err == ""
    assert code == int(not all(one["correct"] for one in found))
    for one, text, answer, log_p in zip(found, texts, answers, log_ps, strict=True):
        digits_asked = text.split()[1:-1]
        right = digits_asked[::-1] if name == "reverse" else sorted(digits_asked)
        assert (one["question"], one["tokens"], one["ids"]) == (text, text.split(), encode(text))
        assert (one["answer_ids"], one["answer"], one["ended"]) == (answer, decode(answer), True)
        assert (one["expected"], one["correct"]) == (" ".join(right), one["answer"] == " ".join(right))
        assert one["part"] == split.part(text, 0)
        assert [step["token"] for step in one["steps"]] == [*one["answer"].split(), "[EOS]"]
        assert np.allclose([step["probability"] for step in one["steps"]], np.exp(log_p), rtol=1e-4)
        assert np.isclose(one["log_probability"], sum(log_p), rtol=1e-3)
        for step in one["steps"]:
            top = [entry["probability"] for entry in step["top"]]
            assert step["top"][0]["token"] == step["token"]
            assert top == sorted(top, reverse=True)
            assert sum(top) == pytest.approx(1, abs=1e-4)
            assert len({entry["token"] for entry in step["top"]}) == 26


def test_a_wrong_answer_is_told_with_the_right_one_and_its_probability(ask, sequence_models):
    model = checkpoint.load_model(sequence_models["sort"])
    problems = sequences.held_out(model.task, "test", 200)
    answers, _ = greedy(model, [problem.prompt for problem in problems])
    wrong = next(p for p, answer in zip(problems, answers, strict=True) if answer != p.reply[:-1])
    text = [[*wrong.prompt, *wrong.reply]]
    [log_p] = numpy_ref.generate.log_probabilities(model.params, text, model=model.config)
    expected = sum(log_p[-len(wrong.reply) :])
    code, [line], _ = ask("--json", "--expr", wrong.text, path=sequence_models["sort"])
    assert code == 1
    assert np.isclose(json.loads(line)["expected_log_probability"], expected, rtol=1e-4)
    _, lines, _ = ask("--expr", wrong.text, path=sequence_models["sort"])
    assert f"right    {' '.join(wrong.answer)}  ({parts.probability(np.exp(expected))})" in "\n".join(lines)
    assert "part     test: never trained on" in "\n".join(line.rstrip() for line in lines)


def test_an_answer_that_does_not_end_is_wrong(ask, sequence_models):
    path = sequence_models["operations gpt"]
    code, [line], _ = ask("--json", "--expr", "max 12 7", path=path)
    found = json.loads(line)
    assert (code, found["ended"], found["correct"]) == (1, False, False)
    assert len(found["steps"]) == WIDE["operations"].max_answer + 1
    assert f"{found['answer']} ...  (" in "\n".join(ask("--expr", "max 12 7", path=path)[1])
    question = Question(read("max 12 7", WIDE["operations"]), "train")
    written = [Token(i, 0.5, []) for i in question.problem.reply]
    assert [Answer(question, tokens, 0.0, None).right for tokens in (written, written[:-1])] == [True, False]


def test_beams_are_those_of_the_twin(ask, sequence_models):
    model = checkpoint.load_model(sequence_models["reverse"])
    how = {"model": model.config, "width": 4, "max_new_tokens": 6, "start_token": START, "end_token": EOS}
    [wanted] = numpy_ref.generate.beam_search(model.params, [encode(REVERSED[1])], **how)
    _, [line], _ = ask("--json", "--expr", REVERSED[1], "--beams", 4, path=sequence_models["reverse"])
    found = json.loads(line)["beams"]
    assert [(beam["ids"], beam["ended"]) for beam in found] == [(h.tokens, h.ended) for h in wanted]
    assert np.allclose([beam["score"] for beam in found], [h.score for h in wanted], rtol=1e-4)
    _, lines, _ = ask("--expr", REVERSED[1], "--beams", 4, path=sequence_models["reverse"])
    assert [line.split()[0] for line in lines[-4:]] == ["1", "2", "3", "4"]
    assert decode(wanted[2].tokens) in lines[-2]


@pytest.mark.parametrize("name", ["reverse", "sort"])
def test_all_counts_the_test_part_as_training_does(ask, sequence_models, name):
    model = checkpoint.load_model(sequence_models[name])
    problems = sequences.held_out(model.task, "test")
    form = sequences.to_pairs if name == "reverse" else sequences.to_texts
    wanted = numpy_ref.train.evaluate(model.params, form(problems, model.task), model=model.config)
    assert 0.2 < wanted.accuracy < 1
    code, lines, err = ask("--all", path=sequence_models[name])
    text = "\n".join(lines)
    assert (code, err) == (1, "")
    assert f"{round(1000 * wanted.accuracy)} of 1,000 right, {100 * wanted.accuracy:.1f} %" in text
    assert f"mean loss {wanted.loss:.4f} nats a token" in text
    rows = [line.split() for line in lines]
    for length in range(model.task.min_length, model.task.max_length + 1):
        n = sum(len(problem.answer) == length for problem in problems)
        assert [str(n)] in [row[2:3] for row in rows if row[:1] == [str(length)]]
    _, as_json, _ = ask("--all", "--json", "--top", 1, path=sequence_models[name])
    found = [json.loads(line) for line in as_json]
    assert [one["question"] for one in found] == [problem.text for problem in problems]
    assert sum(one["correct"] for one in found) == round(1000 * wanted.accuracy)
    assert {one["part"] for one in found} == {"test"}


@pytest.mark.parametrize(
    "task", [*WIDE.values(), SequenceConfig(), SequenceConfig(task="add", max_digits=1), tiny.SORT]
)
def test_the_batch_of_a_sequence_task_has_fourteen_cases_that_it_has(task):
    groups = dict(sequence_cases(task))
    assert [len(group) for group in groups.values()] == [5, 3, 3, 3]
    every = [problem for group in groups.values() for problem in group]
    assert [read(problem.text, task) for problem in every] == every
    numbers = [number for problem in groups["extremes"] for number in "".join(problem.question[2:-2]).split(",")]
    if task.task == "operations":
        assert {"0", str(task.max_value)} == set(numbers)
    elif task.task != "add":
        assert {len(problem.answer) for problem in groups["extremes"]} == {task.min_length, task.max_length}
    else:
        assert max(len(problem.answer) for problem in groups["extremes"]) == task.max_answer


def test_quick_asks_a_sequence_model_at_random_by_seed(ask, sequence_models):
    first, again, other = (
        [
            json.loads(line)["question"]
            for line in ask("--quick", "--json", "--seed", seed, path=sequence_models["sort"])[1]
        ]
        for seed in (1, 1, 2)
    )
    assert first == again != other
    assert len(first) == asking.QUICK


def test_a_file_of_questions_is_read_line_by_line(ask, sequence_models, tmp_path):
    path = tmp_path / "asked.txt"
    path.write_text("# rows\nsort 3 1 4 # three\n\nSort(2,x)\nsort 1 2 3 4 5\n")
    code, lines, _ = ask("--json", "--file", path, path=sequence_models["sort"])
    found = [json.loads(line) for line in lines]
    assert code == 2
    assert [(one["line"], one.get("question"), one.get("column")) for one in found] == [
        (2, "Sort 3 1 4 =", None),
        (4, None, 7),
        (5, None, 13),
    ]


# ---- beyond what was trained on


def test_what_was_never_trained_on_is_asked_on_demand_and_told_apart(ask, sequence_models):
    path = sequence_models["reverse"]
    code, lines, err = ask("--expr", "reverse 1 2 3 4 5 6 7", path=path)
    assert (code, lines) == (2, [])
    assert "Reverse has 7 digits here; the model was trained on 2 to 5; --beyond asks it all the same" in err
    code, [line], _ = ask("--expr", "reverse 1 2 3 4 5 6 7", "--beyond", "--json", path=path)
    assert code in (0, 1)
    found = json.loads(line)
    assert (found["expected"], found["part"]) == ("7 6 5 4 3 2 1", None)
    assert "beyond what was trained on" in "\n".join(ask("--expr", "reverse 1 2 3 4 5 6", "--beyond", path=path)[1])
    code, _, err = ask("--expr", "reverse" + " 1" * 15, "--beyond", path=path)
    assert code == 2
    assert "this question has 17 tokens and its answer 16; the model has room for 16" in err
    code, _, err = ask("--expr", "sort" + " 1" * 11, "--beyond", path=sequence_models["sort"])
    assert code == 2
    assert "has 13 tokens and its answer 12; the model has room for 24 in all" in err
    assert ask("--expr", "sort" + " 1" * 10, "--beyond", path=sequence_models["sort"])[0] in (0, 1)


def test_the_classifier_reads_more_digits_than_it_was_trained_on(ask, good):
    code, [line], _ = ask("--json", "--expr", "first 7 1 2 3 4", "--beyond")
    found = json.loads(line)
    assert code in (0, 1)
    assert (found["expected"], found["part"], len(found["attention"]["mean"])) == ("7", None, 8)
    code, _, err = ask("--expr", "max" + " 1" * 48, "--beyond")
    assert code == 2
    assert "takes 51 tokens; the model reads at most 50" in err


# ---- texts


@pytest.mark.parametrize("level", ["char", "byte"])
def test_a_text_goes_on_as_the_model_has_it(ask, sequence_models, level):
    model = checkpoint.load_model(sequence_models[level])
    text = "names → the"
    prompt = texts.encode(text, model.task)
    sampling = Sampling(max_new_tokens=20)
    [wanted] = numpy_ref.generate.generate(model.params, [prompt], model=model.config, sampling=sampling)
    each = numpy_ref.generate.log_probabilities(model.params, [prompt + wanted], model=model.config)[0][
        len(prompt) - 1 :
    ]
    code, [line], err = ask("--json", "--expr", text, path=sequence_models[level])
    found = json.loads(line)
    assert (code, err) == (0, "")
    assert (found["text"], found["ids"], found["continuation_ids"]) == (text, prompt, wanted)
    assert found["continuation"] == texts.decode(wanted, model.task)
    assert np.allclose([step["probability"] for step in found["steps"]], np.exp(each), rtol=1e-4)
    assert np.isclose(found["log_probability"], sum(each), rtol=1e-3)
    code, lines, _ = ask("--expr", text, path=sequence_models[level])
    assert code == 0
    for step in found["steps"]:
        assert parts.probability(step["probability"]) in "\n".join(lines)
    assert not {"verdict", "right"} & {word for line in lines for word in line.split()}


def test_texts_cannot_be_counted(ask, sequence_models):
    for flag in ("--batch", "--quick", "--all"):
        code, lines, err = ask(flag, path=sequence_models["char"])
        assert (code, lines, err.count("\n")) == (2, [], 1)
        assert "no right answers to count" in err


def test_what_a_text_model_cannot_read_has_its_place(ask, sequence_models):
    def refused(text, level="char"):
        code, _, err = ask("--expr", text, path=sequence_models[level])
        assert code == 2
        return err

    assert refused("The Ω").endswith("      ^\nthe character 'Ω' did not occur in training: leave it out\n")
    assert "U+001B did not occur" in refused("The \x1b")
    assert "not UTF-8" in refused("The \udcff", "byte")
    assert "nothing here" in refused("")
    assert "this text has 44 tokens; with the next one it must fit into the 40" in refused("The " * 11)
    assert ask("--expr", "The " * 9 + "the", path=sequence_models["char"])[0] == 0


def test_each_line_of_a_file_is_a_text_whatever_stands_in_it(ask, sequence_models, tmp_path):
    path = tmp_path / "texts.txt"
    path.write_text("The # is no comment\n\n  names\n".replace("#", "2"))
    code, lines, _ = ask("--json", "--file", path, path=sequence_models["char"])
    found = [json.loads(line) for line in lines]
    assert code == 0
    assert [(one["line"], one["text"]) for one in found] == [(1, "The 2 is no comment"), (3, "  names")]
    path.write_text("# The\n")
    [line] = ask("--json", "--file", path, path=sequence_models["byte"])[1]
    assert json.loads(line)["text"] == "# The"


# ---- which model


def test_a_runs_folder_is_its_best_model(ask, model, tmp_path):
    assert "there is no best.safetensors in this folder" in ask("--quick", path=tmp_path)[2]
    (tmp_path / "last.safetensors").touch()
    assert "has not finished an epoch; name its last.safetensors" in ask("--quick", path=tmp_path)[2]
    checkpoint.save_model(tmp_path / "best.safetensors", model)
    assert ask("--quick", path=tmp_path)[0] in (0, 1)


def test_a_model_that_fits_no_task_is_a_sentence(ask, folder):
    for name, odd in {
        "cannot do this task": Model("gpt", tiny.SORTER, TASK, numpy_train.init(tiny.SORTER, TrainConfig()).params),
        "knows 26 tokens; its task has 256": Model(
            "gpt", tiny.SORTER, texts.describe("ab", level="byte"), numpy_train.init(tiny.SORTER, TrainConfig()).params
        ),
    }.items():
        checkpoint.save_model(folder / "odd.safetensors", odd)
        code, lines, err = ask("--expr", "a", path=folder / "odd.safetensors")
        assert (code, lines, err.count("\n")) == (2, [], 1)
        assert name in err


@pytest.mark.parametrize(
    ("settings", "says"),
    [(["--beyond"], "leave out --beyond"), (["--beams", "2"], "--beams searches"), (["--top", "99"], "so many can be")],
)
def test_a_setting_that_a_model_has_no_use_for_is_refused(ask, sequence_models, settings, says):
    code, lines, err = ask("--expr", "The", *settings, path=sequence_models["char"])
    assert (code, lines) == (2, [])
    assert says in err


@pytest.mark.slow
@pytest.mark.parametrize("name", ["reverse", "sort", "char"])
def test_both_twins_say_the_same(ask, sequence_models, name):
    def found(backend):
        text = "The m" if name == "char" else f"{name} 3 1 4"
        beams = ["--beams", 2] if name == "reverse" else []
        _, [line], _ = ask("--json", "--expr", text, *beams, "--backend", backend, path=sequence_models[name])
        return json.loads(line, parse_float=lambda number: pytest.approx(float(number), rel=1e-3, abs=1e-5))

    assert found("numpy") == found("jax")


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


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
@pytest.mark.parametrize("family", ["gpt", "seq2seq"])
@pytest.mark.parametrize("name", WIDE)
def test_everything_of_a_sequence_model_fits_the_width(ask, sequence_models, width, name, family):
    longest = max((p for _, group in sequence_cases(WIDE[name]) for p in group), key=lambda p: len(p.text)).text
    beams = ["--beams", 3] if family == "seq2seq" else []
    calls = [["--batch"], ["--quick"], ["--expr", longest, "--top", 20, *beams]]
    for argv in calls:
        _, lines, err = ask(*argv, path=sequence_models[f"{name} {family}"], width=width)
        assert err == ""
        assert max(map(cell_len, lines)) <= width


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_everything_of_a_text_fits_the_width(ask, sequence_models, width):
    for level in ("char", "byte"):
        _, lines, err = ask("--expr", "The part → reads", "--top", 20, path=sequence_models[level], width=width)
        assert err == ""
        assert max(map(cell_len, lines)) <= width
    _, lines, _ = ask("--all", path=sequence_models["sort"], width=width)
    assert max(map(cell_len, lines)) <= width


def test_a_terminal_without_unicode_gets_ascii_from_texts_too(sequence_models):
    argv = ("--checkpoint", sequence_models["byte"], "--expr", "The part → reads", "--expr", "\n\x1b", "--top", "9")
    plain = script(*argv, env={"PYTHONIOENCODING": "ascii"})
    assert plain.returncode == 0
    assert plain.stdout.isascii() and plain.stderr.isascii()
    assert "\x1b" not in plain.stdout + script(*argv).stdout


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

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.handle)


@pytest.fixture
def terminal(good):
    opened = Terminal(good)
    yield opened
    opened.close()


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


def test_at_the_prompt_of_a_text_model_commands_need_their_colon(sequence_models):
    terminal = Terminal(sequence_models["char"])
    try:
        assert ":quit" in terminal.until("> ")
        terminal.send("times\r")
        assert "20 added" in terminal.until("\n> ")
        terminal.send("quit\r")
        assert "did not occur in training" in terminal.until("\n> ")
        terminal.send(":help\r")
        terminal.until("so does Ctrl-D")
        terminal.send(":quit\r")
        assert terminal.code() == 0
    finally:
        terminal.close()


# ---- what the prompt says


@pytest.fixture
def prompted(monkeypatch, capsys):
    """Ask a model at the prompt, line by line; all that was printed."""

    def run(path, *lines, width=80):
        left = [*lines, ":quit"]
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setattr(query, "is_terminal", lambda stream: True)
        monkeypatch.setattr("builtins.input", lambda prompt="": left.pop(0))
        assert query.main(["--checkpoint", str(path)]) == 0
        printed = capsys.readouterr()
        return printed.out + printed.err

    return run


def test_another_model_brings_its_own_list_of_commands(prompted, good, sequence_models):
    said = prompted(good, f":model {sequence_models['char']}")
    assert said.count("Max(5,3,9)") == 1
    assert "any text" in said and ":why" in said


def test_a_third_number_for_a_head_is_refused(prompted, good):
    assert "two numbers, no more; what is '2'?" in prompted(good, "max 1 2 3", ":attn 0 1 2")


def test_what_is_left_out_is_told(prompted, good, sequence_models):
    said = prompted(sequence_models["char"], ":top 9", "times", ":why")
    assert "shown; beside each token as many as fit" in said
    assert "next best, as many as fit" in said
    assert "Explained are the first 8 of the 20 tokens" in said
    said = prompted(good, ":top 9", "max 1 2 3", "why")
    assert "the 9 most probable tokens are shown\n" in said
    assert "Explained are" not in said
    assert "The position that is read out, 0 Max, still knows" in " ".join(said.split())


def test_eight_equal_shares_point_nowhere():
    expression = digits.Expression("Max", (1, 2, 3))
    alike, apart = 1 / 6, 0.2
    for share, told in ((alike, "every head everywhere alike"), (apart, "head 1 most: 20.00 % on (, position 1")):
        found = DigitAnswer(expression, "test", [("3", 1.0)], 0, [share] + 5 * [(1 - share) / 5], Look(1, 1, share))
        console = Screen(width=80, color_system=None)
        with console.capture() as capture:
            console.print(digit_screens.answer(found, 80, False))
            console.print(digit_screens.table([("", [found])], 80))
        assert told in capture.get()
        assert ("all alike" in capture.get()) == (share == alike)
