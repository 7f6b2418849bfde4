"""Accuracy by length, also for lengths that no run ever saw: what is asked, how it is counted, and the picture."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from common import plots
from common.config import ModelConfig, Seq2SeqConfig, SequenceConfig
from common.data import sequences
from common.data.sequences import Problem
from common.types import Tree
from jax_impl import train as twin

ASKED = 2_000
"""Questions of all lengths together, each length as probable as the others before the training part is taken out."""
BEYOND = {
    "operations": {"min_args": 2, "max_args": 5},
    "copy": {"max_length": 16},
    "reverse": {"max_length": 16},
    "sort": {"max_length": 16},
    "add": {"max_digits": 6},
}
UNIT = {"operations": "arguments", "add": "digits of the longer number"}


def length(problem: Problem, task: str) -> int:
    """Arguments of an operation, digits of a row, digits of the longer of two numbers."""
    words = problem.question
    if task == "operations":
        return words.count(",") + 1
    if task == "add":
        plus = words.index("+")
        return max(plus, len(words) - plus - 2)  # 2: the `+` and the `=`
    return len(words) - 2  # the task's name and the `=`


def trained(task: SequenceConfig) -> tuple[int, int]:
    """The shortest and the longest length of the training examples."""
    if task.task == "operations":
        return task.min_args, task.max_args
    return (1, task.max_digits) if task.task == "add" else (task.min_length, task.max_length)


def questions(task: SequenceConfig) -> tuple[SequenceConfig, list[Problem]]:
    """Questions of the test part, which is never trained on whatever the length; and the wider task they belong to."""
    wide = replace(task, **BEYOND[task.task])
    return wide, sequences.held_out(wide, "test", ASKED)


def by_length(
    params: Tree, asked: tuple[SequenceConfig, list[Problem]], *, model: ModelConfig
) -> dict[str, tuple[int, int]]:
    """Length to (right, asked)."""
    task, problems = asked
    form = sequences.to_pairs if isinstance(model, Seq2SeqConfig) else sequences.to_texts
    examples = form(problems, task)
    found = twin.evaluate(params, examples, model=model)
    right_N = ((found.predictions == examples.targets) | ~examples.weights).all(axis=1)
    lengths_N = np.array([length(problem, task.task) for problem in problems])
    return {
        str(n): (int(right_N[lengths_N == n].sum()), int((lengths_N == n).sum())) for n in np.unique(lengths_N).tolist()
    }


def share(runs: list[Mapping[str, tuple[int, int]]]) -> dict[int, list[float]]:
    """Length to the share that each run answered rightly, in %."""
    return {int(n): [100 * run[n][0] / run[n][1] for run in runs] for n in sorted(runs[0], key=int)}


@plots.styled
def draw(rows: list[dict]):
    """A panel for each task, a line for each family: the mean over its seeds, within the lowest and the highest."""
    names = list(dict.fromkeys(row["task"] for row in rows))
    figure = plots.figure_of(2.1 * len(names) + 0.4, 2.8)
    panels = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    for axes, name in zip(panels, names, strict=True):
        here = [row for row in rows if row["task"] == name]
        low, high = here[0]["trained"]
        axes.axvspan(low - 0.5, high + 0.5, color="#EEEEEE", lw=0)
        for row in here:
            colour, marker, line = plots.LINES[row["family"] == "gpt"]
            shares = share(row["by_length"])
            lowest, mean, highest = np.array([[min(s), np.mean(s), max(s)] for s in shares.values()]).T
            axes.fill_between(list(shares), lowest, highest, color=colour, alpha=0.2, lw=0)
            axes.plot(list(shares), mean, color=colour, marker=marker, ls=line, ms=3, lw=1.2, label=row["family"])
        axes.set(xlabel=UNIT.get(name, "digits"), ylim=(-3, 103), xlim=(min(shares) - 0.5, max(shares) + 0.5))
        axes.set_title(name, loc="left")
    panels[0].set_ylabel("answered rightly, %")
    panels[min(1, len(names) - 1)].legend(loc="lower left")  # where the lines stay at the top
    return figure
