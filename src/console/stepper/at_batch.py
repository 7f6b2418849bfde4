"""The batch: which examples the update learns from."""

import numpy as np
from rich.console import RenderableType
from rich.text import Text

from common.config import Seq2SeqConfig, TextConfig
from common.data.batching import Pairs, Stretches
from common.evaluation import percent
from common.types import Array
from common.vocabulary import PAD, WORDS
from console.page import Page, label, lines, table
from console.stepper import shown
from console.stepper.moment import Look, Moment
from console.stepper.view import View

ROWS = 8


def render(moment: Moment, view: View, page: Page) -> RenderableType:
    batch = moment.look.examples
    n = len(batch.targets)
    first = min(max(0, view.example - ROWS // 2), max(0, n - ROWS))
    rows = table(" ", *([] if page.narrow else ["row>"]), "is read", "asked for")
    for i in range(first, min(first + ROWS, n)):
        mark = ">" if i == view.example and view.asked is None else ""
        rows.add_row(mark, *([] if page.narrow else [str(i)]), *_example(moment, i, page))
    sizes = " and ".join(shown.shape(ids) for ids in _ids(batch))
    beside = [] if view.beside is None else _beside(moment, view.beside, page)
    return shown.over(
        *beside,
        lines(f"Update {moment.number:,} learns from {n} examples: {sizes} token ids.", ""),
        rows,
        lines("", *_absent(moment, page), *_padding(batch)),
    )


def _beside(moment: Moment, look: Look, page: Page) -> list[RenderableType]:
    """The example that the user asked for: its tokens, and whether the batch holds it too."""
    asked, batch = look.examples, moment.look.examples
    ids, rows = (each.src if isinstance(each, Pairs) else each.tokens for each in (asked, batch))
    real = ids[0, : shown.length(asked, 0, "src")]
    told = "The next stations show its way through the model; `e N` goes back to row N."
    if not isinstance(asked, Stretches):  # a stretch of text may stand anywhere in another
        n = int((rows == ids).all(axis=1).sum())
        times = f"It is in the batch too, {n} time{'' if n == 1 else 's'}" if n else "It is not in the batch"
        told = f"{times}. {told}"
    return [
        shown.head_line(moment, look, 0, page),
        Text(f"ids {' '.join(map(str, real.tolist()))}", style="dim"),
        lines(told, ""),
    ]


def _ids(batch) -> list[Array]:
    return [batch.src, batch.tokens] if isinstance(batch, Pairs) else [batch.tokens]


def _example(moment: Moment, i: int, page: Page) -> tuple[Text, Text]:
    batch, most = moment.look.examples, max(12, (page.width - 14) * 2 // 3)
    read = batch.src[i] if isinstance(batch, Pairs) else batch.tokens[i]
    if batch.targets.ndim == 1:
        asked = shown.names(batch.targets[i : i + 1], moment.task, page)[0]
    else:
        asked = shown.sentence(batch.targets[i][batch.weights[i]], moment.task, page, max(8, page.width // 4))
    return Text(shown.sentence(read, moment.task, page, most)), Text(asked)


def _absent(moment: Moment, page: Page) -> list[str]:
    """The tokens that no example holds: their embeddings will learn nothing."""
    batch, model = moment.look.examples, moment.model
    sides = [("question", batch.src), ("answer", batch.tokens)] if isinstance(batch, Pairs) else [("", batch.tokens)]
    told = []
    for side, ids in sides:
        vocab = model.src_vocab if isinstance(model, Seq2SeqConfig) and side == "question" else shown.vocabulary(model)
        missing = np.setdiff1d(np.arange(vocab), ids)
        where = f" in the {side}s" if side else ""
        told.append(f"Absent{where}: {_listed(missing, moment, page)}.")
    return told


def _listed(missing: Array, moment: Moment, page: Page) -> str:
    if not missing.size:
        return "no token"
    few = missing[:24]
    if isinstance(moment.task, TextConfig) and moment.task.level == "byte":
        return f"{len(missing)} of {moment.task.vocab} bytes"
    more = f" and {len(missing) - len(few)} more" if len(missing) > len(few) else ""
    names = [f"'{name}'" if name in ",." else name for name in shown.names(few, moment.task, page)]
    return " ".join(names) + more


def _padding(batch) -> list[str]:
    if not hasattr(batch, "mask"):
        return []
    share = percent(1 - float(np.mean(batch.mask)))
    return [f"Padding ({label(WORDS[PAD], False)}) is {share} of the batch; the mask keeps every head from seeing it."]
