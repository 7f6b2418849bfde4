"""The query program's eyes: why an answer was given, one head's map, both twins at once, and the prompt's commands."""

import io
import json
import re
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest
from rich.cells import cell_len

import numpy_ref.generate
import tiny
from common import checkpoint
from common.checkpoint import Model
from common.config import LlamaConfig, TrainConfig
from common.data import digits, sequences
from common.data.parsing import parse
from common.errors import UserError
from common.trace import Trace
from common.vocabulary import WORDS, decode
from console import backend, insight, prompt, query
from console.answers.parts import whole_percent
from console.answers.why import trained
from console.asking import Settings, apart, computing, drawn, hiding, inside
from console.asking.drawn import Drawn
from console.asking.texts import CONTINUED
from console.asking.why import why
from console.conversation import Conversation, asker
from console.terminal import Screen
from numpy_ref import family
from numpy_ref import train as numpy_train
from numpy_ref.ops import softmax

ROOT = Path(__file__).parents[1]
LLAMA = LlamaConfig(len(WORDS), d_model=16, n_blocks=2, n_heads=4, n_kv_heads=2, d_head=4, d_ffn=16, max_len=32)
ASKED = {
    "digits": "Max 5 3 9",
    "reverse": "reverse 3 1 4 2",
    "sort": "sort 3 1 4",
    "llama": "sort 3 1 4",
    "char": "The model",
}


@pytest.fixture(scope="session")
def made():
    llama = Model("llama", LLAMA, tiny.SORT, numpy_train.init(LLAMA, TrainConfig()).params)
    return {"digits": tiny.digits(), "reverse": tiny.reverse(), "sort": tiny.sort(), "llama": llama} | {
        "char": tiny.text_model()
    }


@pytest.fixture(scope="session")
def files(made, tmp_path_factory):
    folder = tmp_path_factory.mktemp("explained")
    for name, model in made.items():
        checkpoint.save_model(folder / f"{name}.safetensors", model)
    return {name: folder / f"{name}.safetensors" for name in made}


def answered(model, text):
    """Whoever asks it, and its answer."""
    found = asker(model, backend.choose("numpy"), Settings())
    [answer] = found.ask([found.read(text)])
    return found, answer


def again(model, text):
    found, answer = answered(model, text)
    return found.again(answer)


@pytest.fixture
def ask(files, capsys, monkeypatch):
    def run(name, *argv, width=80):
        monkeypatch.setenv("COLUMNS", str(width))
        code = query.main(["--checkpoint", str(files[name]), *map(str, argv)])
        printed = capsys.readouterr()
        return code, printed.out.splitlines(), printed.err

    return run


# ---- hidden tokens


@pytest.mark.parametrize("name", ASKED)
def test_with_nothing_hidden_it_is_the_model_itself(made, name):
    model = made[name]
    row = again(model, ASKED[name])
    p_RAV = hiding.probabilities(model.params, row, model.config, np.zeros((1, len(row.asked)), bool))
    logits = family.logits(model.params, row.examples, model=model.config)[0]
    logits_AV = logits if logits.ndim == 2 else logits[0, row.places]
    assert np.allclose(p_RAV[0], softmax.forward(logits_AV)[0], rtol=1e-4, atol=1e-7)
    assert np.argmax(p_RAV[0], axis=-1).tolist() == row.ids


@pytest.mark.parametrize("name", ASKED)
def test_what_is_hidden_cannot_be_seen(made, name):
    """Another token in the hidden one's place changes nothing, and changes something where it is not hidden."""
    model = made[name]
    row = again(model, ASKED[name])
    readout = {0} if name == "digits" else set() if name == "reverse" else {len(row.asked) - 1}
    field = "src" if name == "reverse" else "tokens"
    n = len(row.asked)
    for s in sorted(set(range(n)) - readout):
        ids = getattr(row.examples, field).copy()
        ids[0, s] = (ids[0, s] + 3) % 20
        other = row._replace(examples=row.examples._replace(**{field: ids}))
        for hidden in (True, False):
            mask = (np.arange(n) == s)[None] & hidden
            p, q = (hiding.probabilities(model.params, one, model.config, mask) for one in (row, other))
            assert np.allclose(p, q, rtol=0, atol=1e-7) == hidden


def test_each_hides_one_after_another():
    assert hiding.each(3).astype(int).tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]


def test_models_are_run_for_an_explanation_in_one_file():
    files = [file for room in ("asking", "answers") for file in (ROOT / "src" / "console" / room).glob("*.py")]
    found = [file.name for file in files if re.search(r"numpy_ref\.(models|layers)", file.read_text(encoding="utf-8"))]
    assert found == ["computing.py"]


# ---- after each block


@pytest.mark.parametrize("name", ASKED)
def test_the_last_depth_is_the_models_own_answer(made, name):
    model = made[name]
    row = again(model, ASKED[name])
    found = why(model, row, None)
    blocks = model.config.n_decoder if name == "reverse" else model.config.n_blocks
    assert found.depths.shape == (blocks + 1, len(row.ids), len(row.names))
    assert np.allclose(found.depths[-1], found.hidden[0], rtol=1e-4, atol=1e-7)
    assert not np.allclose(found.depths[0], found.hidden[0], rtol=1e-3, atol=1e-5)


def test_the_first_depth_is_the_head_on_the_embedding(made):
    model = made["digits"]
    row = again(model, ASKED["digits"])
    x_BTD = model.params["emb"]["w"][row.examples.tokens]
    position = inside.look(model.params, row, model.config).stream[0] - x_BTD[0]
    assert np.allclose(position[0], [0, 1] * 16)  # sines and cosines of position 0
    logits_V = (x_BTD[0, 0] + position[0]) @ model.params["head"]["w"] + model.params["head"]["b"]
    assert np.allclose(why(model, row, None).depths[0, 0], softmax.forward(logits_V)[0], rtol=1e-4)


# ---- trained on


def test_drawn_counts_the_runs_own_examples(made):
    model = made["digits"]
    data = digits.load(model.task, seed=model.train.seed, examples=model.train.examples)
    rows = ["".join(map(chr, row)) for row in data.train.tokens]
    for text in ("Max 5 3 9", "First 1 2 3", "Min 7 7 7", "Last 0 0 1"):
        e = parse(text, model.task)
        times = rows.count("".join(map(chr, e.tokens)))
        known = drawn.drawn(model, e.text, digits.part(e, 0))
        assert known == (digits.part(e, 0), times, 4000, 0)
    assert len({drawn.drawn(model, e.text, "train").times for e in digits.held_out(model.task, "train")[:50]}) > 1


def test_a_held_out_question_was_never_drawn_and_nothing_is_drawn_to_know_it(made, monkeypatch):
    monkeypatch.setattr(drawn, "_all", None)
    assert drawn.drawn(made["sort"], "Sort 1 2 =", "test").times == 0
    assert drawn.drawn(made["llama"], "Sort 1 2 =", "train") == ("train", None, None, None)


def test_a_sequence_is_counted_among_the_runs_examples(made):
    model = made["sort"]
    data = sequences.load(model.task, seed=model.train.seed, examples=model.train.examples, pairs=False)
    row = data.train.tokens[0]
    text = decode(row[: row.tolist().index(WORDS.index("=")) + 1])
    n = len(text.split())
    times = int((data.train.tokens[:, :n] == row[:n]).all(axis=1).sum())
    assert drawn.drawn(model, text, "train").times == times > 0


def test_what_was_drawn_is_not_called_trained_on():
    """A checkpoint from within the first epoch may not have come to it."""
    assert trained(Drawn("train", 1, 4000, 7)) == (
        "Drawn for training: it stands 1 time among the 4,000 examples of the run (seed 7)."
    )
    assert trained(Drawn("train", 0, 4000, 7)).startswith("Never trained on: it belongs to the train part, but ")
    assert trained(Drawn("test", None, None, None)).startswith("Never trained on: it belongs to the test part")
    assert trained(Drawn("train", None, None, None)).startswith("It belongs to the train part; the file does not say")


# ---- what is shown


def test_json_holds_what_was_computed(ask, made):
    model = made["digits"]
    row = again(model, ASKED["digits"])
    found = why(model, row, None)
    _, [line], _ = ask("digits", "--json", "--why", "--expr", ASKED["digits"])
    told = json.loads(line)["why"]
    assert told["drawn"]["part"] == digits.part(parse(ASKED["digits"], model.task), 0)
    assert [entry["token"] for entry in told["hidden"]] == row.asked
    assert np.allclose([entry["probabilities"][0] for entry in told["hidden"]], found.said[1:, 0], rtol=1e-4)
    assert [entry["after"] for entry in told["blocks"]] == ["embedding", "block 0", "block 1"]
    with Trace(model.params) as trace:
        computing.logits(model.params, row.examples, model.config)
    for block in told["attention"]:
        w_HS = trace[f"blocks.{block['block']}.attn/attend.forward/w_BNGTS"][0, :, 0, 0]
        assert np.allclose(np.array(block["heads"])[:, 0], w_HS, rtol=1e-4)


def test_the_screen_tells_the_same(ask, made):
    found = why(made["digits"], again(made["digits"], ASKED["digits"]), None)
    _, lines, err = ask("digits", "--why", "--expr", ASKED["digits"])
    text = "\n".join(lines)
    assert err == ""
    for p in [*found.said[:, 0], *found.depths[:, 0, found.again.ids[0]]]:
        assert f"{100 * p:.2f} %" in text
    assert trained(drawn.drawn(made["digits"], "Max ( 5 3 9 )", "train")) in " ".join(text.split())
    assert f"p({found.again.said[0]})" in text


@pytest.mark.parametrize(
    ("p", "told"), [(0, "0"), (0.0001, "<1"), (0.006, "1"), (0.9949, "99"), (0.996, ">99"), (1, "100")]
)
def test_only_all_is_100_and_only_nothing_is_0(p, told):
    assert whole_percent(p) == told


@pytest.mark.parametrize("name", ["reverse", "sort", "char"])
def test_of_several_tokens_it_says_that_those_before_were_given(ask, name):
    said = "Each token of the answer is read with those before it given as they were said."
    assert said in " ".join(" ".join(ask(name, "--why", "--expr", ASKED[name])[1]).split())
    assert said not in " ".join(" ".join(ask("digits", "--why", "--expr", ASKED["digits"])[1]).split())


@pytest.mark.parametrize("name", ["sort", "digits"])
def test_no_table_rounds_up_to_all_of_it(ask, made, name, monkeypatch):
    """Of a model that is never quite sure and never looks at one token alone, nothing is 100."""
    almost = why(made[name], again(made[name], ASKED[name]), None)
    sure = 0.996

    def pushed(*given):
        shares = [
            (np.where(mask_TS, sure, 0.0) * np.ones_like(w), mask_TS) for w, mask_TS in almost.inside.heads["attention"]
        ]
        return almost._replace(
            hidden=np.full_like(almost.hidden, sure),
            depths=np.full_like(almost.depths, sure),
            inside=almost.inside._replace(heads={"attention": shares}),
        )

    monkeypatch.setattr(insight.why, "why", pushed)
    words = " ".join(ask(name, "--why", "--expr", ASKED[name])[1]).split()
    assert ">99" in words and "100" not in words


def test_a_wrong_answer_is_explained_beside_the_right_one(ask, made):
    model = made["digits"]
    asked = asker(model, backend.choose("numpy"), Settings())
    answer = next(one for one in asked.ask(list(digits.listed(model.task))[:3000:7]) if not one.right)
    _, lines, _ = ask("digits", "--why", "--expr", answer.expression.text)
    assert any(line.split()[:1] == ["hidden"] and f"p({answer.expected})" in line for line in lines)


@pytest.mark.parametrize("name", ["reverse", "sort"])
def test_a_map_holds_every_share_and_is_blank_where_it_is_masked(ask, made, name):
    row = again(made[name], ASKED[name])
    _, [line], _ = ask(name, "--json", "--attn", 0, 1, "--expr", ASKED[name])
    told = json.loads(line)["attention_map"]
    assert (told["block"], told["head"]) == (0, 1)
    shares = told["shares"]
    assert len(shares) == len(told["rows"]) == len(row.reads)
    for t, cells in enumerate(shares):
        assert [cell is None for cell in cells] == [name == "sort" and s > t for s in range(len(cells))]
        assert sum(cell or 0 for cell in cells) == pytest.approx(1, abs=1e-4)
    _, lines, _ = ask(name, "--attn", 0, 1, "--expr", ASKED[name])
    if name == "sort":
        first = lines[next(i for i, line in enumerate(lines) if line.startswith("block 0, head 1")) + 3]
        assert first.split()[-1] == "100"


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize("name", ASKED)
def test_every_screen_fits_the_width(ask, name, width):
    _, lines, err = ask(name, "--why", "--attn", 0, 0, "--expr", ASKED[name], width=width)
    assert err == ""
    assert max(map(cell_len, lines)) <= width


@pytest.mark.parametrize(("length", "width"), [(20, 120), (20, 40), (39, 40), (39, 120)])
def test_a_long_text_is_explained_by_what_matters_most(ask, length, width):
    text = ("The model of part 7 reads a text and names the token")[:length]
    _, lines, err = ask("char", "--why", "--attn", 0, 0, "--expr", text, width=width)
    assert err == ""
    assert max(map(cell_len, lines)) <= width
    assert any("tokens that matter most" in line for line in lines)


def test_all_of_it_is_ascii_where_the_terminal_is(files):
    argv = ["--checkpoint", files["char"], "--expr", "The → model", "--why", "--attn", "0", "0"]
    done = program(*argv, env={"PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.isascii()
    assert "\x1b" not in done.stdout


def program(*argv, env=None):
    given = {"PYTHONPATH": str(ROOT / "src"), "LANG": "C.UTF-8", **(env or {})}
    command = [sys.executable, "-c", "import sys; from console import query; code = query.main(sys.argv[1:]); "]
    command[-1] += "assert 'jax' not in sys.modules; sys.exit(code)"
    return subprocess.run(
        [*command, *map(str, argv)], env=given, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--why", "--batch"], "--why tells of single answers: add --expr TEXT or --file FILE"),
        (["--attn", "0", "0", "--all"], "--attn tells of single answers"),
        (["--expr", "max 1 2 3", "--attn", "2", "0"], "there is no block 2; this model has blocks 0 to 1"),
        (["--expr", "max 1 2 3", "--attn", "0", "4"], "there is no head 4; this model has heads 0 to 3"),
    ],
)
def test_what_cannot_be_explained_is_one_line(ask, argv, says):
    code, lines, err = ask("digits", *argv)
    assert (code, lines, err.count("\n")) == (2, [], 1)
    assert says in err


@pytest.mark.parametrize("name", ["reverse", "sort", "char"])
def test_the_caches_of_earlier_tokens_are_let_go(made, monkeypatch, name):
    """Kept, they would be as many as the tokens of the longest answer, each of all the questions asked at once."""
    real, caches, alive = numpy_ref.generate.stream, [], []

    def watched(*given, **how):
        for step in real(*given, **how):
            caches.append(weakref.ref(step.cache["k"][0]))
            alive.append(sum(cache() is not None for cache in caches))
            yield step

    monkeypatch.setattr(numpy_ref.generate, "stream", watched)
    answered(made[name], ASKED[name])
    assert len(alive) > 3
    assert max(alive) <= 2


# ---- both twins


@pytest.mark.parametrize("name", ["digits", "reverse", "sort"])
def test_the_difference_is_the_largest_of_all_places_and_tokens(ask, monkeypatch, name):
    def almost(params, examples, *, model):
        logits = family.logits(params, examples, model=model)[0].copy()
        logits[(0, 1) if logits.ndim == 2 else (0, -1, 1)] += 9  # the last place is padding, where one is padded
        logits[(0, 5) if logits.ndim == 2 else (0, 4, 5)] += 0.25
        return logits

    monkeypatch.setattr(apart, "_jax", lambda: almost)
    argv = ("--backend", "both", "--expr", "sort 3 1" if name == "sort" else ASKED[name])
    _, [line], _ = ask(name, "--json", *argv)
    found = json.loads(line)["twins"]
    assert found["logits"] == pytest.approx(9 if name == "digits" else 0.25, abs=1e-5)
    assert found["same_answer"] == (name != "digits")
    text = " ".join(" ".join(ask(name, *argv)[1]).split())
    assert f"NumPy and JAX: {'the' if found['same_answer'] else 'NOT the'} same answers; logits differ by" in text


def test_a_text_is_compared_to_its_last_token(ask, monkeypatch):
    """Of which only the first few are explained."""

    def almost(params, examples, *, model):
        logits = family.logits(params, examples, model=model)[0].copy()
        logits[0, len(ASKED["char"]) - 1 + CONTINUED - 1] += np.arange(logits.shape[-1])[::-1] * 100.0
        return logits

    monkeypatch.setattr(apart, "_jax", lambda: almost)
    _, [line], _ = ask("char", "--json", "--backend", "both", "--expr", ASKED["char"])
    found = json.loads(line)
    assert len(found["steps"]) == CONTINUED
    assert found["twins"]["logits"] > 100


@pytest.mark.slow
@pytest.mark.parametrize("name", ASKED)
def test_jax_says_the_same_of_every_family(ask, name):
    _, [line], _ = ask(name, "--json", "--backend", "both", "--expr", ASKED[name])
    found = json.loads(line)["twins"]
    assert 0 < found["logits"] < 1e-4
    assert found["same_answer"]


@pytest.mark.slow
def test_both_count_all(ask):
    _, lines, _ = ask("sort", "--backend", "both", "--all")
    assert "NumPy and JAX: the same answers" in "\n".join(lines)
    _, lines, _ = ask("digits", "--backend", "both", "--quick", "--json")
    assert [json.loads(line)["twins"]["same_answer"] for line in lines] == [True] * 5


# ---- the prompt's commands


@pytest.fixture
def session(made, files, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    out = Screen(file=io.StringIO())
    asked = asker(made["digits"], backend.choose("numpy"), Settings())
    return Conversation(asked, out, out, files["digits"], json=False, seed=0)


def said(session, line):
    session.out.file.seek(0)
    session.out.file.truncate()
    leaving = prompt.act(session, line)
    assert leaving == (line in (":q", "quit"))
    return session.out.file.getvalue()


def test_commands_do_what_they_say(session, files):
    with pytest.raises(UserError, match="ask something first"):
        said(session, "why")
    assert "verdict" in said(session, "max 5 3 9")
    assert "each token hidden in turn" in said(session, ":why")
    assert "rows look at columns" in said(session, ":attn 1 3")
    both = said(session, "why min 1 2 3")
    assert "Min ( 1 2 3 )" in both and "each token hidden in turn" in both
    assert "each token hidden" not in said(session, "max 1 2 3")
    assert "the 2 most" in said(session, ":top 2")
    assert "the 2 most probable tokens" in said(session, "max 1 2 3")
    assert "seq2seq" in said(session, f":model {files['reverse']}")
    with pytest.raises(UserError, match="ask something first"):
        said(session, ":why")
    assert "Reverse 3 1 =" in said(session, "reverse 3 1")
    for kind in ("", "across", "decoder", "encoder"):
        assert "block 0, head 0: the " in said(session, f":attn 0 0 {kind}")
    assert ":model FILE" in said(session, ":help")
    said(session, ":q")
    said(session, "quit")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (":modle x", "there is no command ':modle'; did you mean :model?"),
        (":zzz", "there is no command ':zzz'; type :help"),
        ("bathc", "did you mean batch?"),
        ("batch 3", "batch takes nothing behind it"),
        (":top 0", "a whole number from 1"),
        (":top ²", "a whole number from 1"),
        (":top 21", "this model knows 20 tokens"),
        (":attn 1", "name a block and a head"),
        (":attn 1 -1", "name a block and a head"),
        (":backend jacks", "there is no backend 'jacks'"),
        (":backend numpi", "did you mean numpy?"),
        (":model nowhere", "no such file"),
    ],
)
def test_a_command_that_cannot_be_done_is_a_sentence_and_changes_nothing(session, line, says):
    said(session, "max 5 3 9")
    before = session.asker, session.wanted, session.path, session.last
    with pytest.raises(UserError) as error:
        said(session, line)
    assert says in str(error.value)
    assert (session.asker, session.wanted, session.path, session.last) == before


def test_a_setting_that_the_next_model_has_no_room_for_keeps_this_one(session, files):
    session.asker = asker(session.asker.model, session.asker.twin, Settings(beyond=True))
    with pytest.raises(UserError, match="leave out --beyond"):
        said(session, f":model {files['char']}")
    assert session.path == files["digits"]


def test_backend_both_compares(session, monkeypatch):
    monkeypatch.setattr(
        apart, "_jax", lambda: lambda params, examples, *, model: family.logits(params, examples, model=model)[0]
    )
    real = backend.choose("numpy")
    monkeypatch.setattr(prompt.backend, "choose", lambda name: real)
    assert "compared with jax" in " ".join(said(session, ":backend both").split())
    assert session.backend == "both"
    assert "logits differ by at most 0.0e+00" in said(session, "max 5 3 9")
    assert "NumPy and JAX: the same answers" in said(session, "batch")
    assert "compared" not in said(session, ":backend numpy")
    assert "NumPy and JAX" not in said(session, "max 5 3 9")


def test_a_text_may_begin_with_any_word(session, files):
    said(session, f":model {files['char']}")
    assert "tokens" in said(session, "times")
    assert "each token hidden in turn" in said(session, ":why")
    with pytest.raises(UserError, match="no command ':names'"):
        said(session, ":names")
