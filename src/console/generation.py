"""`generate.py`: let a trained model go on from a text, or answer a question, token by token.

Exit codes: 0 done, 2 bad input, 130 ended by Ctrl-C, with what there was until then.
"""

import argparse
import contextlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from common.checkpoint import Model
from common.config import DigitsConfig
from common.data.pieces import ParseError
from common.errors import UserError
from common.sampling import Sampling
from console import backend, draw, growing, models
from console.answers.parts import trouble
from console.backend import Twin
from console.growing import MOST, Row
from console.terminal import announce, guarded, is_terminal, opened, say, whole

_LONGEST = 1_000_000
"""Characters that are read from standard input: far more than any of these models has room for."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code."""
    given = _parser().parse_args(argv)
    return guarded(lambda out, err: _run(given, err), "text")


def _parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="generate.py",
        description="Let a trained gpt, llama or seq2seq go on from a prompt: a text model from any text, the others "
        "from a question of their task. The same seed gives the same text.",
        epilog="Exit code: 0 done, 2 bad input, 130 ended by Ctrl-C, with what there was until then.",
        allow_abbrev=False,
    )
    p.add_argument("--checkpoint", type=Path, required=True, metavar="FILE", help="the model, or a run's folder")
    p.add_argument(
        "--prompt",
        action="append",
        required=True,
        metavar="TEXT",
        help="what to go on from; - reads standard input; may be repeated",
    )
    p.add_argument("--max-new-tokens", type=whole(1, 10**6), metavar="N", help=f"(default: what fits, at most {MOST})")
    p.add_argument(
        "--temperature", type=float, metavar="X", default=0.0, help="0 takes the most probable token (default: 0)"
    )
    p.add_argument(
        "--top-k", type=whole(0, 10**6), metavar="K", default=0, help="draw from the k most probable; 0: from all"
    )
    p.add_argument(
        "--top-p",
        type=float,
        metavar="P",
        default=1.0,
        help="draw from the most probable that reach p together; 1: all",
    )
    p.add_argument(
        "--min-p", type=float, metavar="P", default=0.0, help="draw from those min-p times as probable as the first"
    )
    p.add_argument(
        "--repetition-penalty", type=float, metavar="X", default=1.0, help="above 1: what stands there comes less again"
    )
    p.add_argument("--seed", type=whole(0, 2**32 - 1), metavar="N", default=0, help="of the draws (default: 0)")
    p.add_argument("--stream", action="store_true", help="print tokens as they come")
    p.add_argument("--json", action="store_true", help="one object a prompt: prompt, text (what was added), token ids")
    p.add_argument("--beyond", action="store_true", help="take questions that the model was never trained on")
    p.add_argument("--backend", choices=backend.NAMES, default="numpy", help="(default: numpy)")
    return p


def _run(given: argparse.Namespace, err: Console) -> int:
    if given.json and given.stream:
        raise UserError("--json prints whole answers: leave out --stream")
    model = models.load(given.checkpoint)
    if isinstance(model.task, DigitsConfig):
        raise UserError(
            f"{given.checkpoint}: a classifier answers with one token and generates no text: ask it with "
            f"test_model_manually.py --checkpoint {given.checkpoint}"
        )
    sampling = _sampling(given, model)
    rows = _rows(given, model, err)
    if not rows:
        return 2
    growing.limit(rows, given.max_new_tokens)
    with contextlib.suppress(AttributeError):
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    twin = backend.choose(given.backend)
    announce(err, twin.name)
    return (_stream if given.stream else _at_once)(given, model, twin, rows, sampling)


def _sampling(given: argparse.Namespace, model: Model) -> Sampling:
    names = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty")
    try:
        made = Sampling(**{name: getattr(given, name) for name in names}, end_token=growing.end(model))
    except UserError as error:
        name, _, rest = str(error).partition(" ")
        raise UserError(f"{_flag(name)} {rest}") from None
    idle = [name for name in ("top_k", "top_p", "min_p") if getattr(made, name) != getattr(Sampling(), name)]
    if idle and made.temperature == 0:
        raise UserError(f"at temperature 0 nothing is drawn: add --temperature 0.8, or leave out {_flag(idle[0])}")
    return made


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _rows(given: argparse.Namespace, model: Model, err: Console) -> list[Row]:
    """The prompts; none where one of them cannot be read, which is then told."""
    if given.prompt.count("-") > 1:
        raise UserError("--prompt - can be given once: standard input is read to its end")
    rows, several = [], len(given.prompt) > 1
    for number, text in enumerate(given.prompt):
        prompt = _standard_input() if text == "-" else text
        try:
            rows.append(growing.read(prompt, number, model, given.beyond))
        except ParseError as error:
            where = f"prompt {number + 1}" if several else ""
            width, plain = err.width, draw.is_ascii(err)
            say(err, trouble(prompt, error, where=where, width=width, plain=plain, echo=True))
            return []
    return rows


def _standard_input() -> str:
    with opened("-", "--prompt") as file:
        try:
            text = file.read(_LONGEST + 1)
        except OSError as error:
            raise UserError(f"--prompt -: standard input cannot be read: {error.strerror or error}") from None
    if len(text) > _LONGEST:
        raise UserError(f"--prompt -: standard input has more than {_LONGEST:,} characters")
    return text


def _at_once(given: argparse.Namespace, model: Model, twin: Twin, rows: list[Row], sampling: Sampling) -> int:
    """Print each text when all are there."""
    code = 0
    try:
        for batch in growing.batches(rows):
            for _ in growing.grow(model, twin, batch, sampling, given.seed):
                pass
    except KeyboardInterrupt:
        code = 130
    for row in rows:
        row.close()
        if given.json:
            _write(json.dumps(row.record()) + "\n")
        else:
            _write(f"{_head(row, rows)}{_shown(row.prompt + row.text)}\n")
    return code


def _stream(given: argparse.Namespace, model: Model, twin: Twin, rows: list[Row], sampling: Sampling) -> int:
    """Print tokens as they come, one prompt after another."""
    for row in rows:
        code = 0
        try:
            _write(f"{_head(row, rows)}{_shown(row.prompt)}")
            for _, new in growing.grow(model, twin, [row], sampling, given.seed):
                _write(_shown(new))
        except KeyboardInterrupt:
            code = 130
        _write(f"{row.close()}\n")
        if code:
            return code
    return 0


def _head(row: Row, rows: Sequence[Row]) -> str:
    """The line above a text that is one of several."""
    gap = "\n" if row.number else ""
    return f"{gap}==> {row.number + 1} of {len(rows)} <==\n" if len(rows) > 1 else ""


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _shown(text: str) -> str:
    """A text as it is; for a terminal, without what would make it act."""
    if not is_terminal(sys.stdout):
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text)
