"""The benchmarks: one place for each result, and the command for accelerators, tried on the CPU."""

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import numpy_ref.generate
from common import params, random
from common.config import ClassifierConfig, GPTConfig, Seq2SeqConfig, SequenceConfig, TrainConfig
from common.data import sequences as problems
from common.data import tasks
from common.data.split import part
from common.evaluation import Evaluation
from common.sampling import Sampling
from common.vocabulary import START

HERE = Path(__file__).parent.parent / "benchmarks"
README = (HERE / "README.md").read_text()
MARKERS = re.findall(r"<!-- (\w+) -->", README)
WRITERS = re.findall(r'put_into_readme\("(\w+)"', "".join(file.read_text() for file in HERE.glob("*.py")))


@pytest.fixture
def commands(monkeypatch, tmp_path):
    """The commands can be imported, and write to a folder of their own."""
    monkeypatch.syspath_prepend(HERE)
    before = set(sys.modules)
    import report

    monkeypatch.setattr(report, "HERE", tmp_path)
    yield
    for name in set(sys.modules) - before:
        if str(HERE) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture
def accelerator(commands, monkeypatch):
    """The command, with a model of one block of width 12."""
    import accelerator

    monkeypatch.setattr(accelerator, "MODEL", ClassifierConfig(d_model=12, n_heads=3, d_ffn=10, n_blocks=1))
    return accelerator


def test_every_marker_stands_once_and_is_closed():
    assert len(MARKERS) == len(set(MARKERS)) > 0
    for name in MARKERS:
        assert README.count(f"<!-- {name} -->") == README.count(f"<!-- /{name} -->") == 1
        assert README.index(f"<!-- {name} -->") < README.index(f"<!-- /{name} -->")


def test_every_command_that_writes_has_its_place():
    assert set(WRITERS) <= set(MARKERS)
    assert {"step_speed", "step_speed_256x20"} < set(MARKERS)


@pytest.mark.parametrize("path", sorted((HERE / "results").glob("*.json")), ids=lambda path: path.stem)
def test_every_result_is_json_and_says_where_it_comes_from(path):
    found = json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert {"machine", "versions"} & set(found)


def test_without_an_accelerator_it_is_one_sentence(accelerator, capsys):
    assert accelerator.main([]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: JAX finds no accelerator here")
    assert err.count("\n") == 1


@pytest.mark.slow
def test_the_accelerator_command_measures_and_writes(accelerator, capsys, tmp_path):
    (tmp_path / "README.md").write_text("<!-- accelerator -->\n<!-- /accelerator -->\n")
    tiny = ["--marks", "2", "4", "--batches", "4", "--models", "2", "--every", "2", "--seconds", "0.01"]
    assert accelerator.main([*tiny, "--anyway", "--write"]) == 0
    found = json.loads((tmp_path / "results" / "accelerator-cpu.json").read_text())
    assert found["device"] == "CPU"
    assert all(found["parity"]["float64"][name] < 1e-12 for name in ("loss", "gradients", "tensors after 4 updates"))
    assert 1e-9 < found["parity"]["float32"]["gradients"] < 5e-5
    assert [row["dtype"] for row in found["speed"]] == ["float32", "float32", "bfloat16"]
    assert all(row["per_second"] > 0 for row in [*found["speed"], *found["populations"]])
    assert "### CPU" in (tmp_path / "README.md").read_text()
    assert "| 4 |" in capsys.readouterr().out


@pytest.mark.parametrize("value", [2e-12, float("inf"), float("nan")])
def test_a_difference_above_its_bar_is_told(accelerator, value):
    fine = {"float64": {"gradients": 1e-13, "loss": 1e-13}}
    assert accelerator.too_far(fine) == []
    assert len(accelerator.too_far({"float64": {"gradients": value, "loss": 1e-13}})) == 1


def test_no_result_is_said_to_be_none(accelerator):
    assert accelerator.section() == "No machine with an accelerator has run this command yet."


# ---- the sequence models ----


class Given:
    """What console.options gives the command, so small that it trains in a second."""

    task = SequenceConfig("copy")
    model = Seq2SeqConfig(26, 26, d_model=8, n_heads=2, d_ffn=8, n_encoder=1, n_decoder=1)
    words = ""

    def __init__(self, seed):
        self.train = TrainConfig(examples=400, epochs=1, batch_size=4, clip_norm=1.0, seed=seed)


@pytest.fixture
def sequences(commands, monkeypatch):
    pytest.importorskip("torch")  # comes with `make bench`
    import sequence_lengths
    import sequences

    monkeypatch.setattr(sequences.speed, "UPDATES", 10)
    monkeypatch.setattr(sequences.speed, "THREADS", (1,))
    monkeypatch.setattr(sequences.options, "read", lambda argv: Given(int(argv[-1])))
    monkeypatch.setattr(sequence_lengths, "ASKED", 20)
    return sequences


@pytest.mark.slow
def test_the_sequences_command_measures_and_writes(sequences, tmp_path, monkeypatch):
    (tmp_path / "README.md").write_text("<!-- sequences -->\n<!-- /sequences -->\n")
    asked = [
        "sequences.py",
        "--tasks",
        "copy",
        "--families",
        "seq2seq",
        "--seeds",
        "0",
        "7",
        "--rounds",
        "1",
        "--write",
    ]
    monkeypatch.setattr(sys, "argv", asked)
    sequences.main()
    (row,) = json.loads((tmp_path / "results" / "sequences.json").read_text())["rows"].values()
    assert [run["seed"] for run in row["runs"]] == [0, 7]
    assert row["runs"][0]["loss"] != row["runs"][1]["loss"]
    assert row["updates"] == 100
    assert row["speed"]["wall_ratio"] > 0
    assert all(sum(asked for _, asked in run.values()) == 20 for run in row["by_length"])
    assert "| copy | seq2seq |" in (tmp_path / "README.md").read_text()
    assert (tmp_path / "results" / "sequences.svg").stat().st_size > 1000


@pytest.mark.slow
@pytest.mark.parametrize("changed", ["activation", "eps"])
def test_a_peer_that_does_other_work_is_not_measured(sequences, changed, monkeypatch):
    import sequence_speed

    given = Given(0)
    train = tasks.load(given.task, given.model, given.train).train
    sequence_speed.same_losses(train, model=given.model, train=given.train)
    other = replace(given.model, **{changed: {"activation": "gelu", "eps": 0.5}[changed]})
    trainer = sequence_speed.torch_sequences.trainer

    def wrong(weights, data, **how):
        return trainer(weights, data, **how | {"model": other})

    monkeypatch.setattr(sequence_speed.torch_sequences, "trainer", wrong)
    with pytest.raises(SystemExit, match="PyTorch does other work"):
        sequence_speed.same_losses(train, model=given.model, train=given.train)


@pytest.mark.parametrize(
    ("task", "problem", "length"),
    [
        ("operations", problems.expression("Max", (7, 23, 5, 89)), 4),
        ("sort", problems.row("sort", (3, 1, 4)), 3),
        ("add", problems.addition(7, 12345), 5),
        ("add", problems.addition(12345, 7), 5),
    ],
)
def test_the_length_of_a_question(commands, task, problem, length):
    import sequence_lengths

    assert sequence_lengths.length(problem, task) == length


def test_answers_are_counted_by_length(commands, monkeypatch):
    import sequence_lengths

    task = SequenceConfig("copy")
    asked = [problems.row("copy", digits) for digits in ((3,), (4, 1), (5, 9), (2, 6, 5))]
    examples = problems.to_pairs(asked, task)
    predictions = examples.targets.copy()
    predictions[1, 2] += 1  # the end token of the first question with two digits
    predictions[0, 3] += 1  # behind an end: does not count
    found = Evaluation(0.0, 0.0, {}, predictions)
    monkeypatch.setattr(sequence_lengths.twin, "evaluate", lambda *given, **how: found)
    counted = sequence_lengths.by_length({}, (task, asked), model=Given.model)
    assert counted == {"1": (1, 1), "2": (1, 2), "3": (1, 1)}
    assert sequence_lengths.share([counted, counted]) == {1: [100, 100], 2: [50, 50], 3: [100, 100]}


def test_questions_beyond_the_trained_lengths_are_all_of_the_test_part(commands, monkeypatch):
    import sequence_lengths

    monkeypatch.setattr(sequence_lengths, "ASKED", 100)
    for name in sequence_lengths.BEYOND:
        task = SequenceConfig(name)
        _, asked = sequence_lengths.questions(task)
        assert {part(problem.text, task.split_seed) for problem in asked} == {"test"}
        assert max(sequence_lengths.length(problem, name) for problem in asked) > sequence_lengths.trained(task)[1]


GENERATORS = [
    GPTConfig(26, d_model=8, n_heads=2, d_ffn=8),
    GPTConfig(26, d_model=8, n_heads=2, d_ffn=8, positions="sinusoidal", tied=False),
    Seq2SeqConfig(26, 26, d_model=8, n_heads=2, d_ffn=8),
    Seq2SeqConfig(26, 26, d_model=8, n_heads=2, d_ffn=8, positions="learned", tied=True),
]


@pytest.mark.parametrize("model", GENERATORS, ids=["gpt", "gpt, sinusoidal", "seq2seq", "seq2seq, learned"])
def test_the_peer_generates_the_tokens_of_numpy(commands, model):
    pytest.importorskip("torch")
    import torch_generation

    weights = params.init(random.key(3), model)
    prompts = np.random.default_rng(0).integers(2, 26, (5, 9))
    start = START if isinstance(model, Seq2SeqConfig) else None
    how = {"model": model, "sampling": Sampling(max_new_tokens=20), "start_token": start}
    assert torch_generation.generator(weights, model=model)(prompts, 20).tolist() == numpy_ref.generate.generate(
        weights, prompts.tolist(), **how
    )


def test_other_tokens_are_not_measured(commands):
    pytest.importorskip("torch")
    import generation

    runs = {"NumPy": lambda: np.zeros((2, 3)), "PyTorch eager": lambda: np.eye(2, 3)}
    with pytest.raises(SystemExit, match="NumPy does other work: 2 of 6 tokens differ"):
        generation.same_tokens(runs)


@pytest.mark.parametrize("name", ["growth", "sequences"])
def test_recorded_results_can_be_drawn_again(commands, tmp_path, name):
    from common import plots

    found = json.loads((HERE / "results" / f"{name}.json").read_text())
    if name == "growth":
        pytest.importorskip("torch")
        import growth

        picture = growth.draw(found["sizes"])
    else:
        import sequence_lengths

        picture = sequence_lengths.draw([row for row in found["rows"].values() if "by_length" in row])
    assert plots.save(picture, tmp_path / "picture.svg").stat().st_size > 10_000
