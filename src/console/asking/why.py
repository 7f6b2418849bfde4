"""Why a model said what it said: what is known of the question, each token hidden in turn, the answer after each block,
and what every head looked at. All of it is computed by the NumPy twin."""

from typing import Any, NamedTuple

import numpy as np

from common.checkpoint import Model
from common.types import Array
from console.asking import finite, six
from console.asking.again import Again
from console.asking.drawn import Drawn
from console.asking.hiding import each, probabilities
from console.asking.inside import Inside, depths, look


class Why(NamedTuple):
    """S tokens were asked, A tokens said, L blocks passed, V tokens are known."""

    again: Again
    drawn: Drawn | None
    """None of a text."""
    hidden: Array
    """Probabilities (S + 1, A, V): as it is, then with each token hidden."""
    depths: Array
    """Probabilities (L + 1, A, V) that the head reads from the stream before the first block and after each."""
    inside: Inside

    @property
    def said(self) -> Array:
        """The probability of each token that was said, (S + 1, A): as it is, then with each token hidden."""
        return self.hidden[:, np.arange(len(self.again.ids)), self.again.ids]

    @property
    def kind(self) -> str:
        """The attention that looks at what was asked."""
        return next(iter(self.inside.heads))

    @property
    def looks(self) -> list[Array]:
        """For each block the shares (H, A, S) with which the places of the answer looked at what was asked."""
        return [w_HTS[:, self.again.places, : len(self.again.asked)] for w_HTS, _ in self.inside.heads[self.kind]]

    def record(self) -> dict[str, Any]:
        """For JSON. Shares and probabilities have six significant digits."""
        again, said = self.again, self.said
        hidden = [
            {"token": token, "position": s, "probabilities": _six(said[s + 1]), "says": self._best(self.hidden[s + 1])}
            for s, token in enumerate(again.asked)
        ]
        place = np.arange(len(again.ids))
        blocks = [
            {"after": name, "says": self._best(p_AV), "probabilities": _six(p_AV[place, again.ids])}
            for name, p_AV in zip(levels(len(self.depths)), self.depths, strict=True)
        ]
        looks = [{"block": i, "heads": [_rows(w_AS) for w_AS in w_HAS]} for i, w_HAS in enumerate(self.looks)]
        told = None if self.drawn is None else self.drawn._asdict()
        return {
            "drawn": told,
            "says": again.said,
            "probabilities": _six(said[0]),
            "hidden": hidden,
            "blocks": blocks,
            "attention": looks,
        }

    def _best(self, p_AV: Array) -> list[str]:
        return [self.again.names[i] for i in np.argmax(p_AV, axis=-1)]


def why(model: Model, again: Again, known: Drawn | None) -> Why:
    """Raises UserError if the model's numbers overflow."""
    params, config = model.params, model.config
    with np.errstate(all="ignore"):  # told below in a sentence
        inside = look(params, again, config)
        hidden_RAV = probabilities(params, again, config, each(len(again.asked)))
        depths_LAV = depths(params, again, inside, config)
    finite(hidden_RAV)
    finite(depths_LAV)
    return Why(again, known, hidden_RAV, depths_LAV, inside)


def levels(n: int) -> list[str]:
    """The names of the depths at which the stream is read."""
    return ["embedding", *(f"block {i}" for i in range(n - 1))]


def _six(values_N: Array) -> list[float]:
    return [six(float(value)) for value in values_N]


def _rows(w_AS: Array) -> list[list[float]]:
    return [_six(w_S) for w_S in w_AS]
