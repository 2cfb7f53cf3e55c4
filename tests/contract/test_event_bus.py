"""EventBus: the fake and EventBridge keep one contract."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from adapters.demo.provisioning import create_bus, create_queue
from adapters.messaging.event_bus import MAX_BATCH_BYTES, EventBridgeBus
from adapters.messaging.queue import SqsMessageQueue
from adapters.s3.notifications import route_events
from adapters.standin import StandIn
from adapters.standin.faults import Fault
from domain.audit.events import AuditEvent, enveloped
from domain.audit.packs import PACK_TYPE, events_of
from domain.audit.ports import EventBus
from tests.fakes.bus import InMemoryEventBus
from tests.servers import Server, new_name
from tests.worlds.objects import clients_for


@dataclass(frozen=True, slots=True)
class BusWorld:
    """A bus, the ids of the events that a listener has got since, and what EventBridge delivered for them."""

    bus: EventBus
    heard: Callable[[], list[str]]
    deliveries: list[dict[str, Any]] = field(default_factory=list)


def new_event(number: int, *, padding: int = 0) -> AuditEvent:
    """An event with an id of its own."""
    return enveloped(f"id-{number}", "Object Migrated", 1_790_000_000.5, {"pad": "é" * padding}, migration="m")


def eventbridge(standin: Server, *, in_packs: bool = False) -> BusWorld:
    """A bus on the stand-in with a rule that sends everything of ours to a queue."""
    clients, name = clients_for(standin), new_name("bus")
    create_bus(clients, name)
    pair = create_queue(clients, new_name("heard"))
    route_events(clients, "all", {"source": ["keyshift"]}, pair, bus=name)
    queue, deliveries = SqsMessageQueue(clients, pair.url), list[dict[str, Any]]()

    def heard() -> list[str]:
        found: list[str] = []
        while messages := queue.receive_messages(at_most=10, wait=0):
            queue.delete_messages(messages)
            deliveries.extend(json.loads(message.body) for message in messages)
            told = [event for message in messages for event in events_of(json.loads(message.body))]
            found += [event["detail"]["event_id"] for event in told]
        return found

    return BusWorld(EventBridgeBus(clients, name, in_packs=in_packs), heard, deliveries)


@pytest.fixture(params=["fake", "standin", "standin, packs"])
def world(request: pytest.FixtureRequest) -> BusWorld:
    """The bus, in memory and on the stand-in."""
    if request.param != "fake":
        return eventbridge(request.getfixturevalue("standin"), in_packs=request.param.endswith("packs"))
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


def test_routine_events_are_delivered_in_packs(standin: Server) -> None:
    """More of them than a request has entries are one delivery; what a person must see is delivered alone."""
    world = eventbridge(standin, in_packs=True)
    seen = replace(new_event(7), detail_type="Object Parked")
    events = [new_event(number) for number in range(7)] + [seen] + [new_event(number) for number in range(8, 23)]
    assert list(world.bus.publish_events(events)) == []
    assert sorted(world.heard()) == sorted(event.event_id for event in events)
    assert Counter(one["detail-type"] for one in world.deliveries) == {PACK_TYPE: 1, "Object Parked": 1}


def test_all_events_of_a_refused_pack_are_returned(standin: Server, standin_process: StandIn) -> None:
    """The first pack is refused for good, its neighbours of the same request are not."""
    world = eventbridge(standin, in_packs=True)
    standin_process.inject(Fault("PutEventsEntry", code="InvalidArgument", count=1))
    events = [new_event(0), replace(new_event(1), detail_type="Object Parked"), new_event(2), new_event(3)]
    assert list(world.bus.publish_events(events)) == [0, 2, 3]
    assert world.heard() == ["id-1"]


def test_packs_go_in_several_calls(standin: Server) -> None:
    """Of 64 KB each, so four fit into a request."""
    world = eventbridge(standin, in_packs=True)
    assert list(world.bus.publish_events([new_event(number, padding=4_000) for number in range(20)])) == []
    assert len(world.heard()) == 20
    assert len(world.deliveries) == 10
