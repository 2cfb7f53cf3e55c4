"""One writer of the audit chains, as a function or a worker is: ``chain_writer.py SHARD BATCHES EVENTS WAY``.

It gets ready, says so, waits for a line, and works its batches off. ``WAY`` is ``chains`` for the chains alone, and
``published`` for the whole stream handler: bus, chains and figures. It prints what it did as JSON.
"""

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from adapters.dynamodb.chain_head import DynamoDbHeadOfHeads
from adapters.dynamodb.record_item import to_item
from adapters.dynamodb.shards import DynamoDbShardTree
from domain.audit.events import audit_event
from domain.audit.ports import Shard
from domain.audit.sharding import ChainsWriter
from domain.keys import Location
from domain.protocol.record import Claim, Record, State
from handlers.bootstrap import bootstrap
from handlers.bootstrap.audit_chain import StoredChains, stored_chains
from handlers.bootstrap.process import Process
from handlers.config.settings import read_settings
from handlers.engine import outbox

NOW = 1_790_000_000.0


@dataclass(frozen=True, slots=True)
class Counted:
    """A port whose calls are counted."""

    port: Any
    calls: Counter[str]

    def __getattr__(self, name: str) -> Any:
        call = getattr(self.port, name)

        def counted(*arguments: Any, **named: Any) -> Any:
            self.calls[name] += 1
            return call(*arguments, **named)

        return counted


@dataclass(frozen=True, slots=True)
class CountedChains:
    """Chains whose calls are counted."""

    chains: StoredChains
    calls: Counter[str]

    def archive(self, shard: str) -> Any:
        """See ``Chains``."""
        return Counted(self.chains.archive(shard), self.calls)

    def head(self, shard: str) -> Any:
        """See ``Chains``."""
        return Counted(self.chains.head(shard), self.calls)

    def stored_shards(self) -> Iterator[str]:
        """See ``Chains``."""
        return self.chains.stored_shards()


def main(shard_id: str, batches: int, size: int, way: str) -> None:
    """Work the batches off."""
    process = Process(read_settings())
    migration, calls = process.rules.migration, Counter[str]()
    heads: Any = Counted(DynamoDbHeadOfHeads(process.clients, process.table), calls)
    shards: Any = Counted(DynamoDbShardTree(process.clients), calls)
    chains = CountedChains(stored_chains(process.settings, process.rules, process.clients), calls)
    writer = ChainsWriter(migration=migration, chains=chains, heads=heads, shards=shards)
    work = [list(records(size)) for _ in range(batches)]
    step = _publisher(process, shard_id, writer) if way == "published" else _appender(migration, shard_id, writer)
    print("ready", flush=True)
    sys.stdin.readline()
    begun, spent, longest = time.perf_counter(), time.process_time(), 0.0
    for batch in work:
        before = time.perf_counter()
        step(batch)
        longest = max(longest, time.perf_counter() - before)
    told = {
        "seconds": time.perf_counter() - begun,
        "cpu": time.process_time() - spent,
        "longest_append": longest,
        "calls": dict(calls),
    }
    print(json.dumps(told), flush=True)


def records(count: int) -> Iterator[tuple[Record, Record]]:
    """An object's first change, and the one that ends its attempt: half of them each."""
    for _ in range(count // 2):
        name = uuid4().hex
        source, target = Location("line-1", f"old/job/{name}.tar.gz"), Location("line-1", f"new/job/{name}.tar.gz")
        begun = Record(source, target, claim=Claim(uuid4().hex, NOW), rule="move", size=1024, changed_at=NOW)
        yield begun, Record(source, target, state=State.COPIED, rule="move", size=1024, revision=2, changed_at=NOW)


def _appender(migration: str, shard_id: str, writer: ChainsWriter) -> Callable[[Sequence[tuple[Record, Record]]], None]:
    def append(batch: Sequence[tuple[Record, Record]]) -> None:
        events = [audit_event(record, migration=migration) for pair in batch for record in pair]
        writer.append_events(events, shard=Shard(shard_id))

    return append


def _publisher(
    process: Process, shard_id: str, writer: ChainsWriter
) -> Callable[[Sequence[tuple[Record, Record]]], None]:
    from dataclasses import replace

    dependencies = replace(bootstrap(process, function="bench"), chains=writer)

    def publish(batch: Sequence[tuple[Record, Record]]) -> None:
        entries = [
            entry
            for begun, ended in batch
            for entry in (_entry(None, to_item(begun)), _entry(to_item(begun), to_item(ended)))
        ]
        failures = outbox.respond({"Records": entries, "shardId": shard_id}, dependencies)["batchItemFailures"]
        if failures:
            raise SystemExit(f"not published: {failures}")

    return publish


def _entry(old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> dict[str, Any]:
    images: dict[str, Any] = {"Keys": {"pk": new["pk"]}, "SequenceNumber": uuid4().hex, "NewImage": new}
    return {"eventID": uuid4().hex, "dynamodb": images | ({"OldImage": old} if old else {})}


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
