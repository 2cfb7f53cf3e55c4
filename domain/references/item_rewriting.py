"""Switch the references of one item to their objects' new places, all in one write (protocol.md §8)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from domain.errors import RefusedRequestError
from domain.keys import Location
from domain.protocol.ports import Clock, ObjectStore
from domain.protocol.record import Mode, Record, State
from domain.references.holders import Reference
from domain.references.items import MAX_ITEM_BYTES, HeldUri, Switch, edited, edits_of, held_uris, item_size
from domain.references.judging import REMEDY, Legacy, Stuck, judge
from domain.references.ports import Changed, ItemChange, JournalEntry, RecordReader, ReferenceJournal, ReferringTables
from domain.references.reports import ReferenceOutcome, Reported, Wait, Waiting
from domain.references.uris import UnusableUri, write_uri
from domain.rules.compiled import CompiledRules
from domain.rules.references import Item, TableReferences

TRIES = 5
"""How often an item is read again when it changes at the same time, before it is left to a later run."""
MAX_RECORDS = 98
"""A transaction has at most 100 actions (aws-facts.md §5): the item, the journal, and one check for each record."""
MAX_JOURNAL_BYTES = 300 * 1024
"""Maximum of one entry; it must stay below the item limit."""
MAX_ATTRIBUTES = 98
"""Maximum number of whole attributes in one write: that many always fit DynamoDB's expressions."""
MAX_TOLD = 200
"""Maximum number of characters of a text in a report: the text may be as long as an item."""
TWICE = "another text of the set has the new URI at the same place, so an undo could not tell the two apart"


@dataclass(frozen=True, slots=True)
class ReferencePorts:
    """The ports that the rewriting of references uses."""

    tables: ReferringTables
    journal: ReferenceJournal
    manifest: RecordReader
    store: ObjectStore
    clock: Clock


def judge_item(item: Item, table: TableReferences, *, rules: CompiledRules, ports: ReferencePorts) -> list[Reported]:
    """What ``rewrite_item`` would do with each reference now; nothing is written."""
    return _Found(item, table, table.key_of(item), rules, ports).reports


def rewrite_item(
    item: Item, table: TableReferences, *, rules: CompiledRules, ports: ReferencePorts, new_id: str
) -> list[Reported]:
    """Switch each reference of the item whose object is verified at its new place; returns a report of each.

    ``new_id`` is a text that no other call has. An item with references to more than MAX_RECORDS different objects
    takes several writes, each complete in itself. If DynamoDB refuses a write, only this item's report shows it, and
    other items are not affected. Raises TransientError; no write is half done then.
    """
    key = table.key_of(item)
    done: list[Reported] = []
    for number in range(TRIES):
        found = _Found(item, table, key, rules, ports)
        if not found.switches:
            return [*done, *found.reports]
        answer: Changed | None = None
        refused = f"the item would have more than {MAX_ITEM_BYTES} bytes; make it smaller, then run again"
        for chunk in chunks_of(found.switches):
            part = [found.switches[at] for at in chunk]
            try:
                answer = _write(item, part, found, entry_id=f"{new_id}-{number}-{chunk[0]}", ports=ports)
            except RefusedRequestError as error:
                answer, refused = Changed.TOO_LARGE, str(error)
            if answer is not Changed.DONE:
                break
            done += [replace(found.ready[at], outcome=ReferenceOutcome.REWRITTEN) for at in chunk]
            item = edited(item, edits_of(item, part))
        if answer is Changed.DONE:
            return [*done, *found.others]
        if answer is Changed.TOO_LARGE:
            written = {report.reference.path for report in done}
            left = [report for report in found.ready if report.reference.path not in written]
            too_large = [replace(report, outcome=ReferenceOutcome.HOLDS, why=refused, new_uri="") for report in left]
            return [*done, *too_large, *found.others]
        now = ports.tables.read_item(table.table, key)
        if now is None:
            return done
        item = now
    last = _Found(item, table, key, rules, ports)
    return [*done, *(report.put_off(Waiting(Wait.ITEM_CHANGES)) for report in last.ready), *last.others]


class _Found:
    """The references of an item with the rules, the records and a read of every target applied."""

    def __init__(
        self, item: Item, table: TableReferences, key: Item, rules: CompiledRules, ports: ReferencePorts
    ) -> None:
        self.table, self.key = table, key
        self.ready: list[Reported] = []
        self.others: list[Reported] = []
        self.switches: list[Switch] = []
        self.records: dict[str, Record] = {}
        self._holder, self._rules = table.holder(key), rules
        uris = list(held_uris(item, table))
        self._texts = {(uri.place, uri.inside, uri.uri) for uri in uris}
        references = [reference for uri in uris if (reference := self._legacy(uri)) is not None]
        record_ids = list(dict.fromkeys(reference.source.record_id for reference in references))
        records = ports.manifest.read_records(record_ids)
        waits = {record_id: not_ready(records.get(record_id), ports.store) for record_id in record_ids}
        for reference in references:
            record_id = reference.source.record_id
            self._sort(reference, records.get(record_id), waits[record_id])

    def _legacy(self, held: HeldUri) -> Legacy | None:
        judged = judge(held, self._rules)
        if isinstance(judged, Stuck):
            self.others.append(reported(judged, self._holder, held.text, held.uri, rules=self._rules))
            return None
        return judged

    def _sort(self, one: Legacy, record: Record | None, why: Waiting | None) -> None:
        held = one.held
        reference = Reference(self._holder, held.text, held.uri, one.source)
        if record is None or why is not None:
            why = why or Waiting(Wait.OBJECT_NOT_MIGRATED)
            self.others.append(Reported.waiting(reference, why, also=one.also))
            return
        written = write_uri(one.uri, record.target, region=self._rules.target.region)
        is_there = not isinstance(written, UnusableUri) and (held.place, held.inside, written) in self._texts
        if isinstance(written, UnusableUri) or (is_there and held.inside is not None):
            reason = written.reason if isinstance(written, UnusableUri) else f"{TWICE}; {REMEDY}"
            self.others.append(Reported(reference, ReferenceOutcome.HOLDS, reason, also=one.also))
            return
        self.ready.append(Reported(reference, ReferenceOutcome.READY, new_uri=written, also=one.also))
        # Only members of a set that are URIs themselves can become equal; a JSON text keeps its other content.
        self.switches.append(Switch(held.place, held.inside, held.uri, written, record.record_id, merged=is_there))
        self.records[record.record_id] = record

    @property
    def reports(self) -> list[Reported]:
        """Every report, as it is without a write."""
        return [*self.ready, *self.others]


def reported(stuck: Stuck, holder: str, path: str, text: str, *, rules: CompiledRules) -> Reported:
    """The report of a text that is not rewritten; its first object stands for all objects that the text may name."""
    text = text if len(text) <= MAX_TOLD else f"{text[:MAX_TOLD]}…"
    first, *also = stuck.holds or (Location(rules.source_bucket, ""),)
    outcome = ReferenceOutcome.HOLDS if stuck.holds else ReferenceOutcome.STAYS
    return Reported(Reference(holder, path, text, first), outcome, stuck.reason, also=tuple(also))


def not_ready(record: Record | None, store: ObjectStore) -> Waiting | None:
    """Why references to the record's object must stay for now; ``None`` when the bytes are at the new place.

    The manifest shows that, and a read of the target confirms that the copy has not been deleted meanwhile.
    """
    if record is None:
        return Waiting(Wait.OBJECT_NOT_MIGRATED)
    if record.mode is not Mode.FORWARD:
        return Waiting(Wait.OBJECT_ROLLED_BACK)
    if record.state not in (State.COPIED, State.CLEANED):
        return Waiting(Wait.OBJECT_NOT_COPIED, record.state.value + (f": {record.why}" if record.why else ""))
    if record.is_unfinished:
        return Waiting(Wait.OBJECT_UNSETTLED)
    seen = store.look_at_object(record.target)
    if seen is None or seen.etag != record.target_etag:
        return Waiting(Wait.OBJECT_REPLACED, record.target.uri)
    return None


def chunks_of(switches: Sequence[Switch]) -> Iterator[list[int]]:
    """Indexes of switches that fit one transaction; most items need only one chunk."""
    chunk: list[int] = []
    records: set[str] = set()
    attributes: set[str] = set()
    size = 0
    for at, switch in enumerate(switches):
        more = 2 * (len(switch.before.encode()) + len(switch.after.encode())) + 200
        names, ids = attributes | {str(switch.place[0])}, records | {switch.record_id}
        if chunk and (len(ids) > MAX_RECORDS or len(names) > MAX_ATTRIBUTES or size + more > MAX_JOURNAL_BYTES):
            yield chunk
            chunk, names, ids, size = [], {str(switch.place[0])}, {switch.record_id}, 0
        chunk.append(at)
        records, attributes = ids, names
        size += more
    if chunk:
        yield chunk


def _write(item: Item, switches: list[Switch], found: _Found, *, entry_id: str, ports: ReferencePorts) -> Changed:
    edits = edits_of(item, switches)
    if item_size(edited(item, edits)) > MAX_ITEM_BYTES:
        return Changed.TOO_LARGE
    entry = JournalEntry(entry_id, found.table.table, found.key, tuple(switches), ports.clock.now())
    records = tuple(found.records[record_id] for record_id in dict.fromkeys(switch.record_id for switch in switches))
    return ports.tables.change_item(ItemChange(found.table.table, found.key, tuple(edits), records, entry))
