"""One source key, its target, its record, its messages and some workers, as a value that can be explored.

A worker runs the real domain code. Its local state is the tuple of answers that it has had, so the code can be run
again up to its next call, and the state of the whole world can be compared and remembered.

``A``, ``B``, ``X`` are bytes; ``A*`` has the same bytes as ``A`` and other metadata.
"""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from domain.keys import Location
from domain.objects import ObjectState
from domain.protocol.parts import MIB
from domain.protocol.record import Claim, Record
from tests.fakes.buckets import NULL, Versioning
from tests.simulation.histories import History, Stored, current, digest, noncurrent

SOURCE = Location("bucket", "old/key")
TARGET = Location("bucket", "new/key")
NOW = 1_000
"""The second in which it begins; what was there before has the date 0."""
PACE = 100
"""Seconds before and after each word of an owner or a stranger: more than the margin for the clocks."""
OBJECT_BYTES = 6 * MIB
"""Large enough for two parts of the least size S3 allows."""


class Message(NamedTuple):
    """One message: an event, a row or an operator's job.

    Kinds: C created, D removed by its owner, E removed by his lifecycle rule, d removed by us, I listed, K clean,
    F forget the version, R roll back, P purge, T take source. ``version_id`` is what an event names.
    """

    kind: str
    number: int
    value: str
    version_id: str = ""


class World(NamedTuple):
    """Everything there is; ``versions[n]`` is what the owner wrote as his word n (``None``: a delete)."""

    at_source: History
    at_target: History
    versioning: Versioning
    versions: tuple[str | None, ...]
    owner: int
    last_author: str
    record: Record | None
    messages: tuple[Message, ...]
    workers: tuple[Any, ...]
    in_flight: tuple[Any, ...]
    uploads: tuple[tuple[str, tuple[Any, ...]], ...]
    audited: frozenset[tuple[str, str]]
    time: int
    produced: int
    foreign: int
    duplicates: int
    crashes: int
    lost_answers: int
    doubled: int
    refusals: int
    newest: int
    seen_at_target: frozenset[int]
    ours: frozenset[str]
    """The etags of all that we ever put at the target."""
    foreign_delete: int | None
    cleaned: bool
    """Whether our delete emptied the source, and we did not put it back: his events from before may come later."""
    in_doubt: frozenset[str]
    """The etags of objects of which nobody can know whether our cleanup deleted them.

    It died, an answer to it was lost, or the owner deleted in the very moment.
    """
    said_at: int
    """When the owner last spoke."""
    is_too_late: bool
    """Whether the owner spoke after the look upon which we put the source back: S3 has no condition for that."""
    is_traceless: bool
    """Whether the owner deleted what we had emptied before, where that leaves no marker of his own."""
    markers: int
    copies: int
    allowed: str | None
    """What an operator gives up at the target, as in the record, until our next copy."""

    @property
    def source(self) -> Stored | None:
        """The object at the source key."""
        return current(self.at_source)

    @property
    def target(self) -> Stored | None:
        """The object at the target key."""
        return current(self.at_target)

    @property
    def truth(self) -> str | None:
        """The owner's last word."""
        return self.versions[self.owner]

    @property
    def is_doubtful(self) -> bool:
        """Whether nobody can know who deleted what the owner put last."""
        put = next((word for word in reversed(self.versions[: self.owner + 1]) if word is not None), None)
        return put is not None and digest(put) in self.in_doubt

    @property
    def was_announced(self) -> bool:
        """Whether keyshift ever told the world that a copy is at the target."""
        return any(state in ("COPIED", "CLEANED") for state, _ in self.audited)

    @property
    def next_marker(self) -> str:
        """The id of the next delete marker."""
        return f"m{self.markers + 1}"


@dataclass(frozen=True)
class Scenario:
    """What happens besides the workers, and how often faults may strike.

    The producer's words: a value is put; ``del``; ``>`` puts what is at the source at the target as well; ``enable``
    and ``suspend`` versioning; ``destroy`` deletes the newest version for good. His lifecycle rules, days later:
    ``expire`` the object, ``clear`` away noncurrent versions, ``unmark`` a delete marker that hides nothing.
    """

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
    refusals: int = 0
    """How many requests of a cleanup S3 throttles or denies."""
    source: str | None = None
    target: str | None = None
    target_is_new: bool = False
    """Whether what is at the target at the beginning was put there right after the producer's first word."""
    versioned: bool = False
    target_versioned: bool = False
    told_by_date: bool = False
    """Whether a stranger's equal bytes must be told by their date where no versions are kept: without faults only."""
    tells_read_version: bool = True
    """Whether CopyObject says which version of the source it read; SeaweedFS does not."""
    histories: bool = False
    """Whether every version is carried."""
    mirror: bool = True
    delete_events: bool = True
    knows_itself: bool = True
    """Whether the handler knows the events of our own deletes by who made them."""
    fenced_cleanup: bool = False
    jobs_last: bool = False
    """Whether operators begin only after all events are worked off, one job after the other."""
    cleans: bool = False
    """Whether cleanup must have emptied the source in the end."""
    in_parts: bool = False
    checksums: bool = True
    ablations: frozenset[str] = frozenset()
    early_expiry: bool = False
    undisturbed: bool = False
    """Holds only where no attempt dies and no answer is lost: by nature, see where it is used."""

    is_dated: bool = False
    """Whether time passes between the words, so that dates tell which came first; there are more worlds then."""

    @property
    def pace(self) -> int:
        """Seconds before and after each word; of versions the code compares dates."""
        return PACE if self.is_dated or self.versioned else 0

    @property
    def at_target(self) -> Versioning:
        """The target bucket's versioning."""
        return Versioning.ENABLED if self.target_versioned else Versioning.OFF

    @property
    def is_meddled(self) -> bool:
        """Whether others than keyshift write to the target."""
        return bool(self.foreign) or self.target is not None or ">" in self.producer


def first_world(scenario: Scenario) -> World:
    """How it starts."""
    source = (
        ()
        if scenario.source is None
        else (Stored(scenario.source, 1, "owner", id="1" if scenario.versioned else NULL),)
    )
    date = NOW + 2 * scenario.pace if scenario.target_is_new else 0
    target = () if scenario.target is None else (Stored(scenario.target, -1, "foreign", id="t0", date=date),)
    return World(
        at_source=source,
        at_target=target,
        versioning=Versioning.ENABLED if scenario.versioned else Versioning.OFF,
        versions=(None,) if scenario.source is None else (None, scenario.source),
        owner=len(source),
        last_author="foreign" if target else "nobody",
        record=None,
        messages=tuple(sorted(scenario.jobs)),
        workers=(None,) * (scenario.workers + scenario.crashes),
        in_flight=(),
        uploads=(),
        audited=frozenset(),
        time=NOW,
        produced=0,
        foreign=0,
        duplicates=scenario.duplicates,
        crashes=scenario.crashes,
        lost_answers=scenario.lost_answers,
        doubled=scenario.doubled,
        refusals=scenario.refusals,
        newest=0,
        seen_at_target=frozenset(),
        ours=frozenset(),
        foreign_delete=None,
        cleaned=False,
        in_doubt=frozenset(),
        said_at=0,
        is_too_late=False,
        is_traceless=False,
        markers=0,
        copies=0,
        allowed=None,
    )


def as_seen(stored: Stored | None, scenario: Scenario) -> ObjectState | None:
    """What HEAD and GetObjectTagging would say; a version without an id is one that S3 does not tell."""
    if stored is None:
        return None
    checksums = {"CRC64NVME": digest(stored.value)} if scenario.checksums else {}
    return ObjectState(
        etag=stored.etag,
        size=OBJECT_BYTES,
        version_id=stored.id or None,
        last_modified=stored.date,
        metadata={"star": "yes"} if stored.value.endswith("*") else {},
        tags={},
        checksums=checksums,
        full_checksums=bool(checksums),
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
    """Whether a stored noncurrent version of the source holds this value."""
    return any(one.value == value for one in noncurrent(world.at_source))


def is_kept(world: World) -> bool:
    """Whether the owner's last word is at the source, at the target or in a stored version of the source."""
    truth = world.truth
    places = (world.source, world.target, *noncurrent(world.at_source))
    return truth is None or any(one is not None and one.value == truth for one in places)


def with_doubt(world: World) -> World:
    """After a moment in which our cleanup may have deleted the object, and nobody can know."""
    stored = (world.source, world.target, *noncurrent(world.at_source)[-1:])
    return world._replace(in_doubt=world.in_doubt | {digest(one.value) for one in stored if one is not None})


Change = tuple[str, World, tuple[str, ...]]
