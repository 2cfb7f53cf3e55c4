"""Routine events go to the bus in packs: EventBridge bills each 64 KB begun, and an event has about 1 KB."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from domain.audit.events import DETAIL_TYPES, SCHEMA_VERSION, SOURCE, UNDER_WAY, AuditEvent
from domain.audit.item_events import RESTORED, REWRITTEN
from domain.protocol.record import State

PACK_TYPE = "Object Changes"
MOST_PACK_BYTES = 63_000
"""Below 64 KB, also if AWS means 64,000 bytes and counts what it adds to an entry: id, account, region, names."""
TIME_BYTES = 14
"""What EventBridge counts for an entry's time, beside the UTF-8 bytes of its texts (eb-putevent-size)."""
_BETWEEN, _CLOSING = ",", "]}"
_FOR_A_PERSON = frozenset({State.CONFLICT, State.PARKED, State.ROLLBACK_CONFLICT})
_ROUTINE_TYPES = {UNDER_WAY, REWRITTEN, RESTORED} | {
    name for state, name in DETAIL_TYPES.items() if state not in _FOR_A_PERSON
}


@dataclass(frozen=True, slots=True)
class Entry:
    """What the bus gets as one: an event, or a pack of events.

    ``detail`` is ASCII JSON; ``places`` are those of the events in the list that was published, ascending.
    """

    detail_type: str
    time: float
    detail: str
    places: tuple[int, ...]

    @property
    def size(self) -> int:
        """Bytes, as EventBridge counts them."""
        return _size(self.detail_type, len(self.detail))


def is_routine(event: AuditEvent) -> bool:
    """Whether the event may go in a pack: not what a person must see, nor a type that is not known to be routine."""
    is_quiet = not event.detail.get("cause") and event.detail.get("state") not in _FOR_A_PERSON
    return is_quiet and event.detail_type in _ROUTINE_TYPES


def entries_of(events: Sequence[AuditEvent], *, in_packs: bool) -> list[Entry]:
    """The entries that contain each event of one migration once, in the order of their first events.

    A routine event that does not fit into a pack goes alone.
    """
    entries: list[Entry] = []
    packs: list[list[_Packed]] = []
    size = 0
    for place, event in enumerate(events):
        detail = _json(dict(event.detail))
        packed = _Packed(place, event, _told(event, detail))
        around = _size(PACK_TYPE, len(_opening(event)) + len(_CLOSING)) - len(_BETWEEN)
        if not in_packs or not is_routine(event) or around + packed.size > MOST_PACK_BYTES:
            entries.append(Entry(event.detail_type, event.time, detail, (place,)))
            continue
        if not packs or size + packed.size > MOST_PACK_BYTES:
            packs.append([])
            size = around
        packs[-1].append(packed)
        size += packed.size
    return sorted([*entries, *map(_pack, packs)], key=lambda entry: entry.places)


def events_of(delivered: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The events in what EventBridge delivers: a pack's, or the delivered event itself."""
    if delivered.get("detail-type") != PACK_TYPE:
        return (delivered,)
    events: Sequence[Mapping[str, Any]] = delivered["detail"]["events"]
    return events


@dataclass(frozen=True, slots=True)
class _Packed:
    """An event on its way into a pack, with its text there."""

    place: int
    event: AuditEvent
    told: str

    @property
    def size(self) -> int:
        """With what stands between it and the one before."""
        return len(_BETWEEN) + len(self.told)


def _pack(packed: Sequence[_Packed]) -> Entry:
    detail = _opening(packed[0].event) + _BETWEEN.join(one.told for one in packed) + _CLOSING
    return Entry(PACK_TYPE, max(one.event.time for one in packed), detail, tuple(one.place for one in packed))


def _opening(event: AuditEvent) -> str:
    migration = _json(event.detail["migration"])
    return f'{{"schema_version":"{SCHEMA_VERSION}","migration":{migration},"events":['


def _told(event: AuditEvent, detail: str) -> str:
    """The event as EventBridge would deliver it alone, without what EventBridge adds."""
    time = datetime.fromtimestamp(event.time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f'{{"source":"{SOURCE}","detail-type":{_json(event.detail_type)},"time":"{time}","detail":{detail}}}'


def _size(detail_type: str, detail_bytes: int) -> int:
    return TIME_BYTES + len(SOURCE) + len(detail_type.encode()) + detail_bytes


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
