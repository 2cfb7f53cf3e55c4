"""EventBus: the fake and EventBridge keep one contract."""

import json
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from adapters.demo.provisioning import create_bus, create_queue
from adapters.messaging.event_bus import MAX_BATCH_BYTES, EventBridgeBus
from adapters.messaging.queue import SqsMessageQueue
from adapters.s3.notifications import route_events
from adapters.standin import StandIn
from adapters.standin.faults import Fault
from domain.audit.events import AuditEvent
from domain.audit.ports import EventBus
from tests.fakes.bus import InMemoryEventBus
from tests.servers import Server, new_name
from tests.worlds.objects import clients_for


@dataclass(frozen=True, slots=True)
class BusWorld:
    """A bus and the ids of the events that a listener has got since."""

    bus: EventBus
    heard: Callable[[], list[str]]


def new_event(number: int, *, padding: int = 0) -> AuditEvent:
    """An event with an id of its own."""
    event_id = f"id-{number}"
    return AuditEvent(event_id, "Object Migrated", 1_790_000_000.5, {"event_id": event_id, "pad": "é" * padding})


def eventbridge(standin: Server) -> BusWorld:
    """A bus on the stand-in with a rule that sends everything of ours to a queue."""
    clients, name = clients_for(standin), new_name("bus")
    create_bus(clients, name)
    pair = create_queue(clients, new_name("heard"))
    route_events(clients, "all", {"source": ["keyshift"]}, pair, bus=name)
    queue = SqsMessageQueue(clients, pair.url)

    def heard() -> list[str]:
        found: list[str] = []
        while messages := queue.receive_messages(at_most=10, wait=0):
            queue.delete_messages(messages)
            found += [json.loads(message.body)["detail"]["event_id"] for message in messages]
        return found

    return BusWorld(EventBridgeBus(clients, name), heard)


@pytest.fixture(params=["fake", "standin"])
def world(request: pytest.FixtureRequest) -> BusWorld:
    """The bus, in memory and on the stand-in."""
    if request.param == "standin":
        return eventbridge(request.getfixturevalue("standin"))
    bus = InMemoryEventBus()
    return BusWorld(bus, lambda: [event.event_id for event in bus.events])


def test_every_event_is_accepted_and_heard(world: BusWorld) -> None:
    """More events than one call takes are all published once."""
    events = [new_event(number) for number in range(23)]
    assert list(world.bus.publish_events(events)) == []
    assert sorted(world.heard()) == sorted(event.event_id for event in events)


def test_nothing_to_publish_is_nothing(world: BusWorld) -> None:
    """No events, no call, no failure."""
    assert list(world.bus.publish_events([])) == []


def test_failed_entries_are_published_again(standin: Server, standin_process: StandIn) -> None:
    """PutEvents answers 200 with some entries failed; they are tried again and nothing is left over."""
    world = eventbridge(standin)
    standin_process.inject(Fault("PutEventsEntry", code="InternalFailure", count=2))
    assert list(world.bus.publish_events([new_event(number) for number in range(5)])) == []
    assert standin_process.pending_faults() == 0
    assert sorted(world.heard()) == [f"id-{number}" for number in range(5)]


def test_an_event_that_is_too_large_is_returned(standin: Server) -> None:
    """It alone is not accepted; the others are."""
    world = eventbridge(standin)
    events = [new_event(1), new_event(2, padding=MAX_BATCH_BYTES), new_event(3)]
    assert list(world.bus.publish_events(events)) == [1]
    assert sorted(world.heard()) == ["id-1", "id-3"]


def test_large_events_go_in_several_calls(standin: Server) -> None:
    """All entries of one call stay under 256 KiB."""
    world = eventbridge(standin)
    assert list(world.bus.publish_events([new_event(number, padding=10_000) for number in range(9)])) == []
    assert len(world.heard()) == 9
