"""A report of sample figures: five hours of a migration, with keys that mean harm."""

from dataclasses import replace
from math import sin

from domain.keys import Location
from domain.planning.prices import Prices
from domain.planning.shares import Share
from domain.protocol.causes import Cause
from domain.protocol.record import Origin, Record, State
from domain.reporting.costs import Planned, spent
from domain.reporting.progress import MINUTE, Span
from domain.reporting.tallied import RecordTally
from domain.steering.control import Control
from domain.steering.pulse import Tally
from handlers.cli.pages.report import Report
from handlers.operations.status import Depth, Status

HOSTILE = (
    "old/<script>document.title='owned'</script>",
    'old/"><img src=x onerror="document.title=\'owned\'">',
    '=HYPERLINK("http://evil.example","x")',
    "old/a\u202egnp.exe\n\x00",
    "old/" + "very-long-segment-without-any-place-to-break" * 8,
)
SHOWN_KEYS = tuple(f"datasets/line-{number}/image-{number:04}.jpg" for number in range(1, 6))
START = 1_790_000_040
RULES = {"training-output": (61_200, 88), "compiled-models": (9_400, 41), "captured-images": (181_000, 2)}


def sample_records(keys: tuple[str, ...] = HOSTILE) -> list[Record]:
    """Moved, adopted, multipart, versioned, parked and in conflict; the last ones have these keys."""
    moved = Record(
        Location("line-1", "old/a"),
        Location("line-1", "new/a"),
        state=State.COPIED,
        source_etag="a" * 32,
        target_etag="a" * 32,
        size=1_000,
        origin=Origin.CREATED,
        rule="training-output",
        verified_at=float(START),
    )
    records = [moved, replace(moved, origin=Origin.ADOPTED), replace(moved, source_etag="b" * 32 + "-7")]
    records += [replace(moved, source_version="v1", state=State.CLEANED), replace(moved, state=State.TOMBSTONE)]
    causes = (Cause.ACCESS_DENIED, Cause.ARCHIVED, Cause.IMPOSSIBLE_KEY, Cause.KMS, Cause.TARGET_FOREIGN)
    for key, cause in zip(keys, causes, strict=True):
        state = State.CONFLICT if cause is Cause.TARGET_FOREIGN else State.PARKED
        records.append(replace(moved, source=Location("line-1", key), state=state, cause=cause, verified_at=None))
    return records


def shown_report() -> Report:
    """The same with keys and words that documents may show."""
    return sample_report(SHOWN_KEYS, reason="5 objects in a row were denied")


def sample_report(keys: tuple[str, ...] = HOSTILE, *, reason: str = "lunch <b>") -> Report:
    """As the command makes one."""
    tally = RecordTally()
    for record in sample_records(keys):
        tally.count(record)
    tallied = tally.tallied
    history, copied, size = {}, 0, 0
    for minute in range(300):
        number = int(max(0, 900 + 500 * sin(minute / 17))) if not 120 <= minute < 141 else 0
        history[Span(START + minute * MINUTE, MINUTE)] = {
            "objects_copied": number,
            "bytes_copied": number * 31_000_000,
            "copy_milliseconds": number * (140 + minute % 30),
            "failed": 40 if 118 <= minute < 121 else 0,
            "changes": 2 * number,
        }
        copied, size = copied + number, size + number * 31_000_000
    counters = {
        "objects_copied": copied,
        "bytes_copied": size,
        "changes": 2 * copied,
        "copy_milliseconds": copied * 150,
    }
    counters |= {f"rule_bytes.{name}": number * mib * 2**20 for name, (number, mib) in RULES.items()}
    status = Status(
        migration="edge-cv-portal",
        stage="live",
        records={"COPIED": copied, "PARKED": 4, "CONFLICT": 1},
        rules={name: number for name, (number, _) in RULES.items()},
        causes=dict(tallied.causes),
        objects_copied=copied,
        bytes_copied=size,
        queues={"events": Depth(12, 4, 0), "backfill": Depth(310, 8, 5), "inventory": Depth(0, 0, 0)},
        control=Control(paused=True, reason=reason, by="circuit-breaker", fence=3),
        recent=Tally(ended=900, failed=2, oldest_event=1.7, oldest_row=640.0),
    )
    shares = {name: Share(number + 500, (number + 500) * mib * 2**20) for name, (number, mib) in RULES.items()}
    planned = Planned(copied + 12_000, size + 10**12, shares, dollars=4.25, seconds=21_000.0)
    return Report(
        made_at=START + 18_100.0,
        status=status,
        counters=counters,
        history=history,
        tallied=tallied,
        bill=spent(counters, Prices()),
        prices_as_of=Prices().as_of,
        planned=planned,
        audit="the audit is whole: 4,120 segments, 543,200 events, 271,600 records",
        audit_is_good=True,
    )
