"""`python -m console.memory`: what a model takes in memory, known before any of it is allocated.

For a well-known model, a file, or sizes of your own: parameters, gradients, optimizer, what the forward pass keeps for
the backward pass, the cache of generation.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from common import checkpoint, files, memory
from common.config import FAMILIES, OPTIMIZERS, ModelConfig, Seq2SeqConfig, TrainConfig, family_of
from common.errors import UserError
from common.memory import words
from common.presets import PRESETS
from console import estimate, terminal
from console.estimate import Asked

EPILOG = """\
  python -m console.memory --preset smollm2-135m --batch 8 --length 1024
  python -m console.memory --preset llama-3-8b --dtype bfloat16 --model-config '{"n_blocks": 16}'
  python -m console.memory --model-config '{"family": "gpt", "vocab": 1000, "d_model": 256}' --compile
  python -m console.memory --checkpoint checkpoints/digits-medium.safetensors --batch 64 --length 6
Figures without "about" are exact. Exit code: 0, or 2 for a bad request.
"""
_BYTES = {"float32": 4, "float64": 8, "bfloat16": 2}
_MOST = 1 << 31


def parser() -> argparse.ArgumentParser:
    about = (__doc__ or "").partition(": ")[2]
    p = terminal.Parser(
        prog="python -m console.memory",
        description=about[0].upper() + about[1:],
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    p.add_argument("--preset", choices=PRESETS, help="the sizes of a well-known model")
    p.add_argument(
        "--checkpoint", type=Path, metavar="PATH", help="a checkpoint, a Hugging Face directory or a GGUF file"
    )
    p.add_argument("--model-config", metavar="JSON", help="sizes, or a file of them; beside the others: what differs")
    p.add_argument("--batch", type=terminal.whole(1, _MOST), default=1, help="texts at once (default: 1)")
    p.add_argument(
        "--length", type=terminal.whole(1, _MOST), help="tokens of each (default: 1024, if it reads so many)"
    )
    p.add_argument("--source", type=terminal.whole(1, _MOST), help="of an encoder-decoder's source (default: --length)")
    p.add_argument("--optimizer", choices=OPTIMIZERS, default="adamw", help="(default: adamw)")
    p.add_argument("--dtype", choices=_BYTES, default="float32", help="(default: float32)")
    p.add_argument("--compile", action="store_true", help="ask JAX's compiler, too: exact for the device at hand")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code."""
    given = parser().parse_args(argv)

    def run(out: Console, err: Console) -> int:
        asked = settings(given)
        if given.compile:
            terminal.announce(err, "jax")
        _print_opening(out, asked)
        for title, rows in estimate.tables(asked, compiled=given.compile):
            out.print()
            out.print(_table(title, rows))
        return 0

    return terminal.guarded(run, "table")


def settings(given: argparse.Namespace) -> Asked:
    """What is asked for. Raises UserError where it cannot be."""
    model = _model(given)
    length = given.length or min(1024, model.max_len)
    source = (given.source or length) if isinstance(model, Seq2SeqConfig) else 0
    if given.source and not source:
        raise UserError(f"--source is for an encoder-decoder; {family_of(model)} reads no sources: leave it out")
    for flag, tokens in (("--length", length), ("--source", source)):
        if tokens > model.max_len:
            raise UserError(f"{flag} {tokens} is more than the model's {model.max_len} positions: make it smaller")
    if given.compile and given.dtype == "float64":
        raise UserError("--compile asks JAX, which computes in float32 or bfloat16 here: take another --dtype")
    train = TrainConfig(optimizer=given.optimizer, dtype="bfloat16" if given.dtype == "bfloat16" else "float32")
    return Asked(model, train, given.dtype, _BYTES[given.dtype], given.batch, length, source)


def _model(given: argparse.Namespace) -> ModelConfig:
    if given.preset and given.checkpoint:
        raise UserError("--preset and --checkpoint both name a model: leave out one of them")
    changes = _json(given.model_config) if given.model_config else {}
    if given.preset or given.checkpoint:
        base = PRESETS[given.preset] if given.preset else _of_file(given.checkpoint)
        family, values = family_of(base), base.to_dict()
        if changes.pop("family", family) != family:
            raise UserError(f"--model-config names another family than the model's, which is {family}")
    else:
        if not changes:
            raise UserError("which model? Name one by --preset, --checkpoint or --model-config (see --help)")
        family = changes.pop("family", None)
        if not isinstance(family, str) or family not in FAMILIES:
            raise UserError(f'--model-config needs a "family", one of {", ".join(FAMILIES)}')
        values = {field.name: field.default for field in fields(FAMILIES[family]) if field.default is not MISSING}
    return FAMILIES[family].from_dict(values | changes)


def _of_file(path: Path) -> ModelConfig:
    """The configuration that a file or directory describes."""
    from common.weights import gguf, gguf_llama, huggingface

    if path.is_dir():
        return huggingface.configuration(path)
    if path.suffix == ".gguf":
        return gguf_llama.configuration(gguf.read(path))
    return checkpoint.load_model(path).config


def _json(text: str) -> dict[str, Any]:
    if not text.lstrip().startswith("{"):
        return files.json_object(Path(text))
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"--model-config is not JSON: {error}") from None


def _print_opening(out: Console, asked: Asked) -> None:
    shape = ", ".join(f"{name} {value:,}" for name, value in estimate.sizes(asked.model))
    out.print(Text(f"{family_of(asked.model)}: {memory.parameters(asked.model):,} parameters; {shape}"))
    source = f", of sources of {asked.source:,}" if asked.source else ""
    some = f"{asked.batch:,} {'text' if asked.batch == 1 else 'texts'} of {asked.length:,} tokens{source}"
    room = memory.machine()
    out.print(Text(f"{asked.dtype}; {some}" + (f"; this machine has {words(room)}" if room else "")))


def _table(title: str, rows: list[estimate.Row]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False, title=title, title_justify="left", title_style="bold")
    table.add_column()
    table.add_column(justify="right")
    table.add_column()
    for row in rows:
        table.add_row(Text(row.what), Text(words(row.bytes)), Text(row.note, "dim"))
    return table


if __name__ == "__main__":
    sys.exit(main())
