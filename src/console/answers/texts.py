"""Screens of the text task: how a text goes on, with the next token's probabilities and each token's."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from console.answers import parts
from console.answers.parts import WIDE, bars
from console.asking.texts import CONTINUED, Answer, TextsAsker
from console.page import label, visible


def answer(found: Answer, width: int, plain: bool) -> RenderableType:
    """A text, what the model adds to it, the candidates for the first token, and then token by token."""

    def shown(token: int) -> str:
        return label(found.label(token), plain)

    text = Text(visible(found.prompt.text, plain), "bold", overflow="fold")
    text.append(visible(found.continuation, plain), "not bold green")
    facts = parts.table("", "", header=False)
    facts.add_row(Text("tokens", "dim"), Text(f"{len(found.prompt.ids)} read, {len(found.tokens)} added"))
    facts.add_row(Text("added", "dim"), Text(f"'{visible(found.continuation, plain)}'", overflow="fold"))
    facts.add_row(Text("log p", "dim"), Text(f"{found.log_p:.4f} nats, all that was added"))
    first = found.tokens[0]
    likely = [(shown(token), p) for token, p in first.top]
    head = f"the {len(likely)} most probable next tokens"
    steps = [
        (shown(token.id), token.p, [(shown(i), p) for i, p in token.top if i != token.id]) for token in found.tokens
    ]
    half = width // 2 if width >= WIDE else width
    return Group(text, facts, bars(head, likely, half, plain), parts.written(steps, width, plain))


def about(asker: TextsAsker) -> str:
    """What is done with what is typed."""
    task = asker.model.task
    known = f"{len(task.alphabet)} characters are" if task.level == "char" else "all 256 bytes are"
    return f"goes on by {CONTINUED} tokens, up to {asker.model.config.max_len} in all; {known} known"


def menu(asker: TextsAsker) -> Table:
    """What can be typed: mostly texts, so that commands need their colon."""
    lines = parts.table("", "", header=False)
    lines.add_row(Text("any text", "bold"), about(asker))
    for command in ("why", ":attn L H", ":top K", ":backend NAME", ":model FILE", "help", ":quit"):
        meaning = "why the last text goes on so" if command == "why" else parts.MENU[command]
        lines.add_row(Text(f":{command.removeprefix(':')}", "bold"), meaning)
    return lines
