"""Recipes: every task has one for each family that can learn it, and all of them make configurations."""

import pytest

from common import recipes
from common.data.tasks import LEARNS
from common.errors import UserError


def kind(task):
    return task if task in LEARNS else "sequence"


PAIRS = [
    (family, task) for task in recipes.TASK_NAMES for family in LEARNS[kind(task)] if family in recipes.FAMILY_NAMES
]


def test_there_is_a_recipe_for_every_family_that_can_learn_a_task_and_for_no_other():
    assert set(recipes._RECIPES) == set(PAIRS)


@pytest.mark.parametrize(
    ("asked", "chosen"),
    [
        ((None, None), ("classifier", "digits")),
        (("gpt", None), ("gpt", "operations")),
        (("seq2seq", None), ("seq2seq", "operations")),
        ((None, "digits"), ("classifier", "digits")),
        ((None, "text"), ("gpt", "text")),
        ((None, "add"), ("gpt", "add")),
        (("seq2seq", "sort"), ("seq2seq", "sort")),
    ],
)
def test_what_is_left_open_is_filled_in(asked, chosen):
    assert recipes.choose(*asked) == chosen


@pytest.mark.parametrize("family", recipes.FAMILY_NAMES)
@pytest.mark.parametrize("task", recipes.TASK_NAMES)
def test_a_family_that_cannot_learn_a_task_is_told_which_can(family, task):
    if (family, task) in PAIRS:
        assert recipes.choose(family, task) == (family, task)
        return
    with pytest.raises(UserError, match=f"cannot learn --task {task}: take --model {PAIRS_OF[task]}"):
        recipes.choose(family, task)


PAIRS_OF = {task: " or ".join(family for family, known in PAIRS if known == task) for task in recipes.TASK_NAMES}
