"""What is looked at: which example, head and token, and which numbers stay in sight."""

from dataclasses import dataclass, field

from common.data.batching import AnyExamples
from console.stepper.moment import Look, Moment, beside


@dataclass
class View:
    """What is looked at. Stations read it; commands write it."""

    example: int = 0
    """Row of the batch."""
    head: int | None = None
    """None shows all heads."""
    token: int | None = None
    """A position; None leaves the choice to the station."""
    asked: AnyExamples | None = None
    """An example of the user's, a batch of one; it takes the place of the batch's row."""
    beside: Look | None = None
    """Its forward with the weights of the moment in view."""
    beside_after: Look | None = None
    """The same with the weights after the update."""
    watched: list[str] = field(default_factory=list)
    """Names with indices, `head.w[0,3]`."""
    of: Moment | None = field(default=None, repr=False)
    """The moment of `beside`."""
    checked: dict[str, str] = field(default_factory=dict)
    """Tensors whose gradient was proved, with a mark of at most 4 characters: `ok`, `kink`, `BAD`. Of the moment
    in view alone: cleared where another comes into view."""

    def look_at(self, moment: Moment) -> None:
        """Run the asked example with the weights of a moment, before and after its update."""
        if self.of is not moment:
            self.checked.clear()
        self.example = min(self.example, len(moment.look.examples.targets) - 1)
        if self.asked is None:
            self.beside = self.beside_after = None
        elif self.beside is None or self.beside.examples is not self.asked or self.of is not moment:
            self.beside = beside(moment.params, self.asked, moment.model)
            self.beside_after = beside(moment.after.params, self.asked, moment.model)
        self.of = moment

    def look(self, moment: Moment) -> Look:
        """The recorded forward in view: of the batch, or of the example that was asked for."""
        return self.beside or moment.look

    @property
    def row(self) -> int:
        """Of the examples of `look`."""
        return 0 if self.beside else self.example
