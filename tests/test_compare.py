"""The command that runs both twins side by side."""

import pytest

from common.config import ClassifierConfig, DigitsConfig, TrainConfig
from console import compare

TINY = ClassifierConfig(d_model=12, n_heads=3, d_ffn=10)


def test_both_twins_are_walked_in_step():
    train = TrainConfig(examples=320, epochs=1, batch_size=32, lr=3e-4, warmup=0, schedule="constant")
    seen = list(compare.walk(model=TINY, train=train, task=DigitsConfig(), dtype="float64", every=4))
    assert [apart.step for apart in seen] == [4, 8, 10]
    assert len(seen[0].tensors) == 3 * 27
    assert max(apart.tensors[apart.worst] for apart in seen) < 1e-12
    assert max(apart.loss for apart in seen) < 1e-12


def test_float32_differs_more_than_float64():
    train = TrainConfig(examples=64, epochs=1, batch_size=32, warmup=0)
    (single,) = compare.walk(model=TINY, train=train, task=DigitsConfig(), dtype="float32", every=4)
    assert 1e-9 < single.tensors[single.worst] < 1e-3


def test_the_command_prints_every_tensor(capsys, tmp_path):
    assert compare.main(["--steps", "3", "--every", "2", "--plot", str(tmp_path / "d.svg")]) == 0
    out = capsys.readouterr().out
    assert "blocks.1.ffn.down.w" in out
    assert (tmp_path / "d.svg").stat().st_size > 1000


@pytest.mark.parametrize("args", [["--steps", "0"], ["--lr", "-1"]])
def test_a_bad_request_is_one_sentence(args, capsys):
    assert compare.main(args) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_each_difference_is_relative_to_its_like(monkeypatch):
    """A second moment is a thousand times smaller than the weights: beside them its errors would not show."""
    from numpy_ref import optim

    exported = optim.export

    def off(state, params):
        found = exported(state, params)
        found["v"]["head"]["b"] = found["v"]["head"]["b"] * (1 + 1e-3)
        return found

    monkeypatch.setattr(optim, "export", off)
    train = TrainConfig(examples=64, epochs=1, batch_size=32, warmup=0)
    (seen,) = compare.walk(model=TINY, train=train, task=DigitsConfig(), dtype="float64", every=4)
    assert seen.worst == "v.head.b"
    assert seen.tensors["v.head.b"] == pytest.approx(1e-3, rel=0.01)
