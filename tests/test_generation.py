"""generate.py: the text of the model, the same however it is asked for, and every way of asking badly."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import numpy_ref.generate
import tiny
from common import checkpoint, random, tree
from common.config import DigitsConfig
from common.data import text as texts
from common.sampling import Sampling
from common.vocabulary import EOS, START, decode, encode
from console import generation, growing

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "generate.py"
WARM = ("--temperature", 0.9, "--top-k", 20, "--top-p", 0.95, "--min-p", 0.01, "--repetition-penalty", 1.1, "--seed", 3)
PROMPTS = ("The part", "names → the to", "D")
every_level = pytest.mark.parametrize("level", ["char", "byte"])


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    made = {"reverse": tiny.reverse(), "sort": tiny.sort(), "char": tiny.text_model(), "byte": tiny.text_model("byte")}
    made["digits"] = tiny.untrained(DigitsConfig())
    made["endless"] = tiny.untrained(texts.describe(tiny.WORDS_READ, level="byte", context=4000))
    for name, model in made.items():
        checkpoint.save_model(folder / f"{name}.safetensors", model)
    return {name: folder / f"{name}.safetensors" for name in made}


@pytest.fixture
def generate(files, capsys):
    """Run the program here: exit code, stdout, stderr."""

    def run(name, *argv):
        code = generation.main(["--checkpoint", str(files[name]), *map(str, argv)])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def prompted(*prompts):
    return [word for prompt in prompts for word in ("--prompt", prompt)]


def records(printed):
    code, out, err = printed
    assert (code, err) == (0, "")
    return [json.loads(line) for line in out.splitlines()]


def script(*argv, **kw):
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "src"), "LANG": "C.UTF-8", **kw.pop("env", {})}
    kw = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True, "timeout": 60} | kw
    return subprocess.run([sys.executable, SCRIPT, *map(str, argv)], env=env, check=False, **kw)


# ---- the text is the model's


@every_level
def test_a_text_goes_on_as_the_twin_generates_it(generate, files, level):
    model = checkpoint.load_model(files[level])
    prompts = [texts.encode(prompt, model.task) for prompt in PROMPTS]
    sampling = Sampling(0.9, top_k=20, top_p=0.95, min_p=0.01, repetition_penalty=1.1, max_new_tokens=15)
    wanted = numpy_ref.generate.generate(
        model.params, prompts, model=model.config, sampling=sampling, key=random.key(3)
    )
    found = records(generate(level, *prompted(*PROMPTS), *WARM, "--max-new-tokens", 15, "--json"))
    assert [(one["prompt"], one["prompt_ids"]) for one in found] == list(zip(PROMPTS, prompts, strict=True))
    assert [one["ids"] for one in found] == wanted
    assert [one["text"] for one in found] == [texts.decode(ids, model.task) for ids in wanted]
    assert not any(one["ended"] for one in found)
    _, out, _ = generate(level, "--prompt", PROMPTS[0], *WARM, "--max-new-tokens", 15)
    assert out == f"{PROMPTS[0]}{found[0]['text']}\n"


@pytest.mark.parametrize("name", ["reverse", "sort"])
def test_a_question_is_answered_to_its_end(generate, files, name):
    model = checkpoint.load_model(files[name])
    asked = [f"{name} 3 1 4", f"{name.title()}(5,2)"]
    questions = [f"{name.title()} 3 1 4 =", f"{name.title()} 5 2 ="]
    start = {"start_token": START} if name == "reverse" else {}
    how = {"model": model.config, "sampling": Sampling(max_new_tokens=10, end_token=EOS)} | start
    wanted = numpy_ref.generate.generate(model.params, [encode(question) for question in questions], **how)
    found = records(generate(name, *prompted(*asked), "--json"))
    assert [(one["prompt"], one["ids"], one["ended"]) for one in found] == [
        (question, ids, True) for question, ids in zip(questions, wanted, strict=True)
    ]
    assert [one["text"].strip() for one in found] == [decode(ids) for ids in wanted]
    _, out, _ = generate(name, "--prompt", asked[0])
    assert out == f"{questions[0]} {decode(wanted[0])}\n"


def test_without_a_limit_a_text_fills_the_room_up_to_200_tokens(generate, files):
    [found] = records(generate("byte", "--prompt", "The", "--json"))
    assert len(found["ids"]) == 40 - 3
    [found] = records(generate("endless", "--prompt", "The", "--json"))
    assert len(found["ids"]) == growing.MOST == 200


def test_a_prompt_goes_on_as_it_would_alone(generate):
    every = records(generate("byte", *prompted(*PROMPTS), *WARM, "--json"))
    assert [len(one["prompt_ids"]) + len(one["ids"]) for one in every] == [40] * 3
    [first] = records(generate("byte", "--prompt", PROMPTS[0], *WARM, "--json"))
    assert first == every[0]
    shorter = records(generate("byte", *prompted("The par", *PROMPTS[1:]), *WARM, "--json"))
    assert shorter[1:] == every[1:]


def test_the_seed_decides(generate):
    once, again, other = (
        generate("byte", "--prompt", "The", "--temperature", 1, "--seed", seed)[1] for seed in (1, 1, 2)
    )
    assert once == again != other


@pytest.mark.slow
@pytest.mark.parametrize(("name", "prompts"), [("byte", PROMPTS), ("reverse", ("reverse 1 2 3", "reverse 9 8"))])
def test_both_twins_write_the_same(generate, name, prompts):
    mine, twin = (
        records(generate(name, *prompted(*prompts), *WARM, "--json", "--backend", b)) for b in ("numpy", "jax")
    )
    assert mine == twin


# ---- the stream


@pytest.mark.parametrize("name", ["char", "byte", "reverse"])
def test_the_stream_is_the_text(generate, name):
    asked = ["reverse 1 2 3", "reverse 9 8"] if name == "reverse" else PROMPTS
    for prompts in (asked[:1], asked):
        whole, streamed = (generate(name, *prompted(*prompts), *WARM, *how) for how in ([], ["--stream"]))
        assert whole == streamed
        assert whole[1].count("==> ") == (len(prompts) if len(prompts) > 1 else 0)


def test_a_stream_of_bytes_never_shows_half_a_character(generate, files, monkeypatch):
    pieces = []
    monkeypatch.setattr(generation, "_write", pieces.append)
    model = checkpoint.load_model(files["byte"])
    spoken = "→é€😀x"
    ids = texts.encode(spoken, model.task)
    told = iter([*ids, None])
    monkeypatch.setattr(growing, "_next", lambda steps: said(next(told)))
    assert generate("byte", "--prompt", "The ", "--stream")[0] == 0
    assert [piece for piece in pieces[1:] if piece] == [*spoken, "\n"]
    assert pieces[0] == "The "


def said(token):
    return None if token is None else growing.Step([token], [[(token, 1.0)]], {})


@pytest.mark.parametrize("how", [[], ["--stream"]])
def test_a_character_that_is_cut_is_told_at_the_end(generate, monkeypatch, how):
    told = iter([*"é→".encode()[:4], None])
    monkeypatch.setattr(growing, "_next", lambda steps: said(next(told)))
    assert generate("byte", "--prompt", "The ", *how)[1] == "The é\ufffd\n"


def test_bytes_that_are_no_text_are_shown_as_python_decodes_them():
    rng = np.random.default_rng(0)
    for _ in range(200):
        ids = rng.choice([0x41, 0xC3, 0xA9, 0xE2, 0x86, 0x92, 0xF0, 0xFF], size=12).tolist()
        row = growing.Row(0, growing.TaskWords(tiny.text_model("byte").task), "", [], 40)
        pieces = [*(row.add(token) for token in ids), row.close(), row.close()]
        assert "".join(pieces) == row.text == bytes(ids).decode(errors="replace")


# ---- bad input


@pytest.mark.parametrize(
    ("name", "argv", "says"),
    [
        ("digits", ["--prompt", "max 1 2 3"], "ask it with test_model_manually.py --checkpoint"),
        ("char", ["--prompt", ""], "there is nothing here"),
        ("char", ["--prompt", "The Ω"], "the character 'Ω' did not occur in training"),
        ("byte", ["--prompt", "The \udcff"], "this byte is not UTF-8 text"),
        ("char", ["--prompt", "The " * 10], "this text has 40 tokens; with the next one it must fit into the 40"),
        ("char", ["--prompt", "The", "--max-new-tokens", 38], "the prompt has 3 tokens, and the model has room for 37"),
        ("char", [*prompted("The", "The t"), "--max-new-tokens", 36], "prompt 2 has 5 tokens, and the model has room"),
        ("char", prompted("The", "Ω"), "prompt 2: the character"),
        ("reverse", ["--prompt", "reverse 1"], "Reverse has 1 digit here; the model was trained on 2 to 5; --beyond"),
        ("reverse", ["--prompt", "revers 1 2"], "did you mean Reverse?"),
        (
            "reverse",
            ["--prompt", "reverse" + " 1" * 15, "--beyond"],
            "has 17 tokens; the model has room for at most 16",
        ),
        ("char", ["--prompt", "The", "--beyond"], "a text model reads any text of its characters: leave out --beyond"),
        ("sort", ["--prompt", "sort" + " 1" * 22, "--beyond"], "has 24 tokens; the model has room for at most 23"),
        ("reverse", ["--prompt", "reverse 1 2", "--max-new-tokens", 16], "the model has room for 15 more"),
        ("char", ["--prompt", "The", "--temperature", "nan"], "--temperature must be a number, not nan"),
        ("char", ["--prompt", "The", "--temperature", -1], "--temperature must be 0 or at least 0.000001, not -1.0"),
        ("char", ["--prompt", "The", "--min-p", 1.5], "--min-p must be from 0 to 1, not 1.5"),
        (
            "char",
            ["--prompt", "The", "--repetition-penalty", 0],
            "--repetition-penalty must be from 0.01 to 100, not 0.0",
        ),
        ("char", ["--prompt", "The", "--top-k", 3], "add --temperature 0.8, or leave out --top-k"),
        ("char", ["--prompt", "The", "--json", "--stream"], "leave out --stream"),
        ("char", prompted("-", "-"), "--prompt - can be given once"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(generate, name, argv, says):
    code, out, err = generate(name, *argv)
    assert (code, out) == (2, "")
    assert says in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "argv", [["--prompt"], ["--prompt", "a", "--max-new-tokens", "0"], ["--prompt", "a", "--top-k", "x"], ["-x"]]
)
def test_a_bad_flag_is_a_sentence(argv, files, capsys):
    with pytest.raises(SystemExit) as left:
        generation.main(["--checkpoint", str(files["char"]), *argv])
    assert left.value.code == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ") and err.endswith("; --help explains the flags\n") and err.count("\n") == 1


@pytest.mark.parametrize(
    ("argv", "names"),
    [
        ([], ("--checkpoint", "--model", "--prompt")),
        (["--prompt", "a"], ("--checkpoint", "--model")),
        (["--model", "a"], ("--prompt",)),
    ],
)
def test_what_is_not_named_is_asked_for_all_at_once(argv, names, capsys):
    assert generation.main(argv) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    wanted = err.partition(", as in: ")[0]
    assert {flag for flag in ("--checkpoint", "--model", "--prompt") if flag in wanted} == set(names)


def test_an_answer_that_did_not_end_cannot_be_read_as_whole(generate):
    question = ["--prompt", "sort 3 1 2", "--max-new-tokens"]
    for how in ([], ["--stream"]):
        assert generate("sort", *question, 1, *how)[1] == "Sort 3 1 2 = 1 ...\n"
        assert generate("sort", *question, 4, *how)[1] == "Sort 3 1 2 = 1 2 3\n"
        assert "..." not in generate("char", "--prompt", "The ", "--max-new-tokens", 3, *how)[1]


def test_a_text_that_is_cut_says_so_unless_its_length_was_asked_for():
    def told(asked=None, room=1000, new=growing.MOST, ended=False):
        row = growing.Row(0, None, "", [1], room, ids=[0] * new, ended=ended)
        growing.limit([row], asked)
        return growing.cut(row)

    assert "cut after 200 new tokens: --max-new-tokens N asks for more" in told()
    assert "they fill the model's room" in told(room=30, new=30)
    assert told(asked=200) == told(ended=True) == told(new=12) == ""


def test_questions_never_trained_on_are_taken_on_demand(generate):
    [found] = records(generate("reverse", "--prompt", "reverse 1 2 3 4 5 6 7", "--beyond", "--json"))
    assert found["prompt"] == "Reverse 1 2 3 4 5 6 7 ="


def test_weights_that_overflow_are_a_sentence(generate, files):
    model = checkpoint.load_model(files["char"])
    huge = tree.map(lambda leaf: np.full_like(leaf, 3e38), model.params)
    checkpoint.save_model(files["char"].with_name("huge.safetensors"), replace(model, params=huge))
    files["huge"] = files["char"].with_name("huge.safetensors")
    code, out, err = generate("huge", "--prompt", "The")
    assert (code, out) == (2, "")
    assert "overflow" in err


# ---- standard input, interruptions, terminals


def test_standard_input_is_a_prompt(files):
    argv = ("--checkpoint", files["byte"], "--prompt", "-", "--json")
    for given, prompt in (("names → the\n", "names → the\n"), ("\ufeffThe", "The")):
        done = script(*argv, input=given, stdin=None, encoding="utf-8")
        assert json.loads(done.stdout)["prompt"] == prompt
    done = script(*argv, input=b"a\xffb", stdin=None, text=False)
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"not UTF-8" in done.stderr
    done = script("--checkpoint", files["sort"], "--prompt", "-", input="sort 3 1\n", stdin=None)
    assert done.stdout.startswith("Sort 3 1 = ")


@pytest.mark.parametrize("how", [[], ["--stream"], ["--json"]])
def test_ctrl_c_leaves_what_is_there(generate, monkeypatch, how):
    told = iter("ab")

    def interrupted(steps):
        token = next(told, None)
        if token is None:
            raise KeyboardInterrupt
        return said(ord(token))

    monkeypatch.setattr(growing, "_next", interrupted)
    code, out, err = generate("byte", "--prompt", "The ", *how)
    assert (code, err) == (130, "")
    assert (json.loads(out)["text"] == "ab") if how == ["--json"] else (out == "The ab\n")


def test_ctrl_c_from_a_keyboard_ends_a_stream(files):
    command = [sys.executable, SCRIPT, "--checkpoint", files["endless"], "--prompt", "The ", "--max-new-tokens", "3900"]
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "src"), "LANG": "C.UTF-8"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "bufsize": 0}
    with subprocess.Popen([*map(str, command), "--stream"], env=env, **pipes) as process:
        first = process.stdout.read(12)
        process.send_signal(signal.SIGINT)
        rest, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, b"")
    assert first.startswith(b"The ")
    assert rest.endswith(b"\n")
    assert len((first + rest).decode(errors="replace")) < 3900


def test_a_terminal_is_sent_no_control_characters(generate, monkeypatch):
    monkeypatch.setattr(generation, "is_terminal", lambda stream: True)
    told = iter([*b"a\x1b[31m\n\tz\x07", None])
    monkeypatch.setattr(growing, "_next", lambda steps: said(next(told)))
    assert generate("byte", "--prompt", "The \x1b", "--stream")[1] == "The \ufffda\ufffd[31m\n\tz\ufffd\n"


def test_a_terminal_without_unicode_and_a_closed_pipe_are_no_tracebacks(files):
    argv = ("--checkpoint", files["char"], "--prompt", "→ and →")
    plain = script(*argv, env={"PYTHONIOENCODING": "ascii"})
    assert (plain.returncode, plain.stderr) == (0, "")
    assert plain.stdout.startswith("? and ?")
    named = script("--checkpoint", files["char"], "--prompt", "Ω", env={"PYTHONIOENCODING": "ascii"})
    assert named.returncode == 2
    assert named.stderr.isascii()
    endless = f"--checkpoint '{files['endless']}' --prompt The --max-new-tokens 3000 --stream"
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = f"'{sys.executable}' '{SCRIPT}' {endless} | head -c 5"
    done = subprocess.run(command, shell=True, env=env, capture_output=True, timeout=60, check=True)
    assert (done.stdout[:3], done.stderr) == (b"The", b"")


def test_numpy_does_not_wait_for_jax(files):
    code = "import sys; sys.argv[0] = 'generate.py'; from console.generation import main; main(sys.argv[1:])"
    code += "; sys.exit('jax' in sys.modules)"
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    argv = [sys.executable, "-c", code, "--checkpoint", str(files["char"]), "--prompt", "The"]
    assert subprocess.run(argv, env=env, check=False, capture_output=True).returncode == 0


def test_without_the_package_it_says_how_to_install(tmp_path):
    done = subprocess.run(
        [sys.executable, "-S", "-I", SCRIPT], capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False
    )
    assert done.returncode == 2
    assert "make train" in done.stderr
    assert done.stderr.count("\n") == 1
