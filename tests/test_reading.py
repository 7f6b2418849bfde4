"""Reading what people type to a sequence model: every spelling of a question is that question, nothing is guessed."""

from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common import random
from common.config import SEQUENCE_TASKS, SequenceConfig
from common.data import sequences
from common.data.pieces import ParseError, Untrained
from common.data.reading import LONGEST, example, read

TASKS = {name: SequenceConfig(task=name) for name in SEQUENCE_TASKS} | {
    "one argument": SequenceConfig(min_args=1, max_args=1, ops=("First", "Max"), max_value=999),
    "two to five": SequenceConfig(min_args=2, max_args=5, max_value=12),
    "small sums": SequenceConfig(task="add", max_digits=1),
    "long rows": SequenceConfig(task="reverse", min_length=4, max_length=30),
}
UP_TO_THREE = SequenceConfig(ops=("Max",), min_args=1)
OPERATIONS, ADD, SORT = TASKS["operations"], TASKS["add"], TASKS["sort"]
every_task = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
every_time_the_same = settings(derandomize=True, database=None, deadline=None, max_examples=300)
blanks = st.sampled_from(["", " ", "   ", "\t", " \t "])


def problems(task, n=200):
    return list(islice(sequences.stream(random.key(5), task), n))


SOME = {name: problems(task, 50) for name, task in TASKS.items()}


@every_task
def test_a_question_as_the_model_reads_it_is_that_question(task):
    for problem in problems(task):
        assert read(problem.text, task) == problem
        assert read(problem.text.removesuffix(" ="), task) == problem


def numbers(problem, task):
    """The numbers of a question, as text."""
    inside = [word for word in problem.question[:-1] if word not in "()"]
    if task.task == "add":
        return "".join(inside).split("+")
    return "".join(inside[1:]).split(",") if task.task == "operations" else inside[1:]


@st.composite
def spelled(draw):
    """A task, one of its questions, and one of the ways to type it."""
    name = draw(st.sampled_from(list(TASKS)))
    task, problem = TASKS[name], draw(st.sampled_from(SOME[name]))
    ways = ["", " "] if task.task == "add" else [""]
    typed = [draw(st.sampled_from(ways)).join(number) for number in numbers(problem, task)]
    if task.task == "add":
        body = typed[0] + draw(blanks) + "+" + draw(blanks) + typed[1]
    else:
        op = draw(st.sampled_from([str.upper, str.lower, str.title]))(problem.question[0])
        between = draw(st.sampled_from([" ", "\t", ",", ", ", " , "]))
        inside = between.join(typed)
        bracketed = op + draw(blanks) + "(" + draw(blanks) + inside + draw(blanks) + ")"
        body = bracketed if draw(st.booleans()) else op + draw(st.sampled_from([" ", "\t"])) + inside
    return task, problem, draw(blanks) + body + draw(blanks) + draw(st.sampled_from(["", "=", " = "]))


@every_time_the_same
@given(spelled())
def test_every_spelling_of_a_question_is_that_question(case):
    task, problem, text = case
    assert read(text, task) == problem


ALPHABET = " \t(),.-+=0123456789٣²−aMx\x00\u200b\udc80["


@st.composite
def damaged(draw):
    """A good text with one character put in, taken out or changed."""
    task, _, text = draw(spelled())
    place = draw(st.integers(0, len(text)))
    return task, text[:place] + draw(st.sampled_from(["", *ALPHABET])) + text[place + draw(st.integers(0, 1)) :]


texts = st.one_of(
    st.tuples(st.sampled_from(list(TASKS.values())), st.text()),
    st.tuples(st.sampled_from(list(TASKS.values())), st.text(alphabet=ALPHABET, max_size=30)),
    damaged(),
)


def attempt(text, task, beyond):
    try:
        return read(text, task, beyond=beyond), None
    except ParseError as error:
        return None, error


@settings(every_time_the_same, max_examples=800)
@given(texts, st.booleans())
def test_any_text_is_a_question_or_says_where_it_is_wrong(case, beyond):
    task, text = case
    found, error = attempt(text, task, beyond)
    if error:
        assert 0 <= error.column <= len(text)
        assert 0 < len(str(error)) < 160
        assert "\n" not in str(error)
        return
    # nothing was dropped or put in: the digits and signs of the text are those of the question
    assert text.isascii()
    for kind in (str.isdigit, "+".__eq__):
        assert list(filter(kind, text)) == [c for word in found.question for c in word if kind(c)]
    assert "".join(filter(str.isalpha, text)).lower() == "".join(filter(str.isalpha, found.text)).lower()
    if not beyond:
        assert len(found.prompt) <= task.max_prompt
        assert len(found.answer) <= task.max_answer


@pytest.mark.parametrize(
    ("task", "text", "column", "says"),
    [
        (OPERATIONS, "Maxi(23,45,89)", 0, "did you mean Max?"),
        (OPERATIONS, "Sort 3 1 4", 0, "this model was not trained on Sort; it knows First, Second"),
        (OPERATIONS, "23 45 89", 0, "begins with its operation, like Max(23,45,89)"),
        (OPERATIONS, "Max(23,45)", 9, "Max has 2 arguments here; the model was trained on 3"),
        (OPERATIONS, "max 23 45 =", 9, "Max has 2 arguments"),
        (OPERATIONS, "Max(23,45,89,1)", 13, "Max has 4 arguments"),
        (OPERATIONS, "Max(23,45,100)", 10, "this model was trained on numbers 0-99, not on 100"),
        (OPERATIONS, "Max(23,45,-9)", 10, "-9 has a minus sign; the model reads whole numbers, 0-99 without a sign"),
        (OPERATIONS, "Max(2.5,45,9)", 4, "2.5 is a decimal"),
        (OPERATIONS, "Max(05,45,9)", 4, "without a 0 in front: write 5"),
        (OPERATIONS, "Max(2 34,45,9)", 6, "a blank inside this number; if it is 234, write 234"),
        (OPERATIONS, "Max(23,45,89) = 89", 16, "what comes next is the model's to say"),
        (OPERATIONS, "Max(Min(1,2,3),1,2)", 4, "cannot stand inside one another"),
        (OPERATIONS, "Max(1,2,3) Min(1,2,3)", 11, "one question at a time"),
        (OPERATIONS, "Max(1,,3)", 6, "this comma"),
        (OPERATIONS, "= max 1 2 3", 0, "no question before this ="),
        (OPERATIONS, "", 0, "nothing here; type a question, like Max(23,45,89)"),
        (OPERATIONS, "Max " + "1 " * LONGEST, LONGEST, "longer than the 1000 characters"),
        (OPERATIONS, "Max(1+2,3,4)", 5, "+2 has a plus sign"),
        (
            SequenceConfig(ops=("Max",), min_args=1),
            "max 2 3",
            6,
            "this may be 23 or 2, 3: take out the blanks, or add commas",
        ),
        (ADD, "195", 3, "there is no + here; a question is an addition, like 195+7"),
        (ADD, "195 7 + 3", 4, "if it is 1957, write 1957"),
        (ADD, "195 + 7 + 3", 8, "a second +"),
        (ADD, "+ 7", 0, "missing before this +"),
        (ADD, "7 + =", 3, "missing after the +"),
        (ADD, "195-7", 3, "minus sign"),
        (ADD, "1,950 + 7", 1, "two numbers and a +"),
        (ADD, "add 195 7", 0, "'add' stands where a number belongs"),
        (ADD, "19500 + 7", 0, "19500 has 5 digits; the model was trained on up to 4"),
        (ADD, "1 + 007", 4, "write 7"),
        (ADD, "1 + 00", 4, "write 0"),
        (ADD, "1.5 + 2", 0, "1.5 is a decimal"),
        (SORT, "sort 314", 5, "314 has 3 digits; the model reads single digits 0-9: write 3 1 4 if that is meant"),
        (SORT, "copy 3 1 4", 0, "not trained on Copy; it knows Sort"),
        (SORT, "sort()", 5, "Sort has 0 digits here; the model was trained on 1 to 12"),
        (SORT, "sort" + " 1" * 13, 29, "Sort has 13 digits here"),
        (SORT, "sort 3 one 4", 7, "'one' stands where a digit belongs"),
        (TASKS["long rows"], "reverse 1 2 3", 13, "Reverse has 3 digits here; the model was trained on 4 to 30"),
    ],
)
def test_bad_input_is_named_with_its_place(task, text, column, says):
    with pytest.raises(ParseError) as raised:
        read(text, task)
    assert says in str(raised.value)
    assert raised.value.column == column


@pytest.mark.parametrize(
    ("task", "text", "question"),
    [
        (OPERATIONS, "Max(23,45,100)", "Max ( 2 3 , 4 5 , 1 0 0 ) ="),
        (OPERATIONS, "min 7", "Min ( 7 ) ="),
        (OPERATIONS, "min 7 1 2 3", "Min ( 7 , 1 , 2 , 3 ) ="),
        (ADD, "12345+1", "1 2 3 4 5 + 1 ="),
        (SORT, "sort" + " 1" * 13, "Sort" + " 1" * 13 + " ="),
        (TASKS["long rows"], "reverse 1 2", "Reverse 1 2 ="),
    ],
)
def test_what_was_never_trained_on_is_asked_on_demand(task, text, question):
    with pytest.raises(Untrained):
        read(text, task)
    assert read(text, task, beyond=True).text == question


@pytest.mark.parametrize(
    ("task", "text"), [(OPERATIONS, "second 1"), (OPERATIONS, "max"), (SORT, "sort"), (SORT, "copy 1 2 3"), (ADD, "1+")]
)
def test_what_has_no_meaning_is_never_asked(task, text):
    for beyond in (False, True):
        with pytest.raises(ParseError) as raised:
            read(text, task, beyond=beyond)
        assert not isinstance(raised.value, Untrained)


@every_task
def test_the_example_is_a_question_of_the_task(task):
    assert read(example(task), task).question[-1] == "="
