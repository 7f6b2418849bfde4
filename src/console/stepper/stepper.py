"""Where the user stands: which update, which station of it, and what is in view."""

from dataclasses import dataclass, field
from typing import Any

from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.text import Text

from common.data.batching import AnyExamples
from common.errors import UserError
from common.evaluation import Evaluation
from common.run import TrainState
from console.page import Page
from console.session import Session
from console.stepper import moment as moments
from console.stepper import scenes, stations, twins, viewing
from console.stepper.moment import Moment
from console.stepper.stations import Station
from console.stepper.view import View

KEPT = 20
"""So many updates can be gone back to."""
MEMORY = 2**30
"""Bytes that the updates one can go back to may take; the newest is kept whatever it takes."""


@dataclass
class Stepper:
    """A session that is walked through by hand."""

    session: Session
    view: View = field(default_factory=View)
    moments: list[Moment] = field(default_factory=list)
    """The newest last: at most KEPT of them, and not more than fit in MEMORY."""
    chosen: int = -1
    """Which of the moments is in view, from the end: -1 is the newest."""
    index: int = 0
    """The station in view: of the prologue, of the moment, or of the epilogue."""
    part: str = "prologue"
    """`prologue`, `step` or `epilogue`."""
    banner: str = ""
    """A line above every screen, while something is not as it should be: `BROKEN: copy-qk`."""
    leaving: bool = False
    """Set by `q`: the loop ends."""
    stopped: int = 0
    """The signal that stopped the last run, or 0."""

    def __post_init__(self) -> None:
        self.begin(self.session)

    def begin(self, session: Session) -> None:
        """Start anew with a session; what is watched stays in sight."""
        self.view.asked, self.view.example, self.view.head, self.view.token = None, 0, None, None
        self.session = session
        self.moments.clear()
        self.chosen, self.index = -1, 0
        self.part = "prologue" if session.state.step < session.train.steps else "epilogue"
        self.abandoned = False
        self.state: TrainState = twins.to_numpy(self.session)
        """What training goes on from, in NumPy: the newest moment's `after` once its optimizer has been shown."""
        self.first: TrainState = self.state
        """Where this call began."""
        self.saved: int = self.state.step
        """After which update the run was last written, or read."""
        self._found: tuple[TrainState, Evaluation] | None = None

    @property
    def page(self) -> Page:
        return self.session.page

    @property
    def changes(self) -> list[dict[str, Any]]:
        """What was done to the run on the way; `keeping.note` adds to it."""
        return self.session.changes

    @property
    def unsaved(self) -> bool:
        """Whether leaving now would lose an update, or a change of the settings."""
        return self.saved != self.state.step and not self.abandoned

    @property
    def moment(self) -> Moment:
        """The update in view. Raises UserError before the first one and after the last."""
        if self.part != "step":
            way = (
                "`step` goes to one, and Enter, screen by screen" if self.part == "prologue" else "`b` goes back to one"
            )
            raise UserError(f"there is no update in view here: {way}")
        return self.moments[self.chosen]

    @property
    def stations(self) -> list[Station]:
        return stations.of(self.moment)

    @property
    def station(self) -> Station:
        return self.stations[self.index]

    # ---- going somewhere ----

    def enter(self, station: str = "") -> None:
        """Record the next update and stand at its first station, or at the one of that name."""
        subject = self.session.subject
        self.session.watch(self.state)
        self.moments.append(moments.record(self.state, subject.data, subject.model, self.session.train))
        while len(self.moments) > KEPT or (len(self.moments) > 1 and sum(one.cost for one in self.moments) > MEMORY):
            del self.moments[0]
        self.part, self.chosen = "step", -1
        self.view.checked.clear()
        self.go(max(0, self.place_of(station)))

    def renew(self) -> bool:
        """Run the newest update again where it is not made yet, since a setting has changed; whether it was."""
        if not self.moments or self.moments[-1].before.step != self.state.step:
            return False
        station = self.station.name if self.part == "step" else ""
        del self.moments[-1]
        if self.part == "step":
            self.enter(station)
        return self.part == "step"

    def place_of(self, station: str) -> int:
        """The index of the station of that name in the moment in view, or -1."""
        return next((i for i, one in enumerate(self.stations) if one.name == station), -1)

    def go(self, index: int) -> None:
        """Stand at a station of the moment in view; from the newest one's optimizer on, its update is made."""
        self.index = index
        if self.chosen == -1 and index >= self.place_of("optimizer"):
            self.state = self.moments[-1].after
        self.view.look_at(self.moment)

    def place_in_view(self, asked: AnyExamples | None, example: int = 0) -> None:
        """Look at a row of the batch, or at an example of the user's."""
        self.view.asked, self.view.example = asked, example
        if self.part == "step":
            self.view.look_at(self.moment)

    def judged(self) -> Evaluation:
        """The best parameters on the test part; asked once."""
        if self._found is None or self._found[0] is not self.state:
            subject, best = self.session.subject, self.state.best
            assert best is not None
            found = subject.twin.train.evaluate(best.params, subject.data.test, model=subject.model)
            self._found = (self.state, found)
        return self._found[1]

    # ---- showing ----

    def screen(self) -> RenderableType:
        """The station in view, its title above it."""
        line = "-" if self.page.ascii_only else "─"
        banner = [Text(self.banner, style="bold reverse")] if self.banner else []
        title, body = self._shown()
        watched = viewing.values(self) if self.part == "step" and self.view.watched else []
        return Group(*banner, Rule(title, align="left", characters=line, style="dim"), body, *watched)

    def _shown(self) -> tuple[str, RenderableType]:
        if self.part != "step":
            known = scenes.prologue(self) if self.part == "prologue" else scenes.epilogue(self)
            return known[self.index].title, known[self.index].build()
        moment, station = self.moment, self.station
        number = f"{moment.number:,}" if self.page.narrow else f"update {moment.number:,} of {moment.train.steps:,}"
        title = f"{station.title} ({number})"
        return title, station.render(moment, self.view, self.page)
