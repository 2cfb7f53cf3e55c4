"""What start, cutover, cleanup and rollback share: the operator's ports and settings, and steps of the stage."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from threading import Lock
from typing import Protocol

from domain.errors import UnavailableError
from domain.keys import Location
from domain.lifecycle.ports import ByteReader, CensusBook, KeyBook, LiveCapture, StageBook
from domain.lifecycle.stages import StageEntry
from domain.planning.ports import ObjectListing
from domain.protocol.attempt import Attempt
from domain.protocol.ports import VersionStore
from domain.references.holders import Pin, Reference
from domain.references.ports import PinFinder, ReferenceFinder
from domain.steering.control import Control
from domain.steering.ports import ControlPanel, EventSourceMappings
from handlers.engine.dependencies import Dependencies, EngineDependencies
from handlers.engine.worker import EVENTS_AT_ONCE, Worker
from handlers.operations.parallel import ParallelMap

TRIES = 5


@dataclass(frozen=True, slots=True)
class ReferencesUndone:
    """How many places hold their legacy URI again, and which could not get it back: the place and the reason."""

    restored: int = 0
    lost: tuple[tuple[str, str], ...] = ()


class ReferenceUndo(Protocol):
    """Puts rewritten references back."""

    def undo_references(self) -> ReferencesUndone:
        """Put the legacy URIs back wherever keyshift's new URIs still are; repeatable."""

    def rewritten_references(self) -> int:
        """The number of places that keyshift rewrote and has not put back."""


@dataclass(frozen=True, slots=True)
class Shut:
    """The command was refused; ``why`` names the object and the remedy."""

    why: str


@dataclass(frozen=True, slots=True)
class Operation:
    """The dependencies of an operator's command; ``versioning`` of the source bucket is Enabled, Suspended or Off.

    ``engine`` makes the dependencies that a command needs to work the events queue off itself, where no function polls
    it.
    """

    dependencies: Dependencies
    engine: Callable[[], EngineDependencies]
    stages: StageBook
    capture: LiveCapture
    panel: ControlPanel
    mappings: EventSourceMappings
    reader: ByteReader
    versions: VersionStore
    listing: ObjectListing
    versioning: Callable[[], str]
    key_book: Callable[[], AbstractContextManager[KeyBook]]
    census_book: Callable[[], AbstractContextManager[CensusBook]]
    by: str
    finders: tuple[ReferenceFinder, ...] = ()
    pins: tuple[PinFinder, ...] = ()
    undo: ReferenceUndo | None = None

    def change_stage(self, change: Callable[[StageEntry], StageEntry]) -> tuple[StageEntry, StageEntry]:
        """Change the stage; returns the entry before and after.

        Raises UnavailableError when other commands change it each time, or change it to a stage that forbids this
        change.
        """
        for _ in range(TRIES):
            before = self.stages.read_stage()
            try:
                after = change(before)
            except ValueError as fault:  # the stage was another one when the command first read it
                raise UnavailableError(f"another command was quicker: {fault}") from fault
            if after == before or self.stages.write_stage(after, before=before):
                return before, after
        raise UnavailableError("the stage was changed by others each time: look at `keyshift status`, then try again")

    def serve_events(self) -> None:
        """Receive once from the events queue, and work the messages off."""
        engine = self.engine()
        Worker(engine, lanes=1).serve(engine.events_queue, at_most=EVENTS_AT_ONCE, wait=1)

    def control(self) -> Control:
        """The operator's control, read now."""
        return self.panel.read_control()

    def attempt(self) -> Attempt:
        """A new attempt at one object."""
        return Attempt(self.dependencies.new_token(), self.dependencies.settings.attempt_seconds)

    def parallel(self, threads: int, per_second: float | None = None) -> ParallelMap:
        """The map that works on many objects in parallel, with this operation's settings."""
        dependencies = self.dependencies
        return ParallelMap(threads, per_second, sleep=dependencies.sleep, executor=dependencies.objects_at_once)

    def longest_claim(self) -> float:
        """Seconds after which no request of an attempt can still be under way (protocol.md §6)."""
        return self.dependencies.policy.longest_claim(self.dependencies.settings.attempt_seconds)

    def references(self) -> Iterator[Reference]:
        """Every legacy URI that is still held."""
        for finder in self.finders:
            yield from finder.find_references()

    def find_pins(self) -> Iterator[Pin]:
        """Every pin that keeps a source where it is."""
        for finder in self.pins:
            yield from finder.find_pins()

    def copy_references(self) -> Iterator[Reference]:
        """Every reference to an object of the new layout."""
        for finder in self.finders:
            yield from finder.find_copy_references()

    def find_copy_pins(self) -> Iterator[Pin]:
        """Every pin on an object of the new layout."""
        for finder in self.pins:
            yield from finder.find_copy_pins()


@dataclass(slots=True)
class Holders:
    """The holders of each source, read again ``seconds`` after the last read ended: applications still write.

    With ``of_copies`` it is about the copies at their new places.
    """

    operation: Operation
    seconds: float
    monotonic: Callable[[], float]
    of_copies: bool = False
    _held: dict[Location, str] = field(default_factory=dict)
    _looked: float | None = None
    _lock: Lock = field(default_factory=Lock)

    def holder_of(self, location: Location) -> str | None:
        """Why the object at this place must stay, or ``None``."""
        # One read serves all threads. A read of large tables may take longer than its result is valid.
        with self._lock:
            if self._looked is None or self.monotonic() - self._looked >= self.seconds:
                self._held = dict(self._look())
                self._looked = self.monotonic()
            return next((self._held[one] for one in _around(location) if one in self._held), None)

    def _look(self) -> Iterator[tuple[Location, str]]:
        operation = self.operation
        if self.of_copies:
            return _held(operation.copy_references(), operation.find_copy_pins())
        return _held(operation.references(), operation.find_pins())


def _around(location: Location) -> Iterator[Location]:
    """The location, its bucket as a whole, and every folder that it is in: a holder of any of these also names it."""
    yield location
    at = 0
    while True:
        yield Location(location.bucket, location.key[:at])
        at = location.key.find("/", at) + 1
        if not at:
            return


def _held(references: Iterable[Reference], pins: Iterable[Pin]) -> Iterator[tuple[Location, str]]:
    for reference in references:
        yield reference.source, f"a reference: {reference.holder} {reference.path}"
    for pin in pins:
        yield pin.source, f"a pin: {pin.holder} ({pin.remedy})"
