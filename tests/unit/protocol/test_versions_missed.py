"""``versions: all``: which versions are missed, and when they may be carried, by each condition alone."""

from dataclasses import replace
from typing import Any

import pytest

from domain.keys import Location
from domain.objects import ObjectState
from domain.protocol.causes import Cause
from domain.protocol.decisions import CarryVersions, Copy, CopyHidden, Decision, DeleteTarget, Settle, Sight
from domain.protocol.intents import Action, Intent
from domain.protocol.ports import HiddenVersion, MustBeAbsent, MustMatch, StoredVersion
from domain.protocol.record import Origin, Record, State
from domain.protocol.versions import carried_versions, carry_first, missed_versions

SOURCE, TARGET = Location("b", "old/k"), Location("b", "new/k")
NEW = Record(SOURCE, TARGET)
COPIED = replace(
    NEW,
    state=State.COPIED,
    source_etag="a",
    source_version="v2",
    source_modified=20,
    target_etag="a",
    target_version="t",
)
OURS = ObjectState("a", 1, version_id="t", last_modified=30)
THEIRS = ObjectState("x", 1, version_id="u", last_modified=31)
NOW = ObjectState("c", 1, version_id="v4", last_modified=40)
V1, V2, V3, V4 = (StoredVersion(f"v{number}", 10 * number, "a", 1) for number in (1, 2, 3, 4))
ALL = (V1, V2, V3, V4)
SETTLED = Settle(State.COPIED)
SENT = Intent(Action.COPY, etag="a", version_id="v3", target_etag="a")
REFUSED = replace(SENT, is_refused=True)
DONE = Intent(Action.DELETE_SOURCE, etag="a")


def marker(name: str, at: int) -> StoredVersion:
    """A delete marker."""
    return StoredVersion(name, at, is_marker=True)


def sight(record: Record = COPIED, target: ObjectState | None = OURS, **more: Any) -> Sight:
    """Both keys of a source with four versions, the second of which is at the target."""
    known: dict[str, Any] = {"record": record, "source": NOW, "target": target, "versions": ALL}
    return Sight(**(known | more))


def ids(seen: Sight) -> list[str]:
    """The missed versions."""
    return [one.version_id for one in missed_versions(seen)]


# Which version is at the target.


@pytest.mark.parametrize(
    ("record", "target", "carried"),
    [
        (COPIED, OURS, {"v2"}),
        (COPIED, None, {"v2"}),
        (NEW, None, set()),
        (NEW, OURS, set()),
        (replace(NEW, maybe=frozenset({SENT})), OURS, {"v3"}),
        (replace(NEW, maybe=frozenset({SENT, replace(SENT, version_id="v4")})), OURS, {"v3", "v4"}),
        (replace(NEW, maybe=frozenset({SENT, replace(SENT, version_id="v4", target_etag="b")})), OURS, {"v3"}),
        (replace(NEW, maybe=frozenset({SENT, replace(SENT, action=Action.REWRITE, version_id="v4")})), OURS, {"v3"}),
        (replace(NEW, maybe=frozenset({replace(SENT, version_id="")})), OURS, set()),
        (replace(COPIED, maybe=frozenset({SENT})), OURS, {"v2"}),
        (replace(COPIED, maybe=frozenset({SENT})), THEIRS, {"v2"}),
        (replace(COPIED, maybe=frozenset({SENT})), None, {"v2"}),
    ],
)
def test_the_carried_version(record: Record, target: ObjectState | None, carried: set[str]) -> None:
    """The recorded one, else those whose copies may have written the target."""
    assert carried_versions(record, target) == carried


# What is missed.


def test_what_lies_between_the_carried_version_and_the_source_is_missed() -> None:
    """Neither of the two is."""
    assert ids(sight()) == ["v3"]
    assert ids(sight(source=replace(NOW, version_id="v3"))) == []


def test_of_a_new_object_everything_before_the_source_is_missed() -> None:
    """Nothing is known to be carried."""
    assert ids(sight(NEW, None)) == ["v1", "v2", "v3"]


def test_a_source_that_was_deleted_for_good_since_it_was_seen_ends_the_history_one_before_the_last() -> None:
    """The last one that is listed comes as the source itself in the next look."""
    assert ids(sight(source=replace(NOW, version_id="gone"))) == ["v3"]
    assert ids(sight(source=replace(NOW, version_id="gone"), versions=(V1, V2))) == []
    assert ids(sight(NEW, None, source=replace(NOW, version_id="gone"), versions=(V1,))) == []


def test_a_source_without_a_version_id_is_the_null_version() -> None:
    """It was written before versioning, or while it was suspended."""
    null = replace(V4, version_id="null")
    assert ids(sight(source=replace(NOW, version_id=None), versions=(V1, V2, V3, null))) == ["v3"]
    assert ids(sight(source=replace(NOW, version_id=None), versions=(V1, V2, null, V4))) == []


def test_without_a_source_the_marker_on_top_is_missed_too() -> None:
    """It is the producer's delete."""
    seen = sight(source=None, versions=(V1, V2, V3, marker("m", 40)))
    assert ids(seen) == ["v3", "m"]


@pytest.mark.parametrize(
    ("changes", "missed"),
    [
        ({}, ["v4"]),
        ({"source_modified": None}, ["v4"]),  # the copy's date, 30, stands for it
        ({"source_modified": 30}, ["v4"]),
        ({"source_modified": 40}, []),
        ({"source_modified": 39}, ["v4"]),
    ],
)
def test_where_the_carried_version_is_gone_its_date_tells(changes: dict[str, Any], missed: list[str]) -> None:
    """A lifecycle rule or cleanup deleted it for good."""
    record = replace(COPIED, **({"source_modified": 30} | changes))
    assert ids(sight(record, source=None, versions=(V1, V3, V4))) == missed


def test_without_any_date_nothing_is_missed() -> None:
    """The record names a version that is gone, its date is unknown, and there is no copy."""
    assert ids(sight(replace(COPIED, source_modified=None), None, source=None, versions=(V1, V3))) == []


@pytest.mark.parametrize(
    ("record", "target", "missed"),
    [
        (NEW, None, ["v1", "v3", "v4"]),
        (NEW, THEIRS, ["v1", "v3", "v4"]),
        (replace(NEW, source_modified=35), None, ["v4"]),
        (replace(NEW, source_etag="a"), None, []),
        (replace(NEW, target_etag="a", target_version="t"), OURS, ["v4"]),
        (replace(NEW, source_version="v2"), None, []),
    ],
)
def test_everything_is_missed_only_where_nothing_was_ever_carried(
    record: Record, target: ObjectState | None, missed: list[str]
) -> None:
    """Neither a version nor an etag nor a date is recorded, and the target is not keyshift's."""
    assert ids(sight(record, target, source=None, versions=(V1, V3, V4))) == missed


@pytest.mark.parametrize(
    ("changes", "missed"),
    [
        ({"marker_version": "m"}, []),
        ({"marker_version": "other"}, ["m"]),
        ({"maybe": frozenset({DONE})}, []),
        ({"state": State.CLEANED}, []),
        ({"cleaned_etag": "a"}, []),
        ({}, ["m"]),
        ({"marker_version": "other", "state": State.CLEANED}, ["m"]),
    ],
)
def test_cleanups_own_marker_is_not_missed(changes: dict[str, Any], missed: list[str]) -> None:
    """By its id; where the id was never answered, it is the marker right after the carried version."""
    assert ids(sight(replace(COPIED, **changes), source=None, versions=(V1, V2, marker("m", 30)))) == missed


def test_only_one_marker_without_a_known_id_is_cleanups() -> None:
    """What comes after it is the producer's."""
    record = replace(COPIED, state=State.CLEANED)
    later = (V1, V2, marker("m", 25), V3, marker("n", 35))
    assert ids(sight(record, source=None, versions=later)) == ["v3", "n"]
    assert ids(sight(record, source=None, versions=(V1, V2, V3, V4))) == ["v3", "v4"]


ADOPTED = replace(COPIED, origin=Origin.ADOPTED)


@pytest.mark.parametrize(
    ("record", "target", "more", "missed"),
    [
        (COPIED, OURS, {}, ["m", "v3", "n"]),
        (COPIED, None, {}, ["v3", "n"]),
        (COPIED, THEIRS, {}, ["v3", "n"]),
        (COPIED, OURS, {"mirror_deletes": False}, ["v3"]),
        (ADOPTED, OURS, {}, ["v3", "n"]),
        (ADOPTED, OURS, {"mirror_adopted": True}, ["m", "v3", "n"]),
        (ADOPTED, OURS, {"mirror_adopted": True, "mirror_deletes": False}, ["v3"]),
    ],
)
def test_a_marker_is_carried_only_where_it_hides_what_keyshift_may_hide(
    record: Record, target: ObjectState | None, more: dict[str, Any], missed: list[str]
) -> None:
    """After a version has been carried, the target is keyshift's own."""
    history = (V1, V2, marker("m", 25), V3, marker("n", 35))
    assert ids(sight(record, target, source=None, versions=history, **more)) == missed


# What comes first.


@pytest.mark.parametrize("decision", [Copy(NOW, MustBeAbsent()), Copy(NOW, MustMatch("a")), DeleteTarget("a"), SETTLED])
def test_missed_versions_come_before_what_writes_or_keeps_the_target(decision: Decision) -> None:
    """On the condition that the target is what was seen."""
    assert carry_first(decision, sight()) == CarryVersions((V3,), MustMatch("a"))
    assert carry_first(decision, sight(target=None)) == CarryVersions((V3,), MustBeAbsent())


@pytest.mark.parametrize(
    ("decision", "more"),
    [
        (SETTLED, {"versions": None}),
        (SETTLED, {"versions": None, "source": replace(NOW, version_id="v9", last_modified=90)}),
        (Settle(State.CLEANED), {}),
        (Settle(State.CLEANED), {"target": None}),
        (Settle(State.CONFLICT, Cause.TARGET_FOREIGN), {}),
        (Settle(State.CONFLICT, Cause.COPY_DELETED), {"target": None}),
        (SETTLED, {"record": replace(COPIED, state=State.CONFLICT)}),
        (SETTLED, {"record": replace(COPIED, state=State.CONFLICT), "target": None}),
        (SETTLED, {"target": THEIRS}),
        (CopyHidden(HiddenVersion("v3", "a", 30), MustMatch("a")), {}),
        (CopyHidden(HiddenVersion("v3", "a", 30), MustMatch("a")), {"target": None}),
    ],
)
def test_nothing_comes_first_where_the_target_is_not_keyshifts_to_write(
    decision: Decision, more: dict[str, Any]
) -> None:
    """Also where versions are not carried at all, and in a cleanup."""
    assert carry_first(decision, sight(**more)) is decision


@pytest.mark.parametrize(
    ("source", "is_carried"),
    [
        (replace(NOW, version_id="v5"), True),  # the refused copy was of an earlier version
        (replace(NOW, etag="a", version_id="v3"), False),  # it equals the source, so another writer may have put it
        (None, False),
    ],
)
def test_a_copy_that_was_refused_and_may_exist_is_replaced_only_by_a_later_version(
    source: ObjectState | None, *, is_carried: bool
) -> None:
    """Row 8 of the decisions, with what lies between."""
    record = replace(NEW, maybe=frozenset({REFUSED}))
    later = (*ALL, StoredVersion("v5", 50, "b", 1), StoredVersion("v6", 60, "b", 1))
    first = carry_first(SETTLED, sight(record, OURS, source=source, versions=later))
    assert isinstance(first, CarryVersions) == is_carried


# The same bytes put again.

SAME = replace(NOW, etag="a", version_id="v3", last_modified=30)
UP_TO_DATE = (V1, V2, V3)


def test_the_same_bytes_put_again_are_copied_as_a_version_of_their_own() -> None:
    """Nothing lies between the two."""
    assert carry_first(SETTLED, sight(source=SAME, versions=UP_TO_DATE)) == Copy(SAME, MustMatch("a"))


@pytest.mark.parametrize(
    ("decision", "more"),
    [
        (SETTLED, {"source": replace(SAME, version_id="v2")}),
        (SETTLED, {"record": replace(COPIED, source_version="null"), "source": replace(SAME, version_id=None)}),
        (SETTLED, {"target": THEIRS}),
        (SETTLED, {"target": None}),
        (SETTLED, {"source": None}),
        (Settle(State.GONE), {}),
        (DeleteTarget("a"), {}),
    ],
)
def test_otherwise_the_record_is_settled(decision: Decision, more: dict[str, Any]) -> None:
    """The source is what was copied, the target is not keyshift's, or one of the two is absent."""
    null = StoredVersion("null", 30, "a", 1)
    versions = (
        (V1, V2, null) if "record" in more else UP_TO_DATE[:2] if more.get("source", SAME) is None else UP_TO_DATE
    )
    assert carry_first(decision, sight(**({"source": SAME, "versions": versions} | more))) is decision


@pytest.mark.parametrize(("modified", "is_later"), [(30, True), (20, False), (10, False)])
def test_where_cleanup_deleted_the_carried_version_the_date_tells_whether_it_was_put_again(
    modified: int, *, is_later: bool
) -> None:
    """The record names no version then."""
    record = replace(COPIED, source_version=None)
    source = replace(SAME, last_modified=modified)
    found = carry_first(SETTLED, sight(record, source=source, versions=(replace(V3, last_modified=modified),)))
    assert found == (Copy(source, MustMatch("a")) if is_later else SETTLED)


def test_what_is_only_doubted_is_not_put_again_by_its_date() -> None:
    """A target that is not known may be another writer's, of the same bytes."""
    record = replace(NEW, source_etag="a", source_modified=5, maybe=frozenset({replace(REFUSED, version_id="")}))
    source = replace(SAME, etag="b")
    assert carry_first(SETTLED, sight(record, OURS, source=source, versions=(V3,))) is SETTLED
