"""The listing of every version, over the in-memory store."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from domain.objects import ListedObject, deleted_key
from tests.fakes.buckets import NULL, Buckets, Version


@dataclass(frozen=True, slots=True)
class InMemoryVersionListing:
    """VersionListing over the store's buckets."""

    buckets: Buckets

    def list_objects(self, bucket: str, *, prefix: str = "", after: str = "") -> Iterator[ListedObject]:
        """See the port."""
        for one in self.list_versions(bucket, prefix=prefix, after=after):
            if one.is_latest:
                yield deleted_key(one.key) if one.is_marker else one

    def list_versions(self, bucket: str, *, prefix: str = "", after: str = "") -> Iterator[ListedObject]:
        """See the port."""
        versions = self.buckets.bucket(bucket).versions
        for key in sorted(versions, key=str.encode):
            if key.startswith(prefix) and key.encode() > after.encode():
                for at, one in enumerate(reversed(versions[key])):
                    yield _listed(key, one, is_latest=at == 0)


def _listed(key: str, version: Version, *, is_latest: bool) -> ListedObject:
    state = version.state
    version_id = version.version_id if version.version_id != NULL else None
    if state is None:
        moment = float(version.marked)
        return replace(deleted_key(key), version_id=version_id, last_modified=moment, is_latest=is_latest)
    return ListedObject(
        key,
        state.etag,
        state.size,
        state.storage_class,
        version_id=version_id,
        last_modified=float(state.last_modified),
        is_latest=is_latest,
    )
