"""Queues, the bus, the counters, the operator's word and the application's tables, as one process sees them."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from domain.audit.events import AuditEvent
from domain.keys import Location
from domain.protocol.ports import Refused, TargetObject
from domain.queues import DeadLetter, Message, MoveTask
from domain.references.ports import Changed, ItemChange, ItemPage
from domain.reporting.ports import NO_HISTORY
from domain.reporting.progress import Span
from domain.rules.references import Item
from domain.steering.control import Control
from domain.steering.learned import Learned
from tests.fakes.contents import InMemoryContents
from tests.fakes.queue import InMemoryQueue
from tests.simulation.whole.asking import Asked, Asking
from tests.simulation.whole.scheduler import Phases, Process, Request

if TYPE_CHECKING:
    from tests.simulation.whole.servers import DeadLetters
    from tests.simulation.whole.site import Site


class SimulatedQueue(Asking):
    """MessageQueue: what is received comes in any order, and sometimes stays in the queue too."""

    def __init__(self, process: Process, site: "Site", queue: InMemoryQueue, name: str) -> None:
        super().__init__(process, site)
        self._queue = queue
        self._name = name

    def send_messages(self, bodies: Sequence[str], *, delay: int = 0) -> None:
        """SendMessageBatch."""
        self._ask("send_messages", self._name, lambda: self._queue.send_messages(bodies, delay=delay))

    def receive_messages(self, *, at_most: int, wait: int) -> Sequence[Message]:
        """ReceiveMessage."""
        received: Sequence[Message] = self._ask(
            "receive_messages", self._name, lambda: self._queue.receive_messages(at_most=at_most, wait=wait)
        )
        return received

    def delete_messages(self, messages: Sequence[Message]) -> None:
        """DeleteMessageBatch."""
        self._ask("delete_messages", _named(self._name, messages), lambda: self._queue.delete_messages(messages))

    def return_messages(self, messages: Sequence[Message], *, delay: int) -> None:
        """ChangeMessageVisibilityBatch."""
        back = self._queue.return_messages
        self._ask(
            "return_messages", f"{_named(self._name, messages)} for {delay} s", lambda: back(messages, delay=delay)
        )

    def count_messages(self) -> tuple[int, int]:
        """GetQueueAttributes."""
        counted: tuple[int, int] = self._ask("count_messages", self._name, self._queue.count_messages)
        return counted


class SimulatedOperations(Asking):
    """EventBus, ProgressCounters and ControlPanel."""

    def publish_events(self, events: Sequence[AuditEvent]) -> Sequence[int]:
        """PutEvents, of which some entries may fail."""

        def effect() -> Sequence[int]:
            bus, refuse = self._site.bus, self._site.bus_refuses()
            bus.refuse = {event.event_id for event in events if refuse()}
            return bus.publish_events(events)

        refused: Sequence[int] = self._ask("publish_events", f"{len(events)}", effect)
        return refused

    def add_progress(
        self, deltas: Mapping[str, int], *, batch_id: str, history: Mapping[Span, Mapping[str, int]] = NO_HISTORY
    ) -> None:
        """TransactWriteItems with a token."""
        add = self._site.counters.add_progress
        self._ask("add_progress", batch_id[:6], lambda: add(deltas, batch_id=batch_id, history=history))

    def read_history(self, seconds: int) -> Mapping[Span, Mapping[str, int]]:
        """Nobody asks in a simulation."""
        history: Mapping[Span, Mapping[str, int]] = self._site.counters.read_history(seconds)
        return history

    def read_progress(self) -> Mapping[str, int]:
        """GetItem."""
        read: Mapping[str, int] = self._ask("read_progress", "", self._site.counters.read_progress)
        return read

    def read_control(self) -> Control:
        """GetItem."""
        control: Control = self._ask("read_control", "", self._site.panel.read_control)
        return control

    def write_control(self, control: Control, *, before: Control) -> bool:
        """The conditional UpdateItem."""
        word = "paused" if control.paused else "running"
        return bool(self._ask("write_control", word, lambda: self._site.panel.write_control(control, before=before)))

    def write_learned(self, learned: Learned, *, before: Learned) -> bool:
        """The conditional UpdateItem."""
        word = str(learned.revision)
        return bool(self._ask("write_learned", word, lambda: self._site.panel.write_learned(learned, before=before)))


class SimulatedDeadLetters(Asking):
    """DeadLetterQueue; what is sent back is in both queues for a moment, and for ever where nobody deletes it."""

    def __init__(self, process: Process, site: "Site", letters: "DeadLetters", name: str) -> None:
        super().__init__(process, site)
        self._letters = letters
        self._name = f"dead letters of {name}"

    def count_letters(self) -> int:
        """GetQueueAttributes."""
        return int(self._ask("count_letters", self._name, self._letters.count_letters))

    def receive_letters(self, *, visibility: int) -> Sequence[DeadLetter]:
        """ReceiveMessage."""
        receive = self._letters.receive_letters
        received: Sequence[DeadLetter] = self._ask(
            "receive_letters", self._name, lambda: receive(visibility=visibility)
        )
        return received

    def release_letters(self, letters: Sequence[DeadLetter]) -> None:
        """ChangeMessageVisibilityBatch."""
        self._ask("release_letters", self._told(letters), lambda: self._letters.release_letters(letters))

    def delete_letters(self, letters: Sequence[DeadLetter]) -> None:
        """DeleteMessageBatch."""
        self._ask("delete_letters", self._told(letters), lambda: self._letters.delete_letters(letters))

    def send_back(self, letters: Sequence[DeadLetter]) -> None:
        """SendMessageBatch, then DeleteMessageBatch."""
        bodies = [one.message.body for one in letters]
        self._ask("send_back", self._told(letters), lambda: self._letters.source.send_messages(bodies))
        self.delete_letters(letters)

    def move_all(self, *, rate: int | None) -> None:
        """StartMessageMoveTask: SQS works on by itself, whoever asked for it."""
        self._ask("move_all", self._name, lambda: self._letters.move_all(rate=rate))

    def newest_move(self) -> MoveTask | None:
        """ListMessageMoveTasks."""
        task: MoveTask | None = self._ask("newest_move", self._name, self._letters.newest_move)
        return task

    def _told(self, letters: Sequence[DeadLetter]) -> str:
        return _named(self._name, [one.message for one in letters])


class SimulatedTables(Asked):
    """ReferringTables and ReferenceJournal on the application's table."""

    def __init__(self, process: Process, site: "Site") -> None:
        super().__init__(process, site, site.application.tables, "journal")

    def scan_items(
        self, table: str, *, segment: int = 0, segments: int = 1, after: Item | None = None
    ) -> Iterator[ItemPage]:
        """Scan, a page at a time."""
        last = after
        while True:
            page: ItemPage = self._ask("scan_items", table, partial(self._page, table, segment, segments, last))
            yield page
            if page.last_key is None:
                return
            last = page.last_key

    def _page(self, table: str, segment: int, segments: int, after: Item | None) -> ItemPage:
        tables = self._site.application.tables
        return next(iter(tables.scan_items(table, segment=segment, segments=segments, after=after)))

    def find_items(self, table: str, *, index: str, attribute: str, text: str) -> Iterator[Item]:
        """Query of an index."""
        find = self._site.application.tables.find_items
        yield from self._ask("find_items", text, lambda: list(find(table, index=index, attribute=attribute, text=text)))

    def read_item(self, table: str, key: Item) -> Item | None:
        """GetItem."""
        read: Item | None = self._ask(
            "read_item", f"{key}", lambda: self._site.application.tables.read_item(table, key)
        )
        return read

    def change_item(self, change: ItemChange) -> Changed:
        """TransactWriteItems."""
        switches = ", ".join(f"{one.before} -> {one.after}" for one in change.entry.switches)
        word = switches if change.entry_before is None else f"undo {change.entry.entry_id}"
        answer: Changed = self._process.ask(Request("change_item", f"{change.key} {word}", lambda: self._work(change)))
        return answer

    def _work(self, change: ItemChange) -> Phases:
        application = self._site.application
        answer = application.tables.change_item(change)
        if answer is Changed.DONE:
            application.changed(change, by=self._process.name)
        return answer  # type: ignore[return-value]  # a generator's return value is the answer
        yield


def _named(name: str, messages: Sequence[Message]) -> str:
    return f"{name} {[message.message_id for message in messages]}"


class SimulatedContents(Asking):
    """ManifestContents: the answer begins, and its rest comes later; a content is never scaled."""

    def __init__(self, process: Process, site: "Site") -> None:
        super().__init__(process, site)
        self._contents = InMemoryContents(site.store)

    def read_content(self, location: Location, *, etag: str) -> Iterator[bytes] | Refused:
        """GetObject."""
        read, manifests, process = self._contents.read_content, self._site.manifests, self._process.name

        def effect() -> list[bytes] | Refused:
            manifests.reads(process, location)
            return _whole(read(location, etag=etag))

        answer: list[bytes] | Refused = self._ask("read_content", location.key, effect)
        if isinstance(answer, Refused):
            return answer
        return self._rest_of(location, answer)

    def _rest_of(self, location: Location, blocks: list[bytes]) -> Iterator[bytes]:
        yield from blocks[:1]
        self._ask("read_rest", location.key, lambda: None)
        yield from blocks[1:]

    def upload_part(self, target: TargetObject, *, upload_id: str, number: int, body: bytes) -> str | Refused:
        """UploadPart."""

        def effect() -> str | Refused:
            self._site.manifests.rewritings.add(upload_id)
            return self._contents.upload_part(target, upload_id=upload_id, number=number, body=body)

        answer: str | Refused = self._ask(
            "upload_part", f"{target.location.key} {upload_id} part {number}", effect, target.send_before
        )
        return answer


def _whole(answer: Iterator[bytes] | Refused) -> list[bytes] | Refused:
    return answer if isinstance(answer, Refused) else list(answer)
