"""MessageQueue: the fake and SQS keep one contract."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from adapters.demo.provisioning import create_queue
from adapters.messaging.queue import MAX_BATCH_BYTES, SqsMessageQueue
from adapters.standin import StandIn
from adapters.standin.faults import Fault
from domain.errors import MissingResourceError, RefusedRequestError
from domain.queues import MessageQueue
from tests.fakes.clock import FakeClock
from tests.fakes.queue import InMemoryQueue
from tests.servers import Server, new_name
from tests.worlds.objects import clients_for


@dataclass(frozen=True, slots=True)
class QueueWorld:
    """An empty queue, its dead-letter queue's size, and how to let time pass; three receives and a message is dead."""

    queue: MessageQueue
    dead: Callable[[], int]
    wait: Callable[[float], None]


@pytest.fixture(params=["fake", "standin"])
def world(request: pytest.FixtureRequest) -> QueueWorld:
    """The queue, in memory and on the stand-in."""
    if request.param == "fake":
        clock = FakeClock()
        fake = InMemoryQueue(clock, visibility=1, max_receives=3)
        return QueueWorld(fake, lambda: len(fake.dead), clock.advance)
    clients = clients_for(request.getfixturevalue("standin"))
    pair = create_queue(clients, new_name("queue"), visibility=1, max_receives=3)
    dead = SqsMessageQueue(clients, pair.dead_url)
    return QueueWorld(SqsMessageQueue(clients, pair.url), lambda: dead.count_messages()[0], time.sleep)


def received(world: QueueWorld) -> list[str]:
    """Everything that is visible now."""
    bodies: list[str] = []
    while messages := world.queue.receive_messages(at_most=10, wait=0):
        bodies += [message.body for message in messages]
    return bodies


def test_every_body_arrives_once(world: QueueWorld) -> None:
    """More bodies than one batch holds all arrive, whatever is in them."""
    bodies = [f'{{"key":"\\u0001 {number} \\ud83d\\ude00"}}' for number in range(23)]
    world.queue.send_messages(bodies)
    assert sorted(received(world)) == sorted(bodies)


def test_a_received_message_is_hidden_and_comes_back(world: QueueWorld) -> None:
    """Nobody else sees it until its visibility ends; then it counts one receive more."""
    world.queue.send_messages(["one"])
    (first,) = world.queue.receive_messages(at_most=10, wait=0)
    assert world.queue.receive_messages(at_most=10, wait=0) == []
    assert world.queue.count_messages() == (0, 1)
    world.wait(1.1)
    (second,) = world.queue.receive_messages(at_most=10, wait=0)
    assert (first.receive_count, second.receive_count) == (1, 2)
    assert first.message_id == second.message_id
    assert first.sent_at == second.sent_at > 0


def test_a_deleted_message_is_gone_and_deleted_again(world: QueueWorld) -> None:
    """An acknowledgement may be repeated."""
    world.queue.send_messages(["one", "two"])
    messages = world.queue.receive_messages(at_most=10, wait=0)
    for _ in range(2):
        world.queue.delete_messages(messages)
    world.wait(1.1)
    assert received(world) == []
    assert world.queue.count_messages() == (0, 0)


def test_a_returned_message_is_visible_at_once(world: QueueWorld) -> None:
    """Delay 0 gives it back now; returning what is gone is no error."""
    world.queue.send_messages(["one"])
    messages = world.queue.receive_messages(at_most=10, wait=0)
    world.queue.return_messages(messages, delay=0)
    again = world.queue.receive_messages(at_most=10, wait=0)
    assert [message.body for message in again] == ["one"]
    world.queue.delete_messages(again)
    world.queue.return_messages(again, delay=0)
    assert received(world) == []


def test_a_delayed_message_waits(world: QueueWorld) -> None:
    """It is counted as waiting, but not received before its time."""
    world.queue.send_messages(["later"], delay=1)
    assert world.queue.receive_messages(at_most=10, wait=0) == []
    assert world.queue.count_messages() == (1, 0)
    world.wait(1.1)
    assert received(world) == ["later"]


def test_at_most_is_kept(world: QueueWorld) -> None:
    """No more messages than asked for."""
    world.queue.send_messages(["one", "two", "three"])
    assert len(world.queue.receive_messages(at_most=2, wait=0)) == 2


def test_a_message_received_too_often_is_dead(world: QueueWorld) -> None:
    """After the third receive the fourth finds it in the dead-letter queue."""
    world.queue.send_messages(["poison"])
    for _ in range(3):
        world.queue.return_messages(world.queue.receive_messages(at_most=10, wait=0), delay=0)
    assert received(world) == []
    assert world.dead() == 1


def sqs(standin: Server) -> SqsMessageQueue:
    """A new queue on the stand-in."""
    clients = clients_for(standin)
    return SqsMessageQueue(clients, create_queue(clients, new_name("queue")).url)


def test_large_bodies_are_sent_in_several_batches(standin: Server) -> None:
    """A batch has at most 1 MiB in all."""
    queue = sqs(standin)
    queue.send_messages(["x" * 400_000] * 5)
    assert queue.count_messages()[0] == 5


def test_a_body_that_no_queue_takes_sends_nothing(standin: Server) -> None:
    """It is refused before the others are sent."""
    queue = sqs(standin)
    with pytest.raises(RefusedRequestError, match="split"):
        queue.send_messages(["small", "x" * (MAX_BATCH_BYTES + 1)])
    assert queue.count_messages() == (0, 0)


def test_single_failed_entries_are_sent_again(standin: Server, standin_process: StandIn) -> None:
    """SQS answers 200 with some entries failed; only they are sent again, so nothing doubles."""
    queue = sqs(standin)
    standin_process.inject(Fault("SendMessageBatchEntry", code="InternalError", count=2))
    queue.send_messages([str(number) for number in range(10)])
    assert standin_process.pending_faults() == 0
    assert queue.count_messages() == (10, 0)


def test_a_missing_queue_is_named(standin: Server) -> None:
    """The error says which queue does not exist."""
    queue = SqsMessageQueue(clients_for(standin), f"{standin.endpoint_url}/000000000000/nowhere")
    with pytest.raises(MissingResourceError, match="nowhere"):
        queue.receive_messages(at_most=1, wait=0)
