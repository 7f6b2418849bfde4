"""The graders, proved three ways: a stub is to do, a solution is right, a typical mistake is named."""

import re

import pytest

from course import grading
from course.grading import TO_DO

EXERCISES = grading.every()
WRONG = [(exercise, path) for exercise in EXERCISES for path in exercise.wrong]
each = pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.name)


@each
def test_a_stub_is_to_do(exercise):
    assert grading.grade(exercise).text == TO_DO


@each
def test_a_solution_is_right(exercise):
    assert grading.grade(exercise, exercise.solution).text == "right"


@each
def test_an_exercise_has_hints_and_typical_mistakes(exercise):
    assert len(grading.hints(exercise)) >= 2
    assert exercise.wrong


@pytest.mark.parametrize(("exercise", "path"), WRONG, ids=[path.stem for _, path in WRONG])
def test_a_mistake_is_named(exercise, path):
    says = re.match(r"# says: (.+)", path.read_text())
    assert says, "the first line tells what the grader says"
    assert says[1] in grading.grade(exercise, path).text


def test_an_answer_that_stops_is_told_where_and_keeps_its_hints(tmp_path, monkeypatch):
    exercise = grading.named("ex01_1")
    stub = tmp_path / "exercises" / f"{exercise.name}.py"
    stub.parent.mkdir()
    text, hints = exercise.stub.read_text(), grading.hints(exercise)
    monkeypatch.setattr(grading, "LESSONS", tmp_path)
    for answer, told in (("return length / 0", "in line 13 with ZeroDivisionError"), ("return [", "SyntaxError")):
        stub.write_text(text.replace("raise NotImplementedError", answer))
        assert told in grading.grade(exercise).text
        assert grading.hints(exercise) == hints


def test_every_answer_belongs_to_an_exercise():
    names = {exercise.name for exercise in EXERCISES}
    for folder in ("exercises", "solutions", "wrong"):
        for path in (grading.LESSONS / folder).glob("*.py"):
            assert path.stem.split("__")[0] in names, path


@pytest.mark.parametrize("lesson", sorted({path.name[:2] for path in grading.LESSONS.glob("0[1-9]_*.md")}))
def test_a_lesson_has_four_exercises(lesson):
    assert len(grading.every(lesson)) >= 4
