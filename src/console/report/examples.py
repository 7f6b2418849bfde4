"""Which examples a report looks at, which tokens its embedding picture shows, and what tokens are called there."""

from common.config import ClassifierConfig, Seq2SeqConfig, TextConfig
from common.data import digits
from common.data.batching import AnyExamples
from common.data.digits import Expression
from common.evaluation import Evaluation, percent
from common.vocabulary import DIGIT_IDS, TOKENS, WORDS, decode
from console import text_screens
from console.page import label, visible
from console.report.looks import Example
from console.subjects import Digits, Sequences, Subject, Texts, View

MOST = 5
"""Examples of the project's own choice."""
LETTERS = 40
"""Tokens of a text in the picture of its embedding, at most."""
WHOLE = {Sequences: "over the whole answer", Texts: "over the whole stretch"}
ASKED = {Digits: "expressions", Sequences: "questions", Texts: "stretches"}
PARTS = {
    "train": "Of the part of the split that is trained on.",
    "validation": "Of the validation part: never trained on.",
    "test": "Of the test part: never trained on.",
}


def chosen(subject: Subject, asked: AnyExamples | None) -> list[Example]:
    """The examples: what the user asked for, the subject's own, and of digits the same numbers for each operation."""
    made = [] if asked is None else [_example(subject, subject.view_of(asked), "Asked by you.")]
    made.append(_example(subject, subject.view, PARTS["test"]))
    if isinstance(subject, Digits):
        first = subject.example
        others = [Expression(op, first.args) for op in subject.task.ops if op != first.op][: MOST - 1]
        made += [_example(subject, subject.view_of(digits.to_examples([e], subject.task)), "") for e in others]
    return list({one.text: one for one in reversed(made)}.values())[::-1]


def _example(subject: Subject, view: View, kind: str) -> Example:
    between = "" if isinstance(subject, Texts) else " "
    read = visible(between.join(view.labels[: view.reach]), False)
    if isinstance(subject, Digits):
        known = Expression(view.labels[0], tuple(int(word) for word in view.labels[2:-1]))
        kind = PARTS[digits.part(known, subject.task.split_seed)]
    shown = view._replace(
        names=[label(name, False) for name in view.names], labels=[label(a, False) for a in view.labels]
    )
    loss_of = "" if isinstance(subject, Digits) else "a token, " + WHOLE[type(subject)]
    return Example(read, kind, loss_of, shown, list(DIGIT_IDS) if isinstance(subject, Digits) else None)


def tokens(subject: Subject) -> list[str]:
    """What every token is called, by its id."""
    task = subject.task
    if isinstance(task, TextConfig):
        return [label(letter, False) for letter in text_screens.letters(range(task.vocab), task)]
    return list(TOKENS if isinstance(subject.model, ClassifierConfig) else WORDS)


def embedded(subject: Subject) -> tuple[str, list[int], bool]:
    """The table of the embedding, the tokens of its picture, and whether they have an order that joins them."""
    table = "src" if isinstance(subject.model, Seq2SeqConfig) else "emb"
    if not isinstance(subject.task, TextConfig):
        return table, list(DIGIT_IDS), True
    every = text_screens.letters(range(subject.task.vocab), subject.task)
    small = [i for i, letter in enumerate(every) if len(letter) == 1 and "a" <= letter <= "z"]
    return table, small if len(small) > 2 else list(range(min(LETTERS, len(every)))), False


def drawn(subject: Subject, count: int) -> str:
    """The training examples, and how many different ones there are among them; of a text, how many paragraphs."""
    distinct = f"{subject.data.train_distinct:,} distinct"
    if isinstance(subject, Texts):
        return f"{count:,} stretches, cut at random from a part of {distinct} paragraphs"
    return f"{count:,} {ASKED[type(subject)]}, {distinct}"


def sentence(subject: Subject) -> str:
    """What the model is to do."""
    if isinstance(subject, Digits):
        one = subject.example
        return f"The task: read an expression like {one.text}, answer with one token, here {one.answer}."
    if isinstance(subject, Sequences):
        asked = subject.example
        read, written = decode(asked.prompt), decode(asked.reply[:-1])
        return f"The task: read a question like {read}, write the answer token by token, here {written}."
    return f"The task: read a text, say at every place which {text_screens.THINGS[subject.task.level]} comes next."


def about_maps(subject: Subject) -> dict[str, str]:
    """What a family's maps of attention have of their own, and those of its gradient."""
    if isinstance(subject, Digits):
        return {"attention": "", "pull": "Rows of the last block that no answer is read from have none."}
    across = "This is the decoder's look across at what the encoder read."
    before = "A position sees itself and what stands before it."
    return {"attention": across if isinstance(subject.model, Seq2SeqConfig) else before, "pull": ""}


def tested(subject: Subject, found: Evaluation) -> str:
    """What the best parameters did on the test part."""
    count = len(subject.data.test.targets)
    where = " of their places" if isinstance(subject, Texts) else ""
    return (
        f"On {count:,} {ASKED[type(subject)]} of the test part, never trained on, the best epoch's model is right in "
        f"{percent(found.accuracy)}{where}; its loss there is {found.loss:.3g} nats."
    )
