"""The README shows the code that runs, and names files and commands that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_the_code_shown_is_the_code_shipped():
    shown = re.findall(r"`(src/\S+\.py)`:\n\n```python\n(.*?)```", README, re.S)
    assert len(shown) == 2
    for path, code in shown:
        assert (ROOT / path).read_text().endswith(code), path


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "checkpoints/README.md", "benchmarks/README.md"])
def test_every_path_and_target_that_is_named_exists(page):
    text = (ROOT / page).read_text()
    paths = set(re.findall(r"\b(?:src|tests|benchmarks|checkpoints)/[\w/.-]*\w", text))
    paths |= {f"{Path(page).parent}/{link}" for link in re.findall(r"\]\((?!http)([^)#]+)\)", text)}
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []
    targets = set(re.findall(r"`make (\w+)`", text))
    makefile = (ROOT / "Makefile").read_text()
    assert [target for target in targets if not re.search(rf"^{target}:", makefile, re.M)] == []


def test_the_readme_fits_on_a_few_screens():
    assert len(README.splitlines()) <= 150


def test_the_planted_errors_are_counted_as_measured():
    killed = re.search(r"planted.*?\| ([\d.]+) % of (\d+)", README)
    mutants = (ROOT / "benchmarks" / "mutants.md").read_text()
    assert f"Of {killed[2]} mutants" in mutants
    assert f"({killed[1]} %)" in mutants


def test_every_lesson_that_a_file_names_is_there():
    files = [*ROOT.glob("src/**/*.py"), *ROOT.glob("*.md")]
    named = {name for file in files for name in re.findall(r"lessons/\d\d_\w+\.md", file.read_text())}
    assert len(named) > 5
    assert all((ROOT / name).exists() for name in named)
