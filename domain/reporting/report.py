"""The figures of a report, counted record by record in bounded memory."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from domain.protocol.record import Record
from domain.reporting.fidelity import fidelity_of
from domain.reporting.progress import FAILURES, HOUR, MINUTE, Span, cause_word

SHOWN = 100
SHORT_SECONDS = 6 * HOUR
"""A history of at most this length is shown in minutes."""


@dataclass(slots=True)
class Tallied:
    """What a read of every record has found; ``troubled`` are the first records that need a person."""

    records: int = 0
    size: int = 0
    running: int = 0
    verified: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    causes: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    unseen: Counter[str] = field(default_factory=Counter)
    troubled: list[Record] = field(default_factory=list)

    def watch(self, records: Iterable[Record]) -> Iterator[Record]:
        """Hand the records on, and count each."""
        for record in records:
            self.count(record)
            yield record

    def count(self, record: Record) -> None:
        """Count one record."""
        fidelity = fidelity_of(record)
        self.records += 1
        self.size += record.size or 0
        self.running += record.claim is not None
        self.verified += record.verified_at is not None
        self.outcomes[fidelity.outcome] += 1
        for counter, notes in (
            (self.kept, fidelity.kept),
            (self.changed, fidelity.changed),
            (self.lost, fidelity.lost),
            (self.unseen, fidelity.unseen),
        ):
            counter.update(note.what for note in notes)
        if record.state in FAILURES:
            self.causes[cause_word(record)] += 1
            if len(self.troubled) < SHOWN:
                self.troubled.append(record)


COLUMNS = (
    *(
        "source_bucket",
        "source_key",
        "target_bucket",
        "target_key",
        "rule",
        "outcome",
        "state",
        "cause",
        "cause_detail",
        "size",
    ),
    *("revision", "running", "source_etag", "source_version", "target_etag", "target_version"),
    *("verified_at", "changed_at", "kept", "changed", "lost", "not_looked_at"),
)


def row_of(record: Record) -> dict[str, Any]:
    """One object's line of the report, by COLUMNS; times in ISO 8601, UTC."""
    fidelity = fidelity_of(record)
    return {
        "source_bucket": record.source.bucket,
        "source_key": record.source.key,
        "target_bucket": record.target.bucket,
        "target_key": record.target.key,
        "rule": record.rule,
        "outcome": fidelity.outcome,
        "state": record.state.value,
        "cause": record.cause,
        "cause_detail": record.cause_detail,
        "size": record.size,
        "revision": record.revision,
        "running": record.claim is not None,
        "source_etag": record.source_etag,
        "source_version": record.source_version,
        "target_etag": record.target_etag,
        "target_version": record.target_version,
        "verified_at": _moment(record.verified_at),
        "changed_at": _moment(record.changed_at),
        "kept": list(map(str, fidelity.kept)),
        "changed": list(map(str, fidelity.changed)),
        "lost": list(map(str, fidelity.lost)),
        "not_looked_at": list(map(str, fidelity.unseen)),
    }


def _moment(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def length_of(hours: Mapping[Span, Mapping[str, int]], *, now: float) -> int:
    """MINUTE or HOUR: minutes only of a short history whose minutes are still kept."""
    starts = [span.start for span in hours]
    if not starts:
        return MINUTE
    is_short = max(starts) - min(starts) < SHORT_SECONDS
    return MINUTE if is_short and now - min(starts) < 6 * 24 * HOUR else HOUR


def series(history: Mapping[Span, Mapping[str, int]], name: str) -> list[tuple[int, int]]:
    """A counter at every span from the first to the last, 0 where nothing happened."""
    if not history:
        return []
    starts, seconds = [span.start for span in history], next(iter(history)).seconds
    return [
        (start, history.get(Span(start, seconds), {}).get(name, 0))
        for start in range(min(starts), max(starts) + seconds, seconds)
    ]
