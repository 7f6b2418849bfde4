"""What running a chat template may cost: a fixed sum, out of which every step of it is paid.

Some things are too dear to be paid for afterwards: a string times a billion, a power of a power, a number written
a billion places wide. Those are counted before they are done.
"""

import re
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from typing import Any

BUDGET = 20_000_000
"""What a template may spend, besides a hundred for each letter of the messages: some seconds' work."""
CALL, STEP, _ITEM = 50, 10, 8
"""The price of a call, of an operation or filter, and of each entry of a list. A letter costs one, and in each pass of
a loop each part of its body."""
_WIDEST = 100_000
"""The largest whole number that a filter or method may be given: as much as the sandbox's own range."""
_WIDE = re.compile(r"%[#0 +.\d-]*?(\d{4,}|\*)|\{[^{}]*\d{4,}")


class SpentError(Exception):
    """The budget is used up."""


class _Purse:
    """What is left of the budget."""

    def __init__(self, left: float):
        self.left = left

    def pay(self, cost: float) -> None:
        self.left -= cost
        if self.left < 0:
            raise SpentError("it works too long, or writes too much")


_purse: ContextVar[_Purse] = ContextVar("purse")


def render(template: Any, budget: float, **given: Any) -> str:
    """The text of a compiled template. Raises SpentError, or whatever Jinja and the template raise."""
    token = _purse.set(_Purse(budget))
    try:
        parts = []
        for part in template.generate(**given):
            parts.append(pay_for(part))
        return "".join(parts)
    finally:
        _purse.reset(token)


def pay(cost: float) -> None:
    _purse.get(_Purse(BUDGET)).pay(cost)


def pay_for(value: Any, price: int = 1) -> Any:
    """The same value, paid for by what it took to make it and by its size."""
    each = 1 if isinstance(value, str) else _ITEM if isinstance(value, (list, tuple, dict)) else 0
    pay(price + (each * len(value) if each else 0))
    return value


def looped(values: Any, body: int) -> Any:
    """What a loop with so many parts goes over: paid for at once if its length is known, else one by one."""
    if not hasattr(values, "__len__"):
        return _one_by_one(values, body)
    pay(len(values) * body)
    return values


def _one_by_one(values: Iterable[Any], body: int) -> Iterator[Any]:
    for value in values:
        pay(body)
        yield value


def expect(name: str, given: tuple[Any, ...], named: dict[str, Any]) -> None:
    """Pay beforehand for what a filter or method will make of its arguments; refuse widths that nobody needs."""
    values = [*given, *named.values()]
    texts = [value for value in values if isinstance(value, str)]
    if any(isinstance(value, int) and abs(value) > _WIDEST for value in values):
        raise SpentError(f"it gives {name} a number that is far too large")
    if name in ("format", "%") and any(_WIDE.search(text) for text in texts[:1]):
        raise SpentError("it asks for a number written too wide")
    if name == "replace" and len(texts) >= 3:
        pay(texts[0].count(texts[1]) * len(texts[2]))
    if name == "join":
        lists = [value for value in values if isinstance(value, (list, tuple))]
        pay(sum(len(item) for items in lists for item in items if isinstance(item, str)))
        pay(sum(len(items) for items in lists) * sum(map(len, texts)))


def multiplied(operator: str, left: Any, right: Any) -> None:
    """Refuse a product or power that is too large to be made; pay for one that is not."""
    sizes = [len(value) for value in (left, right) if isinstance(value, (str, list, tuple))]
    counts = [abs(value) for value in (left, right) if isinstance(value, int)]
    if operator == "*" and sizes and counts:
        pay(_ITEM * sizes[0] * counts[0])
    elif len(counts) == 2 and (counts[0].bit_length() + 1) * (counts[1] if operator == "**" else 2) > 10_000:
        raise SpentError("it reckons with numbers that are far too large")
