"""Annotations go along: by S3 in one request, put again after a copy in parts, and cleanup waits for all of them."""

from dataclasses import replace

import pytest

from domain.errors import (
    AccessDeniedError,
    EncryptionError,
    LeaseExpiredError,
    RefusedRequestError,
    ThrottledError,
    UnavailableError,
)
from domain.keys import Location
from domain.protocol.annotating import compare_annotations, read_annotations
from domain.protocol.annotations import Annotation, AnnotationsCompared
from domain.protocol.attempt import Outcome, Verdict
from domain.protocol.causes import Cause
from domain.protocol.cleanup import DELETE_SOURCE, clean_source, preview_source
from domain.protocol.ports import SourceObject
from domain.protocol.record import Origin, State
from tests.fakes.object_store import InMemoryObjectStore
from tests.worlds.migration import (
    BARE_ROW,
    LARGE,
    POLICY,
    SOURCE,
    TARGET,
    MigrationWorld,
    calls,
    created,
    holding,
    holding_large,
    listed,
    strangers,
)

LABELS = {"label": b"cat", "note": b"seen by two", "z": b"last"}
DENIED = AccessDeniedError("s3:ListObjectAnnotations is missing")
REFUSALS = [DENIED, EncryptionError("the key is disabled"), RefusedRequestError("no annotations here")]


def annotated(world: MigrationWorld) -> MigrationWorld:
    """Its source has three annotations."""
    for name, payload in LABELS.items():
        world.store.annotate(SOURCE, name, payload)
    return world


def copied_in_parts() -> MigrationWorld:
    """A large object with annotations, after one attempt."""
    world = annotated(holding_large())
    assert world.migrate(listed(LARGE)).state is State.COPIED
    return world


def clean(world: MigrationWorld) -> Outcome:
    """One try, of a record that was verified."""
    world.edit(verified_at=world.clock.now())
    return clean_source(world.record.record_id, attempt=world.attempt(), ports=world.ports, policy=POLICY)


def test_a_copy_in_one_request_asks_nothing_more() -> None:
    """S3 carries them itself."""
    world = annotated(holding())
    assert calls(world, listed(b"bytes")) == ["copy_object"]
    assert world.store.annotations(TARGET) == LABELS


def test_a_copy_in_parts_puts_them_after_its_completion() -> None:
    """In the order of their names, before the record says COPIED."""
    world = annotated(holding_large())
    assert calls(world, listed(LARGE))[-9:] == [
        "complete_upload",
        *("list_annotations", "list_annotations"),
        *("read_annotation", "put_annotation") * 3,
    ]
    assert (world.store.annotations(TARGET), world.record.state) == (LABELS, State.COPIED)


def test_a_copy_in_parts_of_an_object_without_any_asks_once() -> None:
    """The target need not be asked."""
    world = holding_large()
    assert calls(world, listed(LARGE)).count("list_annotations") == 1


@pytest.mark.parametrize("versioned", [False, True])
def test_the_promise_of_none_saves_every_look(*, versioned: bool) -> None:
    """Copies in parts, reconciling and cleanup ask for none."""
    world = annotated(holding_large(versioned=versioned))
    world.ports = replace(world.ports, annotations=None)
    world.store.calls.clear()
    world.migrate(listed(LARGE))
    world.migrate(BARE_ROW)
    assert clean(world).state is State.CLEANED
    assert not [one for one in world.store.calls if "annotation" in one]
    assert world.store.annotations(TARGET) == {}


@pytest.mark.parametrize("error", [UnavailableError("no answer"), LeaseExpiredError("no time")])
@pytest.mark.parametrize("call", ["list_annotations", "read_annotation", "put_annotation"])
def test_an_attempt_that_ends_among_them_is_continued(error: Exception, call: str) -> None:
    """The next one puts what is missing, and copies no part again."""
    world = annotated(holding_large())
    world.store.fail_nth(1, error, call=call)
    with pytest.raises(type(error)):
        world.migrate(listed(LARGE))
    assert world.record.state is not State.COPIED
    world.clock.advance(10_000)
    again = calls(world, listed(LARGE))
    assert "copy_parts" not in again
    assert "copy_object" not in again
    assert (world.store.annotations(TARGET), world.record.state) == (LABELS, State.COPIED)
    assert world.record.origin is Origin.CREATED


def test_a_put_annotation_is_not_a_copy_that_was_sent() -> None:
    """The next attempt would take another writer's equal object for keyshift's."""
    world = copied_in_parts()
    for name in LABELS:
        world.store.annotate(TARGET, name, None)
    world.edit(maybe=frozenset({DELETE_SOURCE}))
    world.store.fail_nth(1, ThrottledError("slow down"), call="put_annotation")
    with pytest.raises(ThrottledError):
        world.migrate(listed(LARGE))
    assert set(world.store.annotations(TARGET)) == {"label"}
    assert world.record.maybe == frozenset()


@pytest.mark.parametrize("error", REFUSALS)
@pytest.mark.parametrize("call", ["list_annotations", "read_annotation", "put_annotation"])
def test_a_copy_that_cannot_take_them_along_is_a_copy(error: Exception, call: str) -> None:
    """The object does not count as failed, and cleanup keeps the source."""
    world = annotated(holding_large())
    world.store.fail_next(error, call=call)
    outcome = world.migrate(listed(LARGE))
    assert (outcome.verdict, outcome.state, outcome.is_failure) == (Verdict.DONE, State.COPIED, False)
    ended = clean(world)
    assert (ended.state, ended.cause, ended.detail) == (State.COPIED, Cause.COPY_LACKS, "annotations label, note, z")
    assert preview_source(world.record, ports=world.ports, policy=POLICY, now=world.clock.now()) is Cause.COPY_LACKS
    world.migrate(BARE_ROW)
    assert clean(world).state is State.CLEANED
    assert world.store.annotations(TARGET) == LABELS


def test_annotations_of_a_locked_copy_cannot_be_put() -> None:
    """Object Lock protects the completed object from them, so its source stays."""
    world = MigrationWorld(locks=True)
    world.store.put(SOURCE, LARGE)
    annotated(world)
    world.migrate(listed(LARGE))
    world.change(TARGET, lock=replace(world.store.look_at_object(TARGET).lock, legal_hold=True))  # type: ignore[union-attr]
    world.store.annotate(SOURCE, "late", b"text")
    assert world.migrate(BARE_ROW).state is State.COPIED
    assert clean(world).detail == "annotations late"


def test_another_writers_object_gets_none() -> None:
    """It took the copy's place before the annotations were put: both keys are looked at again."""
    world = annotated(holding_large())
    real = InMemoryObjectStore.put_annotation

    def put_annotation(*arguments: object, **named: object) -> bool:
        world.store.put(TARGET, b"another writer's")
        world.store.put_annotation = real.__get__(world.store)  # type: ignore[method-assign]
        return bool(world.store.put_annotation(*arguments, **named))  # type: ignore[arg-type]

    world.store.put_annotation = put_annotation  # type: ignore[method-assign]
    assert world.migrate(listed(LARGE)).cause is Cause.TARGET_FOREIGN
    assert world.store.annotations(TARGET) == {}


def test_an_annotation_that_its_owner_deletes_meanwhile_is_left_out() -> None:
    """The list named it, the read finds none."""
    world = annotated(holding_large())
    real = world.store.list_annotations

    def list_annotations(*arguments: object, **named: object) -> object:
        listing = real(*arguments, **named)  # type: ignore[arg-type]
        world.store.annotate(SOURCE, "note", None)
        return listing

    world.store.list_annotations = list_annotations  # type: ignore[method-assign,assignment]
    assert world.migrate(listed(LARGE)).state is State.COPIED
    assert set(world.store.annotations(TARGET)) == {"label", "z"}


def test_annotations_are_those_of_the_version_that_was_copied() -> None:
    """Not of one that its producer puts while they are put."""
    world = holding(LARGE, versioned=True)
    annotated(world)
    real = world.store.list_annotations

    def list_annotations(*arguments: object, **named: object) -> object:
        listing = real(*arguments, **named)  # type: ignore[arg-type]
        if world.store.body(SOURCE) == LARGE:
            world.store.put(SOURCE, b"newer")
            world.store.annotate(SOURCE, "label", b"dog")
        return listing

    world.store.list_annotations = list_annotations  # type: ignore[method-assign,assignment]
    assert world.migrate(listed(LARGE)).state is State.COPIED
    assert world.store.annotations(TARGET) == LABELS


def test_annotations_of_an_earlier_version_are_compared_as_its_own() -> None:
    """The current version has none."""
    world = MigrationWorld(versioned=True)
    seen = world.store.put(SOURCE, b"bytes")
    annotated(world)
    world.store.put(SOURCE, b"newer")
    compared_with_none = compare_annotations(world.store, SourceObject(SOURCE, seen.etag, seen.version_id), TARGET)
    assert compared_with_none == AnnotationsCompared(3, tuple(LABELS))


def test_what_is_about_to_be_replaced_keeps_its_annotations() -> None:
    """All that can be read; an object that is gone, or a promise that there are none, has none."""
    world = annotated(holding())
    assert read_annotations(world.store, SOURCE) == LABELS
    assert read_annotations(world.store, TARGET) == {}
    assert read_annotations(None, SOURCE) == {}
    real = world.store.read_annotation

    def read_annotation(location: Location, name: str) -> bytes | None:
        return None if name == "note" else real(location, name)

    world.store.read_annotation = read_annotation  # type: ignore[method-assign,assignment]
    assert read_annotations(world.store, SOURCE) == {"label": b"cat", "z": b"last"}


def test_an_adopted_object_is_left_as_it_is() -> None:
    """Another writer's equal object gets no annotations; cleanup keeps the source that has them."""
    world = annotated(holding())
    world.store.put(TARGET, b"bytes")
    assert world.migrate(created(b"bytes")).state is State.COPIED
    assert world.record.origin is Origin.ADOPTED
    assert world.store.annotations(TARGET) == {}
    assert clean(world).cause is Cause.COPY_LACKS


def test_a_late_annotation_keeps_the_source() -> None:
    """No etag and no date tells of it, so cleanup looks."""
    world = holding()
    world.migrate(listed(b"bytes"))
    world.store.annotate(SOURCE, "late", b"text")
    assert clean(world).detail == "annotations late"


@pytest.mark.parametrize("error", REFUSALS)
def test_annotations_that_cannot_be_looked_at_keep_the_source(error: Exception) -> None:
    """A failed look is not "none"."""
    world = holding()
    world.migrate(listed(b"bytes"))
    world.store.fail_next(error, call="list_annotations")
    with pytest.raises(type(error)):
        clean(world)
    world.store.fail_next(error, call="list_annotations")
    with pytest.raises(type(error)):
        preview_source(world.record, ports=world.ports, policy=POLICY, now=world.clock.now())
    assert world.store.body(SOURCE) == b"bytes"
    assert clean(world).state is State.CLEANED


def test_what_is_put_again_at_the_source_begins_without_annotations() -> None:
    """So does its copy, in whose place the older copy's annotations go."""
    world = annotated(holding())
    world.migrate(listed(b"bytes"))
    world.store.put(SOURCE, b"bytes", metadata=strangers())
    world.migrate(BARE_ROW)
    assert world.store.annotations(TARGET) == {}


def compared(source: dict[str, bytes], target: dict[str, bytes]) -> AnnotationsCompared:
    """Of two objects with these annotations, etags as of an encrypted bucket: they prove nothing."""
    world = holding()
    world.store.put(TARGET, b"bytes")
    for place, annotations in ((SOURCE, source), (TARGET, target)):
        for name, payload in annotations.items():
            world.store.annotate(place, name, payload)
    real, counter = world.store.list_annotations, iter("abc")

    def list_annotations(*arguments: object, **named: object) -> object:
        salt = next(counter)
        found = real(*arguments, **named) or {}  # type: ignore[arg-type]
        return {name: Annotation(one.size, f"{salt}{one.etag}") for name, one in found.items()}

    world.store.list_annotations = list_annotations  # type: ignore[method-assign,assignment]
    return compare_annotations(world.store, SourceObject(SOURCE, ""), TARGET)


def test_payloads_decide_where_etags_differ() -> None:
    """An annotation is encrypted as its object is, and its etag may then be no digest."""
    assert compared({"a": b"1", "b": b"22"}, {"a": b"1", "b": b"23"}) == AnnotationsCompared(2, other=("b",))
    assert compared({"a": b"1"}, {"a": b"12"}) == AnnotationsCompared(1, other=("a",))
    assert compared({"a": b"1"}, {"a": b"1", "more": b"x"}) == AnnotationsCompared(1)


def test_an_empty_etag_proves_nothing() -> None:
    """S3's answer may leave it out."""
    world = holding()
    world.store.put(TARGET, b"bytes")
    world.store.annotate(SOURCE, "a", b"1")
    world.store.annotate(TARGET, "a", b"2")
    world.store.list_annotations = lambda *_, **__: {"a": Annotation(1, "")}  # type: ignore[method-assign]
    assert compare_annotations(world.store, SourceObject(SOURCE, ""), TARGET).other == ("a",)


@pytest.mark.parametrize(
    ("missing", "lack"),
    [
        ((), ""),
        (("a",), "annotations a"),
        (("a", "b", "c"), "annotations a, b, c"),
        (tuple("abcd"), "annotations a, b, c and 1 more"),
        (tuple("abcde"), "annotations a, b, c and 2 more"),
    ],
)
def test_what_is_missing_is_named(missing: tuple[str, ...], lack: str) -> None:
    """The first three by name."""
    assert AnnotationsCompared(5, missing).lack == lack
    there = "annotations with other content at the new key: x"
    assert AnnotationsCompared(5, missing, ("x",)).lack == (f"{lack}; {there}" if lack else there)


@pytest.mark.parametrize("large", [True, False])
def test_another_writers_annotation_of_the_same_name_stays(*, large: bool) -> None:
    """A program labels the copies at the new key. Its labels stay, and cleanup keeps the source."""
    world = annotated(holding_large() if large else holding())
    row = listed(LARGE if large else b"bytes")
    world.migrate(row)
    world.store.annotate(TARGET, "label", b"dog")
    world.store.annotate(TARGET, "note", None)
    world.migrate(BARE_ROW)
    assert world.store.annotations(TARGET) == LABELS | {"label": b"dog"}
    assert clean(world).detail == "annotations with other content at the new key: label"
    world.store.annotate(TARGET, "label", None)
    world.migrate(BARE_ROW)
    assert clean(world).state is State.CLEANED
    assert world.store.annotations(TARGET) == LABELS
