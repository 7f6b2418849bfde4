"""The stations of one update, in order. Each draws a screen from a moment, and computes nothing but sums of it."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from rich.console import RenderableType

from console.page import Page
from console.stepper import (
    at_after,
    at_attention,
    at_backward,
    at_batch,
    at_embed,
    at_ffn,
    at_logits,
    at_loss,
    at_optimizer,
    layout,
)
from console.stepper.moment import Moment
from console.stepper.view import View


class Station(NamedTuple):
    """A place where one can stop."""

    name: str
    """Of one update once: `attention blocks.0.attn`, `optimizer`."""
    title: str
    render: Callable[[Moment, View, Page], RenderableType]

    @property
    def kind(self) -> str:
        """`attention`; several stations may be of one kind."""
        return self.name.partition(" ")[0]


_RENDER = {"embed": at_embed.render, "attention": at_attention.render, "ffn": at_ffn.render}


def of(moment: Moment) -> list[Station]:
    """Every station of an update."""
    model = moment.model
    forward = [
        Station(f"{part.kind} {part.path}", part.title, partial(_RENDER[part.kind], part=part))
        for part in layout.forward(model)
    ]
    back = [
        Station(f"backward {group.name}", group.title, partial(at_backward.render, group=group))
        for group in layout.backward(model)
    ]
    return [
        Station("batch", "Batch", at_batch.render),
        *forward,
        Station("logits", "Logits", at_logits.render),
        Station("loss", "Loss", at_loss.render),
        *back,
        Station("optimizer", "Optimizer", at_optimizer.render),
        Station("after", "After the update", at_after.render),
    ]
