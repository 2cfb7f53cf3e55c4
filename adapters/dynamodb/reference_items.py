"""A journal entry as an item of the manifest table."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from adapters.dynamodb.attributes import PARTITION_KEY, number, text
from domain.audit.item_events import JOURNAL_ID
from domain.references.items import Switch
from domain.references.ports import JournalEntry
from domain.rules.paths import Place
from domain.rules.references import Item

REVISION = "entry_revision"
"""Not ``revision``, which marks an item as a record."""


def journal_id(entry: JournalEntry) -> str:
    """The id of the entry's item."""
    return JOURNAL_ID + sha256(entry.entry_id.encode()).hexdigest()


def item_of_entry(entry: JournalEntry) -> dict[str, Any]:
    """The whole item; ``open_switches`` are the references left to restore."""
    return {
        PARTITION_KEY: text(journal_id(entry)),
        "entry_id": text(entry.entry_id),
        "referring_table": text(entry.table),
        "item_key": {"M": dict(entry.key)},
        "switches": {"L": [_switch_map(switch) for switch in entry.switches]},
        "open_switches": {"N": str(len(entry.switches))},
        "written_at": number(entry.written_at),
        REVISION: number(entry.revision),
    }


def entry_of_item(item: Item) -> JournalEntry:
    """The entry in a journal's item."""
    return JournalEntry(
        entry_id=item["entry_id"]["S"],
        table=item["referring_table"]["S"],
        key=item["item_key"]["M"],
        switches=tuple(_switch(one["M"]) for one in item["switches"]["L"]),
        written_at=float(item["written_at"]["N"]),
        revision=int(item[REVISION]["N"]),
    )


def _switch_map(switch: Switch) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "place": _place_list(switch.place),
        "before": text(switch.before),
        "after": text(switch.after),
        "record_id": text(switch.record_id),
    }
    if switch.inside is not None:
        fields["inside"] = _place_list(switch.inside)
    if switch.merged:
        fields["merged"] = {"BOOL": True}
    return {"M": fields}


def _switch(fields: Mapping[str, Any]) -> Switch:
    return Switch(
        place=_place(fields["place"]),
        inside=_place(fields["inside"]) if "inside" in fields else None,
        before=fields["before"]["S"],
        after=fields["after"]["S"],
        record_id=fields["record_id"]["S"],
        merged="merged" in fields,
    )


def _place_list(place: Place) -> dict[str, Any]:
    return {"L": [{"N": str(key)} if isinstance(key, int) else text(key) for key in place]}


def _place(value: Mapping[str, Any]) -> Place:
    return tuple(int(one["N"]) if "N" in one else str(one["S"]) for one in value["L"])
