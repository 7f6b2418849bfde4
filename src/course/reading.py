"""A lesson in the terminal: prose, then a pause at each prediction, then what the code prints here and now."""

import re
from collections.abc import Iterator

from rich.console import Console
from rich.markdown import Markdown
from rich.syntax import Syntax
from rich.text import Text

from course.page import Page
from course.running import execute


def read(page: Page, console: Console, *, pause: bool) -> None:
    """Show a page and run it. With `pause`, Enter goes on; EOFError and KeyboardInterrupt are the caller's."""
    namespace: dict = {"__name__": "__lesson__"}
    end, waiting = 0, False
    for block in page.blocks:
        for part in _parts(page.text[end : block.start]):
            console.print(Markdown(part))
            waiting = waiting or "**Predict" in part
        end = block.end
        if block.language == "python":
            if block.source is not None:
                console.print(Text(f"from {block.source.partition(':')[0]}", "dim"))
            console.print(Syntax(block.body.rstrip(), "python", background_color="default", word_wrap=True))
            if pause and waiting:
                input("\nYour guess, then Enter > ")
                waiting = False
            printed = execute(page.path, block, namespace)
            if printed:
                console.print(Text(printed.rstrip(), "green"), soft_wrap=True)
        elif block.language != "text":
            console.print(Text(block.body.rstrip(), "cyan"), soft_wrap=True)
        if pause and block.language == "python":
            input("Enter > ")
    for part in _parts(page.text[end:]):
        console.print(Markdown(part))


def _parts(prose: str) -> Iterator[str]:
    """The prose between two blocks, without the tags that fold it on a web page."""
    plain = re.sub(r"</?details>|<summary>.*?</summary>|<!--.*?-->", "", prose, flags=re.S)
    if plain.strip():
        yield plain.strip("\n")
