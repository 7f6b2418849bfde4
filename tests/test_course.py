"""The machinery of the lessons: what it runs, what it compares, and what it refuses."""

import pytest

from common.errors import UserError
from course import __main__ as program
from course import figures, lint, notebook, page, reading, running, updating
from course.comparing import difference
from course.consoles import commands, missing

FRONT = "> **Before**: nothing · **Minutes**: 5 · **You will be able to**: count\n"
SAMPLE = f"""# 03 · A sample

{FRONT}
## Where we are

```python
a = 2
```

**Predict.** What is twice that?

```python
print("twice", a * 2.5)
```

<details><summary>Answer</summary>

```text
twice 5.0
```

</details>

<!-- source: src/common/masks.py:causal -->
```python
def causal(length: int) -> Array:
    \"\"\"mask_TT: position t may look at itself and what came before, (length, length).\"\"\"
    return np.arange(length) <= np.arange(length)[:, None]
```

```python
print(causal(2).tolist())
```

```text
[[True, False], [True, True]]
```

[before](02.md) · [path](README.md)
"""


def written(tmp_path, text=SAMPLE):
    path = tmp_path / "03_sample.md"
    path.write_text(text)
    return path


def ran(path):
    return [(shown.body if shown else "", printed) for _, shown, printed in running.run(page.read(path))]


def test_blocks_share_a_namespace_and_shown_source_runs_where_it_is_at_home(tmp_path):
    assert ran(written(tmp_path)) == [
        ("", ""),
        ("twice 5.0\n", "twice 5.0\n"),
        ("", ""),
        ("[[True, False], [True, True]]\n", "[[True, False], [True, True]]\n"),
    ]


def test_code_that_is_not_the_shipped_one_is_refused(tmp_path):
    path = written(tmp_path, SAMPLE.replace("np.arange(length) <=", "np.arange(length) <"))
    with pytest.raises(AssertionError, match=r"not what stands in src/common/masks\.py:causal"):
        ran(path)


@pytest.mark.parametrize(
    ("source", "sentence"),
    [("src/nowhere.py:f", "there is no src/nowhere.py"), ("src/common/masks.py:no", "has no 'no'")],
)
def test_source_from_nowhere_is_refused(source, sentence, tmp_path):
    path = written(tmp_path, SAMPLE.replace("src/common/masks.py:causal", source))
    with pytest.raises(AssertionError, match=sentence):
        ran(path)


def test_a_traceback_has_the_line_of_the_page(tmp_path):
    path = written(tmp_path, SAMPLE.replace("a = 2", "a = 1 / 0"))
    with pytest.raises(ZeroDivisionError) as caught:
        ran(path)
    line = SAMPLE.replace("a = 2", "a = 1 / 0").split("\n").index("a = 1 / 0") + 1
    assert caught.traceback[-1].lineno + 1 == line


@pytest.mark.parametrize(
    "broken", [SAMPLE.replace("twice 5.0\n```", "twice 5.0\n"), SAMPLE.replace('print("twice", a * 2.5)\n```\n', "")]
)
def test_an_open_fence_is_refused(broken, tmp_path):
    with pytest.raises(UserError):
        ran(written(tmp_path, broken))


def test_an_output_without_code_is_refused(tmp_path):
    with pytest.raises(UserError, match="line 3"):
        ran(written(tmp_path, "\n```text\n1\n```\n"))


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("a 1.234", "a 1.234", True),
        ("a 1.234", "a 1.235", True),  # the last digit may be off by one
        ("a 1.234", "a 1.236", False),
        ("a 1.234", "a 1.2340", False),
        ("7 rows", "8 rows", False),
        ("1.2e-05", "1.3e-05", True),
        ("1.2e-05", "1.2e-06", False),
        ("-0.5", "0.5", False),
        ("x  y", "x y", True),
        ("True", "False", False),
        ("one", "one\ntwo", False),
        ("", "", True),
    ],
)
def test_numbers_are_compared_to_the_last_digit_shown(shown, printed, same):
    assert (difference(shown, printed) is None) == same


def test_update_writes_rounding_and_refuses_more(tmp_path):
    path = written(tmp_path, SAMPLE.replace("twice 5.0", "twice 5.1"))
    assert updating.update(path) == []
    assert path.read_text() == SAMPLE
    path.write_text(SAMPLE.replace("twice 5.0", "twice 6.0"))
    [told] = updating.update(path)
    assert "6.0" in told
    assert "twice 6.0" in path.read_text()
    assert updating.update(path, force=True) == []
    assert path.read_text() == SAMPLE


def test_update_brings_shown_source_up_to_date(tmp_path):
    path = written(tmp_path, SAMPLE.replace("np.arange(length) <=", "np.arange(length) <"))
    assert updating.update(path) == []
    assert path.read_text() == SAMPLE


def test_update_fills_empty_blocks(tmp_path):
    shown = SAMPLE.index("def causal"), SAMPLE.index("```", SAMPLE.index("def causal"))
    path = written(tmp_path, (SAMPLE[: shown[0]] + SAMPLE[shown[1] :]).replace("twice 5.0\n", ""))
    assert updating.update(path, force=True) == []
    assert path.read_text() == SAMPLE


def test_update_tells_of_an_output_that_nothing_shows(tmp_path):
    path = written(tmp_path, SAMPLE.replace("a = 2\n", "a = 2\nprint(a)\n"))
    assert any("no text block" in told for told in updating.update(path))


def test_the_lint_names_what_is_missing():
    told = " ".join(lint.complaints(page.parse(SAMPLE, page.LESSONS / "03_sample.md")))
    for word in ("sections missing: The question", "1 predictions", "02.md leads nowhere"):
        assert word in told


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("The loss is 2.7183 now.", "2.7183 stands in the prose"),
        ("See `src/nowhere.py`.", "there is no src/nowhere.py"),
        ("$$x$$", "GitHub does not show"),
        ("<details><summary>x</summary>\ny\n</details>", "blank line"),
        ("![](x.svg)", "needs a text"),
        ("word " * 3001, "words on the main path"),
    ],
)
def test_the_lint_knows(text, sentence):
    parsed = page.parse(SAMPLE.replace("**Predict.**", f"{text}\n\n**Predict.**"), page.LESSONS / "03_sample.md")
    assert sentence in " ".join(lint.complaints(parsed))
    assert sentence not in " ".join(lint.complaints(page.parse(SAMPLE, page.LESSONS / "03_sample.md")))


def test_a_console_block_is_commands_and_what_they_print():
    [block] = page.parse("```console\n$ python x.py\none\n...\nthree 3.0\n$ ls\n```\n", page.LESSONS / "00_x.md").blocks
    [(first, shown), (second, nothing)] = commands(block)
    assert (first, second, nothing) == ("python x.py", "ls", "")
    assert missing(shown, "zero\none\ntwo\nthree 3.1\n") is None
    assert "three 3.0" in missing(shown, "three 3.0\none\n")


def test_a_lesson_is_read_in_the_terminal(tmp_path, capsys):
    from rich.console import Console

    reading.read(page.read(written(tmp_path)), Console(width=60, highlight=False), pause=False)
    out = capsys.readouterr().out
    assert "twice 5.0" in out
    assert out.index("Predict") < out.index("twice 5.0")
    assert "summary" not in out
    assert "from src/common/masks.py" in out
    assert "may look at itself" in out and "what came before" in " ".join(
        out.split()
    )  # wider than the screen, and whole


@pytest.mark.slow
def test_a_lesson_becomes_a_notebook_that_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(page.ROOT / "src"))  # what an installed project needs no word for
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    out = tmp_path / "sample.ipynb"
    notebook.write(page.read(written(tmp_path)), out)
    done = nbclient.NotebookClient(nbformat.read(out, as_version=4), timeout=60).execute()
    printed = [
        "".join(o.get("text", "") for o in cell.get("outputs", [])) for cell in done.cells if cell.cell_type == "code"
    ]
    assert printed == ["", "twice 5.0\n", "", "[[True, False], [True, True]]\n"]


def test_numbers_of_a_picture_are_written_rounded():
    import numpy as np

    assert figures.rounded({"x": np.array([1 / 3, 2.0]), "n": 3, "s": ("a", 1e-9 / 3)}) == {
        "x": [0.333333, 2.0],
        "n": 3,
        "s": ["a", 3.33333e-10],
    }


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["check", "77"], "there is no lesson"),
        (["grade", "ex99"], "there is no exercise"),
        (["read", "x"], "no lesson"),
    ],
)
def test_what_is_not_there_is_a_sentence(argv, sentence, capsys):
    assert program.main(argv) == 2
    assert sentence in capsys.readouterr().err


def test_the_commands_answer(capsys):
    assert program.main(["list"]) == 0
    assert program.main(["progress"]) == 0
    assert "done" in capsys.readouterr().out
