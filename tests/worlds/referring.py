"""A migration with tables that refer to its objects, which the suites about references share."""

from dataclasses import replace
from functools import cache
from itertools import count
from typing import Any, Protocol

from domain.keys import Location
from domain.lifecycle.ports import StageBook
from domain.lifecycle.stages import Stage, StageEntry
from domain.protocol.attempt import Attempt, MigrationPolicy, MigrationPorts
from domain.protocol.cleanup import clean_source
from domain.protocol.migration import migrate_object
from domain.protocol.notices import Destination, Notice, NoticeKind
from domain.protocol.ports import Clock
from domain.protocol.record import Record
from domain.protocol.rollback import roll_back_object
from domain.references.item_rewriting import ReferencePorts
from domain.references.reports import Reported
from domain.rules.compiled import CompiledRules
from domain.rules.references import Item
from handlers.config.rules_file import read_rules
from handlers.operations.reference_rates import ReadUnits
from handlers.operations.references import References
from handlers.operations.resolve import Resolver
from handlers.operations.rewrite_run import RewriteOptions, RewriteWork
from tests.fakes.clock import FakeClock
from tests.fakes.faults import ScriptedFaults
from tests.fakes.lifecycle import InMemoryStageBook
from tests.fakes.manifest import InMemoryManifest
from tests.fakes.object_store import InMemoryObjectStore
from tests.fakes.references import InMemoryReferences
from tests.worlds.presence import present

REFERRING_RULES = """
version: 1
migration: line
source: {bucket: line-1}
target: {bucket: line-1}
kinds: {word: "[a-z0-9]+"}
rules:
  - {name: move, from: "old//{rest...}", to: "new/{rest...}"}
keep: ["new/{rest...}"]
references:
  - table: jobs
    key: id
    attributes:
      - uri
      - "steps[*].uri"
      - "meta.*.uri"
      - all
      - {path: config, json: "model.*"}
      - {path: config, json: "list[*]"}
      - {path: bare, bucket: line-1}
    indexes: {by-uri: uri}
  - manifests: ["old//{rest...}.manifest", "new/{rest...}.manifest"]
    attributes: [source-ref, "*-ref"]
"""
REFERRING_POLICY = MigrationPolicy(request_seconds=5.0, margin_seconds=1.0)
ANY_UNITS = ReadUnits(None, monotonic=lambda: 0.0, sleep=lambda _: None)


@cache
def compiled(rules: str) -> CompiledRules:
    """Reading the portal's rules takes longer than a test."""
    return read_rules(rules)


class TurnedClock(Clock, Protocol):
    """A clock that the test puts forward."""

    def advance(self, seconds: float) -> None:
        """Let time pass."""


class Referring:
    """What can be done to a bucket, its migration and the tables that refer to it; ``faults`` are its ports'."""

    rules: CompiledRules
    clock: TurnedClock
    migration_ports: MigrationPorts
    references: References
    resolver: Resolver
    stages: StageBook
    faults: dict[str, ScriptedFaults]

    def __init__(self) -> None:
        self._numbers = count(1)

    @property
    def bucket(self) -> str:
        """The bucket."""
        return self.rules.source_bucket

    def write(self, place: Location, body: bytes) -> None:
        """An owner writes there."""
        raise NotImplementedError

    def body(self, place: Location) -> bytes | None:
        """The bytes there."""
        raise NotImplementedError

    def write_item(self, table: str, item: Item) -> None:
        """The application writes."""
        raise NotImplementedError

    def stored(self, table: str) -> list[dict[str, Any]]:
        """The table's items in the order of their keys."""
        raise NotImplementedError

    def put(self, key: str, body: bytes = b"bytes") -> Location:
        """An owner writes."""
        place = Location(self.bucket, key)
        self.write(place, body)
        return place

    def migrate(self, key: str) -> Record:
        """Bring the object at this legacy key to its new one."""
        target = present(self.rules.map_key(key).target)
        migrate_object(
            Notice(NoticeKind.LISTED, Location(self.bucket, key)),
            destination=Destination(target, "move"),
            attempt=self.attempt(),
            ports=self.migration_ports,
            policy=REFERRING_POLICY,
        )
        return self.record(key)

    def clean(self, key: str) -> None:
        """Delete the source."""
        clean_source(
            self.record(key).record_id,
            attempt=self.attempt(),
            ports=self.migration_ports,
            policy=REFERRING_POLICY,
            need_proof=False,
        )

    def roll_back(self, key: str) -> None:
        """Take it back."""
        record = self.record(key)
        roll_back_object(
            record.source, record.target, attempt=self.attempt(), ports=self.migration_ports, policy=REFERRING_POLICY
        )

    def cut_over(self) -> None:
        """Readers go to the new side first from now on."""
        now = self.stages.read_stage()
        if now.stage is Stage.PREPARED:
            assert self.stages.write_stage(StageEntry(Stage.CUT_OVER, revision=now.revision + 1), before=now)

    def rewrite_tables(self, *, segments: int = 1) -> list[Reported]:
        """What a rewriting does in every table, segment after segment; the first error ends it."""
        work = RewriteWork(self.references, RewriteOptions(segments, yes=True))
        numbers = [number for number in range(sum(work.phases)) if work.is_portable(number)]
        pages = (page for number in numbers for page in work.read_pages(number, ""))
        return [reported for page in pages for task in page.tasks for reported in task()]

    def attempt(self) -> Attempt:
        """A new token."""
        return Attempt(f"t{next(self._numbers)}", 60.0)

    def find_record(self, key: str) -> Record | None:
        """The record of this legacy key, if there is one."""
        return self.migration_ports.manifest.read_record(Location(self.bucket, key).record_id)

    def record(self, key: str) -> Record:
        """The record of this legacy key."""
        return present(self.find_record(key))


class ReferringWorld(Referring):
    """One bucket, one manifest, one table of jobs, in memory."""

    stages: InMemoryStageBook

    def __init__(self, *, rules: str = REFERRING_RULES, versioned: bool = False) -> None:
        super().__init__()
        self.rules = compiled(rules)
        self.clock = FakeClock()
        self.store = InMemoryObjectStore(self.clock)
        self.store.create_bucket("line-1", versioned=versioned)
        self.manifest = InMemoryManifest()
        self.tables = InMemoryReferences(self.manifest)
        for table in self.rules.references.tables:
            self.tables.create_table(table.table, *table.key)
        self.stages = InMemoryStageBook()
        self.migration_ports = MigrationPorts(self.store, self.store, self.manifest, self.clock, self.store)
        ports = ReferencePorts(self.tables, self.tables, self.manifest, self.store, self.clock)
        self.references = References(self.rules, ports, new_id=lambda: f"e{next(self._numbers)}", units=ANY_UNITS)
        self.resolver = Resolver(self.rules, self.manifest, self.store, self.stages)
        self.faults = {"tables": self.tables, "manifest": self.manifest, "store": self.store}
        self.jobs = self.rules.references.tables[0]

    def write(self, place: Location, body: bytes) -> None:
        """See Referring."""
        self.store.put(place, body)

    def body(self, place: Location) -> bytes | None:
        """See Referring."""
        return self.store.body(place)

    def write_item(self, table: str, item: Item) -> None:
        """See Referring."""
        self.tables.put_item(table, item)

    def stored(self, table: str) -> list[dict[str, Any]]:
        """See Referring."""
        return [dict(item) for _, item in sorted(self.tables.tables[table].items())]

    def record(self, key: str) -> Record:
        """The record of this legacy key, whatever faults wait."""
        return self.manifest.records[Location(self.bucket, key).record_id]

    def change_record(self, key: str, **changes: Any) -> None:
        """Somebody else changes the record."""
        record = self.record(key)
        self.manifest.records[record.record_id] = replace(record, revision=record.revision + 1, **changes)

    def job(self, number: str = "1") -> dict[str, Any]:
        """The item of a job."""
        return dict(self.tables.tables["jobs"][f'[{{"S": "{number}"}}]'])

    def put_job(self, number: str = "1", **attributes: Any) -> dict[str, Any]:
        """The application writes a job, attributes in DynamoDB's JSON."""
        item = {"id": {"S": number}, **attributes}
        self.tables.put_item("jobs", item)
        return item
