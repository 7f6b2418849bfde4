"""The screens of the training program. Each is a function from what was measured to something rich can print."""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from common import evaluation, schedule, tree
from common.config import ClassifierConfig, TrainConfig
from common.data import digits
from common.data.batching import Examples
from common.data.digits import Digits
from common.evaluation import Evaluation, percent
from common.run import Best, History
from common.types import Array, Tree
from common.vocabulary import PAD, TOKENS, decode, words
from console import draw

BAR = 20


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        table.add_column(column.removesuffix(">"), justify="right" if column.endswith(">") else "left", overflow="fold")
    return table


def _line(text: str) -> Text:
    return Text(text)


def _paragraphs(*lines: str) -> Group:
    return Group(*(_line(line) for line in lines))


def dataset(data: Digits, ascii_only: bool) -> RenderableType:
    """Screen 1: what there is to learn, and how often each operation is asked in training."""
    task, train = data.task, data.train
    args = str(task.min_args) if task.min_args == task.max_args else f"{task.min_args} to {task.max_args}"
    table = _table("operation", "examples>", "")
    counts = Counter(train.tokens[:, 0].tolist())
    top = max(counts.values())
    for op in task.ops:
        n = counts[TOKENS.index(op)]
        table.add_row(op, f"{n:,}", draw.bar(n / top, BAR, ascii_only))
    shown = [f"{decode(row)}  ->  {TOKENS[target]}" for row, target in zip(train.tokens[:5], train.targets[:5])]  # noqa: B905
    return Group(
        _paragraphs(
            f"Expressions of {args} arguments from 0 to {task.max_value}: {digits.size(task):,} distinct ones exist.",
            f"Training draws {len(train.targets):,} examples, {data.train_distinct:,} of them distinct:",
            "",
        ),
        table,
        _paragraphs("", "The first five:", *(f"  {line}" for line in shown)),
    )


def split(data: Digits) -> RenderableType:
    """Screen 2: the split, and the proof that nothing held out is trained on."""
    asked = len(data.validation.targets) + len(data.test.targets)
    table = _table("part", "expressions>", "used for")
    table.add_row("train", f"{data.train_distinct:,}", "updates")
    table.add_row("validation", f"{len(data.validation.targets):,}", "choosing the best epoch")
    table.add_row("test", f"{len(data.test.targets):,}", "the final figure, once")
    return Group(
        table,
        _paragraphs(
            "",
            "A hash of the expression decides its part (80/10/10), so a part never depends on the run.",
            f"Checked now: {data.overlap} of the {asked:,} held-out expressions are among the training examples.",
        ),
    )


def batching(batch: Examples, train: TrainConfig) -> RenderableType:
    """Screen 3: the first rows of the first batch, as the model will read them."""
    table = _table("tokens", "ids", "answer>")
    for ids, mask, target in list(zip(batch.tokens, batch.mask, batch.targets, strict=True))[:5]:
        text = Text()
        for word, real in zip(words(ids.tolist()), mask, strict=True):
            text.append(word + " ", style="" if real else "dim")
        table.add_row(text, " ".join(str(i) for i in ids), TOKENS[target])
    share = evaluation.padding_share(batch.mask)
    return Group(
        _line(f"An update takes {train.batch_size} examples: an array of {batch.tokens.shape} token ids."),
        _line(""),
        table,
        _line(""),
        _line(
            f"Padding ({TOKENS[PAD]}) is {percent(share)} of this batch; the mask keeps every head from looking at it."
        ),
    )


def architecture(params: Tree, model: ClassifierConfig) -> RenderableType:
    """Screen 4: every parameter tensor."""
    table = _table("tensor", "shape", "numbers>", "spread>")
    for name, leaf in tree.items(params):
        table.add_row(name, " x ".join(map(str, leaf.shape)), f"{leaf.size:,}", f"{float(np.std(leaf)):.3f}")
    table.add_row("all", "", f"{tree.count(params):,}", "")
    return Group(
        _paragraphs(
            "tokens -> embedding + positions",
            f"  -> {model.n_blocks} x (attention, {model.n_heads} heads -> add -> norm"
            f" -> feed-forward, {model.d_ffn} units -> add -> norm)",
            "  -> the first position -> head -> one token",
            "",
        ),
        table,
    )


def top_answers(probabilities_V: Array, target: int, ascii_only: bool, n: int = 5) -> Table:
    table = _table("token", "probability>", "")
    for token in np.argsort(-probabilities_V, kind="stable")[:n].tolist():
        p = float(probabilities_V[token])
        mark = "  <- right" if token == target else ""
        table.add_row(TOKENS[token], f"{100 * p:.2f} %", draw.bar(p, BAR, ascii_only) + mark)
    return table


def before(text: str, target: int, probabilities_V: Array, step: int, ascii_only: bool) -> RenderableType:
    """Screen 5: what the model answers before the next update, untrained unless the run is resumed."""
    when = f"After {step:,} updates" if step else "Before training"
    loss = -float(np.log(probabilities_V[target]))
    chance = float(np.log(len(probabilities_V)))
    return Group(
        _line(f"{text}  ->  {TOKENS[target]} would be right. {when} the model says:"),
        _line(""),
        top_answers(probabilities_V, target, ascii_only),
        _line(""),
        _line(f"Loss -ln p({TOKENS[target]}) = {loss:.3f} nats; an even guess among all tokens has {chance:.3f}."),
    )


def setup(train: TrainConfig, backend: str, ascii_only: bool) -> RenderableType:
    """Screen 6: how it will be trained."""
    rates = [
        schedule.learning_rate(s, steps=train.steps, lr=train.lr, schedule=train.schedule, warmup=train.warmup)
        for s in range(0, train.steps, max(1, train.steps // 200))
    ]
    rows = {
        "backend": backend,
        "passes in": train.dtype,
        "optimizer": train.optimizer,
        "learning rate": f"{train.lr:g}, {train.warmup} updates of warm-up, then {train.schedule}",
        "": draw.curve(rates, 32, ascii_only),
        "weight decay": f"{train.weight_decay:g}",
        "clip norm": f"{train.clip_norm:g}" if train.clip_norm else "none",
        "examples": f"{train.examples:,}",
        "batch size": str(train.batch_size),
        "epochs": f"{train.epochs} of {train.steps_per_epoch:,} updates, {train.steps:,} in all",
        "seed": str(train.seed),
    }
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, value in rows.items():
        table.add_row(Text(name, style="dim"), Text(value))
    return table


EPOCH_HEAD = "epoch      train: loss  right    validation: loss  right"


def epoch_line(record: dict, epochs: int, is_best: bool) -> str:
    """A row under EPOCH_HEAD."""
    mark = "  best" if is_best else ""
    return (
        f"epoch {record['epoch']:>{len(str(epochs))}}/{epochs}".ljust(11)
        + f"{record['train_loss']:>11.4f} {percent(record['train_accuracy']):>7}"
        + f"{record['loss']:>18.4f} {percent(record['accuracy']):>8}{mark}"
    )


def one_answer(text: str, probabilities_V: Array) -> str:
    """`Max ( 5 3 9 )  ->  9 (98.2 %)`: what the model says at this moment."""
    token = int(np.argmax(probabilities_V))
    return f"{text}  ->  {TOKENS[token]} ({100 * float(probabilities_V[token]):.1f} %)"


def trained(history: History, best: Best, ascii_only: bool) -> RenderableType:
    """What training did, in three lines and a warning if it overfits."""
    warning = evaluation.overfitting(history)
    right = history.accuracy
    return _paragraphs(
        f"loss      {history.loss[0]:.3f} {draw.curve(history.loss, 40, ascii_only)} {history.loss[-1]:.4f}",
        f"accuracy  {right[0]:.3f} {draw.curve(right, 40, ascii_only)} {right[-1]:.4f}",
        f"best epoch {best.epoch} (update {best.step:,}): {percent(best.accuracy)} on validation",
        *([f"warning: {warning}"] if warning else []),
    )


def tested(found: Evaluation, targets_N: Array, ascii_only: bool) -> RenderableType:
    """Screen 8: the held-out test part, by operation, and what was taken for what."""
    table = _table("operation", "right>", "")
    for op, share in evaluation.accuracy_table(found.by_op):
        table.add_row(op, percent(share), draw.bar(share, BAR, ascii_only))
    table.add_row("all", percent(found.accuracy), draw.bar(found.accuracy, BAR, ascii_only))
    n_wrong = round(len(targets_N) * (1 - found.accuracy))
    return Group(
        _line(f"{len(targets_N):,} expressions never trained on; loss {found.loss:.4f} nats."),
        _line(""),
        table,
        _line(""),
        _confusion(found, targets_N) if n_wrong else _line("No answer was wrong: the confusion table is diagonal."),
    )


def _confusion(found: Evaluation, targets_N: Array) -> RenderableType:
    counts = evaluation.confusion(found.predictions, targets_N)
    pairs = [(counts[i, j], i, j) for i in range(10) for j in range(11) if i != j and counts[i, j]]
    pairs.sort(key=lambda entry: (-entry[0], entry[1:]))
    table = _table("right>", "answered>", "times>")
    for n, i, j in pairs[:8]:
        table.add_row(str(i), "other" if j == 10 else str(j), str(n))
    return Group(_line(f"Taken for another, the {min(8, len(pairs))} most frequent of {len(pairs)}:"), table)


def samples(texts: Sequence[str], targets: Iterable[int], probabilities_NV: Array) -> RenderableType:
    """Screen 9: single answers."""
    table = _table("expression", "right>", "answer>", "probability>", "")
    for text, target, p_V in zip(texts, targets, probabilities_NV, strict=True):
        answer = int(np.argmax(p_V))
        verdict = "" if answer == target else "wrong"
        table.add_row(text, TOKENS[target], TOKENS[answer], f"{100 * float(p_V[answer]):.2f} %", verdict)
    return table


def attention(text: str, labels: Sequence[str], maps: Sequence[Array], ascii_only: bool) -> RenderableType:
    """Screen 10: what the answer position (the first) looks at, in each block and head; maps are (H, T, T)."""
    parts: list[RenderableType] = [_line(f"{text}: what the first position, from which the answer is read, looks at.")]
    for i, w_HTS in enumerate(maps):
        table = _table(f"block {i}", *(f"{label}>" for label in labels), "pattern")
        for head, w_TS in enumerate(w_HTS):
            cells = [f"{100 * float(share):.0f} %" for share in w_TS[0]]
            table.add_row(f"head {head}", *cells, evaluation.attention_pattern(w_TS[:1]))
        parts += [_line(""), table]
    return Group(*parts)


def operations_line(found: Evaluation) -> str:
    return ", ".join(f"{op} {percent(share)}" for op, share in evaluation.accuracy_table(found.by_op))
