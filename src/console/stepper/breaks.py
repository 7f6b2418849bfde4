"""The wrong backward passes that the stepper can swap in, by name.

The errors are those of course/planted.py, which lesson 07 trains with, and those of console/stepper/wrong.py, which
bring them to the other model families.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

from console.stepper import wrong
from course import planted
from numpy_ref.layers import attention, linear, rmsnorm
from numpy_ref.models import gpt, llama, seq2seq
from numpy_ref.ops import attend, cross_entropy

PUBLISHED = "It stood in a published transformer in NumPy whose own tests passed and that reported 99 % right"


class Place(NamedTuple):
    """A shipped function, and what takes its place."""

    module: ModuleType
    attribute: str
    wrong: Callable[..., Any]


class Break(NamedTuple):
    """A wrong backward, by name."""

    name: str
    what: str
    """One sentence: what is wrong."""
    seen: str
    """One sentence: where it was seen, or how it comes about."""
    places: tuple[Place, ...]


def _planted(name: str, *more: Place) -> tuple[Place, ...]:
    return (Place(*planted.HOME[name], getattr(planted, name)), *more)


LOST = (
    Place(gpt, "block_backward", wrong.lost_gpt),
    Place(llama, "block_backward", wrong.lost_llama),
    Place(seq2seq, "encoder_backward", wrong.lost_encoder),
    Place(seq2seq, "decoder_backward", wrong.lost_decoder),
)
RMS = Place(rmsnorm, "backward", wrong.constant_length)

BREAKS = (
    Break(
        "double-softmax",
        "The gradient of the logits goes through softmax's derivative twice; p - y has it in it already.",
        f"{PUBLISHED}, beside copy-qk.",
        _planted("twice", Place(cross_entropy, "backward_weighted", wrong.twice_weighted)),
    ),
    Break(
        "copy-qk",
        "The weights of queries and keys get copies of the gradient of the values.",
        f"{PUBLISHED}, beside double-softmax.",
        (Place(attention, "backward", wrong.copied),),
    ),
    Break(
        "overwrite-scatter",
        "A token that stands in several places keeps the gradient of the last of them alone.",
        "It is `dw[tokens] = dy` where a sum is meant, and right as long as no token repeats.",
        _planted("overwriting"),
    ),
    Break(
        "forget-mask",
        "The shares of attention are computed again for the way back, without the mask.",
        "It comes with saving memory by computing again, and is right as long as nothing is masked.",
        (Place(attend, "backward", wrong.unmasked),),
    ),
    Break(
        "no-residual-grad",
        "The residual sums send their gradient into the sublayers and none past them.",
        "It is a `+` left out, and every gradient below the last sum suffers.",
        _planted("lost", *LOST),
    ),
    Break(
        "half-layernorm",
        "The norm's gradient lacks the term that removes its part along the normalized vector.",
        "It is the derivative with the vector's own length taken for a constant.",
        _planted("lengthening", RMS),
    ),
    Break(
        "constant-norm",
        "The norm's mean and length are taken for constants.",
        "It passes for a simplification, but the terms left out are what couples the numbers of a token.",
        _planted("constant", RMS),
    ),
    Break(
        "sign",
        "The gradients of the weights of queries and keys have the wrong sign.",
        "It is one lost minus.",
        _planted("uphill"),
    ),
    Break(
        "zero-qk",
        "The weights of queries and keys get no gradient: the heads are never told where to look.",
        "It is a path that was forgotten, and no shape complains.",
        _planted("blind"),
    ),
    Break(
        "diagonal-softmax",
        "Softmax is differentiated as if each share hung on its own score alone.",
        "It is the logistic function's derivative where softmax's is meant.",
        _planted("uncoupled"),
    ),
    Break(
        "no-scale",
        "Scores were divided by sqrt(K) on the way forward and are not on the way back.",
        "It is a constant factor forgotten, and Adam divides most of it out again.",
        _planted("unscaled"),
    ),
    Break(
        "no-transpose",
        "dx = dy @ w, without the transpose, wherever w is square and nothing complains.",
        "It is a slip that shapes catch everywhere but in attention.",
        _planted("untransposed"),
    ),
    Break(
        "scale-1.001",
        "The gradient of every weight matrix is a thousandth too large.",
        "It is the smallest error a check should find: tolerances of a percent let it through.",
        (Place(linear, "backward", wrong.scaled),),
    ),
)
"""By name, those of the published code first."""
