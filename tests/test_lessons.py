"""The lessons' form, their pictures and their commands; their code is tested by `pytest lessons`."""

import json
import xml.etree.ElementTree as ET

import pytest

from course import consoles, figures, lint, page

PAGES = [page.read(path) for path in page.every()]
CONSOLES = [
    (found, block, command, shown)
    for found in PAGES
    for block in found.blocks
    if block.language == "console"
    for command, shown in consoles.commands(block)
]
MADE_ELSEWHERE = ("make ", "git ", "cd ")
"""Commands that change the machine are tested by CI, which begins with them."""
DRAWN = figures.every()


@pytest.mark.parametrize("found", PAGES, ids=lambda p: p.path.stem)
def test_a_page_has_its_form(found):
    assert lint.complaints(found) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("found", "block", "command", "shown"),
    [case for case in CONSOLES if not case[2].startswith(MADE_ELSEWHERE)],
    ids=lambda value: value if isinstance(value, str) and "\n" not in value else None,
)
def test_a_command_prints_what_the_page_shows(found, block, command, shown, tmp_path):
    printed = consoles.run(command, tmp_path)
    assert consoles.missing(shown, printed) is None, f"{found.path.name}, line {block.line}:\n{printed}"


@pytest.mark.parametrize("name", DRAWN)
def test_a_picture_shows_the_numbers_that_are_written_down(name, tmp_path):
    """Drawn again here; the numbers agree to four digits, since training rounds differently elsewhere."""
    kept = json.loads(figures.NUMBERS.read_text())[name]
    found = figures.rounded(DRAWN[name](tmp_path / "again.svg"))
    shown, printed = (_flat(value) for value in (kept, found))
    assert shown.keys() == printed.keys()
    for key, value in shown.items():
        assert printed[key] == pytest.approx(value, rel=1e-3, abs=1e-6), key
    ET.parse(figures.FOLDER / f"{name}.svg")
    assert any(f"figures/{name}.svg" in page.read(path).text for path in page.every())


def _flat(value, path=""):
    if isinstance(value, dict):
        return {k: v for key, item in value.items() for k, v in _flat(item, f"{path}.{key}").items()}
    if isinstance(value, list):
        return {k: v for i, item in enumerate(value) for k, v in _flat(item, f"{path}.{i}").items()}
    return {path: value}


def test_no_picture_is_left_over():
    assert {path.stem for path in figures.FOLDER.glob("*.svg")} == set(DRAWN)


def test_the_path_lists_every_lesson():
    path = page.LESSONS / "README.md"
    if PAGES:
        text = path.read_text()
        assert [found.path.name for found in PAGES if f"({found.path.name})" not in text] == []
