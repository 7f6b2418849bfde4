"""One head's whole map of attention."""

from typing import Any, NamedTuple

from common.checkpoint import Model
from common.errors import UserError
from common.types import Array
from console.asking import six
from console.asking.again import Again
from console.asking.inside import look


class Head(NamedTuple):
    """Rows look, columns are looked at."""

    kind: str
    """`attention`, or which one of an encoder-decoder: `across`, `decoder`, `encoder`."""
    block: int
    number: int
    rows: list[str]
    columns: list[str]
    shares: Array
    """(T, S)."""
    mask: Array
    """True where the head may look, (T, S)."""

    def record(self) -> dict[str, Any]:
        """For JSON; null where the mask forbids to look."""
        shares = [
            [six(float(share)) if seen else None for share, seen in zip(row, may, strict=True)]
            for row, may in zip(self.shares, self.mask, strict=True)
        ]
        place = {"kind": self.kind, "block": self.block, "head": self.number}
        return place | {"rows": self.rows, "columns": self.columns, "shares": shares}


def head(model: Model, again: Again, block: int, number: int, kind: str | None = None) -> Head:
    """Raises UserError for a block, head or kind that the model has not."""
    heads = look(model.params, again, model.config).heads
    chosen = next(iter(heads)) if kind is None else kind
    if chosen not in heads:
        raise UserError(f"there is no attention called {chosen!r}; this model has {', '.join(heads)}")
    blocks = heads[chosen]
    for what, found, n in (("block", block, len(blocks)), ("head", number, model.config.n_heads)):
        if not 0 <= found < n:
            known = f"{what} 0" if n == 1 else f"{what}s 0 to {n - 1}"
            raise UserError(f"there is no {what} {found}; this model has {known}")
    w_HTS, mask_TS = blocks[block]
    rows = again.asked if chosen == "encoder" else again.reads
    columns = again.reads if chosen in ("decoder", "attention") else again.asked
    return Head(chosen, block, number, rows, columns, w_HTS[number], mask_TS)
