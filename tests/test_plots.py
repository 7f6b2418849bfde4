"""Pictures: the numbers drawn are the numbers given, the bytes repeat, and a file that cannot be written is said so."""

import os
import re
import subprocess
import sys

import matplotlib
import numpy as np
import pytest

from common import evaluation, plots
from common.errors import UserError
from common.plots import attention, confusions, curves, gradients, vectors
from common.run import History

RNG = np.random.default_rng(0)
TOKENS = ["Max", "(", "5", "3", ")", "[PAD]", "[PAD]"]
W_HTS = RNG.dirichlet(np.ones(7), size=(2, 7))
TWINS = {"emb.w": [1e-16, 2e-15], "m.emb.w": [0.0, 1e-15], "v.emb.w": [1e-17, 1e-16]}
OPS = ("First", "Second", "Last", "Max", "Min")


def history(accuracy=(0.5, 0.9, 0.7)):
    epochs = [
        {"epoch": i, "step": 10 * i, "loss": 1 / i, "accuracy": a, "by_op": dict.fromkeys(OPS, a) | {"Min": a / 2}}
        for i, a in enumerate(accuracy, 1)
    ]
    n = 10 * len(accuracy)
    return History(np.linspace(3, 0.5, n).tolist(), np.linspace(0, 1, n).tolist(), epochs)


def table():
    counts = np.zeros((10, 11), dtype=np.int64)
    np.fill_diagonal(counts, 50)
    counts[3, 8], counts[7, 10] = 6, 2
    return counts


def similarity():
    w = np.random.default_rng(1).normal(size=(20, 8))
    return evaluation.embedding_similarity({"emb": {"w": w}})


PICTURES = {
    "training_curves": lambda path: plots.training_curves(history(), path, best_epoch=2),
    "accuracy_by_operation": lambda path: plots.accuracy_by_operation(history().epochs, path),
    "accuracy_by_length": lambda path: plots.accuracy_by_length({1: 1.0, 2: 0.5}, path, trained=1),
    "loss_by_position": lambda path: plots.loss_by_position([3.0, 2.0, 1.0], path, even=4.0),
    "confusion": lambda path: plots.confusion(table(), path),
    "attention_head": lambda path: plots.attention_head(W_HTS[0], TOKENS, path),
    "attention_heads": lambda path: plots.attention_heads([W_HTS, W_HTS], TOKENS, path),
    "attention_over_training": lambda path: plots.attention_over_training([(0, W_HTS), (9, W_HTS)], TOKENS, path),
    "embedding_pca": lambda path: plots.embedding_pca(RNG.normal(size=(10, 2)), 0.5, path),
    "similarity_matrix": lambda path: plots.similarity_matrix(similarity(), path),
    "twin_differences": lambda path: plots.twin_differences([1, 2], {"w": [0.0, 1e-15], "m.w": [1e-16, 1e-9]}, path),
    "parting": lambda path: plots.parting({"float64": {"sgd, 0.1": [(1, 1e-16), (2, 1e-9)]}}, path),
    "gradient_norms": lambda path: plots.gradient_norms({"emb.w": 2.0, "head.b": 0.01}, path),
}


@pytest.mark.parametrize("name", PICTURES)
def test_writes_the_file_it_returns(name, tmp_path):
    path = tmp_path / "new" / f"{name}.svg"
    assert PICTURES[name](path) == path
    assert path.read_bytes().startswith(b"<?xml")


def test_every_public_picture_is_tested():
    public = {
        name
        for room in (attention, confusions, curves, gradients, vectors)
        for name, it in vars(room).items()
        if callable(it) and getattr(it, "__module__", "") == room.__name__ and not name.startswith("_")
    }
    assert public == set(PICTURES) <= set(plots.__all__)


def test_png(tmp_path):
    assert plots.confusion(table(), tmp_path / "c.PNG").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_same_numbers_same_bytes_in_any_process_under_any_settings(suffix, tmp_path):
    here = plots.confusion(table(), tmp_path / f"a.{suffix}").read_bytes()
    script = (
        "import sys, numpy as np, matplotlib; matplotlib.rcParams.update({'font.size': 30, 'axes.grid': True})\n"
        "from common import plots; t = np.zeros((10, 11), int); np.fill_diagonal(t, 50); t[3, 8], t[7, 10] = 6, 2\n"
        "plots.confusion(t, sys.argv[1])"
    )
    there = tmp_path / f"b.{suffix}"
    environment = os.environ | {"PYTHONPATH": "src", "PYTHONHASHSEED": "7", "SOURCE_DATE_EPOCH": "0"}
    subprocess.run([sys.executable, "-c", script, there], env=environment, check=True)
    assert there.read_bytes() == here


def test_the_file_holds_no_date(tmp_path):
    assert b"dc:date" not in plots.confusion(table(), tmp_path / "c.svg").read_bytes()


def test_leaves_matplotlib_as_it_was(tmp_path):
    def settings():  # asking for the backend would choose one
        return {name: matplotlib.rcParams[name] for name in matplotlib.rcParams if name != "backend"}

    before = settings()
    PICTURES["gradient_norms"](tmp_path / "g.svg")
    assert settings() == before


def test_importing_plots_does_not_import_matplotlib():
    script = "import sys, common.plots; sys.exit(any(name.startswith('matplotlib') for name in sys.modules))"
    subprocess.run([sys.executable, "-c", script], env=os.environ | {"PYTHONPATH": "src"}, check=True)


def test_drawing_never_imports_pyplot(tmp_path):
    script = "import sys; from common import plots; plots.gradient_norms({'a': 1.0}, sys.argv[1])\n"
    script += "sys.exit('matplotlib.pyplot' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": "src"}
    subprocess.run([sys.executable, "-c", script, tmp_path / "g.png"], env=environment, check=True)


@pytest.mark.parametrize("name", ["there.jpg", "there", "there.svg.gz"])
def test_another_suffix_is_refused(name, tmp_path):
    with pytest.raises(UserError, match=r"there.*\.svg or \.png"):
        plots.confusion(table(), tmp_path / name)


def test_a_path_that_cannot_be_written_is_named_with_the_reason(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"file/c\.svg: .*cannot be written: .*(directory|exists)"):
        plots.confusion(table(), tmp_path / "file" / "c.svg")
    (tmp_path / "folder.svg").mkdir()
    with pytest.raises(UserError, match=r"folder\.svg: .*cannot be written: Is a directory"):
        plots.confusion(table(), tmp_path / "folder.svg")


# What is drawn, read back from the figure


def title(figure):
    return figure.get_suptitle()


def lines(axes):
    return {line.get_label(): (line.get_xdata(), line.get_ydata()) for line in axes.lines}


def texts(axes):
    return {(int(t.get_position()[1]), int(t.get_position()[0])): t.get_text() for t in axes.texts}


def test_training_curves_show_the_history():
    h = history()
    figure = curves._training_curves(h, 2)
    loss, accuracy = map(lines, figure.axes)
    np.testing.assert_array_equal(loss["training, each update"], [np.arange(1, 31), h.loss])
    np.testing.assert_allclose(accuracy["training, each update"][1], 100 * np.array(h.accuracy))
    np.testing.assert_allclose(loss["validation, end of epoch"], [[10, 20, 30], [1, 1 / 2, 1 / 3]])
    np.testing.assert_allclose(accuracy["validation, end of epoch"], [[10, 20, 30], [50, 90, 70]])
    assert set(loss["best epoch (2)"][0]) == {20}
    assert title(figure) == "Best epoch 2 of 3: 90.0 % right on the validation part"


def test_the_smoothed_line_is_a_mean_drawn_in_the_middle_of_its_window():
    figure = curves._training_curves(history(), None)
    x, y = lines(figure.axes[0])["training, mean of 5 updates"]
    assert x[0] == 3
    assert x[-1] == 28
    np.testing.assert_allclose(y, np.linspace(3, 0.5, 30)[2:-2])  # the mean of a straight line is its middle


def test_training_curves_before_the_end_of_an_epoch():
    assert "first 2 updates" in title(curves._training_curves(History([2.0, 1.0], [0.1, 0.2]), None))
    with pytest.raises(UserError, match="before the first update"):
        curves._training_curves(History(), None)


def test_accuracy_by_operation_shows_each_operation():
    figure = curves._accuracy_by_operation(history().epochs)
    drawn = lines(figure.axes[0])
    assert tuple(drawn) == OPS
    np.testing.assert_allclose(drawn["Max"], [[1, 2, 3], [50, 90, 70]])
    np.testing.assert_allclose(drawn["Min"], [[1, 2, 3], [25, 45, 35]])
    assert title(figure) == "After epoch 3: the weakest is Min, 35.0 %"


def test_confusion_colours_errors_alone_and_writes_every_count():
    figure = confusions._confusion(table())
    axes = figure.axes[0]
    np.testing.assert_array_equal(axes.images[0].get_array(), np.where(np.eye(10, 11) == 1, 0, table()))
    assert axes.images[0].norm.vmax == 6
    written = texts(axes)
    assert written[4, 4] == "50"
    assert written[3, 8] == "6"
    assert written[7, 10] == "2"
    assert sum(text == "·" for text in written.values()) == 110 - 12
    assert title(figure) == "8 of 508 answers are wrong, most often 3 taken for 8 (6 times)"


def test_confusion_titles():
    counts = np.zeros((10, 11), dtype=np.int64)
    np.fill_diagonal(counts, 200)
    assert title(confusions._confusion(counts)) == "All 2,000 answers are right"
    counts[1, 10] = 1
    assert title(confusions._confusion(counts)) == "1 of 2,001 answers is wrong"
    counts[1, 2] = 1
    assert title(confusions._confusion(counts)) == "2 of 2,002 answers are wrong, no two in the same way"


def test_attention_of_one_head_leaves_padding_out():
    figure = attention._attention_head(W_HTS[0], TOKENS, None, "block 1")
    axes = figure.axes[0]
    np.testing.assert_array_equal(axes.images[0].get_array(), W_HTS[0][:5, :5])
    assert [label.get_text() for label in axes.get_xticklabels()] == TOKENS[:5]
    assert [label.get_text() for label in axes.get_yticklabels()] == TOKENS[:5]
    written = texts(axes)
    assert written == {(t, s): f"{100 * W_HTS[0][t, s]:.0f}" for t in range(5) for s in range(5)}
    place = int(np.argmax(W_HTS[0][0, :5]))
    assert f"“Max” looks most at “{TOKENS[place]}” ({100 * W_HTS[0][0, place]:.0f} %)" in title(figure)


NAMES = ["=", "$", "\n"]
"""Positions that look, which are not those that are looked at."""


def test_positions_that_look_may_be_others_than_those_that_are_looked_at():
    w_TS = np.random.default_rng(3).dirichlet(np.ones(5), size=3)
    w_TS[0, 4] = 0
    figure = attention._attention_head(w_TS, ["a", "$", " ", "\x1b", "漢"], NAMES, "head 0")
    axes = figure.axes[0]
    assert (texts(axes)[0, 4], texts(axes)[1, 4]) == ("", f"{100 * w_TS[1, 4]:.0f}")
    np.testing.assert_array_equal(axes.images[0].get_array(), w_TS)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["a", "$", "␣", "U+001B", "U+6F22"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["=", "$", "↵"]
    assert "“=” looks most at" in title(figure)


@pytest.mark.parametrize("over_training", [False, True])
def test_grids_of_positions_that_look_draw_every_weight(over_training, tmp_path):
    w_HTS = np.random.default_rng(4).dirichlet(np.ones(4), size=(2, 3))
    tokens, path = ["$", "$", "\t", "x"], tmp_path / "grid.png"
    if over_training:
        figure = attention._attention_over_training([(1, w_HTS), (2, w_HTS)], tokens, NAMES, "block 0")
        plots.attention_over_training([(1, w_HTS)], tokens, path, rows=NAMES)
    else:
        figure = attention._attention_heads([w_HTS, w_HTS], tokens, NAMES)
        plots.attention_heads([w_HTS], tokens, path, rows=NAMES)
    for number, axes in enumerate(axes for axes in figure.axes if axes.get_title()):
        np.testing.assert_array_equal(axes.images[0].get_array(), w_HTS[number % 2])


def test_accuracy_by_length_shows_each_length_and_names_the_weakest():
    figure = curves._accuracy_by_length({3: 0.9, 1: 1.0, 2: 0.9}, 2)
    np.testing.assert_allclose(figure.axes[0].lines[0].get_xydata(), [[1, 100], [2, 90], [3, 90]])
    assert set(figure.axes[0].lines[1].get_xdata()) == {2.5}
    assert title(figure) == "Of all lengths the weakest are answers of 2, 90.0 %"
    assert title(curves._accuracy_by_length({1: 1.0}, None)) == "Every length at 100 %"


def test_loss_by_position_is_in_bits_and_its_groups_double():
    nats = np.log(2) * np.array([5.0, 4.0, 3.0, 2.0, 1.0])
    figure = curves._loss_by_position(nats.tolist(), np.log(2) * 6)
    each, means, even = figure.axes[0].lines
    np.testing.assert_allclose(each.get_xydata(), [[1, 5], [2, 4], [3, 3], [4, 2], [5, 1]])
    np.testing.assert_allclose(means.get_xydata(), [[1, 5], [2, 4], [3.5, 2.5], [5, 1]])
    np.testing.assert_allclose(even.get_ydata(), 6)
    assert title(figure) == "After 1 token the next one costs 5.00 bits, after 5 it costs 1.00"


def test_weights_that_do_not_fit_are_not_written():
    figure = attention._attention_head(np.full((48, 48), 1 / 48), ["7"] * 48, None, "long")
    assert not figure.axes[0].texts


@pytest.mark.parametrize("over_training", [False, True])
def test_attention_grids_have_a_row_for_each_block_or_moment_and_a_column_for_each_head(over_training):
    rows = [W_HTS, W_HTS[::-1], W_HTS[:, ::-1]]
    if over_training:
        figure = attention._attention_over_training(list(zip([0, 5, 9], rows, strict=True)), TOKENS, None, "block 2")
        names = ["update 0", "update 5", "update 9"]
    else:
        figure = attention._attention_heads(rows, TOKENS, None)
        names = ["block 0", "block 1", "block 2"]
    maps = [axes for axes in figure.axes if axes.get_title()]
    assert len(maps) == 3 * 2
    for number, axes in enumerate(maps):
        np.testing.assert_array_equal(axes.images[0].get_array(), rows[number // 2][number % 2][:5, :5])
    assert [axes.get_ylabel() for axes in maps[::2]] == names


def test_embedding_pca_joins_the_digits_in_order():
    places = np.random.default_rng(2).normal(size=(10, 2))
    figure = vectors._embedding_pca(places, 0.973)
    axes = figure.axes[0]
    np.testing.assert_array_equal(axes.lines[0].get_xydata(), places)
    assert [t.get_text() for t in axes.texts] == [str(digit) for digit in range(10)]
    np.testing.assert_array_equal([t.get_position() for t in axes.texts], places)
    assert "component orders the digits" in title(figure)
    assert "0.97" in title(figure)
    assert "does not order" in title(vectors._embedding_pca(places, 0.2))


def test_similarity_matrix_shows_both_tables():
    found = similarity()
    figure = vectors._similarity_matrix(found)
    for axes, cosine in zip(figure.axes[:2], (found.cosine, found.op_cosine), strict=True):
        np.testing.assert_array_equal(axes.images[0].get_array(), cosine)
        assert texts(axes)[1, 3] == f"{cosine[1, 3]:z.2f}"
        assert (axes.images[0].norm.vmin, axes.images[0].norm.vmax) == (-1, 1)
    than = "more alike than" if found.neighbours > found.distant else "no more alike than"
    assert re.search(rf"{than}.* {found.neighbours:.2f} and {found.distant:.2f}", title(figure))


def test_gradient_norms_show_every_tensor_and_say_zero():
    figure = gradients._gradient_norms({"emb.w": 2.0, "attn.k.b": 0.0, "head.w": 0.02, "q.b": 0.0})
    axes = figure.axes[0]
    np.testing.assert_array_equal(axes.lines[0].get_xydata(), [[2.0, 0], [0.02, 2]])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["emb.w", "attn.k.b", "head.w", "q.b"]
    assert [(t.get_text(), t.get_position()[1]) for t in axes.texts] == [("0", 1), ("0", 3)]
    assert title(figure) == "Largest gradient: emb.w (2), 100 times the smallest, head.w"


def test_twin_differences_show_each_tensor_and_leave_exact_zeros_out():
    figure = gradients._twin_differences([1, 2], TWINS)
    drawn = [line.get_xydata().tolist() for line in figure.axes[0].lines]
    np.testing.assert_array_equal(
        drawn, [[[1, y], [2, z]] for y, z in ((1e-16, 2e-15), (np.nan, 1e-15), (1e-17, 1e-16))]
    )
    assert "by more than 2.0e-15" in figure.axes[0].get_title(loc="left")


def test_parting_has_a_panel_for_each_dtype_and_a_line_for_each_setting():
    runs = {
        "float64": {"a": [(1, 1e-16), (2, 1e-15)], "b": [(1, 1e-14), (3, 1e-9)]},
        "float32": {"a": [(1, 1e-7), (2, 1e-6)], "b": [(1, 0.0), (3, 1e-5)]},
    }
    figure = gradients._parting(runs)
    for axes, (dtype, lines) in zip(figure.axes, runs.items(), strict=True):
        assert axes.get_title(loc="left") == dtype
        for line, (name, seen) in zip(axes.lines, lines.items(), strict=True):
            assert line.get_label() == name
            np.testing.assert_array_equal(line.get_xdata(), [step for step, _ in seen])
            np.testing.assert_array_equal(line.get_ydata(), [worst or np.nan for _, worst in seen])
