"""What has been said, and the way it is written down for a model."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from common.chat_template import ChatTemplate
from common.errors import UserError
from common.tokenizers import Tokenizer


class Turn(NamedTuple):
    message: str
    answer: str


@dataclass
class Dialogue:
    chat: ChatTemplate
    tokenizer: Tokenizer
    system: str | None = None
    """What the model is told before everything else; None leaves it to the template."""
    turns: list[Turn] = field(default_factory=list)

    def messages(self, message: str | None = None) -> list[dict[str, str]]:
        """All that was said, and a message that has no answer yet."""
        said = [] if self.system is None else [("system", self.system)]
        for turn in self.turns:
            said += [("user", turn.message), ("assistant", turn.answer)]
        if message is not None:
            said.append(("user", message))
        return [{"role": role, "content": content} for role, content in said]

    def ids(self, message: str) -> list[int]:
        """The conversation up to the beginning of the answer to `message`.

        Raises UserError where the template does not take it: some know no system message.
        """
        return self.chat.encode(self.messages(message), self.tokenizer)

    def used(self) -> int:
        """How many tokens all that was said takes."""
        if not self.turns:
            return 0
        return len(self.chat.encode(self.messages(), self.tokenizer, add_generation_prompt=False))

    def instruct(self, system: str | None) -> None:
        """Another system message, from now on. Raises UserError where the model's template takes none."""
        before, self.system = self.system, system
        try:
            self.ids("Hello")
        except UserError:
            self.system = before
            raise

    def undo(self) -> Turn | None:
        """Take back the last message and its answer; None where there is none."""
        return self.turns.pop() if self.turns else None

    def save(self, path: Path, **about: Any) -> None:
        """Write it down as JSON: `messages` in the usual form, and what is said about them.

        Raises UserError if the file is there already or cannot be written.
        """
        told = json.dumps(about | {"messages": self.messages()}, indent=2)
        try:
            with open(path, "x", encoding="utf-8") as file:
                file.write(f"{told}\n")
        except FileExistsError:
            raise UserError(f"{path}: there is such a file already; choose another name") from None
        except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
            raise UserError(f"{path}: cannot be written: {getattr(error, 'strerror', None) or error}") from None
