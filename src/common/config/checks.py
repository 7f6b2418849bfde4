"""What every configuration is checked with, and its way to and from plain dicts, for checkpoints."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from difflib import get_close_matches
from typing import Any, Self

from common.errors import UserError


def require(holds: bool, message: str) -> None:
    if not holds:
        raise UserError(message)


def whole(config: Any, low: int, *names: str) -> None:
    for name in names:
        value = getattr(config, name)
        whole = isinstance(value, int) and not isinstance(value, bool)
        require(whole and value >= low, f"{name} must be a whole number of at least {low}, not {value!r}")


def number(config: Any, name: str, low: float, high: float = float("inf"), *, open_low: bool = False) -> None:
    value = getattr(config, name)
    ok = isinstance(value, (int, float)) and not isinstance(value, bool)
    ok = ok and (low < value if open_low else low <= value) and value <= high and value < float("inf")
    bound = f"{'above' if open_low else 'at least'} {low:g}" + (f" and at most {high:g}" if high < float("inf") else "")
    require(ok, f"{name} must be a number {bound}, not {value!r}")


def one_of(config: Any, name: str, choices: tuple[str, ...]) -> None:
    value = getattr(config, name)
    require(value in choices, f"{name} must be one of {', '.join(choices)}, not {value!r}")


class Config:
    """To and from plain dicts."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)  # type: ignore[call-overload]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Raises UserError for a key that is no field (with the nearest field) and for a field that is missing."""
        known = [field.name for field in fields(cls)]  # type: ignore[arg-type]
        for key in values:
            near = get_close_matches(key, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
            require(key in known, f"{cls.__name__} has no setting {key!r}; {hint}")
        missing = [name for name in known if name not in values]
        require(not missing, f"{cls.__name__} lacks {', '.join(missing)}")
        return cls(**{key: tuple(v) if isinstance(v, list) else v for key, v in values.items()})
