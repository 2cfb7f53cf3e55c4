"""What keyshift's own requests leave open: facts about requests and processes, and never what a record says.

A process that dies, or that has no answer, cannot write down what it did: until another one has seen the key and
written to the manifest, keyshift cannot know.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from domain.keys import Location
from tests.fakes.buckets import Version
from tests.simulation.whole.excuses import DELETE_IN_DOUBT
from tests.simulation.whole.history import Doubt, KeyTruth, Writer

AT_TARGET = ("copy_object", "complete_upload", "delete_object")
AT_SOURCE = ("delete_object", "remove_delete_marker", "remove_version", "copy_object", "complete_upload")
TO_MANIFEST = ("claim_record", "write_record", "claim_new_records", "write_records")
STOPPED_SECONDS = 50.0
"""Longer than this a request only lasts for a process that was stopped before it sent it, or before its answer."""
CLEANERS = "cleanup"
"""How the processes that clean up are named."""
CLOCKS = 16.0
"""Seconds: the margin for the clocks, half of it for a clock that is late, and one because S3 cuts its dates."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What S3 held when a look was answered; ``is_lock_hidden``: it left the lock out."""

    version: Version | None
    is_lock_hidden: bool = False


@dataclass(slots=True)
class _Work:
    """What one process does with one key since its first write to the manifest."""

    key: KeyTruth
    began: float
    has_written: bool = False
    is_troubled: bool = False
    """Whether one of its requests went wrong, so that it may have ended without a result."""
    at_target: int | None = None
    """What was at the target, as the process knew when it wrote to the manifest last."""
    looked_at: float = -1.0
    """When it had looked there."""
    waits_since: float = 0.0
    """When it began the request that it waits in, or began last."""
    seen: dict[Location, tuple[float, int | None]] = field(default_factory=dict)
    shown: dict[Location, Shown] = field(default_factory=dict)
    has_looked: bool = False
    """Whether S3 has shown it an object at the source, also where the answer is still on its way."""


class Doubts:
    """Watches every request of every process about one key."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._works: dict[str, _Work] = {}

    def asks(self, process: str, key: KeyTruth | None) -> None:
        """The process turns to this key, or to none."""
        work = self._works.get(process)
        if work is not None and work.key is not key:
            if not work.is_troubled:
                self._ended(work)
            del self._works[process]
            work = None
        if key is not None:
            work = self._works.setdefault(process, _Work(key, self._now()))
            work.waits_since = self._now()

    def shows(self, process: str, location: Location, version: Version | None) -> None:
        """S3 reads the place for the process; the answer comes later, or never."""
        work = self._works.get(process)
        if work is not None and location == work.key.source:
            work.has_looked = version is not None

    def saw(self, process: str, location: Location, version: Version | None, *, is_lock_hidden: bool = False) -> None:
        """A look at a place was answered."""
        work = self._works.get(process)
        if work is not None:
            work.shown[location] = Shown(version, is_lock_hidden)
            work.seen[location] = (self._now(), version.written if version is not None else None)

    def last_look(self, process: str, location: Location) -> int | None:
        """The version that the process saw there last, in its work on the key."""
        work = self._works.get(process)
        return work.seen.get(location, (0.0, None))[1] if work is not None else None

    def last_shown(self, process: str, location: Location) -> Shown | None:
        """What the process was shown there last, in its work on the key; ``None`` where it has not looked."""
        work = self._works.get(process)
        return work.shown.get(location) if work is not None else None

    def known_at_target(self, key: KeyTruth) -> dict[int, float]:
        """The versions that keyshift wrote down or is about to, and when it saw them."""
        known = dict(key.noted)
        for work in self._works.values():
            if work.key is key and work.at_target is not None:
                known[work.at_target] = work.looked_at
        return known

    def is_stopped_over(self, key: KeyTruth, at: float) -> bool:
        """Whether a process stood still in a request about the key then, or does, and was at work on it before."""
        stands = [(work.began, self._now()) for work in self._works.values() if work.key is key and self._stops(work)]
        return any(since <= at <= until for since, until in (*key.stops, *stands))

    def _stops(self, work: _Work) -> bool:
        return self._now() - work.waits_since > STOPPED_SECONDS

    def _goes_on(self, process: str) -> _Work | None:
        work = self._works.get(process)
        if work is not None and self._stops(work):
            work.key.stops.append((work.began, self._now()))
        return work

    def is_being_cleaned(self, key: KeyTruth) -> bool:
        """Whether a process that cleans up has seen the source, and has not ended its work on it."""
        return any(
            work.key is key and name.startswith(CLEANERS) and work.has_looked for name, work in self._works.items()
        )

    def answered(self, process: str, name: str) -> None:
        """The process has its answer, also where that is a refusal by S3."""
        work = self._goes_on(process)
        if work is not None and name in TO_MANIFEST:
            self._written(process, work)

    def claimed(self, process: str, key: KeyTruth | None) -> None:
        """Another process has the claim now: of one that is stopped, and wakes up later, nobody knows what it did."""
        for name, work in self._works.items():
            if name != process and work.key is key and work.has_written:
                self._open_all(name, work)

    def refused(self, process: str, name: str) -> None:
        """The process knows that nothing was done: denied, throttled, not sent."""
        work = self._goes_on(process)
        if work is None:
            return
        work.is_troubled = True
        if name in TO_MANIFEST and work.has_written:
            self._open_all(process, work)

    def unanswered(self, process: str, name: str, location: Location | None) -> None:
        """The process cannot know whether that was done."""
        work = self._goes_on(process)
        if work is None:
            return
        work.is_troubled = True
        if name in TO_MANIFEST:
            self._open_all(process, work)
        elif location == work.key.target and name in AT_TARGET:
            self._open_at_target(work)
        elif location == work.key.source and name in AT_SOURCE:
            self._open_at_source(work.key)

    def died(self, process: str, name: str, location: Location | None) -> None:
        """The process was killed in that request."""
        self.unanswered(process, name, location)
        work = self._works.pop(process, None)
        if work is not None and work.has_written:
            self._open_all(process, work)

    def _written(self, process: str, work: _Work) -> None:
        key = work.key
        work.looked_at, work.at_target = work.seen.get(key.target, (-1.0, None))
        at, number = work.seen.get(key.source, (-1.0, None))
        if key.doubt_at_source is not None and at > key.doubt_at_source.since and number is not None:
            key.doubt_at_source = None
        # Cleanup looks, claims, deletes and commits: its second write ends its work. What it saw counts until it reads
        # a record again.
        ends = process.startswith(CLEANERS) and work.has_written
        work.has_written = not ends
        if ends:
            work.has_looked = False

    def _ended(self, work: _Work) -> None:
        """An attempt has come to its end undisturbed: keyshift knows now what is at the target, if it looked."""
        key = work.key
        if work.at_target is not None:
            key.noted[work.at_target] = work.looked_at
            _, at_source = work.seen.get(key.source, (-1.0, None))
            if at_source is not None:
                key.noted_beside.setdefault(work.at_target, set()).add(at_source)
        looked_at, _ = work.seen.get(key.target, (-1.0, None))
        if work.has_written and key.doubt_at_target is not None and looked_at > key.doubt_at_target.since:
            key.doubt_at_target = None

    def _open_all(self, process: str, work: _Work) -> None:
        if process.startswith(CLEANERS):
            self._open_at_source(work.key)
        else:
            self._open_at_target(work)

    def _open_at_source(self, key: KeyTruth) -> None:
        if key.doubt_at_source is None:
            key.doubt_at_source = Doubt(self._now(), key.shadow.current, key.content)
        if key.emptied_by not in (None, Writer.KEYSHIFT):
            # Its owner was quicker, and keyshift does not know of it yet.
            key.unfollowed.setdefault(len(key.words) - 1, DELETE_IN_DOUBT)

    def _open_at_target(self, work: _Work) -> None:
        earlier = work.key.doubt_at_target
        earliest = min(work.began - CLOCKS, earlier.earliest if earlier is not None else work.began)
        work.key.doubt_at_target = Doubt(self._now(), None, earliest=earliest)
