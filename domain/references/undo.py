"""Put the old URIs of rewritten references back, and nothing else (protocol.md §8, §10)."""

from dataclasses import dataclass, replace

from domain.errors import RefusedRequestError
from domain.keys import Location
from domain.protocol.intents import Action
from domain.protocol.ports import ObjectStore
from domain.protocol.record import Mode, Record, State
from domain.references.holders import Reference
from domain.references.item_rewriting import TRIES, ReferencePorts, chunks_of
from domain.references.items import MAX_ITEM_BYTES, Switch, edited, edits_of, item_size, place_text, relocated
from domain.references.ports import Changed, ItemChange, JournalEntry
from domain.references.reports import ReferenceOutcome, Reported
from domain.rules.references import Item, TableReferences

ITEM_GONE, URI_GONE = "the item is gone", "the new URI is no longer in the item"
"""Why a URI is not put back where nothing that keyshift wrote remains: another writer decided that."""


def undo_entry(
    entry: JournalEntry, table: TableReferences, *, ports: ReferencePorts, only: frozenset[str] | None = None
) -> list[Reported]:
    """Put the old URIs of one journal entry back where the new ones still are; returns one report for each reference.

    An old URI is put back only while its object is at the old place. Everything else in the item stays, also what
    others changed since. ``only`` names the records for which it is wanted. Raises TransientError.
    """
    wanted = [switch for switch in entry.switches if only is None or switch.record_id in only]
    if not wanted:
        return []
    reports: list[Reported] = []
    tries = 0
    while tries < TRIES:
        attempt = _Undo(entry, table, wanted, ports)
        answer = attempt.write(ports)
        if answer is Changed.JOURNAL_CHANGED:
            return reports  # another undo came first, and reports it
        if answer is not Changed.DONE:
            tries += 1
            continue
        reports += attempt.reports
        if not attempt.rest:
            return reports
        entry, wanted, tries = attempt.entry, attempt.rest, 0
    return [
        *reports,
        *(_lost(table.holder(entry.key), one, None, "the item keeps changing; run again") for one in wanted),
    ]


@dataclass(frozen=True, slots=True)
class _Returning:
    """A switch of the journal, and its reverse at the place where the new URI is now."""

    original: Switch
    back: Switch


class _Undo:
    """One read of an item, with the URIs that can be put back in it."""

    def __init__(
        self, entry: JournalEntry, table: TableReferences, wanted: list[Switch], ports: ReferencePorts
    ) -> None:
        self.entry = entry
        """The journal's switches as they are after the write."""
        self.rest: list[Switch] = []
        """The references for which this write has no room."""
        self._holder = table.holder(entry.key)
        self._records = ports.manifest.read_records(list(dict.fromkeys(one.record_id for one in wanted)))
        self._item: Item = {}
        self._returning: list[_Returning] = []
        self.reports: list[Reported] = []
        possible = self._possible(wanted, ports.store)
        item = ports.tables.read_item(entry.table, entry.key)
        if item is None:
            self._lose(possible, ITEM_GONE, is_gone=True)
            return
        self._item = item
        found = relocated(item, table, tuple(possible))
        self._lose([one for one in possible if one not in found], URI_GONE, is_gone=True)
        chunk = next(chunks_of(list(found.values())), [])
        self._returning = [_Returning(one, found[one]) for one in list(found)[: len(chunk)]]
        self.rest = list(found)[len(chunk) :]

    def _possible(self, wanted: list[Switch], store: ObjectStore) -> list[Switch]:
        why = {
            record_id: not_back(self._records.get(record_id), store)
            for record_id in dict.fromkeys(s.record_id for s in wanted)
        }
        for one in wanted:
            reason = why[one.record_id]
            if reason is not None:
                self._lose([one], reason)
        return [one for one in wanted if why[one.record_id] is None]

    def _lose(self, switches: list[Switch], why: str, *, is_gone: bool = False) -> None:
        for switch in switches:
            self.reports.append(_lost(self._holder, switch, self._records.get(switch.record_id), why, is_gone=is_gone))

    def write(self, ports: ReferencePorts) -> Changed:
        """Write the URIs that can be put back, if there are any; the reports then show it."""
        if not self._returning:
            return Changed.DONE
        entry = self.entry
        edits = edits_of(self._item, [returning.back for returning in self._returning])
        if item_size(edited(self._item, edits)) > MAX_ITEM_BYTES:
            why = f"the item would have more than {MAX_ITEM_BYTES} bytes; make it smaller, then run again"
            self._lose([returning.original for returning in self._returning], why)
            return Changed.DONE
        done = [returning.original for returning in self._returning]
        left = tuple(switch for switch in entry.switches if switch not in done)
        after = replace(entry, switches=left, revision=entry.revision + 1, written_at=ports.clock.now())
        checks = tuple(self._records[record_id] for record_id in dict.fromkeys(switch.record_id for switch in done))
        change = ItemChange(entry.table, entry.key, tuple(edits), checks, after, entry)
        try:
            answer = ports.tables.change_item(change)
        except RefusedRequestError as error:  # only this item's; the references of other items are put back
            self._lose(done, str(error))
            return Changed.DONE
        if answer is Changed.DONE:
            self.entry = after
            self.reports += [self._restored(returning) for returning in self._returning]
        return answer

    def _restored(self, one: _Returning) -> Reported:
        place = place_text(one.back.place, one.back.inside)
        source = self._records[one.back.record_id].source
        return Reported(
            Reference(self._holder, place, one.back.after, source), ReferenceOutcome.RESTORED, "", one.back.before
        )


def not_back(record: Record | None, store: ObjectStore) -> str | None:
    """Why an old URI must not be put back; ``None`` when the object is at its old place."""
    if record is None:
        return "the manifest has no record of the object"
    # A purge works only on objects whose sources are back, and one that was killed leaves its claim behind.
    is_purged = record.intent is not None and record.intent.action is Action.PURGE
    if record.claim is not None and not is_purged:
        return "an attempt at the object is under way; run again"
    if record.mode is Mode.FORWARD and record.state is State.CLEANED:
        return "the old object is cleaned up; roll the migration back first"
    if store.look_at_object(record.source) is None:
        return f"{record.source.uri} is not there"
    return None


def _lost(holder: str, switch: Switch, record: Record | None, why: str, *, is_gone: bool = False) -> Reported:
    source = record.source if record is not None else Location("", switch.before)
    reference = Reference(holder, place_text(switch.place, switch.inside), switch.before, source)
    return Reported(reference, ReferenceOutcome.LOST, why, switch.after, is_gone=is_gone)
