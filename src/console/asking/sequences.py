"""The sequence tasks: a question, and an answer that the model writes token by token until it ends it."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from common import random
from common.checkpoint import Model
from common.config import Seq2SeqConfig
from common.data import reading, sequences
from common.data.pieces import ParseError, Untrained
from common.data.sequences import Problem
from common.data.split import part
from common.sampling import Hypothesis, Sampling, without_caches
from common.vocabulary import EOS, START, WORDS
from console import interrupts
from console.asking import HINT, Groups, Settings, again, drawn, finite
from console.asking.again import Again
from console.asking.cases import cases
from console.asking.drawn import Drawn
from console.asking.written import Answer, Judged, Question, Token
from console.backend import Twin


class SequencesAsker(NamedTuple):
    """Of a decoder alone or an encoder-decoder."""

    model: Model
    twin: Twin
    settings: Settings

    @property
    def pairs(self) -> bool:
        """Whether the model reads the question with an encoder."""
        return isinstance(self.model.config, Seq2SeqConfig)

    def read(self, text: str) -> Question:
        """The question that a text spells. Raises ParseError if it is none, or longer than the model has room for."""
        task = self.model.task
        try:
            problem = reading.read(text, task)
            found = Question(problem, part(problem.text, task.split_seed))
        except Untrained as error:
            if not self.settings.beyond:
                raise Untrained(error.column, f"{error}{HINT}") from None
            found = Question(reading.read(text, task, beyond=True), None)
        asked, said = len(found.problem.prompt), len(found.problem.reply)
        need, room = max(asked, 1 + said) if self.pairs else asked + said, self.model.config.max_len
        if need > room:
            told = f"this question has {asked} tokens and its answer {said}; the model has room for {room}"
            raise ParseError(len(text), told if self.pairs else f"{told} in all")
        return found

    def ask(self, questions: Sequence[Question]) -> list[Answer]:
        """The answers to some questions, asked as one batch. Raises UserError if the model's numbers overflow."""
        prompts = [question.problem.prompt for question in questions]
        limit = self._limit(questions)
        sampling = Sampling(max_new_tokens=limit, end_token=EOS)
        with np.errstate(all="ignore"):  # told below in a sentence
            steps = without_caches(
                interrupts.between(
                    self.twin.generate.stream(
                        self.model.params,
                        prompts,
                        model=self.model.config,
                        sampling=sampling,
                        start_token=START if self.pairs else None,
                        candidates=self.settings.top,
                    )
                )
            )
            expected = self._expected(questions)
        interrupts.check()
        written = [[token for step in steps if (token := Token.of(step, row))] for row in range(len(questions))]
        finite([token.p for tokens in written for token in tokens])
        beams = self._beams(prompts, limit)
        return [Answer(*row) for row in zip(questions, written, expected, beams, strict=True)]

    def _limit(self, questions: Sequence[Question]) -> int:
        """How many tokens the model may write: those of the longest answer of its task, and the end token."""
        longest = max(self.model.task.max_answer, *(len(question.problem.answer) for question in questions))
        read = 1 if self.pairs else max(len(question.problem.prompt) for question in questions)
        return min(longest + 1, self.model.config.max_len - read)

    def _expected(self, questions: Sequence[Question]) -> list[float]:
        """The log-probability of each right answer, its end token included."""
        replies = [question.problem.reply for question in questions]
        prompts = [question.problem.prompt for question in questions]
        begun = [[START]] * len(prompts) if self.pairs else prompts
        each = self.twin.generate.log_probabilities(
            self.model.params,
            [begin + reply for begin, reply in zip(begun, replies, strict=True)],
            model=self.model.config,
            sources=prompts if self.pairs else None,
        )
        return [sum(row[-len(reply) :]) for row, reply in zip(each, replies, strict=True)]

    def _beams(self, prompts: list[list[int]], limit: int) -> list[list[Hypothesis] | None]:
        if self.settings.beams is None:
            return [None] * len(prompts)
        with np.errstate(all="ignore"):
            return self.twin.generate.beam_search(
                self.model.params,
                prompts,
                model=self.model.config,
                width=self.settings.beams,
                max_new_tokens=limit,
                start_token=START,
                end_token=EOS,
            )

    def again(self, answer: Answer, *, whole: bool = False) -> Again:
        problem = answer.question.problem
        form = again.across if self.pairs else again.after
        return form(problem.prompt, [token.id for token in answer.tokens], problem.reply, WORDS)

    def slow(self, answer: Answer) -> bool:
        return drawn.slow(self.model, answer.question.part)

    def drawn(self, answer: Answer) -> Drawn:
        return drawn.drawn(self.model, answer.question.problem.text, answer.question.part)

    def cases(self) -> Groups:
        return [(name, [self._inside(problem) for problem in group]) for name, group in cases(self.model.task)]

    def draw(self, seed: int) -> Iterator[Question]:
        return (self._inside(problem) for problem in sequences.stream(random.key(seed), self.model.task))

    def everything(self) -> tuple[str, list[Question]]:
        """The sample of the test part that every run with this split seed is asked."""
        held_out = sequences.held_out(self.model.task, "test")
        return f"{len(held_out):,} of the test part's questions", [self._inside(problem) for problem in held_out]

    def _inside(self, problem: Problem) -> Question:
        return Question(problem, part(problem.text, self.model.task.split_seed))

    def judge(self, questions: Sequence[Question]) -> Judged:
        return Judged(self.ask(questions))

    def total(self, questions: Sequence[Question], judged: Sequence[Judged]) -> Judged:
        return Judged([answer for part in judged for answer in part.answers])
