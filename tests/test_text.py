"""Texts: the same ids back and forth, an honest split, and stretches that are the text's own."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.config import ClassifierConfig, GPTConfig, SequenceConfig, TextConfig, TrainConfig
from common.data import tasks, text
from common.errors import UserError
from common.evaluation import judge

words = " ".join(f"word{i}" for i in range(9))
TEXT = "\n\n".join(f"Paragraph {i} says {words} {i * i}." for i in range(120)) + "\n"
levels = pytest.mark.parametrize("level", ["char", "byte"])


def loaded(level="char", seed=0, written=TEXT, context=32):
    task = text.describe(written, level=level, context=context)
    return task, text.load(task, written, seed=seed, examples=50)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.sampled_from(["char", "byte"]))
def test_ids_and_back(written, level):
    task = text.describe(written, level=level)
    ids = text.encode(written, task)
    assert text.decode(ids, task) == written
    assert all(0 <= i < task.vocab for i in ids)


def test_a_cut_character_becomes_a_sign_that_something_is_missing():
    task = text.describe("é", level="byte")
    assert text.decode(text.encode("aé", task)[:-1], task) == "a\N{REPLACEMENT CHARACTER}"


def test_an_unknown_character_is_named():
    with pytest.raises(UserError, match="'z' did not occur"):
        text.encode("xyz", text.describe("xy"))


@levels
def test_every_stretch_is_a_piece_of_its_part_and_targets_are_one_ahead(level):
    task, data = loaded(level)
    paragraphs = {part: set() for part in ("train", "validation", "test")}
    for paragraph in TEXT.strip().split("\n\n"):
        paragraphs[text.part(" ".join(paragraph.split()), task.split_seed)].add(paragraph)
    for name, own in paragraphs.items():
        examples = getattr(data, name)
        assert examples.tokens.shape == examples.targets.shape == examples.weights.shape
        np.testing.assert_array_equal(examples.tokens[:, 1:], examples.targets[:, :-1])
        for row in examples.tokens.tolist():
            inner = text.decode(row, task).split("\n\n")[1:-1]
            assert set(inner) <= own
    assert data.overlap == 0
    assert data.train_distinct == len(paragraphs["train"])


def test_a_paragraph_that_stands_twice_is_on_one_side():
    _, data = loaded(written=f"{TEXT}\n" * 3)
    assert data.train_distinct == loaded()[1].train_distinct


def test_a_paragraph_that_is_set_anew_is_on_the_same_side():
    """Wrapped elsewhere, or indented as in a docstring."""
    anew = "\n\n".join("    " + "\n  ".join(paragraph.split()) for paragraph in TEXT.strip().split("\n\n"))
    _, data = loaded(written=f"{TEXT}\n\n{anew}\n")
    assert data.train_distinct == loaded()[1].train_distinct
    assert data.overlap == 0


def test_held_out_parts_do_not_depend_on_the_training_seed():
    first, second = loaded(seed=0)[1], loaded(seed=1)[1]
    np.testing.assert_array_equal(first.test.tokens, second.test.tokens)
    assert not np.array_equal(first.train.tokens, second.train.tokens)


def test_another_text_is_refused():
    task, _ = loaded()
    with pytest.raises(UserError, match="digest"):
        text.load(task, TEXT + "more", seed=0, examples=5)


def test_a_short_text_is_refused():
    with pytest.raises(UserError, match="longer text"):
        loaded(written="one\n\ntwo\n")


@pytest.mark.parametrize(
    ("content", "sentence"), [(b"\xff\xfe", "no UTF-8"), (b"  \n", "no text in it"), (None, "cannot be read")]
)
def test_a_file_that_is_no_text_is_refused(content, sentence, tmp_path):
    path = tmp_path / "text.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=sentence):
        text.read(path)


def test_the_projects_own_text_has_its_docstrings():
    corpus = text.corpus()
    assert text.__doc__.strip() in corpus
    assert text.corpus.__doc__ in corpus
    assert corpus == text.corpus()
    assert len(corpus) > 50_000


def test_a_stretch_scores_the_share_of_its_tokens():
    _, data = loaded()
    part = data.test.take(slice(0, 2))
    answered = part.targets.copy()
    answered[0, :8] += 1
    found = judge(1.0, answered, part)
    assert found.accuracy == pytest.approx(1 - 8 / 64)
    assert found.by_op == {}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"level": "word"}, "level must be one of"),
        ({"alphabet": "ba"}, "in order"),
        ({"alphabet": ""}, "does not fit"),
        ({"sha256": "1"}, "64 hexadecimal"),
        ({"context": 1}, "context must be"),
    ],
)
def test_a_configuration_that_is_none_is_refused(changes, sentence):
    with pytest.raises(UserError, match=sentence):
        TextConfig(**({"level": "char", "alphabet": "ab", "sha256": "0" * 64} | changes))


@pytest.mark.parametrize(
    ("task", "model", "sentence"),
    [
        (SequenceConfig(), ClassifierConfig(), "gpt or llama or seq2seq"),
        (text.describe(TEXT), ClassifierConfig(), "one for gpt or llama$"),
    ],
)
def test_a_family_that_cannot_learn_a_task_is_told(task, model, sentence):
    with pytest.raises(UserError, match=sentence):
        tasks.load(task, model, TrainConfig(), TEXT)


def test_the_task_decides_what_is_loaded():
    task = text.describe(TEXT, context=32)
    data = tasks.load(task, GPTConfig(vocab=task.vocab), TrainConfig(examples=70), TEXT)
    assert data.train.tokens.shape == (70, 32)
