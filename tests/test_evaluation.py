"""Judgement of a run: counts held against tables made by hand, geometry against embeddings made to measure."""

import numpy as np
import pytest

from common import evaluation
from common.data.batching import Examples, Pairs
from common.evaluation import Evaluation
from common.run import Best, History
from common.vocabulary import ID


def digit_ids(*values):
    return np.array([ID[str(value)] for value in values])


def examples(ops, answers):
    tokens = np.array([[ID[op], ID["("]] for op in ops])
    return Examples(tokens, np.ones_like(tokens, dtype=bool), digit_ids(*answers))


# Counting


def test_judge_counts_in_all_and_by_operation():
    asked = examples(["Min", "Max", "Max", "Max", "First"], [1, 2, 3, 4, 5])
    found = evaluation.judge(0.5, np.array([*digit_ids(9, 2, 3, 0), ID["Max"]]), asked)
    assert found.loss == 0.5
    assert found.accuracy == 2 / 5
    assert found.by_op == {"First": 0.0, "Max": 2 / 3, "Min": 0.0}
    np.testing.assert_array_equal(found.predictions, [11, 4, 5, 2, 15])


def test_accuracy_table_is_in_the_vocabularys_order():
    assert evaluation.accuracy_table({"Min": 0.1, "First": 0.2}) == [("First", 0.2), ("Min", 0.1)]


def test_confusion_against_a_table_made_by_hand():
    right = digit_ids(0, 0, 0, 3, 3, 9)
    answered = np.array([*digit_ids(0, 0, 4, 3, 8), ID[")"]])
    wanted = np.zeros((10, 11), dtype=int)
    wanted[0, 0], wanted[0, 4], wanted[3, 3], wanted[3, 8], wanted[9, 10] = 2, 1, 1, 1, 1
    np.testing.assert_array_equal(evaluation.confusion(answered, right), wanted)


def test_padding_share():
    assert evaluation.padding_share(np.array([[True, True, True, False], [True, False, False, False]])) == 0.5


# Best epoch


@pytest.mark.parametrize(
    ("accuracy", "loss", "is_better"),
    [
        (0.95, 9.0, True),  # more right answers, whatever the loss
        (0.85, 0.0, False),
        (0.9, 0.4, True),  # as many right answers, lower loss
        (0.9, 0.6, False),
        (0.9, 0.5, False),  # a full tie: the earlier epoch stays
    ],
)
def test_better_is_more_right_answers_then_a_lower_loss(accuracy, loss, is_better):
    best = Best({}, epoch=1, step=10, accuracy=0.9, loss=0.5)
    assert evaluation.better(best, Evaluation(loss, accuracy, {}, np.array([]))) is is_better


def test_the_first_epoch_is_the_best_so_far():
    assert evaluation.better(None, Evaluation(9.0, 0.0, {}, np.array([])))


# Overfitting


def run(*records):
    names = ("train_accuracy", "accuracy", "train_loss", "loss")
    return History(epochs=[dict(zip(names, record, strict=True)) for record in records])


def test_overfitting_by_accuracy_names_both():
    sentence = evaluation.overfitting(run((0.995, 0.613, 0.1, 0.9)))
    assert sentence == "overfitting: 99.5 % right in training, 61.3 % in validation"
    assert evaluation.overfitting(run((0.70, 0.61, 0.1, 0.9))) is None
    assert evaluation.overfitting(run((0.70, 0.61, 0.1, 0.9)), gap=0.05) is not None
    assert evaluation.overfitting(run((0.99, 0.5, 1, 1), (0.99, 0.98, 1, 1))) is None  # it has caught up


def test_overfitting_by_loss_needs_three_epochs_in_a_row():
    falling, rising = [0.4, 0.3, 0.2, 0.1], [1.0, 1.1, 1.2, 1.3]
    rows = [(0.9, 0.9, a, b) for a, b in zip(falling, rising, strict=True)]
    assert evaluation.overfitting(run(*rows)) == (
        "overfitting: validation loss has risen for three epochs while training loss fell"
    )
    assert evaluation.overfitting(run((0.9, 0.9, 9, 9), *rows)) is not None  # only the last four count
    assert evaluation.overfitting(run(*rows[:3])) is None
    assert evaluation.overfitting(run(*rows[:3], (0.9, 0.9, 0.1, 1.15))) is None  # the last one fell again
    assert evaluation.overfitting(run(*rows[:3], (0.9, 0.9, 0.25, 1.3))) is None  # training loss rose too


def test_overfitting_of_a_run_without_epochs():
    assert evaluation.overfitting(History()) is None


# Embeddings


def embedding(digit_rows):
    w = np.random.default_rng(0).normal(size=(20, digit_rows.shape[1]))
    w[2:12] = digit_rows
    return {"emb": {"w": w.astype(np.float32)}}


def test_similarity_of_a_perfect_number_line():
    value = np.arange(10.0)
    rows = np.stack([0 * value, value - 4.5, 0 * value + 3], axis=1)  # on a line, in order, three from the origin
    found = evaluation.embedding_similarity(embedding(rows))
    assert found.number_line == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(found.norms, np.hypot(value - 4.5, 3), rtol=1e-6)
    angle = np.arctan2(value - 4.5, 3)
    np.testing.assert_allclose(found.cosine, np.cos(np.subtract.outer(angle, angle)), atol=1e-6)
    assert found.neighbours == pytest.approx(np.cos(np.diff(angle)).mean(), abs=1e-6)
    pairs = [(i, j) for i in range(10) for j in range(10) if abs(i - j) >= 5]
    assert found.distant == pytest.approx(np.mean([np.cos(angle[i] - angle[j]) for i, j in pairs]), abs=1e-6)
    assert found.neighbours > found.distant


def test_similarity_does_not_see_a_line_where_there_is_none():
    rows = np.zeros((10, 2))
    rows[:, 0] = np.abs(np.arange(10) - 4.5)  # 0 and 9 together, 4 and 5 together: no order along the axis
    rows[:, 1] = 1
    assert evaluation.embedding_similarity(embedding(rows)).number_line == pytest.approx(0, abs=1e-6)


def test_similarity_of_orthogonal_digits_and_of_operations():
    params = embedding(np.eye(10))
    params["emb"]["w"][12:17] = np.eye(10)[[0, 1, 2, 3, 3]]
    found = evaluation.embedding_similarity(params)
    np.testing.assert_allclose(found.cosine, np.eye(10), atol=1e-7)
    assert (found.neighbours, found.distant) == (0, 0)
    wanted = np.eye(5)
    wanted[3, 4] = wanted[4, 3] = 1  # Max and Min share their vector
    np.testing.assert_allclose(found.op_cosine, wanted, atol=1e-7)


def test_principal_components_are_distances_along_the_greatest_spread():
    rows = np.array([[0, 0, 5.0], [3, 0, 5], [-3, 0, 5], [0, 1, 5], [0, -1, 5]])
    found = evaluation.principal_components(rows)
    np.testing.assert_allclose(np.abs(found), np.abs(rows[:, :2]), atol=1e-12)


# Attention


@pytest.mark.parametrize(
    ("weights", "name"),
    [
        (np.eye(6), "focused"),
        (np.full((6, 6), 1 / 6), "distributed"),
        (np.tile([0.5, 0.5, 0, 0, 0, 0], (6, 1)), "mixed"),  # log 2 / log 6 = 0.39
        (np.tile([0.98, 0.004, 0.004, 0.004, 0.004, 0.004], (6, 1)), "focused"),
        (np.ones((1, 1)), "focused"),
    ],
)
def test_attention_pattern(weights, name):
    assert evaluation.attention_pattern(weights) == name


@pytest.mark.parametrize(("length", "rows"), [(3, 512), (32, 512), (33, 496), (128, 128), (20_000, 1)])
def test_long_examples_are_asked_few_at_a_time(length, rows):
    examples = Examples(*(np.zeros((2, length), int) for _ in range(2)), np.zeros(2, int))
    assert evaluation.rows_at_once(examples) == rows
    short = np.zeros((2, 2), int)
    for sides in ((short, examples.tokens), (examples.tokens, short)):
        pairs = Pairs(sides[0], sides[0] == 0, sides[1], sides[1], sides[1] == 0)
        assert evaluation.rows_at_once(pairs) == rows
