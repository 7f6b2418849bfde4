"""Where chat templates run: Jinja's immutable sandbox with a budget.

The sandbox keeps a template from the insides of Python. It does not keep it from loops within loops or from a string
that doubles a hundred times. So every pass of a loop, every call and every letter of a result has a price, a template
has a fixed sum to spend (see budget).

What templates are given besides (raise_exception, strftime_now, tojson, dict, namespace, loop controls, the generation
tag) is what `transformers` gives them.
"""

import json
from collections.abc import Callable
from datetime import datetime
from functools import cache, wraps
from typing import Any

from common.chat_template.budget import CALL, STEP, expect, looped, multiplied, pay, pay_for
from common.errors import UserError
from common.optional import package


def _charged(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that is paid for."""

    @wraps(function)
    def filtered(*given: Any, **named: Any) -> Any:
        expect(name, given, named)
        return pay_for(function(*given, **named), STEP)

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
    made.filters |= {"_looped": looped, "_paid": pay_for}
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
                expect("%", (left, right), {})
            multiplied(operator, left, right)
            return pay_for(super().call_binop(context, operator, left, right), STEP)

        def call(self, context: Any, called: Any, *given: Any, **named: Any) -> Any:
            owner = getattr(getattr(called, "__wrapped__", called), "__self__", None)
            expect(getattr(called, "__name__", ""), (owner, *given) if isinstance(owner, str) else given, named)
            if isinstance(called, runtime.LoopContext) and given and hasattr(given[0], "__len__"):
                pay(len(given[0]) * CALL)
            return pay_for(super().call(context, called, *given, **named), CALL)

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
