"""The manifest's stream, read outside Lambda: nothing is left out, and one process reads at a time."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from adapters.dynamodb.chain_head import DynamoDbChainHead
from adapters.dynamodb.control import DynamoDbControlPanel
from adapters.dynamodb.manifest import DynamoDbManifest
from adapters.dynamodb.progress import DynamoDbProgressCounters
from adapters.dynamodb.record_item import record_of_item
from adapters.dynamodb.stream import DynamoDbChangeReader
from domain.audit.chain import Link
from domain.errors import MissingResourceError
from domain.keys import Location
from domain.protocol.claims import ClaimRequest, claimed
from domain.protocol.notices import Notice, NoticeKind
from domain.protocol.ports import RecordChange
from domain.protocol.record import Claim, Record, State
from domain.steering.control import Control
from tests.contract.records import TARGET
from tests.fakes.clock import FakeClock
from tests.servers import Server, new_name
from tests.worlds.presence import present
from tests.worlds.tables import TableWorld, new_table


@pytest.fixture
def table(standin: Server) -> TableWorld:
    """An empty table with its stream."""
    return new_table(standin)


def write(table: TableWorld, *keys: str) -> None:
    """One new record for each key."""
    manifest = DynamoDbManifest(table.clients, table.table)
    for key in keys:
        manifest.write_record(Record(Location("bucket", key), TARGET), before=None)


def keys_of(event: Mapping[str, Any] | None) -> list[str]:
    """The keys whose records changed."""
    assert event is not None
    records = [record_of_item(entry["dynamodb"]["NewImage"]) for entry in event["Records"]]
    return [record.source.key for record in records if record is not None]


def numbers_of(event: Mapping[str, Any] | None) -> list[str]:
    """The sequence numbers of a batch."""
    assert event is not None
    return [entry["dynamodb"]["SequenceNumber"] for entry in event["Records"]]


def reader(table: TableWorld, clock: FakeClock | None = None, **more: Any) -> DynamoDbChangeReader:
    """A reader with a token of its own."""
    return DynamoDbChangeReader(table.clients, table.table, clock=clock or FakeClock(), **more)


def test_what_is_written_together_comes_as_what_is_written_alone(table: TableWorld) -> None:
    """The stream is the audit's only source: a claim and a commit are one change each."""
    manifest, reader = DynamoDbManifest(table.clients, table.table), DynamoDbChangeReader(table.clients, table.table)
    notice = Notice(NoticeKind.LISTED, Location("bucket", "a"), etag="e" * 32)
    request = ClaimRequest(notice, TARGET, Claim("t", 100.0), None, 50.0, "rule", "digest")
    manifest.claim_new_records([request])
    claim = claimed(None, request)
    commit = replace(claim, state=State.COPIED, revision=2, claim=None, target_etag="e" * 32)
    assert manifest.write_records([RecordChange(commit, claim)]) == [True]
    event = present(reader.read_changes())
    changes = [entry["dynamodb"] for entry in event["Records"]]
    images = [(record_of_item(one.get("OldImage", {})), record_of_item(one["NewImage"])) for one in changes]
    assert images == [(None, claim), (claim, commit)]


def test_changes_come_in_order_and_once(table: TableWorld) -> None:
    """After its confirmation a change does not come again."""
    write(table, "a", "b")
    changes = reader(table)
    event = changes.read_changes()
    assert keys_of(event) == ["a", "b"]
    assert event is not None
    changes.confirm_changes(event, None)
    assert changes.read_changes() is None
    write(table, "c")
    assert keys_of(changes.read_changes()) == ["c"]


def test_an_event_has_lambdas_shape(table: TableWorld) -> None:
    """The same handler can take it."""
    write(table, "a")
    event = present(reader(table).read_changes())
    (entry,) = event["Records"]
    assert (entry["eventName"], entry["eventSource"]) == ("INSERT", "aws:dynamodb")
    assert entry["eventSourceARN"].endswith(entry["eventSourceARN"].rsplit("/", 1)[-1])
    assert table.table in entry["eventSourceARN"]
    assert isinstance(entry["dynamodb"]["ApproximateCreationDateTime"], float)


def test_without_confirmation_the_same_changes_come_again(table: TableWorld) -> None:
    """A delivery that failed before it was confirmed is repeated."""
    write(table, "a")
    changes = reader(table)
    assert keys_of(changes.read_changes()) == keys_of(changes.read_changes()) == ["a"]


def test_a_failed_change_and_those_after_it_come_again(table: TableWorld) -> None:
    """What was done before the failed one does not."""
    write(table, "a", "b", "c")
    changes = reader(table)
    event = present(changes.read_changes())
    changes.confirm_changes(event, numbers_of(event)[1])
    assert keys_of(changes.read_changes()) == ["b", "c"]


def test_what_is_no_record_is_left_out(table: TableWorld) -> None:
    """Counters, the chain's head and the reader's own position do not feed the stream back."""
    DynamoDbChainHead(table.clients, table.table).advance_head(Link(1, "a" * 64))
    DynamoDbProgressCounters(table.clients, table.table).add_progress({"n": 1}, batch_id="b")
    changes = reader(table)
    assert changes.read_changes() is None
    write(table, "a")
    event = changes.read_changes()
    assert keys_of(event) == ["a"]
    assert event is not None
    changes.confirm_changes(event, None)
    assert [changes.read_changes() for _ in range(3)] == [None] * 3


def test_the_operators_control_is_told(table: TableWorld) -> None:
    """A change of the control item is audited, so it comes with the records."""
    DynamoDbControlPanel(table.clients, table.table).write_control(Control(paused=True, fence=1), before=Control())
    event = present(reader(table).read_changes())
    assert [entry["dynamodb"]["Keys"]["pk"]["S"] for entry in event["Records"]] == ["keyshift#control"]


def test_one_reader_at_a_time(table: TableWorld) -> None:
    """The second one gets nothing until the first has said nothing for the lease's time."""
    write(table, "a")
    clock = FakeClock()
    first, second = reader(table, clock, lease_seconds=10), reader(table, clock, lease_seconds=10)
    assert keys_of(first.read_changes()) == ["a"]
    assert second.read_changes() is None
    clock.advance(11)
    assert keys_of(second.read_changes()) == ["a"]


def test_a_successor_gets_the_same_batch(table: TableWorld) -> None:
    """After a crash between delivery and confirmation the batch is the same, although more has happened."""
    write(table, "a", "b")
    clock = FakeClock()
    dead = reader(table, clock).read_changes()
    write(table, "c")
    clock.advance(11)
    successor = reader(table, clock)
    event = successor.read_changes()
    assert numbers_of(event) == numbers_of(dead)
    assert event is not None
    successor.confirm_changes(event, None)
    assert keys_of(successor.read_changes()) == ["c"]


def test_a_released_stream_goes_on_at_once_where_it_stopped(table: TableWorld) -> None:
    """A worker that stops hands the stream over."""
    write(table, "a")
    first = reader(table)
    event = present(first.read_changes())
    first.confirm_changes(event, None)
    first.release()
    write(table, "b")
    clock = FakeClock()
    clock.advance(1)
    assert keys_of(reader(table, clock).read_changes()) == ["b"]


def test_batches_are_bounded(table: TableWorld) -> None:
    """Many changes come in several batches, all of them."""
    write(table, *[f"{number:02}" for number in range(12)])
    changes, found = reader(table, at_most=5), list[str]()
    while (event := changes.read_changes()) is not None:
        assert len(event["Records"]) <= 5
        found += keys_of(event)
        changes.confirm_changes(event, None)
    assert found == [f"{number:02}" for number in range(12)]


def test_a_table_without_a_stream_is_named(standin: Server) -> None:
    """The remedy is in the message."""
    client, name = standin.client("dynamodb"), new_name("plain")
    client.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    with pytest.raises(MissingResourceError, match=name):
        reader(TableWorld(new_table(standin).clients, name)).read_changes()
