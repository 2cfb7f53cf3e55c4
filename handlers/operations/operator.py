"""What start, cutover, cleanup and rollback share: the operator's ports and settings, and steps of the stage."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from math import inf
from typing import Protocol

from domain.errors import UnavailableError
from domain.lifecycle.ports import ByteReader, CensusBook, KeyBook, LiveCapture, StageBook
from domain.lifecycle.stages import Stage, StageEntry, advanced
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
class UndoneReference:
    """A place that holds its legacy URI again; or one that could not get it back, with the reason ``why``."""

    place: str
    why: str = ""


class ReferenceUndo(Protocol):
    """Puts rewritten references back."""

    def undo_references(self) -> Iterator[UndoneReference]:
        """Put the legacy URIs back wherever keyshift's new URIs still are, one after the other; repeatable."""

    def rewritten_references(self) -> int:
        """The number of places that keyshift rewrote and has not put back."""


@dataclass(frozen=True, slots=True)
class Shut:
    """The command was refused; ``why`` names the object and the remedy."""

    why: str


@dataclass(frozen=True, slots=True)
class Operation:
    """The dependencies of an operator's command; ``versioning`` of the source bucket is Enabled, Suspended or Off.

    So is ``target_versioning``.
    ``engine`` makes the dependencies that a command needs to work the events queue off itself, where no function polls
    it. ``seconds_left`` is how long an attempt may still send requests, in a function whose time ends.
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
    target_versioning: Callable[[], str]
    key_book: Callable[[], AbstractContextManager[KeyBook]]
    census_book: Callable[[], AbstractContextManager[CensusBook]]
    by: str
    finders: tuple[ReferenceFinder, ...] = ()
    pins: tuple[PinFinder, ...] = ()
    undo: ReferenceUndo | None = None
    seconds_left: Callable[[], float] = lambda: inf

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
                raise UnavailableError(f"another command changed the stage at the same time: {fault}") from fault
            if after == before or self.stages.write_stage(after, before=before):
                return before, after
        raise UnavailableError("other commands changed the stage each time: look at `keyshift status`")

    def advance(self, stage: Stage, *, unless: Sequence[Stage], why: str) -> StageEntry:
        """Go on to ``stage``, unless one of these stages is reached already; raises as ``change_stage``."""
        now = self.dependencies.ports.clock.now

        def step(before: StageEntry) -> StageEntry:
            return before if before.stage in unless else advanced(before, stage, by=self.by, why=why, now=now())

        return self.change_stage(step)[1]

    def serve_events(self) -> None:
        """Receive once from the events queue, and work the messages off."""
        engine = self.engine()
        Worker(engine, lanes=1).serve(engine.events_queue, at_most=EVENTS_AT_ONCE, wait=1)

    def control(self) -> Control:
        """The operator's control, read now."""
        return self.panel.read_control()

    def attempt(self) -> Attempt:
        """A new attempt at one object."""
        limit = min(self.dependencies.settings.attempt_seconds, max(0.0, self.seconds_left()))
        return Attempt(self.dependencies.new_token(), limit)

    def parallel(self, threads: int, per_second: float | None = None) -> ParallelMap:
        """The map that works on many objects in parallel, with this operation's settings."""
        dependencies = self.dependencies
        return ParallelMap(threads, per_second, sleep=dependencies.sleep, executor=dependencies.objects_at_once)

    def is_ending(self) -> bool:
        """Whether no time is left for another request of an attempt."""
        return self.seconds_left() <= self.dependencies.settings.request_seconds

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
