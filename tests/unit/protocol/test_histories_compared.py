"""Whether one version is a copy of another, by what S3 lists of both and, where that does not tell, by HEAD."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from domain.keys import Location
from domain.objects import Encryption, ObjectState
from domain.protocol.histories import VersionsCompared, compare_histories
from domain.protocol.ports import StoredVersion
from domain.protocol.record import Record, State

SOURCE, TARGET = Location("b", "old/k"), Location("b", "new/k")
A, B, IN_PARTS = "a" * 32, "b" * 32, "c" * 32 + "-2"
KMS = Encryption("aws:kms", "key")
NOW = StoredVersion("now", 9, A, 1)
MARKER = StoredVersion("m", 1, is_marker=True)


@dataclass
class Listed:
    """Two histories, and what HEAD says of their versions."""

    versions: Mapping[Location, Sequence[StoredVersion]]
    objects: Mapping[tuple[Location, str], ObjectState] = field(default_factory=dict)
    looks: list[tuple[Location, str | None]] = field(default_factory=list)

    def list_versions(self, location: Location, *, since: str | None = None) -> Sequence[StoredVersion]:
        """See the port."""
        assert since is None
        return self.versions[location]

    def look_at_object(self, location: Location, *, version_id: str | None = None, **_: object) -> ObjectState | None:
        """See the port."""
        self.looks.append((location, version_id))
        return self.objects.get((location, version_id or ""))


def compared(listed: Listed, *, state: State = State.COPIED, version: str | None = "now") -> VersionsCompared | None:
    """Of a record in this state, whose copy is of that version."""
    store: Any = listed
    return compare_histories(Record(SOURCE, TARGET, state=state, source_version=version), listed, store)


def one_version(version: StoredVersion, other: StoredVersion, **objects: ObjectState) -> tuple[bool, int]:
    """Whether the target's one earlier version is taken for a copy, and how many requests that took."""
    named = {"one": (SOURCE, version.version_id), "copy": (TARGET, other.version_id)}
    sides = {SOURCE: (version, NOW), TARGET: (other, NOW)}
    listed = Listed(sides, {named[side]: state for side, state in objects.items()})
    found = compared(listed)
    assert found is not None
    assert found.count == 1
    return not found.absent, len(listed.looks)


@pytest.mark.parametrize(
    ("version", "other", "is_copy"),
    [
        (StoredVersion("1", 1, A, 0), MARKER, False),
        (StoredVersion("1", 1, "", 0), MARKER, False),
        (StoredVersion("1", 1, IN_PARTS, 2), StoredVersion("2", 1, A, 3), False),
        (StoredVersion("1", 1, A, 2), StoredVersion("2", 1, A, 2), True),
        (StoredVersion("1", 1, IN_PARTS, 2), StoredVersion("2", 1, A, 2), True),
        (StoredVersion("1", 1, A, 2), StoredVersion("2", 1, IN_PARTS, 2), True),
    ],
)
def test_what_lists_say_is_enough(version: StoredVersion, other: StoredVersion, *, is_copy: bool) -> None:
    """A marker is a copy of markers only; sizes and equal etags tell; an etag of parts says nothing of the bytes."""
    assert one_version(version, other) == (is_copy, 0)


@pytest.mark.parametrize(
    ("objects", "is_copy"),
    [
        ({"one": ObjectState(A, 2), "copy": ObjectState(B, 2)}, False),
        ({"one": ObjectState(A, 2, encryption=KMS), "copy": ObjectState(B, 2)}, True),
        ({"one": ObjectState(A, 2), "copy": ObjectState(B, 2, encryption=KMS)}, True),
        ({"one": ObjectState(A, 2)}, False),
        ({"copy": ObjectState(B, 2)}, False),
        (
            {
                "one": ObjectState(A, 2, checksums={"SHA256": "x"}, full_checksums=True),
                "copy": ObjectState(B, 2, checksums={"SHA256": "x"}, full_checksums=True),
            },
            True,
        ),
    ],
)
def test_other_etags_are_looked_at(objects: Mapping[str, ObjectState], *, is_copy: bool) -> None:
    """HEAD of both versions tells of keys and checksums; a version that is gone is a copy of nothing."""
    answer = one_version(StoredVersion("1", 1, A, 2), StoredVersion("2", 1, B, 2), **objects)
    assert answer == (is_copy, 2)


def test_only_versions_before_the_copied_one_are_compared() -> None:
    """Also where it was written without versioning; a copied version that the list lacks counts as the newest."""
    versions = (StoredVersion("1", 1, A, 1), StoredVersion("null", 2, B, 1), StoredVersion("3", 3, A, 5))
    listed = Listed({SOURCE: versions, TARGET: ()})
    assert compared(listed, version=None) == VersionsCompared(1, ("1",))
    assert compared(listed, version="1") == VersionsCompared()
    assert compared(listed, version="3") == VersionsCompared(2, ("1", "null"))
    assert compared(listed, version="gone") == VersionsCompared(2, ("1", "null"))


def test_a_version_is_the_copy_of_one_only() -> None:
    """Two equal versions need two copies."""
    versions = (StoredVersion("1", 1, A, 1), StoredVersion("2", 2, A, 1), NOW)
    assert compared(Listed({SOURCE: versions, TARGET: (StoredVersion("4", 4, A, 1),)})) == VersionsCompared(2, ("2",))


@pytest.mark.parametrize("state", [state for state in State if state not in (State.COPIED, State.TOMBSTONE)])
def test_what_was_not_copied_has_no_history_to_compare(state: State) -> None:
    """Nothing is listed."""
    assert compared(Listed({}), state=state) is None


def test_exactly_three_are_all_named() -> None:
    """None is left to be counted."""
    assert VersionsCompared(3, tuple("abc")).lack == "earlier versions a, b, c"
    assert VersionsCompared(4, tuple("abcd")).lack == "earlier versions a, b, c and 1 more"


def test_a_marker_is_not_a_copy_of_an_empty_object() -> None:
    """Both have the size 0; the delete between two versions is what the target lacks."""
    versions, empty = (StoredVersion("1", 1, A, 1), replace(MARKER, version_id="2"), NOW), StoredVersion("4", 4, A, 0)
    found = compared(Listed({SOURCE: versions, TARGET: (StoredVersion("3", 3, A, 1), empty)}))
    assert found == VersionsCompared(2, ("2",))


def test_a_marker_before_the_first_version_is_not_compared() -> None:
    """It hides nothing, and is not carried."""
    assert compared(Listed({SOURCE: (MARKER, NOW), TARGET: ()})) == VersionsCompared()
