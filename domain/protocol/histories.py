"""Compare the earlier versions of a source with those of its target (protocol.md §12)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from domain.keys import Location
from domain.objects import is_digest, same_bytes
from domain.protocol.ports import ObjectStore, StoredVersion, VersionHistory
from domain.protocol.record import Origin, Record, State

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class VersionsCompared:
    """How many earlier versions and delete markers a source has, and the ids of those that its target lacks."""

    count: int = 0
    absent: tuple[str, ...] = ()

    @property
    def lack(self) -> str:
        """What the target lacks, for people; empty where it lacks nothing."""
        more = len(self.absent) - _SHOWN
        named = ", ".join(self.absent[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
        return f"earlier versions {named}" if self.absent else ""


def compare_histories(record: Record, history: VersionHistory | None, store: ObjectStore) -> VersionsCompared | None:
    """Which of the source's earlier versions the target lacks, in the source's order.

    ``None`` where they were not looked at: only current versions are carried, or nothing was copied, or keyshift
    adopted the target, whose history is another writer's. The target may have more versions.
    """
    is_compared = record.state in (State.COPIED, State.TOMBSTONE) and record.origin is not Origin.ADOPTED
    if history is None or not is_compared:
        return None
    earlier = list(hiding(_earlier(history.list_versions(record.source), record)))
    if not earlier:
        return VersionsCompared()
    there = iter(_matching(earlier, history.list_versions(record.target), record, store))
    return VersionsCompared(len(earlier), tuple(one.version_id for one in there))


def hiding(versions: Sequence[StoredVersion]) -> Iterator[StoredVersion]:
    """Without the delete markers under which no version is current."""
    is_there = False
    for version in versions:
        if is_there or not version.is_marker:
            yield version
        is_there = not version.is_marker


def _earlier(versions: Sequence[StoredVersion], record: Record) -> Sequence[StoredVersion]:
    """The versions before the copied one; of a source that its producer deleted, that one and its marker too."""
    if record.state is State.TOMBSTONE:
        return versions
    copied = record.source_version or "null"
    at = next((at for at, one in enumerate(versions) if one.version_id == copied), len(versions) - 1)
    return versions[: max(0, at)]


def _matching(
    earlier: Sequence[StoredVersion], there: Sequence[StoredVersion], record: Record, store: ObjectStore
) -> Iterator[StoredVersion]:
    """Those of ``earlier`` that are not among ``there`` in this order."""
    begin = 0
    for version in earlier:
        same = (
            at
            for at in range(begin, len(there))
            if _is_copy(version, there[at], source=record.source, target=record.target, store=store)
        )
        found = next(same, None)
        if found is None:
            yield version
        else:
            begin = found + 1


def _is_copy(
    version: StoredVersion, other: StoredVersion, *, source: Location, target: Location, store: ObjectStore
) -> bool:
    """Whether nothing that S3 says of both contradicts that the other is a copy; bytes are not read."""
    if version.is_marker or other.is_marker or version.size != other.size:
        return version.is_marker and other.is_marker
    if version.etag == other.etag or not (is_digest(version.etag) and is_digest(other.etag)):
        return True
    # Under a KMS key etags are not digests. A list does not tell of the key, HEAD of both versions does.
    one = store.look_at_object(source, version_id=version.version_id)
    copy = store.look_at_object(target, version_id=other.version_id)
    if one is None or copy is None:
        return False
    return same_bytes(one, copy) or not (one.etag_is_digest and copy.etag_is_digest)
