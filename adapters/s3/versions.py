"""The pages of ListObjectVersions, and a bucket's keys with the oldest version and the number of versions of each."""

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


@dataclass(frozen=True, slots=True)
class VersionEntry:
    """One version or delete marker as S3 ``said`` it."""

    said: Mapping[str, Any]
    is_marker: bool


def stored_keys(
    list_versions: Callable[[_Page], _Page], bucket: str, *, prefix: str, after: str = ""
) -> Iterator[StoredKey]:
    """Every key with the prefix after ``after``, in order, its versions and markers counted across pages.

    S3 lists keys in order and a key's versions newest first. Raises UnavailableError where a server's pages do not
    advance, because the listing would never end.
    """
    held: StoredKey | None = None
    for key, version in version_entries(list_versions, bucket, prefix=prefix, after=after):
        if held is not None and held.key != key:
            yield held
            held = None
        held = _with(held or StoredKey(key), version)
    if held is not None:
        yield held


def version_entries(
    list_versions: Callable[[_Page], _Page], bucket: str, *, prefix: str, after: str = ""
) -> Iterator[tuple[str, VersionEntry]]:
    """Every version and delete marker with its key, in the keys' order, of one key the current one first.

    Raises UnavailableError where a server's pages do not advance.
    """
    page: dict[str, Any] = {"Bucket": bucket, "Prefix": prefix} | ({"KeyMarker": after} if after else {})
    while True:
        answer = list_versions(page)
        # Servers differ in whether a marker's own key comes again.
        yield from ((one.said["Key"], one) for one in _entries(answer) if one.said["Key"] > after)
        if not answer.get("IsTruncated"):
            return
        following = _following(answer)
        if following == {name: page.get(name) for name in following}:
            raise UnavailableError(f"ListObjectVersions of s3://{bucket}/{prefix} repeats a page")
        page = {"Bucket": bucket, "Prefix": prefix} | following


def _following(answer: _Page) -> dict[str, Any]:
    following: dict[str, Any] = {"KeyMarker": answer["NextKeyMarker"]}
    if answer.get("NextVersionIdMarker"):
        following["VersionIdMarker"] = answer["NextVersionIdMarker"]
    return following


def _entries(answer: _Page) -> list[VersionEntry]:
    """A page's versions and delete markers by their keys; S3 answers them as two lists."""
    entries = [VersionEntry(one, is_marker=False) for one in answer.get("Versions", [])]
    entries += [VersionEntry(one, is_marker=True) for one in answer.get("DeleteMarkers", [])]
    return sorted(entries, key=lambda one: (one.said["Key"], not one.said.get("IsLatest")))


def _with(held: StoredKey, entry: VersionEntry) -> StoredKey:
    if entry.is_marker:
        return replace(held, markers=held.markers + 1)
    stored_at = entry.said["LastModified"].timestamp()
    return replace(held, oldest=entry.said["VersionId"], stored_at=stored_at, versions=held.versions + 1)
