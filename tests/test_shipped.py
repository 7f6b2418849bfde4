"""The models in checkpoints/: each loads, and answers as its README says, in both twins."""

import re
from pathlib import Path

import numpy as np
import pytest

import jax_impl.train
import numpy_ref.train
from common import checkpoint
from common.data import digits

FOLDER = Path(__file__).parents[1] / "checkpoints"
ROWS = re.findall(r"^\| `(\S+)` \|.*?\| `(.+?)` \| ([\d,]+) of ([\d,]+)", (FOLDER / "README.md").read_text(), re.M)


def number(text):
    return int(text.replace(",", ""))


def test_every_file_has_a_row_in_the_readme():
    assert sorted(name for name, *_ in ROWS) == sorted(path.name for path in FOLDER.glob("*.safetensors"))
    assert len(ROWS) >= 2


@pytest.mark.parametrize("twin", [numpy_ref.train, jax_impl.train], ids=["numpy", "jax"])
@pytest.mark.parametrize(("name", "command", "right", "asked"), ROWS, ids=[row[0] for row in ROWS])
def test_a_shipped_model_repeats_its_figure(twin, name, command, right, asked):
    model = checkpoint.load_model(FOLDER / name, family="classifier")
    test = digits.to_examples(digits.held_out(model.task, "test"), model.task)
    found = twin.evaluate(model.params, test, model=model.config)
    assert (round(found.accuracy * len(test.targets)), len(test.targets)) == (number(right), number(asked))


def test_the_medium_model_answers_all_5000_expressions():
    model = checkpoint.load_model(FOLDER / "digits-medium.safetensors")
    everything = list(digits.listed(model.task))
    assert len(everything) == 5000
    found = numpy_ref.train.evaluate(model.params, digits.to_examples(everything, model.task), model=model.config)
    assert found.accuracy == 1.0


@pytest.mark.parametrize(("name", "command", "right", "asked"), ROWS, ids=[row[0] for row in ROWS])
def test_the_command_in_the_readme_is_the_one_that_made_the_file(name, command, right, asked):
    from console import options

    model = checkpoint.load_model(FOLDER / name)
    asked_for = options.read(command.split()[2:])
    assert (model.train, model.task, model.config) == (asked_for.train, asked_for.task, asked_for.model)


def test_the_small_model_is_read_as_float32():
    model = checkpoint.load_model(FOLDER / "digits-small.safetensors")
    assert model.params["head"]["w"].dtype == np.float32
