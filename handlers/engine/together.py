"""Many plain copies at once: one request claims them, each is copied by itself, and few requests commit them.

Each object keeps an attempt of its own (protocol.md §4): it is claimed before its copy, and committed on the condition
of its own record. What an answer for many leaves open is asked for alone.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import Any, Protocol, TypeVar

from domain.errors import KeyshiftError
from domain.protocol.attempt import Attempt, Outcome
from domain.protocol.migration import BegunAttempt, begin_attempt
from domain.protocol.notices import Destination, Notice, NoticeKind
from domain.protocol.ports import ClaimAnswer, RecordChange
from domain.rules.routing import Moved, Route
from domain.steering.control import Control
from handlers.engine.attempt import (
    FIRST_PAUSE_SECONDS,
    Ended,
    SecondsLeft,
    attempt_notice,
    concluded,
    held_back,
    held_by_throttling,
    is_cut,
    least_seconds,
    left_after,
    limit_of,
    paced_ports,
    paid_bytes,
    throttled,
    wait_after_throttling,
)
from handlers.engine.dependencies import EngineDependencies
from handlers.engine.rate_gate import PAUSED_SECONDS, SLICE_SECONDS, HeldBack

MOST_TOGETHER = 25
"""As many writes as DynamoDB takes in one request."""
GATHER_SECONDS = 0.02
"""How long the commit of a copied object waits for others; a slower copy beside it is not waited for."""


class Planned(Protocol):
    """A notice with its route."""

    @property
    def notice(self) -> Notice:
        """What it tells of the object."""

    @property
    def route(self) -> Route:
        """Where the rules send its key."""


Task = TypeVar("Task", bound=Planned)


@dataclass(frozen=True, slots=True)
class _Copied:
    """An object whose commit is to be written together with others."""

    begun: BegunAttempt
    commitment: RecordChange
    outcome: Outcome

    def settled(self, *, is_written: bool | None) -> Outcome:
        """The outcome, once the commit is settled."""
        self.begun.settle(is_written=is_written)
        return self.outcome


def can_go_together(planned: Planned, dependencies: EngineDependencies) -> bool:
    """Whether one request is expected to copy the object, so that its claim and its commit can wait for others."""
    notice = planned.notice
    is_named = notice.kind is not NoticeKind.REMOVED and notice.etag is not None
    is_small = notice.size is not None and not is_cut(notice.size, dependencies)
    return isinstance(planned.route, Moved) and is_named and is_small


def groups_of(planned: Sequence[Task], control: Control) -> Iterator[Sequence[Task]]:
    """Groups that begin together; a group is at most what the rates let through at once."""
    most = MOST_TOGETHER
    if control.objects_per_second is not None:
        most = max(1, min(most, int(control.objects_per_second * SLICE_SECONDS)))
    bytes_at_once = control.bytes_per_second * SLICE_SECONDS if control.bytes_per_second is not None else None
    group: list[Task] = []
    size = 0
    for one in planned:
        size += one.notice.size or 0
        if group and (len(group) == most or (bytes_at_once is not None and size > bytes_at_once)):
            yield group
            group, size = [], one.notice.size or 0
        group.append(one)
    if group:
        yield group


def attempt_together(
    planned: Sequence[Planned],
    dependencies: EngineDependencies,
    *,
    seconds_left: SecondsLeft,
    stopping: Callable[[], bool],
) -> list[Ended]:
    """Attempt the objects group by group; the outcomes are in their order.

    Raises only errors that concern every object alike, as ``attempt_notice`` does.
    """
    return _Groups(planned, dependencies, seconds_left, stopping).attempt()


def end_all(futures: Collection[Future[Any]]) -> None:
    """Begin none of these any more, and wait for those that run."""
    for future in futures:
        future.cancel()
    wait(futures)


class _Groups:
    """The groups of one batch on their way: the next one is claimed while copies of the one before still run."""

    def __init__(
        self,
        planned: Sequence[Planned],
        dependencies: EngineDependencies,
        seconds_left: SecondsLeft,
        stopping: Callable[[], bool],
    ) -> None:
        self._planned = planned
        self._dependencies = dependencies
        self._pool = dependencies.pool
        self._seconds_left = seconds_left
        self._stopping = stopping
        self._left = left_after(seconds_left, dependencies)
        self._copying: dict[Future[Ended | _Copied], int] = {}
        self._claims: dict[int, tuple[BegunAttempt, ClaimAnswer | None]] = {}
        self._ended: dict[int, Ended] = {}
        self._throttled: dict[int, Future[Ended]] = {}

    def attempt(self) -> list[Ended]:
        """See ``attempt_together``."""
        groups, first = groups_of(self._planned, self._dependencies.control.current()), 0
        room = self._dependencies.settings.concurrency
        try:
            while len(self._ended) + len(self._throttled) < len(self._planned):
                while len(self._copying) < room and (group := next(groups, None)) is not None:
                    self._begin(group, first)
                    first += len(group)
                if self._copying:
                    self._commit(self._next_copied())
            self._ended |= {number: future.result() for number, future in self._throttled.items()}
        except BaseException as error:
            end_all([*self._copying, *self._throttled.values()])
            if isinstance(error, Exception):
                self._end_claims()
            raise
        return [ended for _, ended in sorted(self._ended.items())]

    def _begin(self, group: Sequence[Planned], first: int) -> None:
        """Claim a group, whose first object has the number ``first``, and let its copies begin."""
        dependencies = self._dependencies
        admitted = self._admitted(group, first)
        size = sum(paid_bytes(planned.notice, dependencies) for planned in admitted.values())
        held = (
            dependencies.gate.admit(objects=len(admitted), size=size, seconds_left=self._left, stopping=self._stopping)
            or self._why_not_now()
        )
        if held is not None:
            self._ended |= {number: held_back(planned.notice, held) for number, planned in admitted.items()}
            return
        if not admitted:
            return
        attempts = [self._begin_attempt(planned) for planned in admitted.values()]
        answers = dependencies.batches.claim_new_records([begun.request for begun in attempts])
        for (number, planned), begun, answer in zip(admitted.items(), attempts, answers, strict=True):
            self._claims[number] = (begun, answer)
            self._copying[self._pool.submit(self._copy, planned, begun, answer)] = number

    def _admitted(self, group: Sequence[Planned], first: int) -> dict[int, Planned]:
        """The objects of the group by their numbers, without those whose place throttled: they end here."""
        admitted = dict(enumerate(group, first))
        for number, planned in enumerate(group, first):
            held = held_by_throttling(planned.notice, planned.route, self._dependencies)
            if held is not None:
                self._ended[number] = held_back(planned.notice, held)
                del admitted[number]
        return admitted

    def _why_not_now(self) -> HeldBack | None:
        control = self._dependencies.control.current()
        if control.paused:
            return HeldBack(f"paused: {control.reason}", PAUSED_SECONDS)
        if self._stopping():
            return HeldBack("stopping")
        return HeldBack("no time left for another object") if self._left() < 0 else None

    def _too_late(self, begun: BegunAttempt) -> HeldBack | None:
        """Its claim ran while others of its group were copied: that is not a failure of this object."""
        if begun.has_time_for(least_seconds(self._dependencies)):
            return None
        return HeldBack("its claim was nearly over before its turn came")

    def _begin_attempt(self, planned: Planned) -> BegunAttempt:
        dependencies, notice, route = self._dependencies, planned.notice, planned.route
        if not isinstance(route, Moved):
            raise ValueError(f"{notice.source.uri} does not move")  # noqa: TRY004  # see ``can_go_together``
        limit = limit_of(notice, dependencies, self._seconds_left())
        return begin_attempt(
            notice,
            destination=Destination(route.target, route.rule),
            attempt=Attempt(dependencies.new_token(), limit),
            ports=paced_ports(dependencies, self._seconds_left, paid_bytes(notice, dependencies)),
            policy=dependencies.policy,
        )

    def _copy(self, planned: Planned, begun: BegunAttempt, answer: ClaimAnswer | None) -> Ended | _Copied:
        """Copy one object in a thread of the pool; what has no commit ends here, so that failures count at once."""

        def run() -> Outcome:
            return begun.run(answer, defers_commit=True)

        with self._dependencies.pace.slot():
            try:
                held = self._why_not_now() or self._too_late(begun)
            except KeyshiftError:
                _give_back(begun, answer)
                raise
            if held is not None:
                _give_back(begun, answer)
                return held_back(planned.notice, held)
            outcome = concluded(planned.notice, self._dependencies, run, is_committed=lambda: begun.commitment is None)
        if begun.commitment is not None and outcome is not None:
            return _Copied(begun, begun.commitment, outcome)
        return self._ended_as(planned, outcome)

    def _next_copied(self) -> dict[int, _Copied]:
        """What was copied next, and what else within a moment; what has no commit has ended."""
        done, waiting = wait(self._copying, return_when=FIRST_COMPLETED)
        if waiting:
            done |= wait(waiting, timeout=GATHER_SECONDS)[0]
        for future in done:
            future.result()  # it raises while all of them are still known, so that the others are committed
        results = sorted(((self._copying.pop(one), one.result()) for one in done), key=itemgetter(0))
        self._ended |= {number: one for number, one in results if isinstance(one, Ended)}
        return {number: one for number, one in results if isinstance(one, _Copied)}

    def _commit(self, copied: dict[int, _Copied]) -> None:
        if not copied:
            return
        answers = self._dependencies.batches.write_records([one.commitment for one in copied.values()])
        errors: list[KeyshiftError] = []
        for (number, one), is_written in zip(copied.items(), answers, strict=True):
            planned = self._planned[number]
            settled = partial(one.settled, is_written=is_written)
            try:
                outcome = concluded(planned.notice, self._dependencies, settled)
            except KeyshiftError as error:
                errors.append(error)  # the commits after it are settled first
                continue
            if outcome is None:
                self._throttled[number] = self._pool.submit(self._ended_as, planned, None)
            else:
                self._ended[number] = Ended(planned.notice, outcome)
        if errors:
            raise errors[0]

    def _end_claims(self) -> None:
        """After an error that concerns every object: commit what was copied, give back what was only claimed.

        A claim that is left alone keeps others waiting, and its intent counts as a copy that may have been made.
        """
        copied = [
            one
            for future in self._copying
            if not future.cancelled() and future.exception() is None and isinstance(one := future.result(), _Copied)
        ]
        with suppress(KeyshiftError):  # the first error is told
            answers = self._dependencies.batches.write_records([one.commitment for one in copied]) if copied else []
            for one, is_written in zip(copied, answers, strict=True):
                with suppress(KeyshiftError):
                    one.settled(is_written=is_written)
        for future, number in self._copying.items():
            if future.cancelled():
                with suppress(KeyshiftError):
                    _give_back(*self._claims[number])

    def _ended_as(self, planned: Planned, outcome: Outcome | None) -> Ended:
        """How the attempt ended; a throttled object is attempted again alone, after a pause."""
        dependencies, notice = self._dependencies, planned.notice
        if outcome is not None:
            return Ended(notice, outcome)
        if not wait_after_throttling(FIRST_PAUSE_SECONDS, dependencies, self._seconds_left):
            return throttled(notice)
        return attempt_notice(
            notice, planned.route, dependencies, seconds_left=self._seconds_left, stopping=self._stopping
        )


def _give_back(begun: BegunAttempt, answer: ClaimAnswer | None) -> None:
    if answer is not None:
        begun.give_back(answer)
