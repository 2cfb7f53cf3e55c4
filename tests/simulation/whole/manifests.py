"""JSON Lines manifests among the objects, and what must hold of every rewriting of one (protocol.md §8)."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING

from domain.keys import Location
from domain.protocol.record import Mode, Record, State
from tests.fakes.buckets import Version
from tests.simulation.whole.excuses import SAME_BYTES_AGAIN
from tests.simulation.whole.scheduler import Process
from tests.simulation.whole.truth import KeyTruth, value_of

if TYPE_CHECKING:
    from tests.simulation.whole.site import Site

DECLARED = """  - manifests: ["old/{rest...}.manifest", "new/{rest...}.manifest"]
    attributes: [r]
"""
LINES = 3
_MOVED = (State.COPIED, State.CLEANED)


class Manifests:
    """Objects whose lines hold URIs of others; their owners only ever write old ones."""

    def __init__(self, site: "Site", *, target_bucket: str) -> None:
        self._site = site
        self._old = re.compile(rb"s3://legacy/old/(k\d+)")
        self._new = re.compile(rf"s3://{target_bucket}/new/(k\d+)".encode())
        self._since: dict[Location, dict[str, float]] = {}
        self._read_at_old: set[Location] = set()
        self._read_by = defaultdict[tuple[str, Location], list[Version]](list)
        """What each process has read there since it rewrote it last."""
        """Old keys at which readers still have to look."""
        self.rewritings: set[str] = set()
        """The uploads that carry new content and not a copy."""

    @property
    def keys(self) -> list[KeyTruth]:
        """Those that are manifests."""
        return [key for key in self._site.truth.keys.values() if is_manifest(key)]

    def content(self, number: int, lines: int) -> bytes:
        """What an owner puts: lines with URIs of other objects, and one that is no JSON now and then."""
        random = self._site.random
        others = [key.source.uri for key in self._site.truth.keys.values() if not is_manifest(key)]
        rows = [json.dumps({"r": random.choice(others)}) for _ in range(lines)]
        if self._site.plan.forms and number % 3 == 0:
            rows.append(rows[0].removesuffix("}"))  # a line that is no JSON, and names an object all the same
        return "\n".join([*rows, f"n{number}"]).encode()

    def plain(self, body: bytes) -> bytes:
        """The content as its owner wrote it, whichever of its references are switched."""
        return self._new.sub(rb"s3://legacy/old/\1", body)

    # What happened
    def changed(self, location: Location) -> None:
        """Somebody wrote or deleted there: remember since when which objects are named by old URIs."""
        known, now = self._since.get(location, {}), self._site.scheduler.time
        names = self._old.findall(self._body(location))
        self._since[location] = {name.decode(): known.get(name.decode(), now) for name in names}
        for key in self.keys:
            if location in (key.source, key.target):
                self._look_at_old(key)

    def _look_at_old(self, key: KeyTruth) -> None:
        """What its content at the old key names counts from when that content stood nowhere else."""
        if key.source not in self._read_at(key):
            self._read_at_old.discard(key.source)
        elif key.source not in self._read_at_old:
            self._read_at_old.add(key.source)
            self._since[key.source] = dict.fromkeys(self._since.get(key.source, {}), self._site.scheduler.time)

    def reads(self, process: str, location: Location) -> None:
        """A process reads what is there now."""
        there = self._site.store.buckets.current(location)
        self._read_by[process, location] += [there] if there is not None else []

    def _why_same(self, key: KeyTruth, there: Version, by: str) -> str | None:
        """Why S3's condition, an etag, lets a rewriting replace this; ``None`` where it must not."""
        read = [one for one in self._read_by.pop((by, key.target), ()) if key.number_of(key.holds(one)) >= 0]
        is_same = any(one.state and there.state and one.state.etag == there.state.etag for one in read)
        return SAME_BYTES_AGAIN if is_same else None

    def rewritten(self, location: Location, made: Version, before: Version | None, *, by: str) -> None:
        """A rewriting of ours has replaced ``before``."""
        truth, key = self._site.truth, self._site.truth.of_target(location)
        there, now = value_of(before), value_of(made)
        why = self._why_same(key, before, by) if before is not None else None
        is_foreign = key.number_of(key.holds(before)) < 0
        if is_foreign and not truth.excuses(why):
            truth.fault(key, f"I2b a rewriting overwrites the foreign object {there}")
        elif not is_foreign and (there is None or key.holds(made) != key.holds(before)):
            truth.fault(key, f"I8 a rewriting changes more than references: {there} became {now}")
        truth.rewritten(key, made, before)
        self._site.claims.rewritten(key, _etag(before))
        switched = set(self._new.findall(made.body)) - set(self._new.findall(before.body if before else b""))
        for name in sorted(switched):
            self._check_switched(key, self._key(name.decode()), by)

    def _check_switched(self, key: KeyTruth, other: KeyTruth, by: str) -> None:
        if self._site.looks.get((by, other.target)) is None:
            self._site.truth.fault(key, f"I9 a line is switched to {other.target.key}, where nobody has seen the copy")
        there = other.holds(self._site.store.buckets.current(other.target))
        # S3 knows no condition on another object: one that its owner has deleted may go while its line is switched.
        is_gone = there is None and other.owner is None
        if not other.is_foreign and not is_gone and (there is None or other.number_of(there) < 0):
            self._site.truth.fault(key, f"I9 a line is switched to {other.target.key}, which holds {there}")

    def deleted(self, location: Location, *, by: Process) -> None:
        """Cleanup has deleted a source: no manifest may have named it since before this pass of cleanup began."""
        began = self._site.passes.get(by)
        if began is None or location not in self._site.truth.keys:
            return
        name = location.key.rpartition("/")[2]
        for key in self.keys:
            for place in self._read_at(key):
                if self._since.get(place, {}).get(name, began) < began:
                    text = f"I5 the source {location.key} is deleted, and {place.key} names it"
                    self._site.truth.fault(key, text)

    def _read_at(self, key: KeyTruth) -> Iterator[Location]:
        """Where its readers find it: at its new key, and at the old one what is not copied yet."""
        source, target = (self._site.store.buckets.current(place) for place in (key.source, key.target))
        if target is not None:
            yield key.target
        if source is not None and value_of(source) != key.holds(target):
            yield key.source

    # What must hold
    def check_at_rest(self) -> None:
        """I7 of every line when nothing happens any more."""
        for key in self.keys:
            record = self._record(key)
            if record is None or not self._is_settled(key, record):
                continue
            if record.state is State.CLEANED and not record.keeps_original:
                continue  # never rewritten: a rollback could not bring the old content back
            for name in sorted(self._switchable(self._body(key.target))):
                other = self._key(name.decode())
                named = self._record(other)
                if named is not None and self._is_settled(other, named):
                    self._site.truth.fault(key, f"I7 the line that names {other.source.key} was never switched")

    def _switchable(self, body: bytes) -> set[bytes]:
        """The old names in lines that are JSON."""
        return {name for line in body.splitlines() if line.endswith(b"}") for name in self._old.findall(line)}

    def _is_settled(self, key: KeyTruth, record: Record) -> bool:
        moved = record.mode is Mode.FORWARD and not record.is_unfinished and record.state in _MOVED
        return moved and _etag(self._site.store.buckets.current(key.target)) == record.target_etag

    def _record(self, key: KeyTruth) -> Record | None:
        return self._site.manifest.records.get(key.source.record_id)

    def _key(self, name: str) -> KeyTruth:
        return self._site.truth.keys[Location("legacy", f"old/{name}")]

    def _body(self, location: Location) -> bytes:
        there = self._site.store.buckets.current(location)
        return there.body if there is not None and there.state is not None else b""


def is_manifest(key: KeyTruth) -> bool:
    """By its name."""
    return key.source.key.endswith(".manifest")


def _etag(version: Version | None) -> str:
    return version.state.etag if version is not None and version.state is not None else ""
