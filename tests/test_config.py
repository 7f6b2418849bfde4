"""Configurations: every wrong value is named, with what would be right; what is right goes to a dict and back."""

import json

import pytest

from common.config import ClassifierConfig, DigitsConfig, TrainConfig
from common.errors import UserError

WRONG = [
    (ClassifierConfig, {"vocab": 0}, "vocab must be a whole number of at least 1, not 0"),
    (ClassifierConfig, {"d_model": -64}, "d_model must be a whole number of at least 1, not -64"),
    (ClassifierConfig, {"d_model": 64.0}, "d_model must be a whole number of at least 1, not 64.0"),
    (ClassifierConfig, {"n_blocks": True}, "n_blocks must be a whole number of at least 1, not True"),
    (ClassifierConfig, {"n_heads": "4"}, "n_heads must be a whole number of at least 1, not '4'"),
    (ClassifierConfig, {"d_ffn": None}, "d_ffn must be a whole number of at least 1, not None"),
    (ClassifierConfig, {"max_len": 0}, "max_len must be a whole number of at least 1, not 0"),
    (ClassifierConfig, {"eps": 0}, "eps must be a number above 0, not 0"),
    (ClassifierConfig, {"eps": float("nan")}, "eps must be a number above 0, not nan"),
    (ClassifierConfig, {"n_heads": 5}, "d_model 64 does not split into 5 heads: make d_model a multiple of n_heads"),
    (ClassifierConfig, {"d_model": 9, "n_heads": 3}, "d_model must be even for sine and cosine positions, not 9"),
    (DigitsConfig, {"ops": ()}, "ops must name at least one of First, Second, Last, Max, Min"),
    (DigitsConfig, {"ops": "Max"}, "ops must name at least one of First, Second, Last, Max, Min"),
    (DigitsConfig, {"ops": None}, "ops must name at least one of First, Second, Last, Max, Min"),
    (DigitsConfig, {"ops": ("Maxx",)}, "there is no operation 'Maxx'; did you mean Max?"),
    (DigitsConfig, {"ops": ("max",)}, "there is no operation 'max'; did you mean Max?"),
    (DigitsConfig, {"ops": ("Sum",)}, "there is no operation 'Sum'; known are First, Second, Last, Max, Min"),
    (DigitsConfig, {"ops": (3,)}, "there is no operation 3; known are First, Second, Last, Max, Min"),
    (DigitsConfig, {"ops": ("Max", "Max")}, "ops names an operation twice: Max, Max"),
    (DigitsConfig, {"min_args": 1}, "min_args must be a whole number of at least 2, not 1"),
    (DigitsConfig, {"ops": ("Max",), "min_args": 0}, "min_args must be a whole number of at least 1, not 0"),
    (DigitsConfig, {"min_args": 3, "max_args": 2}, "max_args must be a whole number of at least 3, not 2"),
    (DigitsConfig, {"max_value": 0}, "max_value must be a whole number of at least 1, not 0"),
    (DigitsConfig, {"max_value": 99}, "the classifier answers with one token, so max_value can be at most 9, not 99"),
    (DigitsConfig, {"split_seed": -1}, "split_seed must be a whole number of at least 0, not -1"),
    (DigitsConfig, {"split_seed": 2**32}, "split_seed must be below 2^32, not 4294967296"),
    (TrainConfig, {"examples": 0}, "examples must be a whole number of at least 1, not 0"),
    (TrainConfig, {"epochs": 1.5}, "epochs must be a whole number of at least 1, not 1.5"),
    (TrainConfig, {"batch_size": 0}, "batch_size must be a whole number of at least 1, not 0"),
    (TrainConfig, {"warmup": -1}, "warmup must be a whole number of at least 0, not -1"),
    (TrainConfig, {"seed": -1}, "seed must be a whole number of at least 0, not -1"),
    (TrainConfig, {"seed": 2**32}, "seed must be below 2^32, not 4294967296"),
    (TrainConfig, {"optimizer": "adamm"}, "optimizer must be one of sgd, momentum, adam, adamw, not 'adamm'"),
    (TrainConfig, {"schedule": None}, "schedule must be one of constant, cosine, linear, not None"),
    (TrainConfig, {"lr": 0}, "lr must be a number above 0, not 0"),
    (TrainConfig, {"lr": -1e-3}, "lr must be a number above 0, not -0.001"),
    (TrainConfig, {"lr": float("inf")}, "lr must be a number above 0, not inf"),
    (TrainConfig, {"lr": "0.1"}, "lr must be a number above 0, not '0.1'"),
    (TrainConfig, {"eps": 0.0}, "eps must be a number above 0, not 0.0"),
    (TrainConfig, {"weight_decay": -1}, "weight_decay must be a number at least 0, not -1"),
    (TrainConfig, {"clip_norm": float("nan")}, "clip_norm must be a number at least 0, not nan"),
    (TrainConfig, {"momentum": 1}, "momentum must be a number at least 0 and at most 0.999999, not 1"),
    (TrainConfig, {"beta1": -0.1}, "beta1 must be a number at least 0 and at most 0.999999, not -0.1"),
    (TrainConfig, {"beta2": True}, "beta2 must be a number at least 0 and at most 0.999999, not True"),
    (
        TrainConfig,
        {"examples": 10, "batch_size": 11},
        "batch_size 11 is more than the 10 training examples: make it smaller",
    ),
]
RIGHT = [
    ClassifierConfig(),
    ClassifierConfig(d_model=8, n_heads=2, d_ffn=16, n_blocks=1, eps=1),
    DigitsConfig(),
    DigitsConfig(ops=("Max", "First"), min_args=1, max_args=5, max_value=3, split_seed=4),
    TrainConfig(),
    TrainConfig(optimizer="sgd", schedule="constant", lr=1, weight_decay=0, clip_norm=1.0, examples=1, batch_size=1),
]


@pytest.mark.parametrize(("config", "values", "sentence"), WRONG, ids=lambda x: str(x) if isinstance(x, dict) else "")
def test_a_wrong_value_is_named_with_what_is_right(config, values, sentence):
    with pytest.raises(UserError) as caught:
        config(**values)
    assert str(caught.value) == sentence


@pytest.mark.parametrize("config", RIGHT, ids=repr)
def test_to_a_dict_and_back_through_json(config):
    back = type(config).from_dict(json.loads(json.dumps(config.to_dict())))
    assert back == config
    assert hash(back) == hash(config)


def test_an_unknown_setting_is_named_with_its_nearest():
    values = ClassifierConfig().to_dict()
    with pytest.raises(UserError, match="ClassifierConfig has no setting 'n_head'; did you mean 'n_heads'"):
        ClassifierConfig.from_dict(values | {"n_head": 4})
    with pytest.raises(UserError, match="ClassifierConfig has no setting 'zzz'; known are vocab, d_model, n_blocks"):
        ClassifierConfig.from_dict(values | {"zzz": 1})


def test_a_missing_setting_is_named():
    values = TrainConfig().to_dict()
    del values["lr"], values["seed"]
    with pytest.raises(UserError, match="TrainConfig lacks lr, seed"):
        TrainConfig.from_dict(values)


def test_defaults_are_those_of_the_digit_transformer():
    assert list(ClassifierConfig().to_dict().values()) == [20, 64, 2, 4, 256, 50, 1e-5]
    assert DigitsConfig().max_tokens == 6
    assert DigitsConfig(min_args=2, max_args=5).max_tokens == 8


def test_steps_count_full_batches():
    train = TrainConfig(examples=100, batch_size=16, epochs=3)
    assert (train.steps_per_epoch, train.steps) == (6, 18)
