"""A bucket's keys with the oldest version of each, and the numbers of versions and delete markers."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from domain.errors import UnavailableError

NO_VERSION = "null"
"""The version id of an object written while the bucket kept no versions; the next write replaces it without a trace."""

_Page = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StoredKey:
    """One key; ``oldest`` is its oldest version's id, ``None`` where only delete markers are left.

    ``stored_at`` is S3's date of that version, in seconds since 1970.
    """

    key: str
    oldest: str | None = None
    stored_at: float = 0.0
    versions: int = 0
    markers: int = 0


def stored_keys(
    list_versions: Callable[[_Page], _Page], bucket: str, *, prefix: str, after: str = ""
) -> Iterator[StoredKey]:
    """Every key with the prefix after ``after``, in order, its versions and markers counted across pages.

    S3 lists keys in order and a key's versions newest first. Raises UnavailableError where a server's pages do not
    advance, because the listing would never end.
    """
    page: dict[str, Any] = {"Bucket": bucket, "Prefix": prefix} | ({"KeyMarker": after} if after else {})
    held: StoredKey | None = None
    while True:
        answer = list_versions(page)
        for key, version in _entries(answer):
            if key <= after:  # servers differ in whether a marker's own key comes again
                continue
            if held is not None and held.key != key:
                yield held
                held = None
            held = _with(held or StoredKey(key), version)
        if not answer.get("IsTruncated"):
            break
        following = _following(answer)
        if following == {name: page.get(name) for name in following}:
            raise UnavailableError(f"ListObjectVersions of s3://{bucket}/{prefix} repeats a page")
        page = {"Bucket": bucket, "Prefix": prefix} | following
    if held is not None:
        yield held


def _following(answer: _Page) -> dict[str, Any]:
    following: dict[str, Any] = {"KeyMarker": answer["NextKeyMarker"]}
    if answer.get("NextVersionIdMarker"):
        following["VersionIdMarker"] = answer["NextVersionIdMarker"]
    return following


def _entries(answer: _Page) -> list[tuple[str, Mapping[str, Any] | None]]:
    """A page's versions by their keys, delete markers without one; a key's versions stay in their order."""
    entries = [(one["Key"], one) for one in answer.get("Versions", [])]
    return sorted([*entries, *((one["Key"], None) for one in answer.get("DeleteMarkers", []))], key=lambda one: one[0])


def _with(held: StoredKey, version: Mapping[str, Any] | None) -> StoredKey:
    if version is None:
        return replace(held, markers=held.markers + 1)
    stored_at = version["LastModified"].timestamp()
    return replace(held, oldest=version["VersionId"], stored_at=stored_at, versions=held.versions + 1)
