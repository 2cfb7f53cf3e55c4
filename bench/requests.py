"""``python -m bench requests``: requests an object by kind, for each way in which an object comes.

Each way is worked off as the functions do it, through a server that counts. What a process asks for by the clock (the
control item, the breaker's figures) is asked before or not at all, so that the counts do not depend on time.
"""

import io
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any
from unittest.mock import patch

from adapters.demo.provisioning import create_bucket
from adapters.dynamodb.stream import DynamoDbChangeReader
from adapters.s3.listing import S3ObjectListing
from bench.counting import CHUNK, Counted, CountingServer
from bench.messages import created_events, packed, removed_events, rows
from bench.results import write_result
from bench.site import BODY, BUCKET, Site, Sources, prepared_site
from bench.workers import Migration
from handlers.bootstrap import bootstrap
from handlers.bootstrap.process import Process
from handlers.config.settings import read_settings
from handlers.engine import outbox
from handlers.engine.batch import respond_to_batch
from handlers.intake.messages import BackfillRow
from tests.fakes.engine import NoBreaker
from tests.worlds.site import lambda_event

OBJECTS = 50
"""One message of backfill rows, five batches of live events, and at two changes each one batch of the stream."""
MESSAGES_AT_ONCE = {"BACKFILL": 5, "EVENTS": 10}
CHANGES_AT_ONCE = 100
"""As serverless.yml gives them to the functions."""
MIB = 1024 * 1024
LARGE_BYTES = 16 * MIB
IN_PARTS = {"KEYSHIFT_MULTIPART_ABOVE": str(8 * MIB), "KEYSHIFT_PART_SIZE": str(5 * MIB)}
LARGE_OBJECTS = 2
PROMISES = ", storage_class: STANDARD, encryption: AES256, object_lock: none"
AUDIT_BUCKET = "line-1-audit"
_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Work:
    """What was counted while messages were worked off or changes published; ``log_bytes`` is of the functions' log."""

    counted: Counted
    invocations: int
    log_bytes: int
    send_units: int = 0
    """What the sending of the messages is billed as."""


class Place:
    """One migration whose requests cross a counting server; what its owners do does not."""

    def __init__(
        self, site: Site, server: CountingServer, name: str, *, promises: str = "", more: Mapping[str, str] = _NOTHING
    ) -> None:
        self.site, self._server = site, server
        environment = Migration(site, Sources(name, 0), f"models/{name}/", promises).create() | dict(more)
        environment |= {"KEYSHIFT_CONTROL_SECONDS": "3600", "KEYSHIFT_AUDIT_BUCKET": AUDIT_BUCKET}
        settings = read_settings({name: text for name, text in environment.items() if name.startswith("KEYSHIFT_")})
        counted = replace(site.clients, endpoint_url=server.endpoint_url)
        self._log = io.StringIO()
        with redirect_stderr(self._log):
            wired = bootstrap(Process(settings, clients=counted), function=name)
        self._dependencies = replace(wired, breaker=NoBreaker())
        self._changes = DynamoDbChangeReader(site.clients, settings.table, at_most=10 * CHANGES_AT_ONCE)

    def work_off(self, kind: str, bodies: Iterable[str]) -> Work:
        """Work messages off as Lambda does: receive, hand over, delete what was not returned."""
        queue = self._dependencies.events_queue if kind == "EVENTS" else self._dependencies.backfill_queue
        waiting = list(bodies)
        queue.send_messages(waiting)
        counted, before, invocations, left = self._server.begin(), self._log.tell(), 0, len(waiting)
        with self._in_function():
            while left:
                messages = queue.receive_messages(at_most=MESSAGES_AT_ONCE[kind], wait=1)
                event = lambda_event(messages)
                answer = respond_to_batch(event, self._dependencies, queue=queue, seconds_left=lambda: 300.0)
                if answer["batchItemFailures"] or not messages:
                    raise RuntimeError(f"messages came back: {self._log.getvalue()[-500:]}")
                queue.delete_messages(messages)
                left, invocations = left - len(messages), invocations + 1
        return Work(counted, invocations, self._log.tell() - before, send_units(kind, waiting))

    @contextmanager
    def _in_function(self) -> Iterator[None]:
        """In Lambda the metrics are lines of the log."""
        with redirect_stdout(self._log), patch.dict(os.environ, AWS_LAMBDA_FUNCTION_NAME="keyshift"):
            yield

    def publish(self) -> Work:
        """Publish the stream's changes as Lambda does; reading the stream costs nothing there."""
        counted, before = self._server.begin(), self._log.tell()
        changes: list[Any] = []
        while (event := self._changes.read_changes()) is not None:
            changes += event["Records"]
            self._changes.confirm_changes(event, None)
        batches = [changes[first : first + CHANGES_AT_ONCE] for first in range(0, len(changes), CHANGES_AT_ONCE)]
        with self._in_function():
            for batch in batches:
                if outbox.respond({"Records": batch}, self._dependencies)["batchItemFailures"]:
                    raise RuntimeError(f"changes came back: {self._log.getvalue()[-500:]}")
        return Work(counted, len(batches), self._log.tell() - before)


def send_units(kind: str, bodies: Sequence[str]) -> int:
    """S3 sends each event by itself; keyshift sends ten messages in one request."""
    if kind == "EVENTS":
        return len(bodies)
    tens = [bodies[first : first + 10] for first in range(0, len(bodies), 10)]
    return sum(math.ceil(sum(map(len, ten)) / CHUNK) for ten in tens)


Way = Callable[[Place, Sources], Work]


def backfill_row(place: Place, sources: Sources) -> Work:
    """A row of an inventory with all columns."""
    return place.work_off("BACKFILL", rows(sources))


def listing_row(place: Place, sources: Sources) -> Work:
    """A row of a listing, which names no KMS key and no lock."""
    listing = S3ObjectListing(place.site.clients).list_objects(BUCKET, prefix=sources.prefix)
    return place.work_off("BACKFILL", packed(map(BackfillRow.of_listed, listing)))


def live_event(place: Place, sources: Sources) -> Work:
    """An object that was just written."""
    return place.work_off("EVENTS", created_events(sources))


def duplicate_row(place: Place, sources: Sources) -> Work:
    """The row of an object that is copied."""
    backfill_row(place, sources)
    place.publish()
    return backfill_row(place, sources)


def duplicate_event(place: Place, sources: Sources) -> Work:
    """An event that comes twice."""
    live_event(place, sources)
    place.publish()
    return live_event(place, sources)


def overwrite(place: Place, sources: Sources) -> Work:
    """The event of an object that is copied and was written again."""
    live_event(place, sources)
    place.publish()
    again = place.site.put_sources(sources.name, sources.count, body=BODY[::-1])
    return place.work_off("EVENTS", created_events(again, moment=2))


def delete(place: Place, sources: Sources) -> Work:
    """The event of an object that is copied and was deleted."""
    live_event(place, sources)
    place.publish()
    place.site.delete_keys(sources.keys)
    return place.work_off("EVENTS", removed_events(sources, moment=2))


def large_row(place: Place, sources: Sources) -> Work:
    """The row of an object that is copied in parts."""
    listing = S3ObjectListing(place.site.clients).list_objects(BUCKET, prefix=sources.prefix)
    listed = (BackfillRow.of_listed(replace(one, is_plain=True)) for one in listing)
    return place.work_off("BACKFILL", packed(listed))


WAYS: dict[str, tuple[Way, str]] = {
    "backfill row": (backfill_row, ""),
    "listing row": (listing_row, ""),
    "listing row, promised": (listing_row, PROMISES),
    "live event": (live_event, ""),
    "live event, promised": (live_event, PROMISES),
    "duplicate row": (duplicate_row, ""),
    "duplicate event": (duplicate_event, ""),
    "overwrite": (overwrite, ""),
    "delete": (delete, ""),
    "copy in parts": (large_row, ""),
}


@contextmanager
def counting_site(site: Site) -> Iterator[CountingServer]:
    """What ``counted_way`` needs."""
    create_bucket(site.clients, AUDIT_BUCKET)
    with CountingServer(site.endpoint_url).running() as server:
        yield server


def counted_way(site: Site, server: CountingServer, name: str) -> dict[str, Any]:
    """The objects of a way, and as JSON what their moves took, and what publishing their changes took."""
    way, promises = WAYS[name]
    body, objects, more = (bytes(LARGE_BYTES), LARGE_OBJECTS, IN_PARTS) if way is large_row else (BODY, OBJECTS, {})
    prefix = name.translate(_PLAIN)
    place = Place(site, server, prefix, promises=promises, more=more)
    # What a process asks for once is asked for the first object: the control item, whether a bucket exists.
    way(place, site.put_sources(f"{prefix}/first", 1, body=body))
    place.publish()
    move = way(place, site.put_sources(f"{prefix}/many", objects, body=body))
    return {"objects": objects, "move": as_json(move), "audit": as_json(place.publish())}


_PLAIN = str.maketrans({" ": "-", ",": None})


def main() -> None:
    """Count, print the table, and write build/bench/requests.json."""
    ways: dict[str, Any] = {}
    with prepared_site() as site, counting_site(site) as server:
        for name in WAYS:
            ways[name] = way = counted_way(site, server, name)
            for part in ("move", "audit"):
                requests = way[part]["requests"]
                print(f"{name:<24}{part:<8}{sum(requests.values()) / way['objects']:>6.2f}  {requests}", flush=True)
    write_result("requests", {"ways": ways})


def as_json(work: Work) -> dict[str, Any]:
    """As JSON."""
    return {
        "requests": dict(sorted(work.counted.requests.items())),
        "units": dict(sorted(work.counted.units.items())),
        "entries": work.counted.entries,
        "entry_bytes": work.counted.entry_bytes,
        "single_entries": work.counted.single_entries,
        "single_bytes": work.counted.single_bytes,
        "invocations": work.invocations,
        "log_bytes": work.log_bytes,
        "send_units": work.send_units,
    }
