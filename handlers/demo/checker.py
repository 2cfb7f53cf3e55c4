"""Compares the buckets with the producers' book, independently of keyshift."""

import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from domain.keys import Location
from domain.objects import ObjectState
from domain.rules.compiled import CompiledRules, MapOutcome
from handlers.demo.objects import ProducedObject


class ProducersBucket(Protocol):
    """S3 as a producer uses it."""

    def put_object(  # noqa: PLR0913  # the properties of an object
        self,
        location: Location,
        *,
        body: bytes,
        metadata: Mapping[str, str],
        tags: Mapping[str, str],
        content_type: str,
        cache_control: str | None = None,
        in_parts: bool = False,
    ) -> None:
        """Write it."""

    def delete_object(self, location: Location) -> None:
        """Delete it."""

    def read_object(self, location: Location) -> tuple[bytes, ObjectState] | None:
        """Its bytes, and its state with tags; ``None`` when it is not there."""


def write_object(bucket: ProducersBucket, location: Location, written: ProducedObject) -> None:
    """Write a producer's object."""
    bucket.put_object(
        location,
        body=written.body(),
        metadata=written.metadata,
        tags=written.tags,
        content_type=written.content_type,
        cache_control=written.cache_control,
        in_parts=written.in_parts,
    )


@dataclass(frozen=True, slots=True)
class Entry:
    """One key's last write (``None``: deleted) and every earlier write."""

    last: ProducedObject | None
    earlier: tuple[ProducedObject, ...] = ()


class ProducersBook:
    """Every key that a producer ever wrote; each key has one producer at a time."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._lock = threading.Lock()
        self.writes = 0

    def note(self, key: str, written: ProducedObject | None) -> None:
        """Note that S3 has confirmed a producer's write or delete."""
        with self._lock:
            before = self._entries.get(key)
            earlier = () if before is None else before.earlier
            if before is not None and before.last is not None:
                earlier = (*earlier, before.last)
            self._entries[key] = Entry(written, earlier)
            self.writes += 1

    def entries(self) -> dict[str, Entry]:
        """A copy of the book."""
        with self._lock:
            return dict(self._entries)


@dataclass(frozen=True, slots=True)
class Difference:
    """One key that differs from its producer's last write; ``kind`` is lost, wrong or stale."""

    kind: str
    source: Location
    target: Location
    why: str


def target_of(rules: CompiledRules, key: str) -> Location:
    """Where the object must be in the end; a key that does not move stays."""
    mapped = rules.map_key(key)
    if mapped.outcome is MapOutcome.MOVE and mapped.target is not None:
        return mapped.target
    return Location(rules.source_bucket, key)


def compare(
    entries: Mapping[str, Entry], rules: CompiledRules, bucket: ProducersBucket, *, threads: int = 8
) -> list[Difference]:
    """Every difference between the book and the buckets."""
    with ThreadPoolExecutor(threads, thread_name_prefix="check") as pool:
        answers = pool.map(lambda item: _compare_one(item[0], item[1], rules, bucket), entries.items())
        return [answer for answer in answers if answer is not None]


def _compare_one(key: str, entry: Entry, rules: CompiledRules, bucket: ProducersBucket) -> Difference | None:
    source, target = Location(rules.source_bucket, key), target_of(rules, key)
    found = bucket.read_object(target)
    if entry.last is None:
        if found is None:
            return None
        return Difference("stale", source, target, "its producer deleted it, the copy is still there")
    if found is None:
        return Difference("lost", source, target, "it is not there")
    why = _unlike(found, entry.last)
    if why is None:
        return None
    body = found[0]
    older = body != entry.last.body() and any(body == one.body() for one in entry.earlier)
    return Difference("stale" if older else "wrong", source, target, why)


def _unlike(found: tuple[bytes, ObjectState], wanted: ProducedObject) -> str | None:
    body, state = found
    differences: Iterable[tuple[str, object, object]] = (
        ("bytes", body, wanted.body()),
        ("metadata", dict(state.metadata), dict(wanted.metadata)),
        ("tags", dict(state.tags or {}), dict(wanted.tags)),
        ("content type", state.headers.content_type, wanted.content_type),
        ("cache control", state.headers.cache_control, wanted.cache_control),
    )
    return next((f"its {name} differ" for name, one, other in differences if one != other), None)
