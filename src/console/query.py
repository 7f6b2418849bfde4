"""`test_model_manually.py`: ask a trained model, by flags or at a prompt, and say whether it was right.

Exit codes: 0 every answer was right, 1 one was wrong, 2 bad input or nobody to ask; of several, the highest. A text
model's answers are neither right nor wrong.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from common.errors import UserError
from console import backend, models, prompt
from console.asking import QUICK, Settings
from console.conversation import Conversation, asker
from console.insight import Wanted
from console.terminal import Parser, announce, guarded, is_terminal, lines, opened, whole

SHIPPED = Path("checkpoints/digits-medium.safetensors")


def main(argv: Sequence[str] | None = None, *, shipped: Path = SHIPPED) -> int:
    """Run the program and return its exit code; `shipped` is the model that is asked where none is named."""
    given = _parser(shipped).parse_args(argv)
    return guarded(lambda out, err: _run(given, out, err), "answers", hasty=True)


def _parser(shipped: Path) -> argparse.ArgumentParser:
    p = Parser(
        prog="test_model_manually.py",
        description="Ask a trained model, of any family and task: its file says what it is. Without --expr, --file, "
        "--batch, --quick or --all there is a prompt.",
        epilog="Exit code: 0 all right, 1 something answered wrong, 2 bad input or no terminal to prompt on, of "
        "several the highest; 130 ended by Ctrl-C, 141 where nobody reads on. Leaving the prompt, by Ctrl-C twice too, "
        "is 0.",
        allow_abbrev=False,
    )
    p.add_argument(
        "--checkpoint", type=Path, help=f"the model to ask, or a run's folder (default: checkpoints/{shipped.name})"
    )
    p.add_argument(
        "--expr", action="append", metavar="TEXT", help='a question, like "Max(5,3,9)", or a text; may be repeated'
    )
    p.add_argument("--file", metavar="FILE", help="one question a line, # for comments; - reads standard input")
    p.add_argument("--batch", action="store_true", help="14 cases, from easy to extreme")
    p.add_argument("--quick", action="store_true", help=f"{QUICK} random questions")
    p.add_argument("--seed", type=whole(0, 2**32 - 1), default=0, help="seed of --quick (default: 0)")
    p.add_argument("--all", action="store_true", help="every question there is, or the test part of too large a task")
    p.add_argument("--json", action="store_true", help="one JSON object a line; columns count from 0, lines from 1")
    p.add_argument(
        "--top", type=whole(1, 10**6), default=5, metavar="K", help="how many probable tokens to show (default: 5)"
    )
    p.add_argument("--beams", type=whole(1, 100), metavar="N", help="also search for the N best answers (seq2seq)")
    p.add_argument("--beyond", action="store_true", help="ask what the model was never trained on: longer, larger")
    p.add_argument("--why", action="store_true", help="explain each answer to --expr and --file")
    p.add_argument(
        "--attn",
        nargs=2,
        type=whole(0, 999),
        metavar=("L", "H"),
        help="show for each of them what head H of block L looked at, counted from 0",
    )
    p.add_argument(
        "--backend",
        choices=(*backend.NAMES, prompt.BOTH),
        default="numpy",
        help="who answers; both: NumPy does, and JAX is compared with it (default: numpy)",
    )
    p.set_defaults(shipped=shipped)
    return p


def _run(given: argparse.Namespace, out: Console, err: Console) -> int:
    asked = given.expr or given.file is not None or given.batch or given.quick or given.all
    if not asked and (given.json or not is_terminal(sys.stdin)):
        if given.checkpoint is not None:
            models.load(given.checkpoint)  # what is wrong with it is told first
        why = "--json has no prompt" if given.json else "there is no terminal to prompt on"
        raise UserError(f'{why}: add --expr "Max(5,3,9)", --file FILE, --batch, --quick or --all')
    if asked and (given.why or given.attn) and not given.expr and given.file is None:
        raise UserError(f"{'--why' if given.why else '--attn'} tells of single answers: add --expr TEXT or --file FILE")
    opened_session = _open(given, out, err)
    if not asked:
        return prompt.run(opened_session)
    code = 0
    for text in given.expr or ():
        code = max(code, opened_session.answer(text))
    if given.file is not None:
        code = max(code, _file(opened_session, given.file))
    if given.batch:
        code = max(code, opened_session.batch())
    if given.quick:
        code = max(code, opened_session.quick())
    if given.all:
        code = max(code, opened_session.all())
    return code


def _open(given: argparse.Namespace, out: Console, err: Console) -> Conversation:
    path = given.checkpoint or given.shipped
    if given.checkpoint is None and not path.exists():
        raise UserError(f"{path}: there is no such file; name a model with --checkpoint, or make one with `make train`")
    model = models.load(path)
    twin, both = prompt.twins(given.backend)
    asked = asker(model, twin, Settings(given.top, given.beyond, given.beams))
    announce(err, "jax" if both else twin.name)
    head = None if given.attn is None else (given.attn[0], given.attn[1])
    return Conversation(asked, out, err, path, given.json, given.seed, Wanted(given.why, head, both))


def _file(session: Conversation, name: str) -> int:
    """Answer each line of a file. Returns the exit code; raises UserError if it cannot be read or asks nothing."""
    code = n = 0
    with opened(name, "--file") as file:
        for number, line in lines(file, name):
            # a line of a text model's file is a text, whatever stands in it
            text = line if session.kind == "text" else line.partition("#")[0].rstrip()
            if text.strip():
                n += 1
                code = max(code, session.answer(text, number, f"{name}, line {number}"))
    if not n:
        example = "any text" if session.kind == "text" else "like Max(5,3,9)"
        raise UserError(f"{name}: there is no question in this file; write one on each line, {example}")
    return code
