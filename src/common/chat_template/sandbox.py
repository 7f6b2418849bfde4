"""Where chat templates run: Jinja's immutable sandbox with a budget.

The sandbox keeps a template from the insides of Python. It does not keep it from loops within loops or from a string
that doubles a hundred times. So every pass of a loop, every call and every letter of a result has a price, a template
has a fixed sum to spend, and what would cost too much in a single step (a power, a width, a replacement) is counted
before it is done.

What templates are given besides (raise_exception, strftime_now, tojson, dict, namespace, loop controls, the generation
tag) is what `transformers` gives them.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from datetime import datetime
from functools import cache, wraps
from typing import Any

from common.errors import UserError
from common.optional import package

BUDGET = 20_000_000
"""What a template may spend, besides a hundred for each letter of the messages: some seconds' work."""
_CALL, _STEP, _ITEM = 50, 10, 8
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
            parts.append(_pay_for(part))
        return "".join(parts)
    finally:
        _purse.reset(token)


def _pay(cost: float) -> None:
    _purse.get(_Purse(BUDGET)).pay(cost)


def _pay_for(value: Any, price: int = 1) -> Any:
    """The same value, paid for by what it took to make it and by its size."""
    each = 1 if isinstance(value, str) else _ITEM if isinstance(value, (list, tuple, dict)) else 0
    _pay(price + (each * len(value) if each else 0))
    return value


def _looped(values: Any, body: int) -> Any:
    """What a loop with so many parts goes over: paid for at once if its length is known, else one by one."""
    if not hasattr(values, "__len__"):
        return _one_by_one(values, body)
    _pay(len(values) * body)
    return values


def _one_by_one(values: Iterable[Any], body: int) -> Iterator[Any]:
    for value in values:
        _pay(body)
        yield value


def _expect(name: str, given: tuple[Any, ...], named: dict[str, Any]) -> None:
    """Pay beforehand for what a filter or method will make of its arguments; refuse widths that nobody needs."""
    values = [*given, *named.values()]
    texts = [value for value in values if isinstance(value, str)]
    if any(isinstance(value, int) and abs(value) > _WIDEST for value in values):
        raise SpentError(f"it gives {name} a number that is far too large")
    if name in ("format", "%") and any(_WIDE.search(text) for text in texts[:1]):
        raise SpentError("it asks for a number written too wide")
    if name == "replace" and len(texts) >= 3:
        _pay(texts[0].count(texts[1]) * len(texts[2]))
    if name == "join":
        lists = [value for value in values if isinstance(value, (list, tuple))]
        _pay(sum(len(item) for items in lists for item in items if isinstance(item, str)))
        _pay(sum(len(items) for items in lists) * sum(map(len, texts)))


def _multiplied(operator: str, left: Any, right: Any) -> None:
    """Refuse a product or power that is too large to be made; pay for one that is not."""
    sizes = [len(value) for value in (left, right) if isinstance(value, (str, list, tuple))]
    counts = [abs(value) for value in (left, right) if isinstance(value, int)]
    if operator == "*" and sizes and counts:
        _pay(_ITEM * sizes[0] * counts[0])
    elif len(counts) == 2 and (counts[0].bit_length() + 1) * (counts[1] if operator == "**" else 2) > 10_000:
        raise SpentError("it reckons with numbers that are far too large")


def _charged(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that is paid for."""

    @wraps(function)
    def filtered(*given: Any, **named: Any) -> Any:
        _expect(name, given, named)
        return _pay_for(function(*given, **named), _STEP)

    return filtered


@cache
def environment() -> Any:
    """The one environment for all templates. Raises UserError where Jinja is missing or has known escapes."""
    jinja2 = package("jinja2", "a chat template")
    if tuple(int(part) for part in jinja2.__version__.split(".")[:3] if part.isdigit()) < (3, 1, 6):
        raise UserError(
            f"a chat template needs jinja2 3.1.6 or newer, not {jinja2.__version__}: older ones can be left"
        )
    made = _environment_class()(
        trim_blocks=True, lstrip_blocks=True, optimized=False, extensions=[_generation_tag(), "jinja2.ext.loopcontrols"]
    )
    made.globals.pop("lipsum", None)
    made.globals |= {
        "raise_exception": _raise,
        "strftime_now": lambda form: datetime.now().strftime(form),
        "dict": _Dict(),
        "namespace": _namespace_class(),
    }
    made.filters["tojson"] = _to_json
    made.filters = {name: _charged(name, function) for name, function in made.filters.items()}
    made.filters |= {"_looped": _looped, "_paid": _pay_for}
    return made


def _environment_class() -> type:
    nodes, runtime = package("jinja2.nodes", "a chat template"), package("jinja2.runtime", "a chat template")
    base = package("jinja2.sandbox", "a chat template").ImmutableSandboxedEnvironment

    class Metered(base):  # type: ignore[misc, valid-type]
        intercepted_binops = frozenset({"+", "*", "**", "%"})

        def _parse(self, *given: Any) -> Any:
            tree = super()._parse(*given)
            for loop in list(tree.find_all(nodes.For)):
                parts = sum(1 for _ in loop.find_all(nodes.Node))
                loop.iter = self._through("_looped", loop.iter, nodes.Const(parts))
            for joined in list(tree.find_all(nodes.Concat)):
                joined.nodes = [self._through("_paid", node) for node in joined.nodes]
            return tree

        def _through(self, name: str, node: Any, *given: Any) -> Any:
            return nodes.Filter(node, name, list(given), [], None, None, lineno=node.lineno, environment=self)

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
            if operator == "%" and isinstance(left, str):
                _expect("%", (left, right), {})
            _multiplied(operator, left, right)
            return _pay_for(super().call_binop(context, operator, left, right), _STEP)

        def call(self, context: Any, called: Any, *given: Any, **named: Any) -> Any:
            owner = getattr(getattr(called, "__wrapped__", called), "__self__", None)
            _expect(getattr(called, "__name__", ""), (owner, *given) if isinstance(owner, str) else given, named)
            if isinstance(called, runtime.LoopContext) and given and hasattr(given[0], "__len__"):
                _pay(len(given[0]) * _CALL)
            return _pay_for(super().call(context, called, *given, **named), _CALL)

    return Metered


def _generation_tag() -> type:
    """`{% generation %}` marks what the model itself says, for training; the text is the same without it."""
    base = package("jinja2.ext", "a chat template").Extension

    class Generation(base):  # type: ignore[misc, valid-type]
        tags = frozenset({"generation"})

        def parse(self, parser: Any) -> Any:
            next(parser.stream)
            return parser.parse_statements(["name:endgeneration"], drop_needle=True)

    return Generation


def _namespace_class() -> type:
    jinja2 = package("jinja2", "a chat template")
    base = package("jinja2.utils", "a chat template").Namespace

    class Namespace(base):  # type: ignore[misc, valid-type]
        """Attributes that begin with an underscore would be a way to the insides of Python."""

        def __init__(*given: Any, **named: Any) -> None:
            self, *rest = given
            attributes = dict(*rest, **named)
            for name in attributes:
                Namespace._check(name)
            base.__init__(self, attributes)

        def __setitem__(self, name: Any, value: Any) -> None:
            Namespace._check(name)
            base.__setitem__(self, name, value)

        @staticmethod
        def _check(name: Any) -> None:
            if isinstance(name, str) and name.startswith("_"):
                raise jinja2.exceptions.SecurityError(f"a namespace cannot hold {name!r}")

    return Namespace


class _Dict:
    """`dict`, without the attributes of a class."""

    def __call__(self, *given: Any, **named: Any) -> dict:
        return dict(*given, **named)

    def fromkeys(self, *given: Any) -> dict:
        return dict.fromkeys(*given)


def _raise(message: str) -> None:
    raise package("jinja2", "a chat template").exceptions.TemplateError(message)


def _to_json(
    value: Any, ensure_ascii: bool = False, indent: Any = None, separators: Any = None, sort_keys: bool = False
) -> str:
    """Without Jinja's escapes for HTML."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)
