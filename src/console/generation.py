"""`generate.py`: let a trained model go on from a text, or answer a question, token by token.

Exit codes: 0 done, 2 bad input, 130 ended by Ctrl-C, with what there was until then.
"""

import argparse
import contextlib
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.text import Text

from common.checkpoint import Model
from common.config import DigitsConfig, TextConfig
from common.data.pieces import ParseError
from common.errors import UserError
from common.sampling import Sampling
from common.weights import Loaded
from console import backend, draw, growing, models, pretrained, sampling_flags
from console.answers.trouble import trouble
from console.asking import ANY_TEXT
from console.backend import Twin
from console.growing import MOST, Row
from console.terminal import Parser, announce, guarded, is_terminal, opened, say, whole

_LONGEST = 1_000_000
"""Characters that are read from standard input: far more than any of these models has room for."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code."""
    given = _parser().parse_args(argv)
    return guarded(lambda out, err: _run(given, err), "text", hasty=True)


def _parser() -> argparse.ArgumentParser:
    p = Parser(
        prog="generate.py",
        description="Let a trained gpt, llama or seq2seq go on from a prompt: a text model from any text, the others "
        "from a question of their task. The same prompts and seed give the same texts: each of several prompts draws "
        "with a key of its own.",
        epilog="Exit code: 0 done, 2 bad input, 130 ended by Ctrl-C, with what there was until then, 141 where nobody "
        "reads on.",
        allow_abbrev=False,
    )
    who = p.add_mutually_exclusive_group()
    who.add_argument("--checkpoint", type=Path, metavar="FILE", help="a model of ours, or a run's folder")
    who.add_argument(
        "--model", metavar="PATH", help="others' weights: a Hugging Face directory, a GGUF file, or smollm2 (make chat)"
    )
    p.add_argument(
        "--prompt",
        action="append",
        metavar="TEXT",
        help="what to go on from; - reads standard input; may be repeated",
    )
    p.add_argument(
        "--max-new-tokens",
        type=whole(1, 10**6),
        metavar="N",
        help=f"then the text is cut (default: {MOST}, less where the model has less room)",
    )
    sampling_flags.add(p, "0")
    p.add_argument("--stream", action="store_true", help="print tokens as they come")
    p.add_argument("--json", action="store_true", help="one object a prompt: prompt, text (what was added), token ids")
    p.add_argument("--chat", action="store_true", help="--model: the prompt is a message, and its answer is printed")
    p.add_argument("--beyond", action="store_true", help="take questions that the model was never trained on")
    p.add_argument("--backend", choices=backend.NAMES, default="numpy", help="(default: numpy)")
    return p


def _run(given: argparse.Namespace, err: Console) -> int:
    _check(given)
    sampling = Sampling(**sampling_flags.asked(given))
    sampling_flags.check_drawn(sampling)
    model = _model(given, err)
    rows = _rows(given, model, err)
    if not rows:
        return 2
    growing.limit(rows, given.max_new_tokens)
    with contextlib.suppress(AttributeError):
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    twin = backend.choose(given.backend)
    announce(err, twin.name)
    writer, placed = _stream if given.stream else _at_once, pretrained.placed(model, twin)
    code = writer(given, placed, twin, rows, replace(sampling, end_token=growing.end(model)))
    if not code and is_terminal(sys.stdout) and is_terminal(sys.stderr):
        _tell_cut(rows, err)
    return code


def _tell_cut(rows: Sequence[Row], err: Console) -> None:
    """Why texts stop where the model did not end them, unless the user said how long they shall be."""
    told = {growing.cut(row) for row in rows} - {""}
    for sentence in sorted(told):
        say(err, Text(sentence, "dim"))


def _check(given: argparse.Namespace) -> None:
    if (given.checkpoint is None and given.model is None) or not given.prompt:
        raise UserError(_missing(given))
    if given.json and given.stream:
        raise UserError("--json prints whole answers: leave out --stream")
    if given.chat and given.model is None:
        raise UserError("--chat is for models that have a chat template: name one with --model, or leave it out")
    if given.beyond and given.model is not None:
        raise UserError("--beyond is for the tasks of our own models: leave it out")
    if given.prompt.count("-") > 1:
        raise UserError("--prompt - can be given once: standard input is read to its end")


def _missing(given: argparse.Namespace) -> str:
    """What to add, so that there are a model and a prompt."""
    model = [] if given.checkpoint or given.model else ["a model with --checkpoint FILE or --model PATH"]
    prompt = [] if given.prompt else ["what to go on from with --prompt TEXT"]
    example = '--checkpoint checkpoints/text-gpt.safetensors --prompt "The model"'
    return f"name {' and '.join([*model, *prompt])}, as in: generate.py {example}"


def _model(given: argparse.Namespace, err: Console) -> Model | Loaded:
    if given.model is not None:
        found = pretrained.load(given.model, err)
        if given.chat:
            pretrained.check_chat(found, given.model)
        return found
    model = models.load(given.checkpoint)
    if isinstance(model.task, DigitsConfig):
        raise UserError(
            f"{given.checkpoint}: a classifier answers with one token and generates no text: ask it with "
            f"test_model_manually.py --checkpoint {given.checkpoint}"
        )
    if given.beyond and isinstance(model.task, TextConfig):
        raise UserError(ANY_TEXT)
    return model


def _rows(given: argparse.Namespace, model: Model | Loaded, err: Console) -> list[Row]:
    """The prompts; none where one of them cannot be read, which is then told."""
    rows, several = [], len(given.prompt) > 1
    for number, text in enumerate(given.prompt):
        prompt = _standard_input() if text == "-" else text
        try:
            rows.append(_row(given, prompt, number, model))
        except ParseError as error:
            where = f"prompt {number + 1}" if several else ""
            width, plain = err.width, draw.is_ascii(err)
            say(err, trouble(prompt, error, where=where, width=width, plain=plain, echo=True))
            return []
    return rows


def _row(given: argparse.Namespace, prompt: str, number: int, model: Model | Loaded) -> Row:
    if isinstance(model, Loaded):
        return pretrained.read(prompt, number, model, chat=given.chat)
    return growing.read(prompt, number, model, given.beyond)


def _standard_input() -> str:
    with opened("-", "--prompt") as file:
        try:
            text = file.read(_LONGEST + 1)
        except OSError as error:
            raise UserError(f"--prompt -: standard input cannot be read: {error.strerror or error}") from None
    if len(text) > _LONGEST:
        raise UserError(f"--prompt -: standard input has more than {_LONGEST:,} characters")
    return text


def _at_once(given: argparse.Namespace, model: Model | Loaded, twin: Twin, rows: list[Row], sampling: Sampling) -> int:
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
            _write(f"{_head(row, rows)}{_shown(row.whole)}{row.tail}\n")
    return code


def _stream(given: argparse.Namespace, model: Model | Loaded, twin: Twin, rows: list[Row], sampling: Sampling) -> int:
    """Print tokens as they come, one prompt after another."""
    for row in rows:
        code = 0
        try:
            _write(f"{_head(row, rows)}{_shown(row.whole)}")
            for _, new in growing.grow(model, twin, [row], sampling, given.seed):
                _write(_shown(new))
        except KeyboardInterrupt:
            code = 130
        _write(f"{row.close()}{row.tail}\n")
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
