"""The lines of a report, one for each object, and its figures over time."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from domain.protocol.record import Record
from domain.reporting.fidelity import fidelity_of
from domain.reporting.progress import HOUR, MINUTE, Span

SHORT_SECONDS = 6 * HOUR
"""A history of at most this length is shown in minutes."""


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
