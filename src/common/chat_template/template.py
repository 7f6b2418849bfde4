"""A chat template, and its way from messages to ids on which no message can put a special token."""

import json
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from common.chat_template import budget, sandbox
from common.errors import UserError
from common.optional import package
from common.tokenizers import Tokenizer

Messages = Sequence[Mapping[str, Any]]
"""Each with "role" and "content", and whatever else a template knows."""

_OPEN, _CLOSE = "\U000f0000", "\U000f0001"
"""Around the name of a special token in a message: letters for private use, taken out of messages beforehand."""


class ChatTemplate:
    """A template in Jinja, with the special tokens it may name."""

    def __init__(self, source: str, tokens: Mapping[str, str] | None = None):
        self.source = source
        self.tokens = dict(tokens or {})
        """What bos_token, eos_token and the like stand for in it."""

    def render(self, messages: Messages, *, add_generation_prompt: bool = True, **given: Any) -> str:
        """The conversation as text, by default with the opening of the answer that is asked for.

        `given` are the template's other variables (tools, documents). Raises UserError where the template is damaged,
        refuses the messages, reaches for what it must not, or does not end.
        """
        plain = _plain([{key: value for key, value in told.items() if value is not None} for told in messages])
        known = {"tools": None, "documents": None} | self.tokens | _plain(given)
        letters = len(json.dumps([plain, known]))
        try:
            template = self._compiled
            return budget.render(
                template,
                budget.BUDGET + 100 * letters,
                messages=plain,
                add_generation_prompt=add_generation_prompt,
                **known,
            )
        except UserError:
            raise
        except Exception as error:  # a template is a program, and can fail in every way a program can
            raise UserError(_said(error)) from None

    def encode(
        self,
        messages: Messages,
        tokenizer: Tokenizer,
        *,
        add_generation_prompt: bool = True,
        trusted: bool = False,
        **given: Any,
    ) -> list[int]:
        """The conversation as ids. Names of special tokens in messages are spelled out, unless they are `trusted`."""
        if trusted:
            text = self.render(messages, add_generation_prompt=add_generation_prompt, **given)
            return tokenizer.encode(text, special=True)
        names = self._controls(tokenizer)
        letters = re.compile("|".join(map(re.escape, sorted(names, key=len, reverse=True))) or "(?!)")
        text = self.render(
            _marked([dict(told) for told in messages], letters),
            add_generation_prompt=add_generation_prompt,
            **_marked(given, letters),
        )
        # text, marked name, text, …; None for a mark that the template has parted from its name
        first, *rest = re.split(f"{_OPEN}({letters.pattern}){_CLOSE}|[{_OPEN}{_CLOSE}]", text)
        ids = tokenizer.encode(first, special=True)
        for i, part in enumerate(rest):
            if part:
                ids += _continued(tokenizer, part, special=True) if i % 2 else _spelled(tokenizer, part, names[part])
        return ids

    @cached_property
    def _compiled(self) -> Any:
        return sandbox.environment().from_string(self.source)

    def _controls(self, tokenizer: Tokenizer) -> dict[str, int]:
        """What a message must not be able to say: special tokens, and tokens that the template itself writes."""
        try:
            tree = sandbox.environment().parse(self.source)
        except UserError:
            raise
        except Exception as error:
            raise UserError(_said(error)) from None
        nodes = package("jinja2.nodes", "a chat template")
        texts = [node.data for node in tree.find_all(nodes.TemplateData)]
        texts += [node.value for node in tree.find_all(nodes.Const) if isinstance(node.value, str)]
        written = "\0".join(texts)
        return {**tokenizer.special} | {
            name: i for name, i in tokenizer.added.items() if name in written and not name.isspace()
        }


def _plain(value: Any) -> Any:
    """A copy made of nothing but plain dicts, lists, strings and numbers: methods of anything else could do harm."""
    try:
        return json.loads(json.dumps(value))
    except (TypeError, ValueError, RecursionError) as error:
        raise UserError(f"messages can hold text, numbers, lists and dicts, nothing else ({error})") from None


def _marked(value: Any, names: re.Pattern[str]) -> Any:
    """The same value with marks around the names of special tokens in its strings."""
    if isinstance(value, str):
        return names.sub(f"{_OPEN}\\g<0>{_CLOSE}", value.replace(_OPEN, "").replace(_CLOSE, ""))
    if isinstance(value, dict):
        return {key: _marked(item, names) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_marked(item, names) for item in value]
    return value


def _spelled(tokenizer: Tokenizer, name: str, token: int) -> list[int]:
    """The name of a special token as text."""
    ids = _continued(tokenizer, name, special=False)
    if token in ids:  # a token that is recognised though it is not special: half a name is not
        ids = _continued(tokenizer, name[:1], special=False) + _continued(tokenizer, name[1:], special=False)
    if token in ids:
        raise UserError(f"a message holds {name!r}, which this tokenizer cannot spell; take it out")
    return ids


def _continued(tokenizer: Tokenizer, text: str, *, special: bool) -> list[int]:
    """The ids of text in the middle of a text: without the space that some tokenizers put before a beginning."""
    before, both = tokenizer.encode("\n", special=special), tokenizer.encode(f"\n{text}", special=special)
    return both[len(before) :] if both[: len(before)] == before else tokenizer.encode(text, special=special)


def _said(error: Exception) -> str:
    """Why a template failed, on one line."""
    reason = str(error) or type(error).__name__
    kind = f"{type(error).__name__}: " if type(error).__module__ == "builtins" else ""
    text = f"the model's chat template fails: {kind}{reason}"
    return "".join(c if c.isprintable() else " " for c in text[:400])
