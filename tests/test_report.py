"""The report: one file that shows what the run made, changes nothing of it, and answers as NumPy does."""

import html
import json
import re
import shutil
import subprocess
from dataclasses import replace
from functools import cache
from importlib import resources
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from common import checkpoint, tree
from common import params as params_map
from common.config import ClassifierConfig, DigitsConfig, GPTConfig, Seq2SeqConfig, SequenceConfig, TrainConfig
from common.data import digits, parsing, tasks, text
from common.data.pieces import ParseError
from common.data.split import part
from common.errors import UserError
from common.run import Best, History, TrainState
from common.vocabulary import WORDS
from console import attention, backend, options, running, story, subjects, trainer
from console.report import exporting, gradients, packing, page, planes, recording, writing
from console.session import Session
from console.stepper import breaking, prompting
from console.stepper.stepper import Stepper
from numpy_ref import train as training
from numpy_ref.models import classifier
from numpy_ref.ops import softmax
from oracle import report as frozen

CHECK = Path(__file__).with_name("report_check.mjs")
SMALL = {"d_model": 8, "n_heads": 2, "d_ffn": 12}
TRAIN = TrainConfig(examples=140, epochs=3, batch_size=35, warmup=1, lr=1e-2)
EVIL = "</script><img src=x onerror=alert(1)><!--"
BOOK = "".join(f"{EVIL} {i}, \u2028 tücke & 'so' {i * i}.\n\n" for i in range(99))
PICTURES = [name for name in page.SCRIPTS["pictures"] if name != "page.js"]
SIDES = {"src_vocab": len(WORDS), "tgt_vocab": len(WORDS), **SMALL}
TINY = ["--d-model", "8", "--d-ffn", "8", "--examples", "64", "--epochs", "1", "--batch-size", "32", "--warmup", "1"]
SHIPPED = frozen.SHIPPED
SORT = SequenceConfig("sort", max_length=9)


def a_text():
    task = text.describe(BOOK, level="char", context=24)
    return task, GPTConfig(vocab=task.vocab, max_len=24, dropout=0.1, **SMALL), BOOK


KINDS = {
    "digits": lambda: (DigitsConfig(), ClassifierConfig(**SMALL), ""),
    "gpt": lambda: (SORT, GPTConfig(vocab=len(WORDS), max_len=40, **SMALL), ""),
    "seq2seq": lambda: (SORT, Seq2SeqConfig(**SIDES, dropout=0.1), ""),
    "text": a_text,
}
every_kind = pytest.mark.parametrize("kind", KINDS)


@cache
def subject(kind):
    task, model, written = KINDS[kind]()
    return subjects.of(backend.choose("numpy"), model, tasks.load(task, model, TRAIN, written), written)


def session(kind, folder, *args, train=TRAIN):
    of = subject(kind)
    asked = options.read(["--no-plots", *args])
    console = Console(width=80, color_system=None, force_terminal=False)
    return Session(console, of, train, folder, asked, of.twin.train.init(of.model, train))


def scripts(expression):
    """What an expression is in the page's own script, which draws nothing before it is asked to."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node on this machine")
    files = [resources.files("console.report") / name for name in (*page.SCRIPTS["arithmetic"], *PICTURES)]
    run = (
        "const vm = require('vm'), context = vm.createContext({ atob }), [expression, ...scripts] = "
        "JSON.parse(require('fs').readFileSync(0)); scripts.forEach((text) => vm.runInContext(text, context)); "
        "console.log(JSON.stringify(vm.runInContext(expression, context)))"
    )
    given = json.dumps([expression, *(file.read_text(encoding="utf-8") for file in files)])
    done = subprocess.run([node, "-e", run], input=given, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def content(page_text):
    return json.loads(re.search(r'id="data">(.*?)</script>', page_text, re.S)[1])


@cache
def written(kind, tmp):
    """A run to its end and its report: (session, text of the page, its content)."""
    made = session(kind, tmp / kind, "--no-interactive", "--report", "report.html")
    running.run(made)
    writing.write(made, made.state, tmp / f"{kind}.html")
    told = (tmp / f"{kind}.html").read_text(encoding="utf-8")
    return made, told, content(told)


@pytest.fixture(scope="module")
def tmp(tmp_path_factory):
    return tmp_path_factory.mktemp("reports")


# ---- the run ----


def test_a_report_changes_nothing_of_the_run(tmp_path):
    for name, more in (("with", ["--report", str(tmp_path / "r.html")]), ("without", [])):
        assert trainer.main(["--no-interactive", "--no-plots", *TINY, "--out", str(tmp_path / name), *more]) == 0
    assert (tmp_path / "r.html").exists()
    for file in ("last.safetensors", "best.safetensors"):
        assert (tmp_path / "with" / file).read_bytes() == (tmp_path / "without" / file).read_bytes()


def test_what_is_kept_is_what_the_run_was(tmp):
    made, _, _ = written("digits", tmp)
    of = made.subject
    states = training.fit(of.twin.train.init(of.model, TRAIN), of.data, model=of.model, train=TRAIN)
    passed = {state.step: state.params for state in states}
    assert [step for step, _ in made.recorder.moments] == list(recording.plan(TRAIN))
    for step, params in made.recorder.moments[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(tree.leaves(params), tree.leaves(passed[step]), strict=True))


@pytest.mark.parametrize("steps", [1, 7, 936, 10**6])
def test_a_run_is_watched_a_bounded_number_of_times(steps):
    planned = recording.plan(TrainConfig(examples=1, batch_size=1, epochs=steps))
    assert len(planned) <= recording.MOST
    assert planned[0] == 0 and planned[-1] == steps
    kept = recording.thinned([(step, {}) for step in planned], 4)
    assert len(kept) == min(4, len(planned)) and kept[0][0] == 0 and kept[-1][0] == steps


def test_without_a_report_nothing_is_kept(tmp_path):
    made = session("digits", tmp_path, "--no-interactive")
    made.watch(made.state)
    assert made.recorder.moments == []


def test_how_to_go_on_names_the_report(tmp_path):
    assert "--report 'a b.html'" in story.again(session("digits", tmp_path, "--report", "a b.html"))


@pytest.mark.slow
def test_the_other_twin_is_shown_by_the_same_numbers(tmp_path):
    path, folder = tmp_path / "jax.html", tmp_path / "run"
    args = ["--no-interactive", "--no-plots", "--backend", "jax", "--out", str(folder), "--report", str(path)]
    assert trainer.main([*args, *TINY]) == 0
    found, kept = content(path.read_text(encoding="utf-8")), checkpoint.load_run(folder / "last.safetensors")
    data = tasks.load(kept.task, kept.config, kept.train, "")
    _, grads, _ = training.loss_and_grads(kept.state.params, gradients.probe(data, kept.train), model=kept.config)
    assert found["moments"] == [0, kept.train.steps]
    lengths = packing.unpack(found["gradients"]["lengths"])[-1]
    told = {one["name"]: 10**length for one, length in zip(found["gradients"]["tensors"], lengths, strict=True)}
    for name, leaf in tree.items(grads):
        np.testing.assert_allclose(told[name], np.linalg.norm(leaf), rtol=1e-5)


# ---- what it shows ----


@every_kind
def test_it_shows_what_the_model_makes_at_every_moment(kind, tmp):
    made, told, found = written(kind, tmp)
    moments = made.recorder.moments
    assert found["moments"] == [step for step, _ in moments]
    assert len(told.encode()) < page.LIMIT
    for one in found["examples"]:
        shares = packing.unpack(one["probabilities"])
        np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-6)
        looks = packing.unpack(one["attention"])
        assert looks.shape[0] == len(moments) and looks.shape[-2:] == (len(one["rows"]), len(one["columns"]))
        pulls = packing.unpack(one["pull"])
        assert np.abs(pulls).max() == 1
        np.testing.assert_allclose(pulls.sum(axis=-1), 0, atol=1e-2)  # a softmax gives and takes
        assert one["right"] in one["candidates"]


@every_kind
def test_gradients_are_those_of_the_first_batch(kind, tmp):
    made, _, found = written(kind, tmp)
    of, told = made.subject, found["gradients"]
    lengths = packing.unpack(told["lengths"])
    batch = gradients.probe(of.data, TRAIN)
    for m in (0, -1):
        _, grads, _ = training.loss_and_grads(made.recorder.moments[m][1], batch, model=of.model)
        for i, (name, leaf) in enumerate(tree.items(grads)):
            assert told["tensors"][i]["name"] == name
            if name.endswith(".k.b"):
                assert lengths[m, i] == -np.inf and np.all(packing.unpack(told["tensors"][i]["heat"]) == -np.inf)
                continue
            norm = np.linalg.norm(leaf)
            np.testing.assert_allclose(10 ** lengths[m, i], norm, rtol=1e-5)
            heat = 10 ** packing.unpack(told["tensors"][i]["heat"])[m]
            assert heat.max() <= np.abs(leaf).max() * 1.01
            rows, columns = np.atleast_2d(leaf).shape
            if heat.shape == (rows, columns):
                np.testing.assert_allclose(heat, np.abs(np.atleast_2d(leaf)), rtol=0.02, atol=1e-12)


def test_a_broken_backward_is_shown_as_it_is(tmp):
    made, _, _ = written("gpt", tmp)
    of, moments = made.subject, made.recorder.moments[-1:]
    names = params_map.without_gradient(of.model)
    for broken in (False, True):
        told = gradients.of(moments, gradients.probe(of.data, TRAIN), of.model, [], 4, broken=broken)
        rows = [i for i, one in enumerate(told["tensors"]) if one["name"] in names]
        assert len(rows) == of.model.n_blocks
        assert np.isfinite(packing.unpack(told["lengths"])[0, rows]).all() == broken


@every_kind
def test_what_was_trained_on_is_counted_in_its_own_unit(kind, tmp):
    made, _, found = written(kind, tmp)
    train, seed = made.subject.data.train, made.subject.task.split_seed
    rows = len(np.unique(getattr(train, "src", train.tokens), axis=0))
    paragraphs = sum(part(" ".join(one.split()), seed) == "train" for one in BOOK.strip().split("\n\n"))
    unit = {
        "digits": f"140 expressions, {rows} distinct",
        "text": f"140 stretches, cut at random from a part of {paragraphs} distinct paragraphs",
    }
    assert dict(found["facts"])["training examples"] == f"{unit.get(kind, f'140 questions, {rows} distinct')}; 3 epochs"


def test_digits_are_asked_for_every_operation(tmp):
    made, _, found = written("digits", tmp)
    of, (_, last) = made.subject, made.recorder.moments[-1]
    assert [one["text"].split()[0] for one in found["examples"]] == ["Max", "First", "Second", "Last", "Min"]
    for one in found["examples"]:
        asked = digits.to_examples([parsing.parse(one["text"], of.task)], of.task)
        expected = training.predict(last, asked.tokens, asked.mask, model=of.model)[0]
        np.testing.assert_allclose(packing.unpack(one["probabilities"])[-1, :10], expected[2:12], atol=1e-3)
        assert one["said"][-1] == WORDS[expected.argmax()]


def test_a_complete_run_that_is_resumed_has_its_last_moment_alone(tmp, tmp_path, capsys):
    made, _, _ = written("digits", tmp)
    path = tmp_path / "again.html"
    args = ["--no-interactive", "--no-plots", "--resume", str(made.folder), "--report", str(path)]
    assert trainer.main(args) == 0
    found = content(path.read_text(encoding="utf-8"))
    assert found["moments"] == [TRAIN.steps] and found["curves"]["epochs"] and "test part" in found["test"]
    assert "The pictures begin at update 12" in found["notes"][0]


def test_planes_follow_each_other_and_keep_distances():
    rng = np.random.default_rng(0)
    places, turn = rng.normal(size=(10, 2)), np.array([[0.6, 0.8], [0.8, -0.6]])
    np.testing.assert_allclose(planes.turned(places @ turn, places), places, atol=1e-12)
    other = planes.turned(places, rng.normal(size=(10, 2)))
    np.testing.assert_allclose(other @ other.T, places @ places.T, atol=1e-12)


def test_planes_of_a_run_do_not_jump(tmp):
    _, _, found = written("digits", tmp)
    places = packing.unpack(found["embedding"]["places"])
    for before, after in pairwise(places):
        again = planes.turned(before, after)
        np.testing.assert_allclose(again, before, atol=1e-5 * np.abs(before).max())


@pytest.mark.parametrize("kind", packing.KINDS)
def test_packed_numbers_come_back(kind):
    values = np.array([[0.0, -1.5, -np.inf], [2.0, 2**-20, 65504.0]])
    np.testing.assert_array_equal(packing.unpack(packing.pack(values, kind)), values)


@pytest.mark.parametrize("kind", packing.KINDS)
def test_only_what_is_all_is_packed_as_all(kind):
    shares = np.array([0.0, 0.9998, 1 - 1e-12, 1.0])
    back = packing.unpack(packing.pack_shares(shares, kind))
    assert (back == 1).tolist() == [False, False, False, True]
    np.testing.assert_allclose(back, shares, atol=5e-4)


def test_a_sure_model_says_not_100_percent():
    shares = 1 - np.logspace(-1, -15, 40)
    for kind, written in (("f32", "percent"), ("f16", "roughly")):
        packed = packing.pack_shares([*shares, 1.0], kind)
        told = scripts(f"Array.from(unpack({json.dumps(packed)}).data, {written})")
        assert told.index("100 %") == len(shares)
        assert told[0] == "90.0 %" and told[-2] == ("99.99 %" if kind == "f32" else "over 99.9 %")
    assert scripts("[0.9949, 0.9951, 1].map(shareNumber)") == ["99", ">99", "100"]


def test_a_model_of_any_size_gets_a_page_or_a_sentence(tmp, tmp_path, monkeypatch):
    made, told, found = written("digits", tmp)
    monkeypatch.setattr(writing, "FORMS", ((24, 16), (4, 4)))
    monkeypatch.setattr(page, "LIMIT", len(told) - 1000)
    writing.write(made, made.state, tmp_path / "small.html")
    smaller = (tmp_path / "small.html").read_text(encoding="utf-8")
    assert len(smaller.encode()) < page.LIMIT
    fewer = content(smaller)["moments"]
    assert len(fewer) < len(found["moments"]) and fewer[-1] == TRAIN.steps
    monkeypatch.setattr(page, "LIMIT", 1000)
    with pytest.raises(UserError, match="too many tensors for a page"):
        writing.write(made, made.state, tmp_path / "none.html")
    assert not (tmp_path / "none.html").exists()


def test_a_diverged_run_is_a_sentence(tmp, tmp_path):
    made, _, _ = written("digits", tmp)
    lost = replace(made.state, params=tree.map(lambda leaf: np.full_like(leaf, np.inf), made.state.params))
    with pytest.raises(UserError, match="training has diverged"):
        writing.write(made, lost, tmp_path / "none.html")


# ---- one file, and only text ----


@every_kind
def test_it_asks_nothing_of_a_network(kind, tmp):
    _, told, _ = written(kind, tmp)
    assert set(re.findall(r"https?://[\w./]+", told)) == {"http://www.w3.org/2000/svg"}
    assert "default-src 'none'" in told
    markup = re.sub(r"<script.*?</script>|<style>.*?</style>", "", told, flags=re.S)
    assert not re.search(r"\b(src|href|srcset|action)\s*=", markup)
    assert "@import" not in told and "url(" not in told


def test_what_people_wrote_stays_text(tmp):
    _, told, _ = written("text", tmp)
    assert told.count("</script>") == 3 and "<img" not in told and "\u2028" not in told
    assert "<img" not in page.build(EVIL, {"a": EVIL}) and content(page.build(EVIL, {"a": EVIL})) == {"a": EVIL}


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--report", "run.txt"], "give it a name that ends in .html, not 'run.txt'"),
        (["--report", "a_folder.html"], "a_folder.html is a folder"),
        (["--report", "a_file/r.html"], "is no folder that may be written in"),
        (["--report", "r.html", "--seeds", "3"], "--report shows one run and --seeds makes many"),
    ],
)
def test_a_report_that_cannot_be_is_refused_before_training(args, told, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a_folder.html").mkdir()
    (tmp_path / "a_file").write_text("")
    assert trainer.main(["--no-interactive", *args]) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


# ---- the stepper ----


def do(stepper, *lines):
    return [prompting.do(stepper, line) for line in lines]


def test_the_stepper_writes_it_where_it_stands(tmp_path, capsys):
    stepper = Stepper(session("digits", tmp_path / "run"))
    path = tmp_path / "so far.html"
    try:
        assert all(do(stepper, "run 3", "ask Min ( 4 4 1 )", "break copy-qk", "step", "lr 0.02", f"report {path}"))
    finally:
        breaking.mend()
    found = content(path.read_text(encoding="utf-8"))
    assert found["moments"][-1] == 4 and found["test"] is None
    assert found["examples"][0]["text"] == "Min ( 4 4 1 )"
    assert "BROKEN: copy-qk" in found["notes"][0] and "lr went from 0.01 to 0.02" in found["notes"][-1]
    assert "Report: " in capsys.readouterr().out


@every_kind
def test_an_asked_example_comes_first(kind, tmp_path):
    asks = {"digits": "Max 1 2 3", "gpt": "Sort 3 1 2", "seq2seq": "Sort 3 1 2", "text": "tücke"}
    stepper = Stepper(session(kind, tmp_path / "run"))
    assert all(do(stepper, "step", f"ask {asks[kind]}", "report"))
    first = content((tmp_path / "run" / "report.html").read_text(encoding="utf-8"))["examples"][0]
    assert first["text"].casefold().replace("( ", "").startswith(asks[kind].casefold()[:4])


def test_a_walk_without_a_person_writes_it_at_its_end(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert trainer.main(["--json", "--report", "r.html", "--no-plots", *TINY]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2]
    assert content((tmp_path / "r.html").read_text(encoding="utf-8"))["moments"] == [0, 1, 2]


# ---- the model in the page ----


def test_float16_says_what_it_changes(tmp):
    made, _, _ = written("digits", tmp)
    of, params = made.subject, made.state.params
    told = exporting.of(params, of.model, of.data, room=3 * tree.count(params))
    short = {name: packing.unpack(one) for name, one in told["weights"].items()}
    asked = of.data.test
    whole, cut = (
        training.predict(p, asked.tokens, asked.mask, model=of.model)
        for p in (params, tree.cast(tree.build(short), np.float32))
    )
    assert told["rounded"]["largest"] == float(np.abs(whole - cut).max()) > 0
    assert told["rounded"]["asked"] == len(asked.targets)
    assert "too many for one page" in exporting.of(params, of.model, of.data, room=100)["none"]


def test_what_rounding_changes_is_never_told_smaller():
    changes = [0.00149, 0.0011, 0.0015, 3.01e-7, 0.99, 0.991, 9.91e-5, 1.0000000001e-4, 0.0]
    told = scripts(f"{changes}.map(atMost)")
    assert told == ["0.0015", "0.0011", "0.0015", "3.1e-7", "0.99", "1", "0.0001", "0.00011", "0"]


@every_kind
def test_only_a_classifier_can_be_asked_in_the_page(kind, tmp):
    _, _, found = written(kind, tmp)
    assert ("none" in found["model"]) == (kind != "digits")


EPOCHS = 60


@pytest.fixture(scope="module")
def shipped(tmp):
    """The page of a model that has learned its task: (model, path)."""
    model = checkpoint.load_model(SHIPPED)
    data = tasks.load(model.task, model.config, replace(TRAIN, examples=1000), "")
    of = subjects.of(backend.choose("numpy"), model.config, data)
    last = TrainState(model.params, {}, TRAIN.steps, History(), Best(model.params, 1, TRAIN.steps, 1.0, 0.0))
    epochs = [
        {"step": TRAIN.steps * i / EPOCHS, "loss": 1.0, "accuracy": 0.5, "by_op": {}} for i in range(1, EPOCHS + 1)
    ]
    last = replace(last, history=replace(last.history, epochs=epochs))
    made = session("digits", tmp / "shipped", "--no-interactive", "--report", "report.html")
    for step in range(3):
        fresh = training.init(model.config, replace(TRAIN, seed=step))
        made.recorder.see(replace(fresh, step=step), TRAIN, always=True)
    made.subject, made.state = of, last
    writing.write(made, last, tmp / "shipped.html")
    return model, tmp / "shipped.html"


def in_node(path, texts):
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node on this machine")
    done = subprocess.run(
        [node, str(CHECK), str(path)], input=json.dumps(texts), capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def is_numpys(answers, model):
    """The answers of the page's script to frozen.TEXTS beside those of NumPy with the same weights, in float64."""
    params = tree.cast(model.params, np.float64)
    for found, asked in zip(answers, frozen.TEXTS, strict=True):
        meant = parsing.parse(asked, model.task, beyond=True)
        assert found["tokens"] == meant.tokens and found["right"] == str(meant.answer)
        tokens, mask = np.array([meant.tokens]), np.ones((1, len(meant.tokens)), bool)
        logits, _ = classifier.forward(params, tokens_BT=tokens, mask_BT=mask, config=model.config)
        shares, _ = softmax.forward(logits)
        np.testing.assert_allclose(found["logits"], logits[0], rtol=0, atol=1e-12 * np.abs(logits).max())
        np.testing.assert_allclose(found["probabilities"], shares[0], rtol=0, atol=1e-12)
        for mine, theirs in zip(found["attention"], attention.weights(params, tokens, mask, model.config), strict=True):
            np.testing.assert_allclose(mine, theirs[0], rtol=0, atol=1e-12)


def test_the_pages_forward_is_numpys(shipped):
    model, path = shipped
    is_numpys(in_node(path, frozen.TEXTS), model)


def test_its_frozen_answers_are_numpys_and_of_this_script():
    """Where there is no Node: what the script answered when it was last changed."""
    golden = json.loads(frozen.GOLDEN.read_text())
    assert golden["sha256"] == frozen.digest(), "script or weights have changed: python tests/oracle/report.py"
    is_numpys(golden["answers"], checkpoint.load_model(SHIPPED))


def test_the_page_refuses_what_the_program_refuses(tmp):
    made, _, _ = written("digits", tmp)
    texts = [
        "", "Max", "Max(5,3,9", "Max 5,,3 9", "Max(,5 3 9)", "Mux 5 3 9", "Max 53 9", "Second 4", "5 3 9", "Max(5;3)",
        f"Max({EVIL})",
    ]  # fmt: skip
    for found, asked in zip(in_node(tmp / "digits.html", texts), texts, strict=True):
        with pytest.raises(ParseError):
            parsing.parse(asked, made.subject.task, beyond=True)
        assert found["error"].endswith(".")


def test_the_pages_weights_are_the_best_epochs(tmp):
    made, _, found = written("digits", tmp)
    best = tree.named(checkpoint.load_model(made.best).params)
    assert found["model"]["step"] == made.state.best.step
    for name, packed in found["model"]["weights"].items():
        np.testing.assert_array_equal(packing.unpack(packed), best[name])


# ---- in a browser ----

WATCH = """<script>var errors = [];
for (const name of ["error", "unhandledrejection", "securitypolicyviolation"])
  addEventListener(name, (event) => errors.push(String(event.message || event.reason || event.blockedURI)), true);
for (const name of ["error", "warn"]) console[name] = (...told) => errors.push(told.join(" "));</script>"""
DRIVE = """<pre id="result"></pre><script>
const result = {}, touch = (node, name) => node.dispatchEvent(new Event(name, { bubbles: true }));
const look = () => ({
  maps: $("maps").textContent, gradients: $("tensors").textContent, heat: $("heat").innerHTML,
  plane: $("embedding").innerHTML, when: $("when").textContent, said: $("says").textContent,
  bars: [...$("probabilities").querySelectorAll("i")].map((bar) => bar.style.width),
  mark: [...document.querySelectorAll(".now")].map((line) => line.getAttribute("x1")),
});
const stand = (m) => { $("moment").value = m; touch($("moment"), "input"); return look(); };
const last = Number($("moment").max);
result.moments = [stand(0), stand(last), stand(0)];
document.querySelector("input[value=pull]").click();
result.pull = stand(last);
document.querySelectorAll("input[name=tensor]")[1].click();
result.other = look();
const boxes = () => [...document.querySelectorAll("body *")].map((node) => node.getBoundingClientRect());
const widths = () => Math.max(...boxes().map((box) => box.right));
result.wide = {};
for (const width of [360, 480]) {
  document.documentElement.style.width = `${width}px`;
  result.wide[width] = widths();
}
document.documentElement.style.width = "";
const unnamed = (node) => !(node.textContent.trim() || node.labels?.length || node.getAttribute("aria-label"));
result.unnamed = [...document.querySelectorAll("button, input, select, svg")].filter(unnamed)
  .map((node) => node.outerHTML);
result.answers = ASKED.map((text) => {
  $("question").value = text;
  $("ask").requestSubmit?.();
  const drawn = ["reply-bars", "reply-maps"].map((part) => $(part).getBoundingClientRect().height > 0);
  return [$("reply-text").textContent, ...drawn];
});
result.dots = document.querySelectorAll("#loss circle").length;
result.hidden = $("ask").hidden;
stand(0);
$("play").click();
setTimeout(() => { result.played = [$("moment").value, $("play").textContent]; $("play").click(); }, 800);
setTimeout(() => {
  result.paused = [$("moment").value, $("play").textContent];
  result.resources = performance.getEntriesByType("resource").map((one) => one.name);
  result.errors = errors;
  $("result").textContent = JSON.stringify(result);
}, 1000);
</script>"""


def browsed(path, asked, folder):
    """What a page did when it was opened and used."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no chromium on this machine")
    told = path.read_text(encoding="utf-8").replace("<head>", f"<head>{WATCH}")
    driven = folder / "driven.html"
    drive = DRIVE.replace("ASKED", json.dumps(asked).replace("<", "\\u003c"))
    driven.write_text(told.replace("</body>", f"{drive}</body>"), encoding="utf-8")
    command = [
        chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", f"--user-data-dir={folder / 'profile'}",
        "--virtual-time-budget=4000", "--window-size=500,900", "--dump-dom", driven.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    found = re.search(r'<pre id="result">(.*?)</pre>', done.stdout, re.S)
    assert found and found[1], done.stderr[-2000:]
    return json.loads(html.unescape(found[1]))


def assert_well(found):
    assert found["errors"] == [] and found["resources"] == [] and found["unnamed"] == []
    assert all(right <= float(width) for width, right in found["wide"].items())
    first, last, again = found["moments"]
    assert first == again
    assert all(first[part] != last[part] for part in first if part != "said")
    assert found["pull"]["maps"] != last["maps"] and found["pull"]["bars"] == last["bars"]
    assert found["other"]["heat"] != found["pull"]["heat"]
    assert found["played"] == ["1", "❚❚ Pause"] and found["paused"] == ["1", "▶ Play"]


def test_in_a_browser_the_slider_moves_every_picture_and_the_model_answers(shipped, tmp_path):
    _, path = shipped
    found = browsed(path, ["Max(5,3,9)", "min 4 0 7", "Second 1 8 2", "Max 53", f"Max({EVIL})"], tmp_path)
    assert_well(found)
    assert found["dots"] == EPOCHS
    answers = [said for said, *_ in found["answers"]]
    assert [drawn for _, *drawn in found["answers"]] == [[True, True]] * 3 + [[False, False]] * 2
    for said, right in zip(answers, ["Max ( 5 3 9 ): 9", "Min ( 4 0 7 ): 0", "Second ( 1 8 2 ): 8"], strict=False):
        assert said.startswith(f"{right}, with ") and said.endswith("That is right.")
    assert answers[3].startswith("53 is not one digit")
    assert answers[4].startswith("This is no expression")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gpt", "seq2seq", "text"])
def test_in_a_browser_every_family_has_its_pictures(kind, tmp, tmp_path):
    written(kind, tmp)
    found = browsed(tmp / f"{kind}.html", [], tmp_path)
    assert_well(found)
    assert found["hidden"]
