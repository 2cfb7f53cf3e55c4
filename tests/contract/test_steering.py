"""RateLedger, PulseBook, EventSourceMappings and DeadLetterQueue: fakes and adapters keep one contract."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from adapters.demo.provisioning import create_queue
from adapters.dynamodb.pulse import DynamoDbPulseBook
from adapters.dynamodb.rates import DynamoDbRateLedger
from adapters.messaging.dead_letters import dead_letters_of
from adapters.messaging.event_source_mappings import LambdaEventSourceMappings
from adapters.messaging.queue import SqsMessageQueue
from domain.errors import InputError
from domain.queues import DeadLetterQueue, MessageQueue
from domain.steering.ports import EventSourceMappings, PulseBook, RateLedger
from domain.steering.pulse import Tally, Window
from tests.contract.functions import new_function
from tests.fakes.clock import FakeClock
from tests.fakes.queue import InMemoryQueue
from tests.fakes.steering import InMemoryDeadLetterQueue, InMemoryMappings, InMemoryPulseBook, InMemoryRateLedger
from tests.servers import Server, new_name
from tests.worlds.objects import clients_for
from tests.worlds.presence import present
from tests.worlds.tables import new_table

TABLES = ["fake", "standin", "moto"]
NOW = 1_790_000_000.25


def table_of(request: pytest.FixtureRequest) -> Any:
    """A new table on the server that the parameter names."""
    return new_table(request.getfixturevalue("moto_endpoint" if request.param == "moto" else request.param))


@pytest.fixture(params=TABLES)
def ledger(request: pytest.FixtureRequest) -> RateLedger:
    """Lines that nobody has used."""
    if request.param == "fake":
        return InMemoryRateLedger()
    world = table_of(request)
    return DynamoDbRateLedger(world.clients, world.table)


@pytest.fixture(params=TABLES)
def pulse(request: pytest.FixtureRequest) -> PulseBook:
    """A book that nobody has added to."""
    if request.param == "fake":
        return InMemoryPulseBook()
    world = table_of(request)
    return DynamoDbPulseBook(world.clients, world.table)


def reserve(ledger: RateLedger, seconds: float, *, earliest: float = 0.0, latest: float = 1e6, fence: int = 1) -> float:
    """When it begins, in seconds after NOW."""
    begins = ledger.reserve_stretch("objects", seconds, earliest=NOW + earliest, latest=NOW + latest, fence=fence)
    assert begins is not None
    return begins - NOW


def test_stretches_follow_one_another(ledger: RateLedger) -> None:
    """No two overlap; an idle line begins at the earliest moment; lines are apart."""
    assert reserve(ledger, 2.0) == pytest.approx(0.0)
    assert reserve(ledger, 3.0) == pytest.approx(2.0)
    assert reserve(ledger, 1.0, earliest=4.0) == pytest.approx(5.0)
    assert reserve(ledger, 1.0, earliest=60.0) == pytest.approx(60.0)
    assert ledger.reserve_stretch("bytes", 1.0, earliest=NOW, latest=NOW, fence=1) == pytest.approx(NOW)


def test_what_would_begin_too_late_is_left(ledger: RateLedger) -> None:
    """The answer says when it would have begun, and the line is as it was."""
    reserve(ledger, 10.0)
    assert reserve(ledger, 10.0, latest=5.0) == pytest.approx(10.0)
    assert reserve(ledger, 10.0, latest=10.0) == pytest.approx(10.0)


def test_a_newer_fence_empties_the_line(ledger: RateLedger) -> None:
    """And whoever still holds the older one is told."""
    reserve(ledger, 1_000.0)
    assert reserve(ledger, 1.0, fence=2) == pytest.approx(0.0)
    assert ledger.reserve_stretch("objects", 1.0, earliest=NOW, latest=NOW + 9, fence=1) is None


@pytest.mark.parametrize("ledger", ["fake", "standin"], indirect=True)
def test_processes_side_by_side_never_get_the_same_stretch(ledger: RateLedger) -> None:
    """Each second of the line is given once."""
    with ThreadPoolExecutor(4) as threads:
        begun = sorted(threads.map(lambda _: reserve(ledger, 1.0), range(24)))
    assert begun == pytest.approx([float(number) for number in range(24)])


def test_tallies_of_a_window_add_up(pulse: PulseBook) -> None:
    """Counts and causes are summed, ages are maxima; the newest window is read back."""
    assert pulse.read_tally() is None
    window = Window(2, 100)
    pulse.add_tally(Tally(5, 1, 1, {"kms": 1}, oldest_event=7.5), window=window)
    summed = pulse.add_tally(Tally(3, 1, 0, {"kms": 1, "refused": 2}, 2.5, 4.0), window=window)
    assert summed == Tally(8, 2, 1, {"kms": 2, "refused": 2}, 7.5, 4.0)
    assert pulse.read_tally() == (window, summed)


def test_a_new_window_begins_at_nothing_and_an_old_one_is_over(pulse: PulseBook) -> None:
    """By time, and by the operator's fence."""
    pulse.add_tally(Tally(9, 9, 9, {"kms": 9}, 9.0, 9.0), window=Window(2, 100))
    assert pulse.add_tally(Tally(1), window=Window(2, 101)) == Tally(1)
    assert pulse.add_tally(Tally(2), window=Window(3, 50)) == Tally(2)
    assert pulse.add_tally(Tally(9), window=Window(2, 101)) is None
    assert pulse.read_tally() == (Window(3, 50), Tally(2))


@dataclass(frozen=True, slots=True)
class Poller:
    """Two mappings of one function, one of them off, and whether each is on."""

    mappings: EventSourceMappings
    on: str
    off: str
    enabled: Callable[[str], bool]


@pytest.fixture(params=["fake", "standin"])
def poller(request: pytest.FixtureRequest) -> Poller:
    """Lambda's pollers, in memory and on the stand-in."""
    if request.param == "fake":
        fake = InMemoryMappings(a=True, b=False)
        return Poller(fake, "a", "b", lambda one: fake.enabled[one])
    clients = clients_for(request.getfixturevalue("standin"))
    name, ids = new_function(clients, True, False)
    return Poller(
        LambdaEventSourceMappings(clients, [name]),
        ids[0],
        ids[1],
        lambda one: clients.functions.get_event_source_mapping(UUID=one)["State"] in ("Enabled", "Enabling"),
    )


def test_mappings_are_switched_off_and_on(poller: Poller) -> None:
    """Both repeatable; only those that poll are listed; one that is gone meanwhile is no error."""
    assert poller.mappings.list_enabled() == [poller.on]
    for _ in range(2):
        poller.mappings.disable_mappings([poller.on])
    assert poller.mappings.list_enabled() == []
    for _ in range(2):
        poller.mappings.enable_mappings([poller.on])
    assert poller.enabled(poller.on)
    assert not poller.enabled(poller.off)
    poller.mappings.enable_mappings(["00000000-0000-4000-8000-000000000000"])


@dataclass(frozen=True, slots=True)
class Grave:
    """A queue, its dead letters, and how to let time pass."""

    queue: MessageQueue
    dead: DeadLetterQueue
    wait: Callable[[float], None]


@pytest.fixture(params=["fake", "standin"])
def grave(request: pytest.FixtureRequest) -> Grave:
    """Thirteen dead letters."""
    made = fake_grave() if request.param == "fake" else standin_grave(request.getfixturevalue("standin"))
    made.queue.send_messages([f"body {number}" for number in range(13)])
    for _ in range(2):
        while received := made.queue.receive_messages(at_most=10, wait=0):
            made.queue.return_messages(received, delay=1)
        made.wait(1.1)
    while made.dead.count_letters() < 13:
        made.queue.receive_messages(at_most=10, wait=0)
    return made


def fake_grave() -> Grave:
    """In memory."""
    clock = FakeClock()
    queue = InMemoryQueue(clock, visibility=1, max_receives=1)
    return Grave(queue, InMemoryDeadLetterQueue(queue, now=clock.now), clock.advance)


def standin_grave(standin: Server) -> Grave:
    """On the stand-in."""
    clients = clients_for(standin)
    pair = create_queue(clients, new_name("queue"), visibility=1, max_receives=1)
    dead = present(dead_letters_of(clients, pair.url))
    return Grave(SqsMessageQueue(clients, pair.url), dead, time.sleep)


def bodies_of(grave: Grave) -> list[str]:
    """What is visible in the source queue."""
    found: list[str] = []
    while received := grave.queue.receive_messages(at_most=10, wait=0):
        found += [one.body for one in received]
    return sorted(found)


def looked_at(grave: Grave) -> list[Any]:
    """Every letter, hidden from now on."""
    letters: list[Any] = []
    while received := grave.dead.receive_letters(visibility=60):
        letters += received
    return letters


ALL = sorted(f"body {number}" for number in range(13))


def test_looking_hides_letters_until_they_are_released(grave: Grave) -> None:
    """Each is seen once, none is lost, and at once all are there again."""
    letters = looked_at(grave)
    assert sorted(one.message.body for one in letters) == ALL
    assert grave.dead.receive_letters(visibility=60) == []
    grave.dead.release_letters(letters)
    assert sorted(one.message.body for one in looked_at(grave)) == ALL
    assert grave.dead.count_letters() == 13


def test_letters_are_sent_back_or_deleted(grave: Grave) -> None:
    """Those are in their queue as new, these are gone, the others stay."""
    letters = sorted(looked_at(grave), key=lambda one: one.message.body)
    grave.dead.send_back(letters[:2])
    for _ in range(2):
        grave.dead.delete_letters(letters[2:5])
    grave.dead.release_letters(letters[5:])
    assert bodies_of(grave) == ALL[:2]
    assert grave.dead.count_letters() == 8


def test_everything_is_moved_by_sqs_itself(grave: Grave) -> None:
    """The newest move says how far it is."""
    assert grave.dead.newest_move() is None
    grave.dead.move_all(rate=500)
    task = present(grave.dead.newest_move())
    assert (task.status, task.moved) == ("COMPLETED", 13)
    assert bodies_of(grave) == ALL


def test_letters_of_a_shared_queue_go_back_to_where_each_came_from(standin: Server) -> None:
    """Two queues may have one dead-letter queue."""
    clients = clients_for(standin)
    first = create_queue(clients, new_name("one"), visibility=1, max_receives=1)
    second = create_queue(clients, new_name("two"), visibility=1, max_receives=1)
    policy = json.dumps({"deadLetterTargetArn": first.dead_arn, "maxReceiveCount": 1})
    clients.sqs.set_queue_attributes(QueueUrl=second.url, Attributes={"RedrivePolicy": policy})
    queues = [SqsMessageQueue(clients, pair.url) for pair in (first, second)]
    dead = present(dead_letters_of(clients, first.url))
    for queue, body in zip(queues, ("one", "two"), strict=True):
        queue.send_messages([body])
        queue.return_messages(queue.receive_messages(at_most=1, wait=0), delay=0)
        queue.receive_messages(at_most=1, wait=0)
    letters = list(dead.receive_letters(visibility=60))
    assert len(letters) == 2
    dead.send_back(letters)
    assert [[one.body for one in queue.receive_messages(at_most=10, wait=1)] for queue in queues] == [["one"], ["two"]]


def test_a_queue_without_dead_letters_has_none(standin: Server) -> None:
    """It is no error."""
    clients = clients_for(standin)
    assert dead_letters_of(clients, clients.sqs.create_queue(QueueName=new_name("plain"))["QueueUrl"]) is None


def test_a_dead_letter_queue_that_hands_on_is_not_looked_at(standin: Server) -> None:
    """Each look would bring its messages nearer to the next queue."""
    clients = clients_for(standin)
    pair, further = create_queue(clients, new_name("q")), create_queue(clients, new_name("f"))
    policy = json.dumps({"deadLetterTargetArn": further.dead_arn, "maxReceiveCount": 3})
    clients.sqs.set_queue_attributes(QueueUrl=pair.dead_url, Attributes={"RedrivePolicy": policy})
    with pytest.raises(InputError, match="its own RedrivePolicy"):
        dead_letters_of(clients, pair.url)


class Changing:
    """Lambda's client while a mapping is just changing its state."""

    def __init__(self, refusals: int) -> None:
        self.left = refusals
        self.asked: list[tuple[str, bool]] = []

    def update_event_source_mapping(self, *, UUID: str, Enabled: bool) -> None:  # noqa: N803  # Lambda's names
        """Refuse a few times."""
        self.asked.append((UUID, Enabled))
        if self.left:
            self.left -= 1
            raise ClientError({"Error": {"Code": "ResourceInUseException"}}, "UpdateEventSourceMapping")


def test_a_mapping_that_is_changing_is_tried_again() -> None:
    """Lambda refuses the next change for some seconds; the stand-in never does."""
    client = Changing(2)
    clients: Any = SimpleNamespace(functions=client)
    LambdaEventSourceMappings(clients, []).disable_mappings(["m"])
    assert client.asked == [("m", False)] * 3
