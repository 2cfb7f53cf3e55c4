"""The manifest as one process sees it: each call is a request whose fate the scheduler decides."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

from domain.errors import KeyshiftError, ThrottledError, UnavailableError
from domain.keys import Location
from domain.protocol.claims import ClaimRequest
from domain.protocol.ports import ClaimAnswer, RecordChange, RecordPage
from domain.protocol.record import Record
from tests.simulation.whole.asking import Asking
from tests.simulation.whole.scheduler import Killed, Phases, Request

Answer = TypeVar("Answer")
RECORDS_AT_ONCE = 3
"""Records of a page of a function's slice."""


class SimulatedManifest(Asking):
    """Manifest; every change is the stream's next entry."""

    def claim_record(self, request: ClaimRequest) -> ClaimAnswer:
        """The conditional UpdateItem."""
        source, claim = request.notice.source, self._site.manifest.claim_record
        answer: ClaimAnswer = self._ask_of(source, "claim_record", source.key, lambda: claim(request))
        return answer

    def claim_new_records(self, requests: Sequence[ClaimRequest]) -> list[ClaimAnswer | None]:
        """BatchExecuteStatement of INSERTs."""
        self.work_together(one.notice.source for one in requests)
        places = [one.notice.source for one in requests]
        claim = self._site.manifest.claim_new
        return self._ask_together("claim_new_records", places, [partial(claim, one) for one in requests])

    def write_records(self, changes: Sequence[RecordChange]) -> list[bool | None]:
        """BatchExecuteStatement of UPDATEs."""
        places = [one.record.source for one in changes]
        write = self._site.manifest.write_one
        return self._ask_together("write_records", places, [partial(write, one) for one in changes])

    def _ask_together(
        self, name: str, places: Sequence[Location], effects: Sequence[Callable[[], Answer]]
    ) -> list[Answer | None]:
        """Each statement is done by itself, in an order of chance; some are throttled, and an answer may be lost."""
        if not self._site.plan.together:
            return [None] * len(effects)
        random, rate = self._site.random, self._site.plan.fault_rate
        skipped = {number for number in range(len(effects)) if random.random() < rate}

        def executing() -> Phases:
            answers: list[Answer | None] = [None] * len(effects)
            for number in random.sample(range(len(effects)), len(effects)):
                if number not in skipped:
                    answers[number] = effects[number]()
                    yield
            return answers  # type: ignore[return-value]  # a generator's return value is the answer

        keys = ", ".join(place.key for place in places)
        try:
            answers: list[Answer | None] = self._process.ask(Request(name, keys, executing))
        except Killed:
            self._died_over_all(name)
            raise
        except KeyshiftError as error:
            self._note_failure(name, places, error)
            if isinstance(error, UnavailableError | ThrottledError):
                return [None] * len(effects)
            raise
        for number, (place, answer) in enumerate(zip(places, answers, strict=True)):
            self._note(name, place, answer, is_throttled=number in skipped)
        return answers

    def _note_failure(self, name: str, places: Sequence[Location], error: KeyshiftError) -> None:
        truth = self._site.truth
        for place in places:
            if isinstance(error, UnavailableError):
                truth.doubts.unanswered(self.name_for(place), name, place)
            else:
                truth.doubts.refused(self.name_for(place), name)
            truth.look_for_doubts(place)

    def _note(self, name: str, place: Location, answer: object, *, is_throttled: bool) -> None:
        truth, process = self._site.truth, self.name_for(place)
        if isinstance(answer, ClaimAnswer) and answer.granted:
            truth.doubts.claimed(process, truth.of(place))
        if answer is False or is_throttled:
            truth.doubts.refused(process, name)
        else:
            truth.doubts.answered(process, name)
        truth.look_for_doubts(place)
        if isinstance(answer, bool):
            self.end_work(place)

    def write_record(self, record: Record, *, before: Record | None) -> bool:
        """The conditional PutItem."""
        subject = f"{record.source.key} {record.state} {'held' if record.claim else 'free'}"
        write = self._site.manifest.write_record
        is_written = bool(self._ask_of(record.source, "write_record", subject, lambda: write(record, before=before)))
        if record.claim is None:
            self.end_work(record.source)
        return is_written

    def read_record(self, record_id: str) -> Record | None:
        """GetItem."""
        answer: Record | None = self._ask(
            "read_record", record_id[:6], lambda: self._site.manifest.read_record(record_id)
        )
        return answer

    def read_records(self, record_ids: Sequence[str]) -> dict[str, Record]:
        """BatchGetItem."""
        answer: dict[str, Record] = self._ask(
            "read_records", "", lambda: dict(self._site.manifest.read_records(record_ids))
        )
        return answer

    def read_page(self, segment: int, segments: int, *, cursor: str, at_most: int) -> RecordPage:
        """Scan of one page; a small one where functions may hand on what is left."""
        at_most = min(at_most, RECORDS_AT_ONCE) if self._site.plan.engine else at_most
        read = partial(self._site.manifest.read_page, segment, segments, cursor=cursor, at_most=at_most)
        page: RecordPage = self._ask("read_page", "", read)
        return page

    def scan_records(self, *, segment: int = 0, segments: int = 1) -> Iterator[Record]:
        """Scan, in one page."""
        scan = self._site.manifest.scan_records
        yield from self._ask("scan_records", "", lambda: list(scan(segment=segment, segments=segments)))
