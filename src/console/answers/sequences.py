"""Screens of the sequence tasks: an answer token by token, what a beam search found, many answers, the count of all."""

import math
from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from common.config import SequenceConfig
from common.data.reading import example
from common.data.sequences import Problem
from common.evaluation import percent
from common.vocabulary import WORDS, words
from console.answers import parts
from console.answers.parts import PARTS, probability, shares, verdict
from console.asking.sequences import SequencesAsker
from console.asking.written import Answer, Judged, Question


def answer(found: Answer, width: int, plain: bool) -> RenderableType:
    """Everything there is to say of one answer."""
    problem = found.question.problem
    facts = parts.table("", "", header=False)
    for upper, lower in parts.numbered(problem.question, problem.prompt, width - 9):
        facts.add_row(Text("tokens", "dim"), Text(upper, no_wrap=True))
        facts.add_row(Text("ids", "dim"), Text(lower, "dim", no_wrap=True))
    facts.add_row(Text("answer", "dim"), Text(f"{_said(found)}  ({probability(math.exp(found.log_p))})"))
    facts.add_row(Text("log p", "dim"), Text(f"{_logarithm(found.log_p)} nats, the whole answer"))
    right = " ".join(problem.answer)
    less = "" if found.right else f"  ({probability(math.exp(found.expected_log_p))})"
    facts.add_row(Text("right", "dim"), Text(f"{right}{less}"))
    facts.add_row(Text("verdict", "dim"), verdict(found.right))
    facts.add_row(Text("part", "dim"), Text(PARTS[found.question.part]))
    steps = [(WORDS[token.id], token.p, _others(token.id, token.top)) for token in found.tokens]
    screen: list[RenderableType] = [Text(problem.text, "bold"), facts, parts.written(steps, width, plain)]
    return Group(*screen, *([] if found.beams is None else [_beams(found)]))


def _others(chosen: int, top: Sequence[tuple[int, float]]) -> list[tuple[str, float]]:
    return [(WORDS[token], p) for token, p in top if token != chosen]


def _said(found: Answer) -> str:
    said = " ".join(words(found.reply)) or "nothing"
    return said if found.ended else f"{said} ..."


def _logarithm(p: float) -> str:
    """The logarithm of a probability, in nats; 0 only where it is meant."""
    return "-0.00000" if -5e-6 < p < 0 else f"{p:.5f}" if p else "0"


def _beams(found: Answer) -> Table:
    lines = parts.table("beam>", "log p>", "p>", "answer")
    right = found.question.problem.reply
    for number, beam in enumerate(found.beams or (), start=1):
        said = " ".join(words(beam.tokens)) or "nothing"
        style = "green" if beam.ended and beam.tokens == right[:-1] else ""
        text = Text(said if beam.ended else f"{said} ...", style)
        log_p = _logarithm(beam.log_probability)
        lines.add_row(str(number), log_p, probability(math.exp(beam.log_probability)), text)
    return lines


def table(groups: Iterable[tuple[str, Sequence[Answer]]], width: int) -> RenderableType:
    """Many answers under the names of their groups: one a line, or two where a line is too short for the longest."""
    named = [(name, list(answers)) for name, answers in groups]
    every = [found for _, answers in named for found in answers]
    longest = max(cell_len(_question(found.question.problem)) for found in every)
    said = max(5, *(cell_len(_short(found)) for found in every), *(len(f.question.problem.answer) for f in every))
    need = longest + 2 * said + 23  # of the probability, the verdict, and the gaps
    lines = _columns(named, need + 12 <= width) if need <= width else _pairs(named)
    return Group(lines, parts.counted(sum(found.right for found in every), len(every)))


def _columns(groups: list[tuple[str, list[Answer]]], tell_part: bool) -> Table:
    lines = parts.table("question", "says", "right", "p>", "verdict", *(["part"] if tell_part else []))
    for name, answers in groups:
        if name:
            lines.add_row(Text(name, "bold"))
        for found in answers:
            says = Text(_short(found), "bold" if found.right else "bold red")
            problem = found.question.problem
            right, p = "".join(problem.answer), probability(math.exp(found.log_p))
            part = [found.question.part or "none"] if tell_part else []
            lines.add_row(_question(problem), says, right, p, verdict(found.right), *part)
    return lines


def _pairs(groups: list[tuple[str, list[Answer]]]) -> Group:
    lines = []
    for name, answers in groups:
        if name:
            lines.append(Text(name, "bold"))
        for found in answers:
            lines.append(Text(_question(found.question.problem)))
            right = "".join(found.question.problem.answer)
            told = Text(f"  {_short(found)}  {probability(math.exp(found.log_p))}  ")
            lines.append(told.append(verdict(True) if found.right else Text(f"not {right}", "red")))
    return Group(*lines)


def _question(problem: Problem) -> str:
    """A question as people type it: its numbers in one piece."""
    inside = "".join(word for word in problem.question if word != "=")
    if problem.question[0] in ("Copy", "Reverse", "Sort"):
        return " ".join(problem.question[:-1])
    return inside


def _short(found: Answer) -> str:
    """An answer in one piece, if it is made of digits."""
    said = words(found.reply)
    text = "".join(said) if all(word.isdigit() for word in said) else " ".join(said)
    return (text or "nothing") + ("" if found.ended else " ...")


def tally(
    asker: SequencesAsker, questions: Sequence[Question], found: Judged, width: int, plain: bool
) -> RenderableType:
    """The count of the test part: accuracy by operation or by length, the first wrong answers."""
    name, groups = _grouped(found.answers, asker.model.task)
    n, n_right = len(found.answers), sum(each.right for each in found.answers)
    wrong = [
        f"{_question(each.question.problem)}  ->  {_short(each)}, not {''.join(each.question.problem.answer)}"
        for each in found.answers
        if not each.right
    ]
    screen: list[RenderableType] = [
        Text(f"{n_right:,} of {n:,} right, {percent(n_right / n)}; mean loss {found.loss:.4f} nats a token", "bold"),
        Text(),
        shares(name, groups, width, plain),
    ]
    return Group(*screen, *parts.mistakes(wrong))


def _grouped(answers: Sequence[Answer], task: SequenceConfig) -> tuple[str, dict[str, list[bool]]]:
    """Right or wrong by operation, by the length of the row or by that of the longer number; and what it is by."""
    if task.task == "operations":
        name, key = "operation", lambda question: question[0]
        order = list(task.ops)
    elif task.task == "add":
        name, key = "digits", lambda question: str(max(map(len, "".join(question[:-1]).split("+"))))
        order = [str(n) for n in range(1, task.max_digits + 1)]
    else:
        name, key = "length", lambda question: str(len(question) - 2)
        order = [str(n) for n in range(task.min_length, task.max_length + 1)]
    groups: dict[str, list[bool]] = {name: [] for name in order}
    for answer in answers:
        groups[key(answer.question.problem.question)].append(answer.right)
    return name, {name: rights for name, rights in groups.items() if rights}


def operations(asker: SequencesAsker) -> Table:
    task = asker.model.task
    if task.task == "operations":
        return parts.operations(task.ops)
    return parts.operations(["+" if task.task == "add" else task.task.capitalize()])


def about(asker: SequencesAsker) -> str:
    """What the task is, in a few words."""
    task = asker.model.task
    if task.task == "operations":
        counts = f"{task.min_args}" if task.min_args == task.max_args else f"{task.min_args} to {task.max_args}"
        return f"{', '.join(task.ops)} of {counts} number{'' if counts == '1' else 's'} 0-{task.max_value}"
    if task.task == "add":
        return f"the sum of two numbers of up to {task.max_digits} digit{'' if task.max_digits == 1 else 's'}"
    low, high = task.min_length, task.max_length
    return f"{task.task.capitalize()} of {low if low == high else f'{low} to {high}'} digits"


def menu(asker: SequencesAsker) -> Table:
    return parts.menu(example(asker.model.task), about(asker))
