"""One source key, its target, its record, its messages and some workers, as a value that can be explored.

A worker runs the real domain code. Its local state is the tuple of answers that it has had, so the code can be run
again up to its next call, and the state of the whole world can be compared and remembered.

``A``, ``B``, ``X`` are bytes; ``A*`` has the same bytes as ``A`` and other metadata.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import md5
from typing import Any, NamedTuple

from domain.keys import Location, Sequencer
from domain.notices import Notice, NoticeKind
from domain.objects import ObjectState
from domain.parts import MIB, composed_etag
from domain.record import Claim, Record

SOURCE = Location("bucket", "old/key")
TARGET = Location("bucket", "new/key")
NOW = 1_000.0
"""The only second there is, but for ``LONG_AGO``."""
LONG_AGO = -2
"""The version of an object that was at the target before everything."""
OBJECT_BYTES = 6 * MIB
"""Large enough for two parts of the least size S3 allows."""

Message = tuple[str, int, str]
"""Kind (C created, D removed by its owner, d by us, I listed, K clean, R roll back, P purge, T take source), version,
value."""


def digest(value: str) -> str:
    """The etag of these bytes uploaded in one request; metadata does not count."""
    return md5(value.rstrip("*").encode(), usedforsecurity=False).hexdigest()


class Stored(NamedTuple):
    """An object at a key: which value, as which of the owner's versions, by whom, in parts or not."""

    value: str
    version: int
    author: str
    parts: bool = False

    @property
    def etag(self) -> str:
        """Its etag."""
        whole = digest(self.value)
        return composed_etag({1: whole, 2: whole}) if self.parts else whole


class World(NamedTuple):
    """Everything there is; ``versions[n]`` is what the owner wrote as version n (``None``: a delete)."""

    source: Stored | None
    versions: tuple[str | None, ...]
    owner: int
    hidden: tuple[int, ...]
    target: Stored | None
    last_author: str
    record: Record | None
    messages: tuple[Message, ...]
    workers: tuple[Any, ...]
    in_flight: tuple[Any, ...]
    uploads: tuple[tuple[str, tuple[Any, ...]], ...]
    audited: frozenset[tuple[str, str]]
    effects: frozenset[tuple[str, str]]
    produced: int
    foreign: int
    duplicates: int
    crashes: int
    lost_answers: int
    doubled: int
    newest: int
    seen_at_target: frozenset[int]
    foreign_delete: int | None
    copy_at_claim: bool
    """Whether the recorded copy was at the target when the claim of the cleanup that runs was written."""
    allowed: str | None
    """What an operator gives up at the target, as in the record, until our next copy."""

    @property
    def truth(self) -> str | None:
        """The owner's last word."""
        return self.versions[self.owner]


@dataclass(frozen=True)
class Scenario:
    """What happens besides the workers, and how often faults may strike."""

    name: str
    producer: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    jobs: tuple[Message, ...] = ()
    workers: int = 2
    crashes: int = 1
    duplicates: int = 1
    lost_answers: int = 0
    doubled: int = 0
    """How many requests that change S3 a proxy sends twice."""
    source: str | None = None
    target: str | None = None
    target_is_new: bool = False
    """Whether what is at the target at the beginning was put there in the same second."""
    versioned: bool = False
    mirror: bool = True
    delete_events: bool = True
    knows_itself: bool = True
    """Whether the handler knows the events of our own deletes by who made them."""
    fenced_cleanup: bool = False
    in_parts: bool = False
    checksums: bool = True
    ablations: frozenset[str] = frozenset()
    early_expiry: bool = False
    undisturbed: bool = False
    """Holds only where no attempt dies and no answer is lost: by nature, see where it is used."""


def first_world(scenario: Scenario) -> World:
    """How it starts."""
    source = None if scenario.source is None else Stored(scenario.source, 1, "owner")
    target = (
        None
        if scenario.target is None
        else Stored(scenario.target, -1 if scenario.target_is_new else LONG_AGO, "foreign")
    )
    return World(
        source=source,
        versions=(None,) if source is None else (None, source.value),
        owner=0 if source is None else 1,
        hidden=(),
        target=target,
        last_author="nobody" if target is None else "foreign",
        record=None,
        messages=tuple(sorted(scenario.jobs)),
        workers=(None,) * (scenario.workers + scenario.crashes),
        in_flight=(),
        uploads=(),
        audited=frozenset(),
        effects=frozenset(),
        produced=0,
        foreign=0,
        duplicates=scenario.duplicates,
        crashes=scenario.crashes,
        lost_answers=scenario.lost_answers,
        doubled=scenario.doubled,
        newest=0,
        seen_at_target=frozenset(),
        foreign_delete=None,
        copy_at_claim=False,
        allowed=None,
    )


def as_seen(stored: Stored | None, scenario: Scenario, *, at_source: bool) -> ObjectState | None:
    """What HEAD and GetObjectTagging would say."""
    if stored is None:
        return None
    has_version = scenario.versioned and at_source
    checksums = {"CRC64NVME": digest(stored.value)} if scenario.checksums else {}
    return ObjectState(
        etag=stored.etag,
        size=OBJECT_BYTES,
        version_id=str(stored.version) if has_version else None,
        last_modified=stored.version if at_source else 0 if stored.version == LONG_AGO else int(NOW),
        metadata={"star": "yes"} if stored.value.endswith("*") else {},
        tags={},
        checksums=checksums,
        full_checksums=bool(checksums),
    )


def notice_of(message: Message) -> Notice:
    """What the handler would make of this message."""
    kind, version, value = message
    if kind == "I":
        return Notice(NoticeKind.LISTED, SOURCE, digest(value), size=OBJECT_BYTES, storage_class="STANDARD")
    order = Sequencer(f"{version:018x}")
    if kind in ("D", "d"):
        return Notice(NoticeKind.REMOVED, SOURCE, sequencer=order)
    return Notice(
        NoticeKind.CREATED, SOURCE, digest(value), size=OBJECT_BYTES, sequencer=order, storage_class="STANDARD"
    )


def without_history(record: Record | None) -> Record | None:
    """The record less what only grows, so that equal states are equal."""
    return record if record is None else replace(record, revision=1, changed_at=0.0)


def expired(record: Record) -> Record:
    """The record once its claim's time is over."""
    token = record.claim.token if record.claim else ""
    return replace(record, claim=Claim(token, -1.0))


def replaced(items: tuple[Any, ...], index: int, item: Any) -> tuple[Any, ...]:
    """A tuple with one item changed."""
    return (*items[:index], item, *items[index + 1 :])


def added(messages: tuple[Message, ...], message: Message) -> tuple[Message, ...]:
    """The queue with one message more."""
    return tuple(sorted((*messages, message)))


def removed(messages: tuple[Message, ...], message: Message) -> tuple[Message, ...]:
    """The queue with one message less."""
    index = messages.index(message)
    return messages[:index] + messages[index + 1 :]


def is_dead(worker: Any) -> bool:
    """Whether the process behind this slot was killed."""
    return bool(worker == "dead")


def hides(world: World, value: str) -> bool:
    """Whether a stored noncurrent version holds this value."""
    return any(world.versions[number] == value for number in world.hidden)


Change = tuple[str, World, tuple[str, ...]]


def outside_changes(world: World, scenario: Scenario) -> Iterator[Change]:
    """What the producer, the new-layout writer and the queue may do next."""
    yield from _producer(world, scenario)
    yield from _foreign_writer(world, scenario)
    yield from _delivery(world, scenario)


def _producer(world: World, scenario: Scenario) -> Iterator[Change]:
    if world.produced == len(scenario.producer):
        return
    word, number, current = scenario.producer[world.produced], len(world.versions), world.source
    after = world._replace(produced=world.produced + 1, owner=number)
    if scenario.versioned and current is not None:
        after = after._replace(hidden=(*world.hidden, current.version))
    if word == "del":
        after = after._replace(source=None, versions=(*world.versions, None))
        if scenario.delete_events:
            after = after._replace(messages=added(world.messages, ("D", number, "")))
        yield f"owner deletes (version {number})", after, ()
        return
    after = after._replace(
        source=Stored(word, number, "owner"),
        versions=(*world.versions, word),
        messages=added(world.messages, ("C", number, word)),
    )
    yield f"owner puts {word} (version {number})", after, ()


def _foreign_writer(world: World, scenario: Scenario) -> Iterator[Change]:
    if world.foreign == len(scenario.foreign):
        return
    word = scenario.foreign[world.foreign]
    after = world._replace(foreign=world.foreign + 1)
    if word == "del":
        committed = world.record is not None and world.record.target_etag is not None
        if world.target is not None:
            after = after._replace(target=None, last_author="foreign")
            if committed:
                after = after._replace(foreign_delete=max(world.seen_at_target, default=0))
        yield "new-layout writer deletes", after, ()
        return
    yield (
        f"new-layout writer puts {word}",
        after._replace(target=Stored(word, -1, "foreign"), last_author="foreign"),
        (),
    )


def _delivery(world: World, scenario: Scenario) -> Iterator[Change]:
    idle = next((slot for slot, worker in enumerate(world.workers) if worker is None), None)
    busy = sum(worker is not None and not is_dead(worker) for worker in world.workers)
    if idle is None or busy >= scenario.workers:
        return
    for message in sorted(set(world.messages)):
        if scenario.fenced_cleanup and message[0] == "K" and world.produced < len(scenario.producer):
            continue
        started = world._replace(workers=replaced(world.workers, idle, (message, ())))
        yield f"w{idle} receives {message}", started._replace(messages=removed(world.messages, message)), ()
        if world.duplicates:
            twice = started._replace(duplicates=world.duplicates - 1)
            yield f"w{idle} receives {message}, which stays in the queue too", twice, ()
