"""`chat.py`: a conversation with a trained model, at a prompt, by flags, or a message a line from a pipe.

Exit codes: 0 done, 2 bad input, or a message that could not be answered, 130 ended by Ctrl-C.
"""

import argparse
import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from common.errors import UserError
from common.sampling import Sampling
from console import backend, draw, models, pretrained, sampling_flags
from console.chatting import loops
from console.chatting.dialogue import Dialogue
from console.chatting.speaker import Speaker
from console.chatting.talk import Talk
from console.terminal import Parser, guarded, whole

MOST = 256
"""Tokens that an answer may have where nobody says how many."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code."""
    given = _parser().parse_args(argv)
    return guarded(lambda out, err: _run(given, out, err), "answers")


def _parser() -> argparse.ArgumentParser:
    p = Parser(
        prog="chat.py",
        description="Talk with a trained model of the LLaMA family. Without a terminal each line of standard input is "
        "a message. The same seed and the same messages give the same words, in both backends, until two words are "
        "so nearly equal that rounding decides.",
        epilog="Exit code: 0 done, 2 bad input or a message that could not be answered, 130 ended by Ctrl-C, 141 "
        "where nobody reads on. Leaving the prompt, by Ctrl-C twice too, is 0.",
        allow_abbrev=False,
    )
    p.add_argument(
        "--model",
        default="smollm2",
        metavar="PATH",
        help="a Hugging Face directory, a GGUF file, or smollm2, which `make chat` fetches (default: smollm2)",
    )
    p.add_argument("--ask", action="append", metavar="TEXT", help="print the answer and leave; may be repeated")
    p.add_argument("--system", metavar="TEXT", help="what the model is told before everything else")
    sampling_flags.add(p, "what suits the model")
    p.add_argument(
        "--max-new-tokens", type=whole(1, 10**6), default=MOST, metavar="N", help=f"of an answer (default: {MOST})"
    )
    p.add_argument("--backend", choices=backend.NAMES, default="numpy", help="(default: numpy)")
    p.add_argument("--device", choices=("cpu", "gpu", "tpu"), help="where JAX computes (default: its own choice)")
    return p


def _run(given: argparse.Namespace, out: Console, err: Console) -> int:
    interactive = not given.ask and draw.interactive()
    talk = _open(given, out, err, interactive)
    if given.ask:
        return loops.asked(talk, given.ask)
    return loops.prompt(talk) if interactive else loops.piped(talk)


def _open(given: argparse.Namespace, out: Console, err: Console, interactive: bool) -> Talk:
    """Everything checked and loaded, the cheap before the expensive."""
    if given.ask and not all(text.strip() for text in given.ask):
        raise UserError("--ask is empty: give it a message")
    asked = sampling_flags.asked(given) | {"max_new_tokens": given.max_new_tokens}
    sampling = Sampling(**(pretrained.recommended(given.model) | asked))
    _check_ours(given.model)
    twin = backend.choose(given.backend, given.device)
    model = pretrained.load(given.model, err)
    pretrained.check_chat(model, given.model)
    dialogue = Dialogue(model.chat, model.tokenizer)  # type: ignore[arg-type]
    dialogue.instruct(given.system)
    with contextlib.suppress(AttributeError):
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    return Talk(Speaker.on(model, twin, sampling, given.seed), dialogue, out, err, interactive, given.device)


def _check_ours(name: str) -> None:
    """Raises UserError for a model of our own, which knows no conversations."""
    path = Path(name)
    if not (path.suffix == ".safetensors" and path.is_file()) and not (path / models.BEST).exists():
        return
    try:
        family = models.load(path).family
    except UserError:
        return  # of another program, or damaged: who loads it says so
    other = "ask it with test_model_manually.py" if family == "classifier" else "let it write with generate.py"
    raise UserError(f"{name}: a model of our own, which knows no conversations: {other} --checkpoint {name}")
