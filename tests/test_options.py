"""The command line: what each flag means, what it may stand beside, and sentences that name what the user typed."""

import argparse

import pytest

from common import recipes
from common.config import (
    SIZES,
    ClassifierConfig,
    DigitsConfig,
    GPTConfig,
    Seq2SeqConfig,
    SequenceConfig,
    TextConfig,
)
from common.data import tasks, text
from common.data.text import corpus
from common.errors import UserError
from console import flags, options

PAIRS = [
    (family, task)
    for task in recipes.TASK_NAMES
    for family in recipes.FAMILY_NAMES
    if (family, task) in recipes._RECIPES
]
CONFIGS = {"classifier": ClassifierConfig, "gpt": GPTConfig, "seq2seq": Seq2SeqConfig}
RUN = {
    "script",
    "steps",
    "json",
    "help",
    "no_interactive",
    "out",
    "overwrite",
    "resume",
    "no_plots",
    "report",
    "save_every",
    "backend",
    "device",
}


def read(*args):
    return options.read(["--no-interactive", *args])


@pytest.mark.parametrize(("family", "task"), PAIRS)
def test_every_recipe_makes_a_run_whose_model_can_read_its_task(family, task):
    asked = read("--model", family, "--task", task)
    assert type(asked.model) is CONFIGS[family]
    assert asked.model.max_len >= asked.task.max_tokens or family == "seq2seq"
    data = tasks.load(asked.task, asked.model, type(asked.train)(examples=70, batch_size=1), asked.words)
    sides = (data.test.src, data.test.tokens) if family == "seq2seq" else (data.test.tokens,)
    assert all(side.shape[1] <= asked.model.max_len for side in sides)


@pytest.mark.parametrize(("family", "task"), PAIRS)
def test_a_recipe_is_what_is_trained(family, task):
    asked, recipe = read("--model", family, "--task", task), recipes.recipe(family, task)
    for name, value in recipe.train.items():
        assert getattr(asked.train, name) == value
    for name, value in recipe.model.items():
        fields = ("n_encoder", "n_decoder") if (family, name) == ("seq2seq", "n_blocks") else (name,)
        assert {getattr(asked.model, field) for field in fields} == {value}
    for name, value in recipe.task.items():
        assert getattr(asked.task, name) == value
    if "d_ffn" not in recipe.model:
        assert asked.model.d_ffn == 4 * asked.model.d_model


def test_without_flags_the_classifier_learns_digits():
    asked = read()
    assert (asked.name, asked.model, asked.task) == ("digits-medium", ClassifierConfig(), DigitsConfig())
    assert {name: getattr(asked.train, name) for name in SIZES["medium"]} == SIZES["medium"]


@pytest.mark.parametrize(
    ("args", "name"),
    [
        (("--size", "small"), "digits-small"),
        (("--task", "text"), "gpt-text"),
        (("--model", "gpt"), "gpt-operations"),
        (("--model", "seq2seq", "--task", "sort"), "seq2seq-sort"),
        (("--task", "add"), "gpt-add"),
    ],
)
def test_a_run_is_named_after_what_it_learns(args, name):
    assert read(*args).name == name


def test_flags_of_the_model():
    sizes = ("--d-model", "32", "--n-blocks", "3", "--n-heads", "2", "--dropout", "0.2", "--positions", "learned")
    model = read("--model", "seq2seq", *sizes).model
    assert (model.d_model, model.n_encoder, model.n_decoder, model.n_heads) == (32, 3, 3, 2)
    assert (model.d_ffn, model.dropout, model.positions) == (128, 0.2, "learned")
    assert read("--model", "gpt", "--positions", "sinusoidal", "--d-ffn", "99").model.positions == "sinusoidal"
    assert read("--d-ffn", "99").model.d_ffn == 99


def test_flags_of_the_tasks():
    operations = read("--model", "gpt", "--num-args", "2-4", "--max-value", "500", "--ops", "max,min").task
    assert operations == SequenceConfig(ops=("Max", "Min"), min_args=2, max_args=4, max_value=500)
    assert read("--task", "copy", "--min-length", "3", "--max-length", "5").task.max_length == 5
    assert read("--task", "add", "--max-digits", "2", "--split-seed", "4").task.split_seed == 4


@pytest.mark.parametrize("level", ["char", "byte"])
def test_a_text_of_the_users_own(level, tmp_path):
    path = tmp_path / "book.txt"
    path.write_text("Ein Text.\r\n\r\nnoch ein Absatz, länger\n", encoding="utf-8")
    asked = read("--task", "text", "--text", str(path), "--level", level, "--context", "8")
    assert asked.words == text.read(path)
    assert asked.task == text.describe(asked.words, level=level, context=8)
    assert (asked.model.vocab, asked.model.max_len) == (asked.task.vocab, 8)


def test_the_default_text_is_the_projects_own():
    asked = read("--task", "text")
    assert asked.words == corpus()
    assert isinstance(asked.task, TextConfig)


BELONGS = [
    (flag, family, task, "--task" if flag in flags.TASKS_OF else "--model")
    for flag in (*flags.TASKS_OF, *flags.FAMILIES_OF)
    for family, task in PAIRS
    if task not in flags.TASKS_OF.get(flag, (task,)) or family not in flags.FAMILIES_OF.get(flag, (family,))
]
VALUES = {"size": "small", "level": "char", "positions": "learned", "dropout": "0.1"}


@pytest.mark.parametrize(("flag", "family", "task", "kind"), BELONGS)
def test_a_flag_of_another_task_or_model_is_refused(flag, family, task, kind):
    with pytest.raises(
        UserError, match=rf"^{flags.name(flag)} belongs to {kind} \w.*, not to {kind} \w+: leave it out"
    ):
        read("--model", family, "--task", task, flags.name(flag), VALUES.get(flag, "3"))


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        ("--num-args 1", "--num-args must be a whole number of at least 2, not 1"),
        ("--num-args 5-2", "--num-args 5-2 ends before it begins: put the smaller number first, 2-5"),
        ("--num-args 48", "--num-args goes up to 47: the model reads at most 50 tokens"),
        ("--batch-size 0", "--batch-size must be a whole number of at least 1, not 0"),
        ("--examples 9", "--batch-size 64 is more than the 9 training examples: make it smaller"),
        ("--lr -1", "--lr must be a number above 0, not -1.0"),
        ("--seed -1", "--seed must be a whole number of at least 0, not -1"),
        ("--ops ,", "--ops must name at least one of First, Second, Last, Max, Min"),
        ("--ops Max,max", "--ops names an operation twice: Max, Max"),
        (
            "--d-model 66",
            "--d-model 66 does not split into 4 heads: make --d-model a multiple of --n-heads",
        ),
        ("--n-blocks 0", "--n-blocks must be a whole number of at least 1, not 0"),
        ("--model seq2seq --n-blocks 0", "--n-blocks must be a whole number of at least 1, not 0"),
        ("--model gpt --dropout 1", "--dropout must be a number at least 0 and at most 0.9, not 1.0"),
        ("--task sort --min-length 20", "--max-length must be a whole number of at least 20, not 12"),
        ("--task add --max-digits 7", "--max-digits goes up to 6, not to 7"),
        ("--model gpt --max-value 1000000000", "--max-value goes up to 999999999, not to 1000000000"),
        ("--task text --context 1", "--context must be a whole number of at least 2, not 1"),
        ("--model classifier --task text", "--model classifier cannot learn --task text: take --model gpt"),
        (
            "--model gpt --task digits",
            "--model gpt cannot learn --task digits: take --model classifier",
        ),
        (
            "--size small --epochs 1 --warmup 16",
            "--warmup 16 is longer than the run of 15 updates: make it shorter, or the run longer",
        ),
        (
            "--overwrite",
            "--overwrite says what may happen to the folder of --out: add --out, or leave it out",
        ),
    ],
)
def test_an_error_names_what_was_typed(args, sentence):
    with pytest.raises(UserError) as error:
        read(*args.split())
    assert str(error.value) == sentence


def test_a_file_that_is_called_like_a_setting_keeps_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"^text: cannot be read"):
        read("--task", "text", "--text", "text")


@pytest.mark.parametrize(("updates", "warmup"), [(7, 0), (15, 1), (900, 50)])
def test_the_default_warm_up_shrinks_with_the_run(updates, warmup):
    asked = read("--examples", str(64 * updates), "--epochs", "1")
    assert (asked.train.steps, asked.train.warmup) == (updates, warmup)


def test_a_warm_up_as_long_as_the_run_is_the_users_choice():
    assert read("--size", "small", "--epochs", "1", "--warmup", "15").train.warmup == 15


def test_classic_decay_is_off_unless_asked_for():
    assert read("--optimizer", "adam").train.weight_decay == 0
    assert read("--model", "gpt", "--optimizer", "sgd").train.weight_decay == 0
    assert read("--optimizer", "sgd", "--weight-decay", "0.01").train.weight_decay == 0.01


def test_a_resumed_run_keeps_everything_that_is_not_about_this_call():
    dests = {action.dest for action in flags.parser()._actions}
    assert dests == set(flags.KEPT) | RUN


@pytest.mark.parametrize("flag", flags.KEPT)
def test_a_resumed_run_refuses_what_it_keeps(flag):
    action = next(action for action in flags.parser()._actions if action.dest == flag)
    value = str(action.choices[0]) if action.choices else "3"
    with pytest.raises(UserError, match=f"keeps its own settings: leave out {flags.name(flag)}$"):
        read("--resume", "r", flags.name(flag), value)


def test_every_flag_says_what_it_does():
    actions = [action for action in flags.parser()._actions if not isinstance(action, argparse._HelpAction)]
    assert all(action.help for action in actions)
