"""Reading what people type: every spelling of an expression is that expression, and nothing is ever guessed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.config import DigitsConfig
from common.data.digits import Expression
from common.data.parsing import LONGEST, example, parse
from common.data.pieces import ParseError, Untrained

TASK = DigitsConfig()
RANGE = DigitsConfig(min_args=2, max_args=5)
FEW = DigitsConfig(ops=("First", "Min"), min_args=1, max_args=2, max_value=4)
TASKS = (TASK, RANGE, FEW)

every_time_the_same = settings(derandomize=True, database=None, deadline=None, max_examples=300)
blanks = st.sampled_from(["", " ", "   ", "\t", " \t "])


@st.composite
def spelled(draw):
    """A task, one of its expressions, and one of the ways to type it."""
    task = draw(st.sampled_from(TASKS))
    args = draw(st.lists(st.integers(0, task.max_value), min_size=task.min_args, max_size=task.max_args))
    expression = Expression(draw(st.sampled_from(task.ops)), tuple(args))
    capitals = draw(st.lists(st.booleans(), min_size=len(expression.op), max_size=len(expression.op)))
    op = "".join(c.upper() if up else c.lower() for c, up in zip(expression.op, capitals, strict=True))
    between = st.sampled_from([" ", "  ", "\t", ",", ", ", " , ", "\t,"])
    inside = str(args[0]) + "".join(draw(between) + str(arg) for arg in args[1:])
    if draw(st.booleans()):
        body = op + draw(blanks) + "(" + draw(blanks) + inside + draw(blanks) + ")"
    else:
        body = op + draw(st.sampled_from([" ", "  ", "\t"])) + inside
    return task, expression, draw(blanks) + body + draw(blanks)


@every_time_the_same
@given(spelled())
def test_every_spelling_of_an_expression_is_that_expression(case):
    task, expression, text = case
    assert parse(text, task) == expression
    assert parse(expression.text, task) == expression


ALPHABET = " \t(),.-+0123456789٣５²−aMx\x00\u200b\udc80["


@st.composite
def damaged(draw):
    """A good text with one character put in, taken out or changed."""
    task, _, text = draw(spelled())
    place = draw(st.integers(0, len(text)))
    return task, text[:place] + draw(st.sampled_from(["", *ALPHABET])) + text[place + draw(st.integers(0, 1)) :]


texts = st.one_of(
    st.tuples(st.sampled_from(TASKS), st.text()),
    st.tuples(st.sampled_from(TASKS), st.text(alphabet=ALPHABET, max_size=30)),
    damaged(),
)


def attempt(text, task):
    try:
        return parse(text, task), None
    except ParseError as error:
        return None, error


@settings(every_time_the_same, max_examples=1500)
@given(texts)
def test_any_text_parses_or_says_where_it_is_wrong(case):
    task, text = case
    found, error = attempt(text, task)
    if error:
        assert 0 <= error.column <= len(text)
        assert 0 < len(str(error)) < 160
        assert "\n" not in str(error)
        return
    # nothing was dropped, split or guessed: the digits of the text are the arguments, and all else is form
    assert text.isascii()
    assert tuple(int(c) for c in text if c.isdigit()) == found.args
    assert "".join(c for c in text if c.isalpha()).lower() == found.op.lower()
    assert task.min_args <= len(found.args) <= task.max_args
    assert max(found.args) <= task.max_value


@pytest.mark.parametrize(
    ("text", "column", "says"),
    [
        ("Maxi(5,3,9)", 0, "did you mean Max?"),
        ("scond 5 3 9", 0, "did you mean Second?"),
        ("  Sum(5,3,9)", 2, "there is no operation 'Sum'; use First, Second"),
        ("max5(3,9,1)", 0, "did you mean Max?"),
        ("5 3 9", 0, "begins with its operation"),
        ("(Max 5 3 9)", 0, "begins with its operation"),
        ("Max(5,3)", 7, "Max has 2 arguments here; the model was trained on 3"),
        ("Max 5 3  ", 7, "Max has 2 arguments"),
        ("Max", 3, "Max has 0 arguments"),
        ("Max(5,3,9,1)", 10, "Max has 4 arguments"),
        ("Max(23,1,2)", 4, "23 has 2 digits; the model reads single digits 0-9: write 2 3 if that is meant"),
        ("Max(05,1,2)", 4, "05 has 2 digits"),
        ("Max(539)", 4, "539 has 3 digits"),
        ("Max(1,000,3)", 6, "000 has 3 digits"),
        ("Max(5,-3,9)", 6, "-3 has a minus sign"),
        ("Max(5,- 3,9)", 6, "minus sign"),
        ("Max(5,−3,9)", 6, "minus sign"),
        ("Max 5-3 9", 5, "-3 has a minus sign"),
        ("Max(+5,3,9)", 4, "plus sign"),
        ("Max(5.0,3,9)", 4, "5.0 is a decimal"),
        ("Max(.5,3,9)", 4, ".5 is a decimal"),
        ("Max(1e5,3,9)", 5, "'e5' stands where a digit belongs"),
        ("Max(٣,3,9)", 4, "arabic-indic digit three"),
        ("Max(5,３,9)", 6, "fullwidth digit three"),
        ("Max(5,3²,9)", 7, "superscript two"),
        ("Max(½,3,9)", 4, "not one of the digits 0-9"),
        ("Мax(5,3,9)", 0, "cyrillic capital letter em"),
        ("Max（5,3,9)", 3, "fullwidth left parenthesis"),
        ("Max(5,3,9", 9, "never closed"),
        ("Max 5 3 9)", 9, "none was opened"),
        ("Max((5,3,9))", 4, "second opening bracket"),
        ("Max 5 (3 9)", 6, "opens right after the operation"),
        ("Max()5 3 9", 5, "ends at its closing bracket"),
        ("Max(5,3,9) Min(5,3,9)", 11, "one question at a time"),
        ("Max[5,3,9]", 3, "use ( and )"),
        ("Max(Min(1,2,3),1,2)", 4, "cannot stand inside one another"),
        ("Max(5,,3,9)", 6, "this comma"),
        ("Max(,5,3,9)", 4, "this comma"),
        ("Max(5,3,9,)", 9, "this comma"),
        ("Max,5,3,9", 3, "this comma"),
        ("Max 5,3,9,", 9, "this comma"),
        ("Max(5;3;9)", 5, "';' has no place"),
        ("", 0, "nothing here"),
        (" \t ", 0, "nothing here"),
        ("Max(5,3,9)" + " " * LONGEST, LONGEST, "longer than the 200 characters"),
        ("Max\x00 5 3 9", 3, "invisible character here (control character 0)"),
        ("Max 5\n3 9", 5, "invisible character"),
        ("Max\u00a05 3 9", 3, "no-break space"),
        ("Max\u200b 5 3 9", 3, "zero width space"),
        ("Max 5 3 9\udcff", 9, "not UTF-8"),
        ("Max(" + "7" * 150 + ")", 4, "777777777777... has 150 digits"),
    ],
)
def test_bad_input_is_named_with_its_place(text, column, says):
    with pytest.raises(ParseError) as raised:
        parse(text, TASK)
    assert says in str(raised.value)
    assert raised.value.column == column


@pytest.mark.parametrize(
    ("text", "column", "says"),
    [
        ("max 1 2", 0, "this model was not trained on Max; it knows First, Min"),
        ("secnd 1 2", 0, "use First, Min"),
        ("min 1 7", 6, "trained on the digits 0-4, not on 7"),
        ("min 1 2 3", 8, "Min has 3 arguments here; the model was trained on 1 to 2"),
        ("min()", 4, "trained on 1 to 2"),
    ],
)
def test_a_model_is_asked_only_what_it_was_trained_on(text, column, says):
    with pytest.raises(ParseError) as raised:
        parse(text, FEW)
    assert says in str(raised.value)
    assert raised.value.column == column


@pytest.mark.parametrize("task", TASKS)
def test_the_example_is_an_expression_of_the_task(task):
    assert parse(example(task), task).op in task.ops


@pytest.mark.parametrize(
    ("text", "args"), [("min 1 7", (1, 7)), ("min 1 2 3", (1, 2, 3)), ("first" + " 4" * 40, (4,) * 40)]
)
def test_what_was_never_trained_on_is_asked_on_demand(text, args):
    with pytest.raises(Untrained):
        parse(text, FEW)
    assert parse(text, FEW, beyond=True).args == args


@pytest.mark.parametrize("text", ["max 1 2", "min", "min 1 x", "min 1 23", "second 1"])
def test_what_has_no_meaning_is_never_asked(text):
    task = DigitsConfig(ops=("First", "Second", "Min"), min_args=2)
    for beyond in (False, True):
        with pytest.raises(ParseError) as raised:
            parse(text, task, beyond=beyond)
        assert not isinstance(raised.value, Untrained)
