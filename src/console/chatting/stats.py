"""Where a conversation stands: its context, the memory it takes, how fast the last answer came."""

from rich.table import Table
from rich.text import Text

from common import memory
from console import page
from console.chatting.dialogue import Dialogue
from console.chatting.speaker import Figures, Speaker


def screen(speaker: Speaker, dialogue: Dialogue) -> Table:
    lines = page.table("", "")
    lines.show_header = False
    for name, what in rows(speaker, dialogue).items():
        lines.add_row(Text(name, "dim"), Text(what))
    return lines


def rows(speaker: Speaker, dialogue: Dialogue) -> dict[str, str]:
    used, twin, sampling = dialogue.used(), speaker.twin, speaker.sampling
    closed = ", what closes the last answer counted" if used else ""
    left = max(0, speaker.context - used)
    dtype = speaker.model.params["emb"]["w"].dtype
    return {
        "model": f"{speaker.model.name}, {speaker.weights:,} parameters, {dtype}",
        "backend": f"{twin.name} on {twin.device}",
        "context": f"{used:,} of {speaker.context:,} tokens, {left:,} left{closed}",
        **({} if speaker.last is None else _answer(speaker, speaker.last)),
        "sampling": _settings(speaker),
        "seed": f"{speaker.seed}, {drawn(speaker.answers)} from it",
        "at most": f"{sampling.max_new_tokens:,} tokens an answer",
    }


def drawn(answers: int) -> str:
    return f"{answers} answer{'' if answers == 1 else 's'} drawn"


def _answer(speaker: Speaker, last: Figures) -> dict[str, str]:
    """What the last answer took."""
    found = {"cache": f"{memory.words(speaker.cache_bytes(last.size))}, room for {last.size:,} tokens"}
    with_it = ", compiling included" if last.compiled else ""
    if last.written:
        kept = f", {last.kept:,} more kept from before" if last.kept else ""
        found["read"] = f"{last.read:,} tokens in {last.reading:.2f} s, {_rate(last.read, last.reading)}{with_it}{kept}"
    if last.written > 1:
        # the first token belongs to the reading: what came before it was the prompt
        found["wrote"] = f"{last.written:,} tokens, {_rate(last.written - 1, last.writing)}{with_it}"
    return found


def _rate(tokens: int, seconds: float) -> str:
    return f"{tokens / max(seconds, 1e-9):,.3g} tokens/s"


def _settings(speaker: Speaker) -> str:
    kept = speaker.sampling
    if kept.temperature == 0:
        shown = ["greedy (temperature 0)"]
    else:
        shown = [f"temperature {kept.temperature:g}"]
        shown += [f"top-k {kept.top_k}"] if kept.top_k else []
        shown += [f"top-p {kept.top_p:g}"] if kept.top_p < 1 else []
        shown += [f"min-p {kept.min_p:g}"] if kept.min_p else []
    shown += [f"repetition penalty {kept.repetition_penalty:g}"] if kept.repetition_penalty != 1 else []
    return ", ".join(shown)
