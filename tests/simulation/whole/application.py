"""An application whose items hold URIs of the objects, and what must hold of every one of them (protocol.md §8)."""

import json
from collections.abc import Callable, Mapping
from copy import deepcopy
from random import Random
from typing import TYPE_CHECKING, Any

from domain.keys import Location
from domain.protocol.record import Mode, State
from domain.references.ports import ItemChange
from tests.fakes.references import InMemoryReferences
from tests.simulation.whole.forms import (
    as_written,
    broken_json,
    new_names,
    old_names,
    some_form,
    switchable_names,
)
from tests.simulation.whole.manifests import is_manifest
from tests.simulation.whole.scheduler import Process
from tests.simulation.whole.truth import KeyTruth, value_of

if TYPE_CHECKING:
    from tests.simulation.whole.site import Site

TABLE = "jobs"
DECLARED = f"""
references:
  - table: {TABLE}
    key: id
    attributes:
      - uri
      - "steps[*].uri"
      - all
      - {{path: config, json: "model.uri"}}
      - {{path: bare, bucket: legacy}}
    indexes: {{by-uri: uri}}
"""
ODD = 0.4
"""How many of the edits write a form of their own, where any does."""
Edit = Callable[[dict[str, Any]], None]


class Application:
    """Writes its items without asking us; ``said`` is each as it would be if nobody rewrote it, with old URIs."""

    def __init__(self, site: "Site", *, target_bucket: str) -> None:
        self._site = site
        self.tables = InMemoryReferences(site.manifest)
        self.tables.create_table(TABLE, "id")
        self.said: dict[str, dict[str, Any]] = {}
        self.stream: list[dict[str, Any] | None] = []
        self._since: dict[str, dict[str, float]] = {}
        self._target_bucket = target_bucket
        self._odd = Random(f"forms of {site.plan.seed}")

    # The application
    def edit(self, number: int) -> None:
        """Write an item anew, change one attribute of it, or delete it."""
        item_id, random = f"i{number}", self._site.random
        if item_id not in self.said:
            self._write(item_id, {"id": {"S": item_id}, "uri": {"S": self._some_uri()}})
        elif random.random() < 0.1:
            self.said.pop(item_id)
            self.tables.remove_item(TABLE, {"id": {"S": item_id}})
            self._noted(item_id, "deletes the item")
        else:
            is_odd = self._site.plan.forms and self._odd.random() < ODD
            change = self._odd_change() if is_odd else self._change(random)
            said, item = deepcopy(self.said[item_id]), deepcopy(self.item(item_id) or {})
            change(said)
            change(item)
            self._write(item_id, item, said)

    def _write(self, item_id: str, item: dict[str, Any], said: dict[str, Any] | None = None) -> None:
        self.said[item_id] = deepcopy(said or item)
        self.tables.put_item(TABLE, item)
        self._noted(item_id, "writes the item")

    def _noted(self, item_id: str, what: str) -> None:
        item = self.item(item_id)
        self._site.say("application", f"{what} {item_id}", item)
        self._changed(item_id)
        self.check(item_id)

    def _some_uri(self) -> str:
        keys = [key.source for key in self._site.truth.keys.values() if not is_manifest(key)]
        return self._site.random.choice(keys).uri

    def _change(self, random: Random) -> Edit:
        uri, number = self._some_uri(), self._site.next_number()

        def set_uri(item: dict[str, Any]) -> None:
            item["uri"] = {"S": uri}

        def note(item: dict[str, Any]) -> None:
            item["note"] = {"S": f"n{number}"}

        def append(item: dict[str, Any]) -> None:
            item.setdefault("steps", {"L": []})["L"].append({"M": {"uri": {"S": uri}, "n": {"N": str(number)}}})

        def turn_round(item: dict[str, Any]) -> None:
            item.get("steps", {"L": []})["L"].reverse()

        def drop(item: dict[str, Any]) -> None:
            del item.get("steps", {"L": []})["L"][:1]

        def join(item: dict[str, Any]) -> None:
            members = item.setdefault("all", {"SS": []})["SS"]
            members += [uri] if uri not in members else []

        def configure(item: dict[str, Any]) -> None:
            item["config"] = {"S": json.dumps({"model": {"uri": uri}, "n": number})}

        def bare(item: dict[str, Any]) -> None:
            item["bare"] = {"S": uri.removeprefix("s3://legacy/")}

        edits = (set_uri, note, append, append, turn_round, drop, join, configure, bare)
        # A bare key names no bucket, so it can only follow within one.
        return random.choice(edits if self._site.target_bucket == "legacy" else edits[:-1])

    def _odd_change(self) -> Edit:
        """A URI in another form, or a text that was to be JSON."""
        uri, random = self._some_uri(), self._odd
        text = some_form(uri, random)

        def set_uri(item: dict[str, Any]) -> None:
            item["uri"] = {"S": text}

        def append(item: dict[str, Any]) -> None:
            item.setdefault("steps", {"L": []})["L"].append({"M": {"uri": {"S": text}}})

        def join(item: dict[str, Any]) -> None:
            members = item.setdefault("all", {"SS": []})["SS"]
            members += [text] if text not in members else []

        def configure(item: dict[str, Any]) -> None:
            item["config"] = {"S": broken_json(uri)}

        return random.choice((set_uri, append, join, configure))

    # What there is
    def item(self, item_id: str) -> dict[str, Any] | None:
        """The item now."""
        found = self.tables.tables[TABLE].get(json.dumps([{"S": item_id}]))
        return dict(found) if found is not None else None

    def old_names(self, item: Mapping[str, Any]) -> set[str]:
        """The keys' last parts that the item names by old URIs."""
        return old_names(_text(item))

    def new_names(self, item: Mapping[str, Any]) -> set[str]:
        """Those that it names by new URIs."""
        return new_names(_text(item))

    def _key(self, name: str) -> KeyTruth:
        return self._site.truth.keys[Location("legacy", f"old/{name}")]

    # What must hold
    def changed(self, change: ItemChange, *, by: str) -> None:
        """One of our writes has changed an item: everything must still be what the application says."""
        item_id = str(change.key["id"]["S"])
        self._changed(item_id)
        self.check(item_id)
        if change.entry_before is None:
            for record in change.records:
                self._check_switched(item_id, self._site.truth.keys[record.source], record.target_etag, by)
            return
        for record in change.records:
            if self._site.looks.get((by, record.source)) is None:
                self._fault(item_id, f"I9 an old URI is put back, and nobody has seen {record.source.key}")

    def _check_switched(self, item_id: str, key: KeyTruth, etag: str | None, by: str) -> None:
        if etag is None or self._site.looks.get((by, key.target)) != etag:
            self._fault(item_id, f"I9 a reference is switched to {key.target.key}, where nobody has seen the copy")
        there = value_of(self._site.store.buckets.current(key.target))
        if not key.is_foreign and (there is None or key.number_of(there) < 0):
            self._fault(item_id, f"I9 a reference is switched to {key.target.key}, which holds {there}")

    def check(self, item_id: str) -> None:
        """I8: old and new URIs taken for the same, the item is what the application wrote last."""
        item, said = self.item(item_id), self.said.get(item_id)
        if (item is None) != (said is None):
            self._fault(item_id, f"I8 the application says {said}, the item is {item}")
        elif item is not None and said is not None and self._same(item) != self._same(said):
            self._fault(item_id, f"I8 an edit is lost: the application says {said}, the item is {item}")

    def deleted(self, location: Location, *, by: Process) -> None:
        """Cleanup has deleted a source: what held it before this pass of cleanup began must be gone."""
        began = self._site.passes.get(by)
        if began is None or location not in self._site.truth.keys:
            return
        for item_id, held in self._since.items():
            if held.get(location.key.rpartition("/")[2], began) < began:
                self._fault(item_id, f"I5 the source {location.key} is deleted, and the item names it")

    def check_at_rest(self) -> None:
        """I6 and I7 of every reference when nothing happens any more."""
        records = self._site.manifest.records
        for item_id in sorted(self.said):
            self.check(item_id)
            item = self.item(item_id) or {}
            for name in sorted(switchable_names(item)):
                key, record = self._key(name), records.get(self._key(name).source.record_id)
                if record is None or record.mode is not Mode.FORWARD or record.is_unfinished:
                    continue
                there = self._site.store.buckets.current(key.target)
                etag = there.state.etag if there is not None and there.state is not None else None
                if record.state in (State.COPIED, State.CLEANED) and etag == record.target_etag:
                    self._fault(item_id, f"I7 the reference to {key.source.key} was never switched")
            for name in sorted(self.new_names(item)):
                key, record = self._key(name), records.get(self._key(name).source.record_id)
                back = record is not None and record.state in (State.ROLLED_BACK, State.PURGED)
                if back and self._site.store.buckets.current(key.source) is not None:
                    self._fault(item_id, f"I6 the reference to {key.source.key} was not put back")

    def _changed(self, item_id: str) -> None:
        item, now = self.item(item_id), self._site.scheduler.time
        self.stream.append(item)
        known = self._since.get(item_id, {})
        self._since[item_id] = {name: known.get(name, now) for name in self.old_names(item or {})}

    def _same(self, item: Mapping[str, Any]) -> str:
        old = json.loads(as_written(_text(item), self._target_bucket), object_hook=_without_order)
        return json.dumps(old, sort_keys=True)

    def _fault(self, item_id: str, text: str) -> None:
        self._site.truth.broken.append((item_id, text))


def _text(item: Mapping[str, Any]) -> str:
    return json.dumps(item, sort_keys=True)


def _without_order(value: dict[str, Any]) -> dict[str, Any]:
    return {"SS": sorted(set(value["SS"]))} if "SS" in value else value
