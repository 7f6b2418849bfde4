"""The digit task: right answers, an honest split, batches that repeat, a vocabulary that never moves."""

from itertools import product

import numpy as np
import pytest

from common import random, vocabulary
from common.config import DigitsConfig, TrainConfig
from common.data import batching, digits
from common.data.digits import Expression
from common.errors import UserError

TASK = DigitsConfig()
RANGE = DigitsConfig(min_args=2, max_args=5)
TINY = DigitsConfig(ops=("First",), min_args=1, max_args=1, max_value=1)
ALL = list(digits.listed(TASK))
PARTS = ("train", "validation", "test")


def expression_of(tokens):
    words = vocabulary.decode(tokens.tolist()).split()
    return Expression(words[0], tuple(map(int, words[2:-1])))


# Vocabulary and answers


def test_the_vocabulary_is_the_twenty_tokens_in_their_order():
    wanted = ["[PAD]", "[EOS]", *"0123456789", "First", "Second", "Last", "Max", "Min", "(", ")", ","]
    assert list(vocabulary.TOKENS) == wanted
    assert [vocabulary.ID[token] for token in wanted] == list(range(20))
    assert vocabulary.PAD == 0
    assert vocabulary.EOS == 1
    assert [vocabulary.TOKENS[i] for i in vocabulary.DIGIT_IDS] == list("0123456789")
    assert vocabulary.encode("Max ( 5 3 9 )") == [15, 17, 7, 5, 11, 18]
    assert Expression("Max", (5, 3, 9)).tokens == [15, 17, 7, 5, 11, 18]


def test_a_word_that_is_no_token_is_refused():
    with pytest.raises(KeyError):
        vocabulary.encode("Max ( 5 3 23 )")


def test_every_expression_survives_tokens_and_back():
    assert [expression_of(np.array([*e.tokens, 0, 0])) for e in ALL] == ALL
    assert [vocabulary.decode(e.tokens) for e in ALL] == [e.text for e in ALL]


def test_the_space_is_all_5000_expressions():
    assert digits.size(TASK) == len(ALL) == len(set(ALL)) == 5000
    assert digits.size(RANGE) == 5 * (100 + 1000 + 10_000 + 100_000)
    small = DigitsConfig(min_args=2, max_args=4, max_value=3)
    assert digits.size(small) == len(set(digits.listed(small))) == 5 * (16 + 64 + 256)


def test_answers_equal_another_implementation():
    for e in ALL:
        ascending = sorted(e.args)
        wanted = {"First": e.args[0], "Second": e.args[1], "Last": e.args[2], "Max": ascending[2], "Min": ascending[0]}
        assert e.answer == wanted[e.op]
        assert vocabulary.TOKENS[e.target] == str(wanted[e.op])


# Split


@pytest.mark.parametrize("split_seed", [0, 1, 2, 3])
def test_the_split_is_80_10_10_within_sampling_error(split_seed):
    parts = [digits.part(e, split_seed) for e in ALL]
    counts = np.array([parts.count(name) for name in PARTS])
    expected = 5000 * np.array([0.8, 0.1, 0.1])
    assert np.sum((counts - expected) ** 2 / expected) < 13.8  # chi-square, two degrees of freedom, p = 0.001


def test_the_split_of_a_range_is_80_10_10_for_every_number_of_arguments():
    for n in (2, 3, 4):
        arguments = list(product(range(10), repeat=n))
        held_out = np.mean([digits.part(Expression("Max", args), 0) != "train" for args in arguments])
        assert abs(held_out - 0.2) < 3.3 * np.sqrt(0.2 * 0.8 / len(arguments))


def test_the_split_is_a_function_of_split_seed_and_expression_alone():
    one = DigitsConfig(ops=("Max",), max_value=4)
    for name in PARTS:
        kept = {e for e in digits.held_out(TASK, name) if e.op == "Max" and max(e.args) <= 4}
        assert kept == set(digits.held_out(one, name))
    other = DigitsConfig(split_seed=1)
    assert set(digits.held_out(TASK, "test")) != set(digits.held_out(other, "test"))


@pytest.mark.parametrize(("split_seed", "wanted"), [(0, "RRREERRVER"), (1, "RERRRRRVRR")])
def test_the_split_stands_for_ever(split_seed, wanted):
    """Frozen: models ship with the project, and after another hash some of their training data would be held out."""
    letter = {"train": "R", "validation": "V", "test": "E"}
    assert "".join(letter[digits.part(Expression("Max", (5, 3, d)), split_seed)] for d in range(10)) == wanted


@pytest.mark.parametrize("task", [TASK, RANGE], ids=["3", "2-5"])
def test_held_out_expressions_are_the_same_for_every_training_seed(task):
    first, second = (digits.load(task, seed=seed, examples=500) for seed in (0, 1))
    for name in ("validation", "test"):
        for a, b in zip(getattr(first, name), getattr(second, name), strict=True):
            np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first.train.tokens, second.train.tokens)


@pytest.mark.parametrize("task", [TASK, RANGE, DigitsConfig(split_seed=7)], ids=["3", "2-5", "another split"])
@pytest.mark.parametrize(("seed", "examples"), [(0, 1000), (1, 10_000), (2**32 - 1, 3000)])
def test_no_training_example_is_held_out(task, seed, examples):
    data = digits.load(task, seed=seed, examples=examples)
    train, validation, test = (
        {expression_of(row) for row in part.tokens} for part in (data.train, data.validation, data.test)
    )
    assert not train & validation
    assert not train & test
    assert not validation & test
    assert len(data.train.targets) == examples
    assert data.train_distinct == len(train)
    assert data.overlap == 0


def test_validation_and_test_hold_every_expression_of_their_part_once():
    data = digits.load(TASK, seed=0, examples=10)
    for part, name in ((data.validation, "validation"), (data.test, "test")):
        assert [expression_of(row) for row in part.tokens] == [e for e in ALL if digits.part(e, 0) == name]


def test_a_space_too_large_to_list_is_sampled_without_repetition():
    sample = digits.held_out(RANGE, "test")
    assert len(set(sample)) == len(sample) == digits.SAMPLE
    assert {digits.part(e, 0) for e in sample} == {"test"}
    assert {len(e.args) for e in sample} == {2, 3, 4, 5}


def test_a_planted_leak_raises(monkeypatch):
    honest = digits.draw_train
    leak = digits.held_out(TASK, "test")[3]
    monkeypatch.setattr(digits, "draw_train", lambda key, task, n: [*honest(key, task, n - 1), leak])
    with pytest.raises(ValueError, match="1 held-out expressions are among the training examples"):
        digits.load(TASK, seed=0, examples=100)


def test_a_task_too_small_to_split_is_refused():
    with pytest.raises(UserError, match="2 distinct expressions, too few to hold some out"):
        digits.load(TINY, seed=0, examples=10)


def test_a_space_hardly_too_large_to_list_still_has_its_sample():
    """The sample is drawn without repetition: were it nearly the whole part, drawing the last ones would never end."""
    smallest_part = digits.LISTABLE / 10 - 10 * np.sqrt(digits.LISTABLE / 10)
    assert smallest_part > 1.5 * digits.SAMPLE


def test_training_examples_are_uniform_over_operations_and_arguments():
    data = digits.load(TASK, seed=3, examples=20_000)
    shares = [np.bincount(data.train.tokens[:, 0], minlength=20)[12:17]]
    shares += [np.bincount(data.train.tokens[:, place], minlength=20)[2:12] for place in (2, 3, 4)]
    for counts in shares:
        # the train part itself is uneven: 4,000 expressions drawn from 5,000 add their own sampling error to the draw's
        cell = len(counts)
        spread = np.sqrt(20_000 / cell + (20_000 / 4000) ** 2 * 4000 / cell * 0.2)
        assert np.abs(counts - 20_000 / cell).max() < 4 * spread


def test_arguments_stay_in_the_configured_range():
    task = DigitsConfig(ops=("Min", "Last"), min_args=1, max_args=4, max_value=6)
    drawn = digits.draw_train(random.key(0), task, 2000)
    assert {e.op for e in drawn} == {"Min", "Last"}
    assert {len(e.args) for e in drawn} == {1, 2, 3, 4}
    assert {arg for e in drawn for arg in e.args} == set(range(7))


# Padding and batches


def test_examples_are_padded_with_a_true_mask():
    examples = digits.to_examples([Expression("Max", (5, 3)), Expression("First", (1, 2, 3, 4, 5))], RANGE)
    np.testing.assert_array_equal(examples.tokens, [[15, 17, 7, 5, 18, 0, 0, 0], [12, 17, 3, 4, 5, 6, 7, 18]])
    np.testing.assert_array_equal(examples.mask, [[True] * 5 + [False] * 3, [True] * 8])
    np.testing.assert_array_equal(examples.targets, [7, 3])


def test_padding_refuses_what_does_not_fit():
    with pytest.raises(UserError, match="4 tokens does not fit into 3"):
        batching.pad([[1, 2, 3, 4]], 3)
    with pytest.raises(UserError, match="empty sequence"):
        batching.pad([[1], []])


TRAIN = TrainConfig(examples=100, epochs=3, batch_size=16, seed=5)


def test_batches_are_a_function_of_examples_seed_and_step():
    one, two = (digits.load(TASK, seed=5, examples=100).train for _ in range(2))
    steps = [0, 5, 6, 17]
    forwards = [batching.batch(one, TRAIN, step) for step in steps]
    backwards = [batching.batch(two, TRAIN, step) for step in reversed(steps)][::-1]
    for a, b in zip(forwards, backwards, strict=True):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_array_equal(x, y)


def test_every_epoch_is_a_permutation_without_repeats():
    epochs = [batching.rows(TRAIN, epoch) for epoch in range(3)]
    for rows in epochs:
        assert rows.shape == (6, 16)
        assert len(set(rows.ravel().tolist())) == 96
        assert set(rows.ravel().tolist()) <= set(range(100))
    left_out = [set(range(100)) - set(rows.ravel().tolist()) for rows in epochs]
    assert left_out[0] != left_out[1] != left_out[2]
    whole = batching.rows(TrainConfig(examples=96, batch_size=16), 0)
    assert sorted(whole.ravel().tolist()) == list(range(96))


def test_epochs_and_seeds_differ():
    orders = {
        batching.rows(TrainConfig(examples=64, batch_size=16, seed=s), e).tobytes() for s in (0, 1) for e in (0, 1)
    }
    assert len(orders) == 4


def test_batch_number_step_is_the_row_of_its_epoch():
    examples = digits.load(TASK, seed=5, examples=100).train
    taken = batching.batch(examples, TRAIN, 6 + 2)
    rows = batching.rows(TRAIN, 1)[2]
    np.testing.assert_array_equal(taken.tokens, examples.tokens[rows])
    np.testing.assert_array_equal(taken.targets, examples.targets[rows])
