"""The commands that go somewhere: on, back, by updates, to the end."""

from typing import TYPE_CHECKING

from common.errors import UserError
from common.evaluation import percent
from common.run import TrainState
from console import running
from console.page import lines
from console.stepper import keeping, walking
from console.stepper.commands import Command, Shown, near, whole

if TYPE_CHECKING:
    from console.stepper.stepper import Stepper

MOST = 10**9
RECENT = 20
"""`run until` looks at the mean of so many updates' batches."""


def go_on(stepper: "Stepper", words: list[str]) -> Shown:
    _none(words, "n")
    walking.on(stepper)
    return keeping.close(stepper) if stepper.leaving else stepper.screen()


def go_back(stepper: "Stepper", words: list[str]) -> Shown:
    _none(words, "b")
    walking.back(stepper)
    return stepper.screen()


def step(stepper: "Stepper", words: list[str]) -> Shown:
    """To the same station of a later update, recording those on the way."""
    if len(words) > 1:
        raise UserError("it is used like this: step [N]")
    n = whole(words[0], "the number of updates", 1, MOST) if words else 1
    walking.steps(stepper, n)
    return stepper.screen()


def run(stepper: "Stepper", words: list[str]) -> Shown:
    """At full speed, to the end or to where the words say."""
    state = stepper.state
    until, target = _goal(words, state, stepper.session.train.steps_per_epoch)
    if state.step >= stepper.session.train.steps:
        raise UserError("the run is complete: there is no update left")
    if target is not None and target <= state.step:
        raise UserError(f"update {target:,} is behind: {state.step:,} are made")
    stopped = walking.run(stepper, until, target)
    if stepper.leaving:
        return None
    told = lines("", ("Stopped: " if stopped else "") + _progress(stepper))
    walking.arrive(stepper)
    return [stepper.screen(), told]


def _progress(stepper: "Stepper") -> str:
    """How far the run is, and how it does."""
    state, train = stepper.state, stepper.session.train
    recent = slice(-RECENT, None)
    losses, shares = state.history.loss[recent], state.history.accuracy[recent]
    done = f"{state.step:,} of {train.steps:,} updates are made"
    if not losses:
        return f"{done}."
    mean, right = sum(losses) / len(losses), sum(shares) / len(shares)
    return f"{done}; the last {len(losses)} batches: loss {mean:.4f}, {percent(right)} right."


def _goal(words: list[str], state: TrainState, per_epoch: int) -> tuple[running.Until | None, int | None]:
    """When a run stops: a test of the state, and the update it stops after where that is known."""
    match words:
        case []:
            return None, None
        case ["until", "acc" | "loss" as what, word]:
            return _until(what, word), None
        case ["until", word] | ["until", "step", word]:
            target = whole(word, "the number of the update", 1, MOST)
        case ["epoch", word]:
            target = whole(word, "the number of the epoch", 1, MOST) * per_epoch
        case ["epoch"]:
            target = (state.step // per_epoch + 1) * per_epoch
        case [word] if word not in ("until", "epoch"):
            target = state.step + whole(word, "the number of updates", 1, MOST)
        case _:
            raise UserError("it is used like this: run [N | epoch K | until acc X | until loss X | until N]")
    return None, target


def _until(what: str, word: str) -> running.Until:
    try:
        limit = float(word.rstrip("%")) / (100 if word.endswith("%") else 1)
    except ValueError:
        raise UserError(f"`until {what}` takes a number like {0.99 if what == 'acc' else 0.1}, not {word!r}") from None
    if what == "acc" and not 0 < limit <= 1:
        raise UserError(f"an accuracy is above 0 and at most 1, or has a % behind it: not {word}")

    def reached(now: TrainState) -> bool:
        series = now.history.accuracy if what == "acc" else now.history.loss
        mean = sum(series[-RECENT:]) / min(RECENT, len(series))
        return len(series) >= RECENT and (mean >= limit if what == "acc" else mean <= limit)

    return reached


def go(stepper: "Stepper", words: list[str]) -> Shown:
    """To a station of the update in view, by its name or how that begins."""
    wanted, known = " ".join(words), [station.name for station in stepper.stations]
    if not wanted:
        return lines("Stations of an update:", *(f"  {name}" for name in known))
    fits = [i for i, name in enumerate(known) if name.startswith(wanted) or name.endswith(f" {wanted}")]
    if not fits:
        raise UserError(f"no station is called {wanted!r}{near(wanted, known)}; `go` alone lists them")
    stepper.go(fits[0])
    return stepper.screen()


def where(stepper: "Stepper", words: list[str]) -> Shown:
    """The station again, with how far the run is."""
    _none(words, "where")
    return [stepper.screen(), lines("", _progress(stepper))]


def _none(words: list[str], usage: str) -> None:
    if words:
        raise UserError(f"nothing follows {usage}: it is used alone")


COMMANDS = (
    Command(("n", "next", "on"), "Enter, n", "Go on to the next station.", go_on),
    Command(
        ("b", "back"),
        "b",
        "Go back to the station before, also over the last 20 updates; nothing is computed again.",
        go_back,
    ),
    Command(
        ("step", "s"),
        "step [N]",
        "Go N updates on (1), recording each, to the same station; before training, to update N.",
        step,
    ),
    Command(
        ("run", "r"),
        "run [N | epoch K | until acc X | until loss X | until N]",
        "Train at full speed: to the end, N updates on, to the end of epoch K or until the mean of the last 20 batches "
        "is as good as X. Ctrl-C finishes the update and comes back here.",
        run,
    ),
    Command(("go", "g"), "go [STATION]", "Go to a station of this update by its name: go loss.", go),
    Command(("where", "w", "."), "where", "Show this station again, and how far the run is.", where),
)
