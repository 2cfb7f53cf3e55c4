"""A rollback as a run: objects, what was still claimed, references, and the check, one phase after the other."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice

from domain.lifecycle.ports import Restored
from domain.protocol.ports import RecordPage, RecordPages
from domain.protocol.record import Record
from domain.runs.works import CHECKED, OBJECTS
from handlers.operations.operator import Operation
from handlers.operations.rollback import (
    NOT_CAPTURED,
    find_difference,
    is_ended,
    roll_back_record,
    settle_record,
)
from handlers.operations.runs import KeptOptions, decode_options
from handlers.operations.segments import RECORDS_AT_ONCE, read_segment
from handlers.operations.slice_work import Page

ROUNDS_SECONDS = 2.0
"""Pause between two looks at records that attempts still hold."""
_STATE, _OPEN, _FAILED, _DIFFERENCES, _REFERENCES = "state.", "open", "failed", "differences", "references"


@dataclass(frozen=True, slots=True)
class RollbackOptions(KeptOptions):
    """What every process of a rollback does alike."""

    segments: int


def options_of(options: Mapping[str, str]) -> RollbackOptions:
    """As a run keeps them."""
    return decode_options(RollbackOptions, options)


@dataclass(frozen=True, slots=True)
class Done:
    """What one task did: its figures, and a difference, by the object or the place and the reason."""

    counts: Mapping[str, int]
    difference: tuple[str, str] | None = None


class RollbackWork:
    """SliceWork of a rollback. Every record is tried once, then what attempts still held, then each is checked.

    References are put back in between. They have no cursor: a slice that was left puts back what is left, and counts
    that only.
    """

    def __init__(self, operation: Operation, pages: RecordPages, options: RollbackOptions) -> None:
        self._operation = operation
        self._pages = pages
        self._options = options
        self._clock = operation.dependencies.ports.clock
        self._sleep = operation.dependencies.sleep

    @property
    def phases(self) -> Sequence[int]:
        """See the port."""
        segments = self._options.segments
        return segments, segments, int(self._operation.undo is not None), segments

    def read_pages(self, number: int, cursor: str) -> Iterator[Page[Done]]:
        """See the port."""
        for phase, size in zip(
            (self._restored, self._settled, self._references, self._checked), self.phases, strict=True
        ):
            if number < size:
                yield from phase(number, cursor)
                return
            number -= size

    def is_portable(self, number: int) -> bool:
        """See the port; references have no cursor."""
        restored, settled, references, _ = self.phases
        return not restored + settled <= number < restored + settled + references

    def count_result(self, result: Done) -> Mapping[str, int]:
        """See the port."""
        return result.counts

    def keep_result(self, result: Done) -> str | None:
        """See the port."""
        return json.dumps(result.difference) if result.difference is not None else None

    def _records(self, segment: int, cursor: str) -> Iterator[RecordPage]:
        return read_segment(self._pages, segment, self._options.segments, cursor=cursor, sleep=self._sleep)

    def _restored(self, segment: int, cursor: str) -> Iterator[Page[Done]]:
        for page in self._records(segment, cursor):
            now = self._clock.now()
            due = [record for record in page.records if not is_ended(record) and not record.is_claimed_at(now)]
            yield Page([partial(self._restore, record) for record in due], page.cursor)

    def _settled(self, segment: int, cursor: str) -> Iterator[Page[Done]]:
        """What is left of each page, once no other attempt holds one of its records: at most for the longest claim."""
        after: str | None = cursor
        while after is not None:
            give_up = self._clock.now() + self._operation.longest_claim()
            while self._is_held(page := next(self._records(segment, after))) and self._clock.now() < give_up:
                yield Page([], after)  # the run may be stopped or cancelled while it waits
                self._sleep(ROUNDS_SECONDS)
            yield Page([partial(self._settle, one) for one in page.records if not is_ended(one)], page.cursor)
            after = page.cursor

    def _is_held(self, page: RecordPage) -> bool:
        return any(record.is_claimed_at(self._clock.now()) for record in page.records)

    def _references(self, _: int, __: str) -> Iterator[Page[Done]]:
        undo = self._operation.undo
        undone = undo.undo_references() if undo is not None else iter(())
        while some := list(islice(undone, RECORDS_AT_ONCE)):
            yield Page([partial(_put_back, one.place, one.why) for one in some], "", only_look=True)
        yield Page([], None)

    def _checked(self, segment: int, cursor: str) -> Iterator[Page[Done]]:
        for page in self._records(segment, cursor):
            yield Page([partial(self._check, record) for record in page.records], page.cursor, only_look=True)

    def _restore(self, record: Record) -> Done:
        roll_back_record(self._operation, record)  # where it fails, it is tried once more when the others are done
        return Done({OBJECTS: 1})

    def _settle(self, record: Record) -> Done:
        why = settle_record(self._operation, record)
        return _different(record.source.uri, why, {_FAILED: 1}) if why is not None else Done({})

    def _check(self, record: Record) -> Done:
        why = find_difference(self._operation, record)
        counts = {CHECKED: 1, _STATE + record.state.value: 1, _OPEN: int(not is_ended(record))}
        return _different(record.source.uri, why, counts) if why is not None else Done(counts)


def _put_back(place: str, why: str) -> Done:
    return _different(place, why, {}) if why else Done({_REFERENCES: 1})


def _different(place: str, why: str, counts: Mapping[str, int]) -> Done:
    return Done({**counts, _DIFFERENCES: 1}, (place, why))


def difference_of(line: str) -> tuple[str, str]:
    """The object or the place of a line, and the reason."""
    place, why = json.loads(line)
    return place, why


@dataclass(frozen=True, slots=True)
class RolledBack:
    """The result of a run: its figures, and what became of the bucket's notifications."""

    counts: Mapping[str, int]
    capture: Restored = field(default=NOT_CAPTURED)

    @property
    def states(self) -> Mapping[str, int]:
        """Records by state."""
        named = {name: count for name, count in self.counts.items() if name.startswith(_STATE)}
        return {name.removeprefix(_STATE): count for name, count in sorted(named.items())}

    @property
    def differences(self) -> int:
        """The number of objects and references that are not what they were."""
        return self.counts.get(_DIFFERENCES, 0)

    @property
    def references(self) -> int:
        """The number of places that hold their legacy URI again."""
        return self.counts.get(_REFERENCES, 0)

    @property
    def open(self) -> int:
        """Records that are not rolled back: their attempts began before the pause and wrote after the pass."""
        return self.counts.get(_OPEN, 0)

    @property
    def is_over(self) -> bool:
        """Whether every record is rolled back, so that the stage may say so."""
        return not self.open and not self.counts.get(_FAILED, 0)

    @property
    def clean(self) -> bool:
        """Whether the original state is back."""
        return not self.differences and self.capture.is_as_before
