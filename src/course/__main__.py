"""The lessons from the command line: `python -m course`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from common.errors import UserError
from common.threads import one_blas_thread


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(prog="python -m course", description="The lessons: read, check, exercise.")
    todo = p.add_subparsers(dest="todo", required=True)
    for name, text in (
        ("list", "the path"),
        ("read", "go through a lesson here, running it"),
        ("check", "run pages and compare with what they show"),
        ("update", "write into pages what their code prints"),
        ("figures", "draw the pictures"),
        ("progress", "the exercises, and which are done"),
        ("grade", "grade an exercise"),
        ("hint", "the next hint of an exercise"),
        ("notebook", "write a lesson as a notebook"),
    ):
        sub = todo.add_parser(name, help=text)
        if name in ("read", "notebook"):
            sub.add_argument("lesson", help="its number")
        if name in ("check", "update", "figures", "progress"):
            sub.add_argument("lesson", nargs="?", help="its number (default: all)")
        if name == "update":
            sub.add_argument("--force", action="store_true", help="also where more changes than rounding")
        if name in ("grade", "hint"):
            sub.add_argument("exercise", help="its name, like ex07_1")
        if name == "hint":
            sub.add_argument("number", nargs="?", type=int, default=1, help="which one (default: 1)")
        if name == "notebook":
            sub.add_argument("out", type=Path, help="the .ipynb file")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Exit codes: 0 done, 1 a page or an exercise is wrong, 2 bad request."""
    given = parser().parse_args(argv)
    console = Console(highlight=False, markup=False)
    try:
        return int(getattr(sys.modules[__name__], f"_{given.todo}")(given, console))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (KeyboardInterrupt, EOFError):
        console.print()
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 1


def _pages(given: argparse.Namespace) -> list[Path]:
    from course import page

    return page.every() if given.lesson is None else [page.named(given.lesson)]


def _list(given: argparse.Namespace, console: Console) -> int:
    from course import page

    for path in page.every():
        console.print(f"{page.read(path).title}    lessons/{path.name}", soft_wrap=True)
    return 0


def _read(given: argparse.Namespace, console: Console) -> int:
    from course import page, reading

    reading.read(page.read(page.named(given.lesson)), console, pause=sys.stdin.isatty())
    return 0


def _check(given: argparse.Namespace, console: Console) -> int:
    from course import lint, page, running
    from course.comparing import difference

    wrong = 0
    for path in _pages(given):
        found = page.read(path)
        told = lint.complaints(found)
        for block, shown, printed in running.run(found):
            text = difference(shown.body if shown else "", printed)
            if text:
                told.append(f"{path.name}, line {(shown or block).line}: {text}")
        for sentence in told or [f"{path.name}: {len(found.blocks)} blocks, all as shown"]:
            console.print(sentence, soft_wrap=True)
        wrong += len(told)
    return min(wrong, 1)


def _update(given: argparse.Namespace, console: Console) -> int:
    from course import updating

    wrong = 0
    for path in _pages(given):
        told = updating.update(path, force=given.force)
        for sentence in told:
            console.print(sentence, soft_wrap=True)
        wrong += len(told)
    if wrong:
        console.print("These change by more than rounding: look at them, then add --force.")
    return min(wrong, 1)


def _figures(given: argparse.Namespace, console: Console) -> int:
    from course import figures

    for path in figures.draw(given.lesson and given.lesson.zfill(2)):
        console.print(f"drawn: {path.name}")
    return 0


def _progress(given: argparse.Namespace, console: Console) -> int:
    from course import grading

    found = grading.every(given.lesson and given.lesson.zfill(2))
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("exercise", "state"):
        table.add_column(column, overflow="fold")
    verdicts = [grading.grade(exercise) for exercise in found]
    for exercise, verdict in zip(found, verdicts, strict=True):
        table.add_row(exercise.name, verdict.text)
    console.print(table)
    console.print(f"{sum(verdict.right for verdict in verdicts)} of {len(found)} done")
    return 0


def _grade(given: argparse.Namespace, console: Console) -> int:
    from course import grading

    exercise = grading.named(given.exercise)
    verdict = grading.grade(exercise)
    console.print(f"{exercise.name}: {verdict.text}", soft_wrap=True)
    if verdict.text == grading.TO_DO:
        console.print(f"Your answer goes into lessons/exercises/{exercise.stub.name}.")
    return 0 if verdict.right else 1


def _hint(given: argparse.Namespace, console: Console) -> int:
    from course import grading

    exercise = grading.named(given.exercise)
    hints = grading.hints(exercise)
    if not 1 <= given.number <= len(hints):
        raise UserError(
            f"{exercise.name} has hints 1 to {len(hints)}; the solution is lessons/solutions/{exercise.name}.py"
        )
    console.print(f"Hint {given.number} of {len(hints)}: {hints[given.number - 1]}", soft_wrap=True)
    return 0


def _notebook(given: argparse.Namespace, console: Console) -> int:
    from course import notebook, page

    notebook.write(page.read(page.named(given.lesson)), given.out)
    console.print(f"written: {given.out}", soft_wrap=True)
    return 0


if __name__ == "__main__":
    one_blas_thread()
    sys.exit(main())
