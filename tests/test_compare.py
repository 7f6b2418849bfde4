"""The command that runs both twins side by side."""

import jax
import pytest

from common.config import ClassifierConfig, DigitsConfig, TrainConfig
from console import compare, verdict
from console.verdict import Look

TINY = ClassifierConfig(d_model=12, n_heads=3, d_ffn=10)
RUN = TrainConfig(examples=320, epochs=1, batch_size=32, lr=3e-4, warmup=0, schedule="constant")


def walk(dtype="float64"):
    return compare.walk(model=TINY, train=RUN, task=DigitsConfig(), dtype=dtype, every=4)


def test_both_twins_are_walked_in_step():
    seen = list(walk())
    assert [apart.step for apart in seen] == [4, 8, 10]
    assert len(seen[0].tensors) == 3 * 27
    assert max(apart.tensors[apart.worst] for apart in seen) < 1e-12
    assert max(apart.loss for apart in seen) < 1e-12


def test_float32_differs_more_than_float64():
    single, *_ = walk("float32")
    assert 1e-9 < single.tensors[single.worst] < 1e-3


def test_settings_hold_while_it_computes_and_for_nobody_else():
    """Whoever takes a look goes on under settings of its own: also between two looks, and after the last."""
    seen = [(jax.config.jax_enable_x64, jax.config.jax_default_matmul_precision) for _ in walk()]
    assert seen == [(False, None)] * 3
    assert (jax.config.jax_enable_x64, jax.config.jax_default_matmul_precision) == (False, None)


def test_the_command_prints_every_tensor_and_a_verdict(capsys, tmp_path):
    assert compare.main(["--steps", "3", "--every", "2", "--plot", str(tmp_path / "d.svg")]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "blocks.1.ffn.down.w" in out
    assert "They did not part by 1e-12" in out
    assert (tmp_path / "d.svg").stat().st_size > 1000


@pytest.mark.parametrize(
    "args", [["--steps", "0"], ["--steps", "1000000000"], ["--lr", "-1"], ["--every", "0"], ["--plot", "d.gif"]]
)
def test_a_bad_request_is_one_sentence_before_anything_is_computed(args, capsys, monkeypatch):
    monkeypatch.setattr(compare, "walk", lambda **_: pytest.fail("computed"))
    assert compare.main(args) == 2
    told = capsys.readouterr()
    assert told.err.startswith("error: ")
    assert told.err.count("\n") == 1
    assert told.out == ""


def looked(*tensors):
    """A walk that sees these."""
    return lambda **_: iter([compare.Apart(10 * i, 0.0, {"head.w": x}) for i, x in enumerate(tensors, 1)])


def test_twins_that_part_are_a_finding_and_no_failure(capsys, monkeypatch):
    monkeypatch.setattr(compare, "walk", looked(1e-15, 1e-3))
    assert compare.main([]) == 0
    assert "They parted by 1e-12 at update 20" in capsys.readouterr().out


def test_an_interrupted_run_is_judged_as_far_as_it_came(capsys, monkeypatch):
    def interrupted(**_):
        yield from looked(1e-15)()
        raise KeyboardInterrupt

    monkeypatch.setattr(compare, "walk", interrupted)
    assert compare.main([]) == 130
    assert "They did not part by 1e-12" in capsys.readouterr().out


# ---- the verdict ----


@pytest.mark.parametrize(
    ("dtype", "differences", "said"),
    [
        ("float64", [1e-15, 3.33e-15, 2e-15], ["3.3e-15 (w, after update 20): 30 roundings", "did not part by 1e-12"]),
        ("float64", [1e-15, 1e-10, 1e-8], ["by 1e-12 at update 20, by 1e-09 at update 30, never by 1e-05"]),
        ("float64", [1e-15, 1e-10, 1e-8], ["9 roundings", "multiplied it by 1e+07"]),
        ("float64", [1e-11, 1e-11], ["by 1e-12 at update 10, never by 1e-09", "No rounding explains"]),
        ("float64", [0.0, 1e-11], ["by 1e-12 at update 20", "multiplied it by 9e+04"]),
        ("float32", [1e-6, 2e-6], ["34 roundings of float32", "did not part by 1e-05", "--dtype float64"]),
        ("float32", [1e-6, 2e-5], ["parted by 1e-05 at update 20", "--dtype float64"]),
        ("float64", [1e-3, float("inf")], ["After update 20 w is no longer finite"]),
    ],
)
def test_the_verdict_says_how_far_when_and_why(dtype, differences, said):
    looks = [Look(10 * i, difference, "w") for i, difference in enumerate(differences, 1)]
    found = " ".join(verdict.sentences(looks, dtype))
    assert [words for words in said if words not in found] == []


def test_each_difference_is_relative_to_its_like(monkeypatch):
    """A second moment is a thousand times smaller than the weights: beside them its errors would not show."""
    from numpy_ref import optim

    exported = optim.export

    def off(state, params):
        found = exported(state, params)
        found["v"]["head"]["b"] = found["v"]["head"]["b"] * (1 + 1e-3)
        return found

    monkeypatch.setattr(optim, "export", off)
    seen, *_ = walk()
    assert seen.worst == "v.head.b"
    assert seen.tensors["v.head.b"] == pytest.approx(1e-3, rel=0.01)
