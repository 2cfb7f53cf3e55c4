"""Dated prices, and one item of a bill (aws-facts.md §9)."""

from dataclasses import dataclass, fields

from domain.errors import InputError

EVENTS_PER_PACK = 50
"""A batch of the stream has 100 changes at most, which fill two packs (tests/unit/audit/test_packs.py)."""


@dataclass(frozen=True, slots=True)
class Prices:
    """US dollars in us-east-1 on ``as_of``; per million where the name says so."""

    as_of: str = "2026-11-22"
    copy_per_million: float = 5.0
    copy_ia_per_million: float = 10.0
    copy_glacier_ir_per_million: float = 20.0
    copy_glacier_per_million: float = 30.0
    copy_deep_archive_per_million: float = 50.0
    read_per_million: float = 0.4
    sqs_per_million: float = 0.4
    dynamodb_write_per_million: float = 0.625
    dynamodb_read_per_million: float = 0.125
    lambda_request_per_million: float = 0.2
    lambda_gib_second: float = 0.0000133334
    eventbridge_per_million: float = 1.0
    kms_per_million: float = 3.0
    transfer_per_gib: float = 0.0
    storage_gib_month: float = 0.023
    standard_ia_gib_month: float = 0.0125
    onezone_ia_gib_month: float = 0.01
    glacier_ir_gib_month: float = 0.004
    glacier_gib_month: float = 0.0036
    deep_archive_gib_month: float = 0.00099
    restore_glacier_expedited_per_million: float = 10_000.0
    restore_glacier_expedited_gib: float = 0.03
    restore_glacier_standard_per_million: float = 50.0
    restore_glacier_standard_gib: float = 0.01
    restore_glacier_bulk_per_million: float = 0.0
    restore_glacier_bulk_gib: float = 0.0
    restore_deep_archive_standard_per_million: float = 100.0
    restore_deep_archive_standard_gib: float = 0.02
    restore_deep_archive_bulk_per_million: float = 25.0
    restore_deep_archive_bulk_gib: float = 0.0025


@dataclass(frozen=True, slots=True)
class CostLine:
    """One item of the bill."""

    name: str
    requests: int
    dollars: float


def prices_from(given: dict[str, object]) -> Prices:
    """The default prices with the user's own; InputError for an unknown name or a value that is not a number."""
    known = {field.name for field in fields(Prices)}
    for name, value in given.items():
        if name not in known:
            raise InputError(f"there is no price named {name!r}; known are {', '.join(sorted(known))}")
        if name != "as_of" and (isinstance(value, bool) or not isinstance(value, int | float) or value < 0):
            raise InputError(f"the price {name} must be a number that is not negative, not {value!r}")
    return Prices(**{name: str(value) if name == "as_of" else value for name, value in given.items()})  # type: ignore[arg-type]


def event_line(events: int, prices: Prices, *, single_events: bool) -> CostLine:
    """EventBridge's entries for so many audit events, in full packs or each by itself."""
    entries = events if single_events else -(-events // EVENTS_PER_PACK)
    name = "EventBridge, single events" if single_events else "EventBridge, full packs"
    return CostLine(name, entries, entries * prices.eventbridge_per_million / 1e6)
