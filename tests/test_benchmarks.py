"""The benchmarks: one place for each result, and the command for accelerators, tried on the CPU."""

import json
import re
import sys
from pathlib import Path

import pytest

from common.config import ClassifierConfig

HERE = Path(__file__).parent.parent / "benchmarks"
README = (HERE / "README.md").read_text()
MARKERS = re.findall(r"<!-- (\w+) -->", README)
WRITERS = re.findall(r'put_into_readme\("(\w+)"', "".join(file.read_text() for file in HERE.glob("*.py")))


@pytest.fixture
def accelerator(monkeypatch, tmp_path):
    """The command, with a model of one block of width 12 and a folder of its own to write to."""
    monkeypatch.syspath_prepend(HERE)
    before = set(sys.modules)
    import accelerator
    import report

    monkeypatch.setattr(report, "HERE", tmp_path)
    monkeypatch.setattr(accelerator, "MODEL", ClassifierConfig(d_model=12, n_heads=3, d_ffn=10, n_blocks=1))
    yield accelerator
    for name in set(sys.modules) - before:
        if str(HERE) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


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
