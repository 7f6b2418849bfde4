"""The stepper's proofs: right gradients pass, every named wrong one is found, and mending gives the right ones back."""

from functools import cache

import numpy as np
import pytest
from rich.cells import cell_len
from rich.console import Console

from common import checkpoint, gradcheck, params, random, tree
from common.config import (
    ClassifierConfig,
    DigitsConfig,
    GPTConfig,
    LlamaConfig,
    Seq2SeqConfig,
    SequenceConfig,
    TrainConfig,
)
from common.data import tasks
from common.data.batching import Examples, Pairs, Stretches
from common.errors import UserError
from common.trace import Trace
from console import backend, options, subjects
from console.session import Session
from console.stepper import (
    agreeing,
    breaking,
    breaks,
    explaining,
    moment,
    prompting,
    proving,
    sources,
    spoiling,
    verdicts,
    witnesses,
)
from console.stepper.proving import BAD, KINK, OK, ZERO
from console.stepper.stepper import Stepper
from console.stepper.witnesses import Problem
from course import planted
from numpy_ref import train as training

SIZES = {"d_model": 8, "n_heads": 2, "d_ffn": 12}
TOKENS = np.array([[15, 17, 7, 5, 7, 18], [12, 17, 3, 18, 0, 0]])
BEFORE, NEXT = TOKENS[:, :-1], TOKENS[:, 1:]
COUNTS = NEXT != 0
SORT = SequenceConfig("sort", max_length=5)


@cache
def problem(family: str) -> Problem:
    """A tiny model and a batch in which tokens repeat and positions are masked."""
    key = None
    if family == "classifier":
        model, examples = ClassifierConfig(**SIZES), Examples(TOKENS, TOKENS != 0, np.array([9, 3]))
    elif family == "gpt":
        model, examples = GPTConfig(20, **SIZES, max_len=7, dropout=0.2), Stretches(BEFORE, NEXT, COUNTS)
        key = random.key(5)
    elif family == "seq2seq":
        model = Seq2SeqConfig(20, 20, **SIZES, n_encoder=1, n_decoder=1, dropout=0.2)
        examples, key = Pairs(TOKENS, TOKENS != 0, BEFORE, NEXT, COUNTS), random.key(6)
    else:
        model = LlamaConfig(20, d_model=8, n_heads=2, n_kv_heads=1, d_head=4, d_ffn=12, bias=True)
        examples = Stretches(BEFORE, NEXT, COUNTS)
    drawn = params.init(random.key(3), model, np.float64)
    weights = tree.build({name: stirred(i, x) for i, (name, x) in enumerate(tree.items(drawn))})
    return Problem(weights, examples, model, key)


def stirred(number, x):
    """Biases and gains that are not 0 and 1, and weights of a size that makes every part of the model matter."""
    size = 10 if x.ndim > 1 and x.std() < 0.05 else 1
    return size * x + 0.1 * random.normal(random.fold_in(random.key(4), number), x.shape)


def again(family: str) -> Problem:
    """The same problem, which asks the backward as it is now."""
    known = problem(family)
    return Problem(known.params, known.examples, known.model, known.key)


FAMILIES = ("classifier", "gpt", "seq2seq", "llama")
every_family = pytest.mark.parametrize("family", FAMILIES)
every_break = pytest.mark.parametrize("name", [one.name for one in breaks.BREAKS])


@pytest.fixture(autouse=True)
def _mended():
    yield
    breaking.mend()


@every_family
def test_the_shipped_gradients_are_proved(family):
    rows = list(proving.every(problem(family)))
    assert [row.name for row in rows] == list(params.names(problem(family).model))
    assert {row.verdict for row in rows} <= {OK, ZERO}
    assert max(row.along for row in rows) < proving.EXACT


@every_family
def test_what_has_no_gradient_by_mathematics_has_none_in_numbers(family):
    of = problem(family)
    sizes = {name: np.abs(leaf).max() for name, leaf in of.grads.items()}
    assert [name for name in sizes if sizes[name] < 1e-13 * max(sizes.values())] == params.without_gradient(of.model)


def test_a_key_bias_is_zero_by_mathematics_unless_keys_are_turned():
    assert proving.tensor(problem("gpt"), "blocks.0.attn.k.b").verdict == ZERO
    assert proving.tensor(problem("llama"), "blocks.0.attn.k.b").verdict == OK
    assert np.any(problem("gpt").grads["blocks.0.attn.k.b"] != 0)  # rounding is left of it


def test_the_embedding_of_an_absent_token_is_exactly_zero():
    one = proving.entry(problem("classifier"), "emb.w", (11, 3))
    assert (one.verdict, one.analytic, one.numeric, one.complex_step) == (ZERO, 0, 0, 0)


@every_family
@every_break
def test_every_break_is_found_where_it_is_and_mended(family, name, monkeypatch):
    right = problem(family).grads
    breaking.swap(name)
    broken = again(family)
    changed = {n for n, d in gradcheck.difference(broken.grads, right).items() if d > 1e-9}
    remembered(monkeypatch, family)
    found = {row.name for row in proving.every(broken, entries=0) if row.verdict == BAD}
    assert changed
    assert found == changed
    breaking.mend(name)
    assert all(np.array_equal(g, right[n]) for n, g in again(family).grads.items())


_known: dict = {}


def remembered(monkeypatch, family):
    """The witnesses of a family are asked once: what the loss does does not depend on any backward."""
    for kind in ("complex_step", "difference"):
        ask = getattr(witnesses, kind)

        def asked(problem, name, *rest, kind=kind, ask=ask):
            key = (family, kind, name, *(r.tobytes() if isinstance(r, np.ndarray) else r for r in rest))
            if key not in _known:
                _known[key] = ask(problem, name, *rest)
            return _known[key]

        monkeypatch.setattr(witnesses, kind, asked)


# ---- kinks ----


def on_a_kink(distance: float) -> tuple[Problem, tuple[int, ...]]:
    """The classifier with a bias of its feed-forward moved until a unit stands so far above its kink."""
    known = problem("classifier")
    with Trace(known.params) as trace:
        known.loss(known.params)
    a_BTF = trace["blocks.0.ffn/ffn.forward/a_BTF"]
    unit = 5
    b_F = known.params["blocks"][0]["ffn"]["up"]["b"].copy()
    b_F[unit] += distance - a_BTF[0, 2, unit]
    moved = tree.build(tree.named(known.params) | {"blocks.0.ffn.up.b": b_F})
    return Problem(moved, known.examples, known.model), (unit,)


def test_a_kink_is_called_a_kink_and_passes_with_a_smaller_step():
    there, at = on_a_kink(0.5 * proving.H)
    one = proving.entry(there, "blocks.0.ffn.up.b", at)
    assert (one.verdict, one.switched) == (KINK, 1)
    assert one.h < proving.H
    assert one.error <= proving.EXACT and one.rough_error <= one.rough_bar
    assert proving.entry(on_a_kink(50 * proving.H)[0], "blocks.0.ffn.up.b", at).verdict == OK


def test_a_kink_closer_than_any_step_is_proved_by_the_complex_step_alone():
    """And nothing else is claimed of it."""
    there, at = on_a_kink(0.1 * proving.SMALLER[-1])
    one = proving.entry(there, "blocks.0.ffn.up.b", at)
    assert one.verdict == KINK
    assert one.error <= proving.EXACT
    assert one.rough_error > one.rough_bar
    assert "a smaller h agrees with it where" in verdicts.KINKS


def test_a_wrong_gradient_on_a_kink_is_wrong():
    there, at = on_a_kink(0.5 * proving.H)
    breaking.swap("constant-norm")
    assert proving.entry(there, "blocks.0.ffn.up.b", at).verdict == BAD


# ---- breaking ----


def test_two_breaks_live_together_where_their_places_differ():
    breaking.swap("copy-qk")
    breaking.swap("twice")  # as the lesson calls it
    assert breaking.active() == ("copy-qk", "double-softmax")
    with pytest.raises(UserError, match="would take the place of copy-qk"):
        breaking.swap("sign")
    with pytest.raises(UserError, match="already"):
        breaking.swap("copy-qk")
    assert breaking.mend("copy-qk") == ("copy-qk",)
    assert breaking.active() == ("double-softmax",)


def test_the_lesson_and_the_stepper_plant_the_same_errors():
    for name in planted.HOME:
        one = breaking.named(name)
        right = problem("classifier")
        with planted.planted(name):
            wanted = tree.named(right.backward(right.at)[2])
        breaking.swap(one.name)
        found = tree.named(right.backward(right.at)[2])
        breaking.mend()
        assert all(np.array_equal(found[n], wanted[n]) for n in wanted)


def test_an_unknown_break_names_the_near_ones():
    with pytest.raises(UserError, match="did you mean copy-qk"):
        breaking.swap("copy-kq")


# ---- the twin ----


@pytest.mark.parametrize("family", ["classifier", "gpt"])
def test_the_twins_agree_and_a_break_sets_them_apart(family):
    found = agreeing.compare(problem(family), "float64")
    assert found.agree
    assert not agreeing.first_time(problem(family), "float64")
    breaking.swap("scale-1.001")
    broken = agreeing.compare(problem(family), "float64")
    assert not broken.agree
    assert {name for name in broken.grads if name.endswith(".w") and "emb" not in name and "pos" not in name} <= set(
        broken.apart
    )


def test_in_float32_the_twins_agree_as_far_as_it_rounds():
    found = agreeing.compare(problem("classifier"), "float32")
    assert found.agree
    assert found.bar == pytest.approx(5.4e-4, rel=0.01)


# ---- why ----


@cache
def traced(family="classifier"):
    known = problem(family)
    return moment.backward(known.params, known.examples, known.model, known.key)


@every_family
def test_every_gradient_has_its_line(family):
    look, grads = traced(family)
    for name in tree.named(grads):
        reason = explaining.gradient(look.trace, grads, name)
        assert reason.source and reason.value is tree.named(grads)[name]
        assert reason.where.startswith("src/numpy_ref/")


@every_family
def test_every_local_has_its_line_or_was_given(family):
    look, _ = traced(family)
    for name in list(look.trace.names())[::3]:
        reason = explaining.local(look.trace, name)
        assert reason.where.startswith("src/numpy_ref/")
        if reason.source:
            file, _, line = reason.where.partition(":")
            written = (sources.SOURCE.parent / file).read_text().splitlines()[int(line) - 1]
            assert reason.source.splitlines()[0] in written


def test_the_callers_and_their_lines_are_those_of_the_source():
    look, grads = traced()
    reason = explaining.gradient(look.trace, grads, "blocks.1.attn.k.w")
    assert reason.call == "blocks.1.attn.k/linear.backward"
    assert reason.source == "dw_IO = x_RI.T @ dy_RO"
    assert [one.name for one in reason.inputs] == ["x_RI", "dy_RO"]
    for caller, called in zip(
        reason.callers, ("linear.backward", "attention.backward", "block_backward"), strict=False
    ):
        assert called in written_at(caller)
    assert "d_k" in written_at(reason.callers[0])


def written_at(caller):
    file, _, line = caller.rpartition(", ")[2].partition(":")
    return (sources.SOURCE.parent / file).read_text().splitlines()[int(line) - 1]


def test_the_operands_of_an_entry_make_it():
    look, _ = traced()
    reason = explaining.local(look.trace, "blocks.0.norm1/layernorm.forward/n_BTD")
    c, r = explaining.operands(reason, (1, 2, 3))
    assert (c.name, r.name) == ("c_BTD[1,2,3]", "r_BT1[1,2,0]")
    assert c.value * r.value == reason.value[1, 2, 3]
    product = explaining.local(look.trace, "head/linear.backward/dw_IO")
    assert explaining.operands(product, (0, 0)) == []


def test_why_leads_to_the_line_that_is_wrong():
    known = problem("classifier")
    breaking.swap("copy-qk")
    look, grads = moment.backward(known.params, known.examples, known.model, known.key)
    breaking.mend()
    reason = explaining.gradient(look.trace, grads, "blocks.0.attn.q.w")
    assert reason.call == "blocks.0.attn.v/linear.backward"
    assert any("wrong.copied, src/console/stepper/wrong.py" in caller for caller in reason.callers)
    breaking.swap("overwrite-scatter")
    look, grads = moment.backward(known.params, known.examples, known.model, known.key)
    reason = explaining.gradient(look.trace, grads, "emb.w")
    assert (reason.source, reason.where.partition(":")[0]) == ("dw_VD[tokens_BT] = dy_BTD", "src/course/planted.py")


# ---- the commands ----


KINDS = {
    "digits": (DigitsConfig(min_args=2, max_args=4), ClassifierConfig(**SIZES)),
    "gpt": (SORT, GPTConfig(SORT.vocab, **SIZES, dropout=0.1)),
    "seq2seq": (SORT, Seq2SeqConfig(SORT.vocab, SORT.vocab, **SIZES, n_encoder=1, n_decoder=1, dropout=0.1)),
}
TRAIN = TrainConfig(examples=60, epochs=3, batch_size=20, warmup=1)


@cache
def subject(kind):
    task, model = KINDS[kind]
    return subjects.of(backend.choose("numpy"), model, tasks.load(task, model, TRAIN, ""), "")


def stepping(kind, folder, width=80, station=""):
    """A stepper at its first update, or before it where no station is wanted."""
    console = Console(width=width, color_system=None, force_terminal=False)
    of = subject(kind)
    state = training.init(of.model, TRAIN)
    one = Stepper(Session(console, of, TRAIN, folder, options.read(["--no-plots"]), state))
    if station:
        one.enter(station)
    return one


def said(one, line):
    with one.session.console.capture() as capture:
        prompting.do(one, line)
    return capture.get()


LINES = """
break
break double-softmax
gradcheck head.b
gradcheck all 1
where
fix
gradcheck {block}.norm1.g[3]
gradcheck {block}.attn.k.w
why {block}.norm1.g
why {block}.attn.k.w
why {block}.attn/attend.forward/w_BNGTS[0,0,0,1,1]
why {block}.norm1/layernorm.forward/n_BTD[0,1,2]
gradcheck nonsense
gradcheck {block}.attn.k.w[1]
gradcheck {block}.attn.k.w[99,99]
why nothing
break nothing
fix
jax float16
"""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_every_proof_fits(kind, width, tmp_path, monkeypatch):
    one = stepping(kind, tmp_path, width, "batch")
    remembered(monkeypatch, f"the stepper's {kind}")
    block = "decoder.0" if kind == "seq2seq" else "blocks.0"
    for line in LINES.format(block=block).split("\n")[1:-1]:
        shown = said(one, line)
        assert shown.strip()
        assert max(map(cell_len, shown.splitlines())) <= width


@pytest.mark.parametrize("kind", KINDS)
def test_a_break_marks_every_screen_and_gradcheck_finds_it(kind, tmp_path, monkeypatch):
    one = stepping(kind, tmp_path, station="batch")
    remembered(monkeypatch, f"the stepper's {kind}")
    before = one.moment.grads
    assert "BROKEN" not in said(one, "where")
    said(one, "break scale-1.001")
    assert all("BROKEN: scale-1.001" in said(one, "n") for _ in range(4))
    shown = said(one, "gradcheck all 1")
    assert "are WRONG" in shown
    bad = [name for name, mark in one.view.checked.items() if mark == BAD]
    assert bad and all(name.endswith(".w") for name in bad)
    said(one, "fix")
    assert "BROKEN" not in said(one, "where")
    assert all(np.array_equal(a, b) for a, b in zip(tree.leaves(one.moment.grads), tree.leaves(before), strict=True))
    assert one.view.checked == {}
    assert f"All {len(tree.leaves(before))} are proved" in said(one, "gradcheck all 1")


def test_marks_stand_at_the_station_of_the_backward(tmp_path):
    one = stepping("digits", tmp_path, station="backward head")
    assert "checked" not in said(one, "where")
    said(one, "gradcheck head.w")
    said(one, "gradcheck head.b[2]")
    assert one.view.checked == {"head.w": OK, "head.b": "1 ok"}
    assert "checked" in said(one, "where")


def test_a_checkpoint_trained_while_broken_says_so(tmp_path):
    one = stepping("digits", tmp_path, station="batch")
    said(one, "break sign")
    said(one, "run epoch 1")
    said(one, "fix")
    said(one, "save")
    told = [{"after_update": 0, "setting": "gradients", "from": "right", "to": "sign"}]
    told.append({"after_update": 3, "setting": "gradients", "from": "sign", "to": "right"})
    assert checkpoint.load_model(tmp_path / "best.safetensors").notes["changes"] == told


def test_what_was_mended_before_any_update_is_not_told(tmp_path):
    one = stepping("digits", tmp_path, station="batch")
    said(one, "break sign")
    said(one, "fix sign")
    assert one.changes == []


def test_proofs_before_the_first_update_are_of_the_weights_as_they_are(tmp_path):
    one = stepping("digits", tmp_path)
    assert "All 27 are proved" in said(one, "gradcheck all 1")
    assert "there is no update in view" in said(one, "why head.w")


def test_a_break_without_effect_says_so(tmp_path):
    one = stepping("gpt", tmp_path, station="batch")
    assert "It changes" in said(one, "break forget-mask")
    said(one, "fix")
    known, full = problem("classifier"), TOKENS[:1]
    alone = Problem(known.params, Examples(full, full != 0, np.array([9])), known.model)
    right = alone.backward(alone.at)[2]
    breaking.swap("forget-mask")
    assert max(gradcheck.difference(alone.backward(alone.at)[2], right).values()) < spoiling.CHANGED


def test_jax_in_words(tmp_path):
    one = stepping("digits", tmp_path, station="batch")
    assert "The twins agree" in said(one, "jax")
    said(one, "break copy-qk")
    shown = said(one, "jax")
    assert "compiling" not in shown
    assert "DIFFER" in shown and "NumPy's backward is broken: copy-qk" in shown


def test_a_large_model_is_proved_along_directions_alone(tmp_path, monkeypatch):
    one = stepping("digits", tmp_path, station="batch")
    monkeypatch.setattr(proving, "seconds", lambda problem: 10.0)
    shown = said(one, "gradcheck all")
    assert "one direction through each tensor, about 270 seconds" in shown
    assert "All 27 are proved" in shown and "`gradcheck all 2` would take" in shown
    assert "`gradcheck blocks.0.attn 2` would take" in said(one, "gradcheck blocks.0.attn")


def test_a_place_is_proved_with_all_tensors_below_it_and_an_entry_names_its_bars(tmp_path):
    one = stepping("digits", tmp_path, station="batch")
    shown = said(one, "gradcheck blocks.0.attn")
    named = [line.split()[0] for line in shown.splitlines() if line.startswith("blocks.")]
    assert named == [f"blocks.0.attn.{part}.w" for part in "qkvo"]
    assert "All 4 are proved" in shown
    assert "All 2 are proved" in said(one, "gradcheck head. 1")
    assert "no tensor is called 'blocks.7'" in said(one, "gradcheck blocks.7")
    said(one, "break copy-qk")
    assert "2 of 4 gradients are WRONG" in said(one, "gradcheck blocks.0.attn 0")
    assert "the bars are 1e-11 beside the complex step" in " ".join(said(one, "gradcheck head.b[3]").split())


def test_marks_belong_to_the_moment_in_view(tmp_path):
    one = stepping("digits", tmp_path, station="after")
    said(one, "n")
    said(one, "gradcheck head.b")
    assert one.view.checked
    said(one, "b")
    assert not one.view.checked


def test_nothing_is_loaded_while_something_is_broken(tmp_path):
    one = stepping("digits", tmp_path, station="batch")
    said(one, "break sign")
    assert "sign would go on in what is loaded" in said(one, "load")
