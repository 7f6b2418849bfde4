"""Sequence tasks: the right answers, an honest split, and arrays in which only the answer counts."""

from itertools import islice

import numpy as np
import pytest

from common import random
from common.config import SEQUENCE_TASKS, SequenceConfig
from common.data import sequences
from common.data.split import part
from common.errors import UserError
from common.vocabulary import EOS, ID, OPERATIONS, PAD, START, TOKENS, WORDS, decode, encode

every_task = pytest.mark.parametrize("name", SEQUENCE_TASKS)


def problems(name, n=500, **settings):
    return list(islice(sequences.stream(random.key(3), SequenceConfig(task=name, **settings)), n))


def truth(question):
    """The answer, computed again from the words of the question alone."""
    words = question[:-1]
    if "+" in words:
        plus = words.index("+")
        return list(str(int("".join(words[:plus])) + int("".join(words[plus + 1 :]))))
    if words[0] in OPERATIONS:
        inside = " ".join(words[2:-1]).split(" , ")
        numbers = [int(number.replace(" ", "")) for number in inside]
        pick = {
            "First": numbers[0],
            "Second": numbers[1],
            "Last": numbers[-1],
            "Max": max(numbers),
            "Min": min(numbers),
        }
        return list(str(pick[words[0]]))
    row = list(words[1:])
    return {"Copy": row, "Reverse": row[::-1], "Sort": sorted(row)}[words[0]]


@every_task
def test_every_answer_is_right(name):
    for problem in problems(name):
        assert problem.question[-1] == "="
        assert list(problem.answer) == truth(problem.question)


def test_the_examples_of_the_issue():
    assert sequences.expression("Max", (23, 45, 89)).text == "Max ( 2 3 , 4 5 , 8 9 ) ="
    assert sequences.expression("Max", (23, 45, 89)).answer == ("8", "9")
    assert sequences.addition(195, 7).answer == ("2", "0", "2")
    assert sequences.row("sort", (3, 1, 4)).answer == ("1", "3", "4")


def test_the_first_twenty_tokens_never_move():
    assert WORDS[:20] == TOKENS
    assert WORDS[20:] == ("=", "[START]", "+", "Copy", "Reverse", "Sort")
    text = "Reverse 3 1 ="
    assert decode(encode(text)) == text


@every_task
def test_lengths_stay_within_what_the_task_says(name):
    task = SequenceConfig(task=name)
    found = problems(name, 2000)
    assert max(len(p.prompt) for p in found) == task.max_prompt
    assert max(len(p.answer) for p in found) == task.max_answer


@every_task
def test_the_split_is_honest(name):
    task = SequenceConfig(task=name)
    held = {which: set(sequences.held_out(task, which, 200)) for which in ("validation", "test")}
    assert not held["validation"] & held["test"]
    for which, found in held.items():
        assert len(found) == 200
        assert {part(p.text, task.split_seed) for p in found} == {which}
    for seed in range(3):
        train = sequences.draw_train(random.fold_in(random.key(seed), 1), task, 2000)
        assert {part(p.text, task.split_seed) for p in train} == {"train"}
    other = SequenceConfig(task=name, split_seed=1)
    assert set(sequences.held_out(other, "test", 200)) != held["test"]


def test_what_is_held_out_does_not_depend_on_the_run():
    task = SequenceConfig(task="copy")
    a, b = (sequences.load(task, seed=seed, examples=50, pairs=False) for seed in (0, 1))
    assert np.array_equal(a.test.tokens, b.test.tokens)
    assert not np.array_equal(a.train.tokens, b.train.tokens)
    assert (a.overlap, b.overlap) == (0, 0)


def test_a_planted_leak_is_found(monkeypatch):
    monkeypatch.setattr(sequences, "draw_train", lambda key, task, n: sequences.held_out(task, "test", n))
    with pytest.raises(ValueError, match="the split is broken"):
        sequences.load(SequenceConfig(task="copy"), seed=0, examples=5, pairs=False)


def test_a_task_without_enough_questions_says_so():
    tiny = SequenceConfig(task="copy", min_length=1, max_length=1, split_seed=4)
    parts = {part(f"Copy {digit} =", 4) for digit in range(10)}
    missing = {"train", "validation", "test"} - parts
    assert missing  # ten questions: chosen so that a part is empty
    with pytest.raises(UserError, match="too few questions"):
        sequences.held_out(tiny, missing.pop(), 3)


@every_task
def test_texts_ask_for_the_answer_and_nothing_else(name):
    task = SequenceConfig(task=name)
    found = problems(name, 40)
    texts = sequences.to_texts(found, task)
    for problem, tokens, targets, weights in zip(found, *texts, strict=True):
        assert targets[weights].tolist() == problem.reply
        assert tokens[: len(problem.prompt)].tolist() == problem.prompt
        first = int(np.argmax(weights))
        assert tokens[first] == ID["="]
        np.testing.assert_array_equal(tokens[1:], targets[:-1])


@every_task
def test_pairs_read_the_question_and_write_the_answer(name):
    task = SequenceConfig(task=name)
    found = problems(name, 40)
    pairs = sequences.to_pairs(found, task)
    for problem, src, mask, tokens, targets, weights in zip(found, *pairs, strict=True):
        assert src[mask].tolist() == problem.prompt
        assert (src[~mask] == PAD).all()
        assert targets[weights].tolist() == problem.reply
        assert targets[weights][-1] == EOS
        assert tokens[weights].tolist() == [START, *problem.reply[:-1]]


def test_rows_are_taken_together():
    pairs = sequences.to_pairs(problems("sort", 9), SequenceConfig(task="sort"))
    taken = pairs.take(np.array([4, 1]))
    for part_, whole in zip(taken, pairs, strict=True):
        np.testing.assert_array_equal(part_, whole[[4, 1]])


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"task": "shout"}, "task must be one of"),
        ({"ops": ("Maxx",)}, "did you mean Max"),
        ({"min_length": 5, "max_length": 4}, "max_length must be"),
        ({"max_value": 0}, "max_value"),
        ({"split_seed": -1}, "split_seed"),
    ],
)
def test_a_senseless_task_is_refused(settings, said):
    with pytest.raises(UserError, match=said):
        SequenceConfig(**settings)
