"""The models in checkpoints/: each loads, and answers as its README says, in both twins."""

import hashlib
import math
import re
from pathlib import Path

import numpy as np
import pytest

import jax_impl.train
import numpy_ref.train
from common import checkpoint, tree
from common.config import DigitsConfig, Seq2SeqConfig, TextConfig
from common.data import digits, sequences, text

FOLDER = Path(__file__).parents[1] / "checkpoints"
README = (FOLDER / "README.md").read_text()
ROWS = re.findall(r"^\| `(\S+\.safetensors)` \|.*?\| `(.+?)` \| (.+?) \|$", README, re.M)
every_row = pytest.mark.parametrize(("name", "command", "figure"), ROWS, ids=[row[0] for row in ROWS])


def held_out(model):
    """The examples of a model's test part."""
    if isinstance(model.task, DigitsConfig):
        return digits.to_examples(digits.held_out(model.task, "test"), model.task)
    if isinstance(model.task, TextConfig):
        return text.load(model.task, text.read(FOLDER / "text.txt"), seed=0, examples=1).test
    form = sequences.to_pairs if isinstance(model.config, Seq2SeqConfig) else sequences.to_texts
    return form(sequences.held_out(model.task, "test"), model.task)


def test_every_file_has_a_row_in_the_readme():
    assert sorted(name for name, *_ in ROWS) == sorted(path.name for path in FOLDER.glob("*.safetensors"))
    assert len(ROWS) >= 2


@pytest.mark.parametrize("twin", [numpy_ref.train, jax_impl.train], ids=["numpy", "jax"])
@every_row
def test_a_shipped_model_repeats_its_figure(twin, name, command, figure):
    model = checkpoint.load_model(FOLDER / name)
    asked = held_out(model)
    found = twin.evaluate(model.params, asked, model=model.config)
    if isinstance(model.task, TextConfig):
        assert figure == f"{found.loss / math.log(2):.2f} bits a character, over {asked.targets.size:,} of them"
        return
    right = round(found.accuracy * len(asked.targets))
    assert re.match(r"[\d,]+ of [\d,]+", figure).group() == f"{right:,} of {len(asked.targets):,}"


def test_the_medium_model_answers_all_5000_expressions():
    model = checkpoint.load_model(FOLDER / "digits-medium.safetensors")
    everything = list(digits.listed(model.task))
    assert len(everything) == 5000
    found = numpy_ref.train.evaluate(model.params, digits.to_examples(everything, model.task), model=model.config)
    assert found.accuracy == 1.0


@every_row
def test_the_command_in_the_readme_is_the_one_that_made_the_file(name, command, figure, monkeypatch):
    from console import options

    monkeypatch.chdir(FOLDER.parent)  # a path in a command is one from there
    model = checkpoint.load_model(FOLDER / name)
    asked_for = options.read(command.split()[2:])
    assert (model.train, model.task, model.config) == (asked_for.train, asked_for.task, asked_for.model)


def test_the_readme_says_which_text_the_text_model_read():
    digest = hashlib.sha256((FOLDER / "text.txt").read_bytes()).hexdigest()
    assert f"`{digest}`" in README
    assert checkpoint.load_model(FOLDER / "text-gpt.safetensors").task.sha256 == digest


@every_row
def test_a_shipped_model_is_small_and_float32(name, command, figure):
    assert (FOLDER / name).stat().st_size < 1.5e6
    model = checkpoint.load_model(FOLDER / name)
    assert {leaf.dtype for leaf in tree.named(model.params).values()} == {np.dtype(np.float32)}
