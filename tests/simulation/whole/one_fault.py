"""One fault at one call of a play, and which faults a call can have."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Literal

from domain.errors import AccessDeniedError, ThrottledError
from tests.simulation.whole.dice import MUTATIONS, Blindness
from tests.simulation.whole.scheduler import QUIET, Fate, Process, Request

Moment = Literal["before", "after", "twice", "denied", "throttled", "twice, blind", "twice, blind, blunt"]
PAIRS: tuple[Moment, ...] = ("denied", "throttled", "twice, blind", "twice, blind, blunt")
"""The request is refused, or sent twice so that its answer is a refusal; the next look at that key has no answer."""
SEEN_AFTERWARDS = frozenset({"copy_object", "copy_parts", "complete_upload", "delete_object", "remove_delete_marker"})
"""Requests whose refusal is followed by a look at both keys."""


@dataclass(slots=True)
class OneFault:
    """Every request goes well, but for the one with this number.

    Its sender dies before or after it took effect, or something on the way sends it twice, or it is refused and the
    next look at the same key fails.
    """

    random: Random
    acted: bool = False
    """Whether it is about operators: then what they do is never without interest."""
    polled: frozenset[str] = frozenset()
    """Requests that processes send again and again while they wait: the calls before and after them are enough."""
    number: int = -1
    moment: Moment = "before"
    calls: list[str] = field(default_factory=list)
    """Their names."""
    calm: bool = False
    blindness: Blindness = field(init=False)

    def __post_init__(self) -> None:
        self.blindness = Blindness(self.random)

    def fate(self, process: Process, request: Request) -> Fate:
        """See the protocol."""
        delay, gap = self.random.random() * 0.5, self.random.random() * 0.5
        blind = self.blindness.fate(process, request, delay)
        if blind is not None:
            return blind
        watched = self.acted and not process.name.startswith(("worker", "stream"))
        if (request.name in QUIET and not watched) or request.name in self.polled or self.calm:
            return Fate(delay=delay, gap=gap)
        self.calls.append(request.name)
        if len(self.calls) - 1 != self.number:
            return Fate(delay=delay, gap=gap)
        if self.moment in PAIRS:
            self.blindness.begin(process, request)
        if self.moment in ("before", "after"):
            return Fate(delay=delay, gap=gap, kill=self.moment, word=f"crash {self.moment}")
        if self.moment.startswith("twice"):
            return Fate(delay=delay, gap=gap, doubled=True, word="sent twice")
        why = AccessDeniedError("denied") if self.moment == "denied" else ThrottledError("SlowDown")
        return Fate(delay=delay, effect=False, error=why, word=self.moment)


def moments_of(name: str) -> Iterator[Moment]:
    """What may become of a call of this name."""
    yield from ("before", "after")
    if name in MUTATIONS:
        yield "twice"
    if name in SEEN_AFTERWARDS:
        yield from PAIRS if name == "delete_object" else PAIRS[:-1]
