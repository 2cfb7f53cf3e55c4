"""What gates and stages promise, judged from what owners, strangers and operators did, and what S3 and SQS hold.

docs/design/gates.md and docs/lifecycle.md say it. An operator's acts are facts: what he started, postponed, paused,
took back and accepted. No record is read, and no stage that the program keeps.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field

from domain.keys import Location
from tests.simulation.whole.excuses import AFTER_LISTING, GAP
from tests.simulation.whole.history import KeyTruth
from tests.simulation.whole.truth import Truth

WINDOW = 150.0
"""Seconds between the last look of a cut-over and its write, with some of its requests held up."""
ENDING = 500.0
"""Seconds in which a batch ends that began before the stage was read: an invocation, an attempt, S3's last answer."""
MOST_WAITING = 10
"""Live messages that may wait at a cut-over (``--most-waiting``)."""
WORKERS = "worker"
"""How the processes of the functions are named."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is so at the moment of an operator's step.

    ``silent_since``: since when the bucket's events do not reach the queue; ``old_rows``, ``old_events`` and ``dead``:
    messages that have waited, or lain dead, for longer than the window.
    """

    is_paused: bool
    silent_since: float | None
    old_rows: int
    old_events: int
    dead: int


@dataclass(slots=True)
class Promises:
    """Watches one migration from before its start; what is broken is a fault of the same judge."""

    truth: Truth
    now: Callable[[], float]
    is_on_its_way: Callable[[KeyTruth], bool]
    """Whether a message about the key is under way, or in a queue."""
    accepted: dict[str, Collection[str]] = field(default_factory=dict)
    """By operator, the gates that he accepts."""
    _told: dict[Location, tuple[float, bool]] = field(default_factory=dict)
    _listed: dict[tuple[str, str], list[tuple[float, str]]] = field(default_factory=dict)
    postpones: dict[str, float | None] = field(default_factory=dict)
    """By operator who is about to postpone: until when, in seconds since the simulation's begin; ``None``: no more."""
    has_started: bool = False
    _back_since: float | None = None
    _postponed_until: float | None = None

    # Facts
    def told(self, key: KeyTruth, *, is_delivered: bool) -> None:
        """S3 had an event for the owner's last word, and it reaches the queue or does not."""
        self._told[key.source] = (self.now(), is_delivered)

    def listed(self, process: str, bucket: str, *, after: str, last: str) -> None:
        """A page of a listing was answered; ``last`` is empty at its end."""
        if not after:
            self._listed[process, bucket] = []
        self._listed.setdefault((process, bucket), []).append((self.now(), last))

    # Stages
    def moved(self, location: Location, *, by: str) -> None:
        """Something of keyshift's has written or deleted an object."""
        key = self.truth.of(location)
        if key is None:
            return
        if not self.has_started:
            self.truth.fault(key, f"G2 {by} changes {location.key}, and no operator has started the migration")
        late = self._back_since is not None and self.now() - self._back_since > ENDING
        if late and by.startswith(WORKERS):
            self.truth.fault(key, f"G2 {by} changes {location.key} long after an operator began to take all back")

    def postponed(self, until: float | None) -> None:
        """An operator has put the cut-over off, or allowed it again (seconds since the simulation's begin)."""
        self._postponed_until = until

    def went_back(self) -> None:
        """An operator begins to take everything back."""
        self._back_since = self._back_since if self._back_since is not None else self.now()

    def went_live(self, facts: Facts) -> None:
        """An operator's start has ended."""
        self.has_started = True
        self._check_capture("live", facts)
        self._check_not_back("live")

    def cut_over(self, facts: Facts, *, by: str) -> None:
        """An operator has cut over."""
        self._check_capture("cut over", facts)
        self._check_not_back("cut over")
        if facts.is_paused:
            self._fault("G4 cut over while an operator's pause holds")
        if self._postponed_until is not None and self.now() < self._postponed_until:
            self._fault("G4 cut over although an operator has put it off")
        if facts.dead:
            self._fault(f"G1 cut over with {facts.dead} dead letters")
        if facts.old_rows or facts.old_events > MOST_WAITING:
            self._fault(f"G1 cut over while {facts.old_rows} rows and {facts.old_events} events wait")
        for key in self.truth.keys.values():
            for text in self._faults_at_cut_over(key, by):
                self.truth.fault(key, text)

    def configured(self, before: Mapping[str, str], after: Mapping[str, str], *, own: str, others: set[str]) -> None:
        """A migration has changed the bucket's notifications; ``others`` are the names of the other migrations'."""
        changed = {name for name in {*before, *after} if before.get(name) != after.get(name)}
        for name in sorted(changed & others):
            self._fault(f"G3 one migration changes the notification {name} of another one")
        for name in sorted(changed - others - {own}):
            self._fault(f"G3 a migration changes the notification {name} of another program")

    # Judgement
    def _fault(self, text: str) -> None:
        self.truth.broken.append(("", text))

    def _check_capture(self, what: str, facts: Facts) -> None:
        silent = facts.silent_since
        if silent is not None and self.now() - silent > WINDOW:
            self._fault(f"G6 {what}, and no event of the bucket has reached the queue for {self.now() - silent:.0f} s")

    def _check_not_back(self, what: str) -> None:
        if self._back_since is not None:
            self._fault(f"G5 {what} after an operator began to take everything back")

    def _faults_at_cut_over(self, key: KeyTruth, by: str) -> Iterator[str]:
        there = self.truth.at_target(key)
        at, is_delivered = self._told.get(key.source, (0.0, False))
        accepted = self.accepted.get(by, ())
        now = self.now()
        if key.is_foreign:
            is_adopted = key.holds(there) == key.owner
            is_recent = now - key.meddled_at < WINDOW
            if is_adopted or is_recent or "conflict" in accepted or self.is_on_its_way(key):
                return
            if not self.truth.excuses(self._why_later(AFTER_LISTING, by, key.target, key.meddled_at)):
                yield f"G1 cut over, and the target holds {key.holds(there)}, which another writer put or left"
            return
        if key.owner is None:
            is_right = there is None or not self.truth.is_copy(key) or not key.mirrors or "gone" in accepted
        else:
            is_right = key.holds(there) == key.owner
        if is_right or now - at < WINDOW or self.is_on_its_way(key):
            return
        if "conflict" in accepted and (key.meddled or key.doubled):
            return
        if not is_delivered and self.truth.excuses(self._why_later(GAP, by, key.source, at)):
            return
        told = "was told" if is_delivered else "was never told"
        yield f"G1 cut over, the owner's last word {key.owner} {told} and the target holds {key.holds(there)}"

    def _why_later(self, why: str, by: str, location: Location, at: float) -> str | None:
        """The excuse, if the operator's listing had passed the key before that happened."""
        pages = self._listed.get((by, location.bucket), [])
        passed = next((when for when, last in pages if not last or last >= location.key), None)
        return why if passed is not None and passed <= at else None
