"""ListObjectVersions as the listing of a migration that carries every version."""

from collections.abc import Iterator, Mapping
from typing import Any

from adapters.aws.clients import AwsClients
from adapters.aws.errors import translated
from adapters.s3.requests import Owners, unquoted
from adapters.s3.versions import NO_VERSION, VersionEntry, version_entries
from domain.keys import Location
from domain.objects import ListedObject, deleted_key


class S3VersionListing:
    """VersionListing on S3; ``at_once`` is the maximum number of versions in one answer."""

    def __init__(self, clients: AwsClients, *, owners: Owners | None = None, at_once: int = 1_000) -> None:
        self._client = clients.s3
        self._owners = owners or Owners()
        self._at_once = at_once

    def list_objects(self, bucket: str, *, prefix: str = "", after: str = "") -> Iterator[ListedObject]:
        """See the port."""
        for one in self.list_versions(bucket, prefix=prefix, after=after):
            if one.is_latest:
                yield deleted_key(one.key) if one.is_marker else one

    def list_versions(self, bucket: str, *, prefix: str = "", after: str = "") -> Iterator[ListedObject]:
        """See the port; the SDK asks for URL-encoded keys and decodes them, since XML cannot carry every key."""
        owner: Any = self._owners.of(Location(bucket, ""))

        def list_page(page: Mapping[str, Any]) -> Mapping[str, Any]:
            with translated("ListObjectVersions", f"s3://{bucket}/{prefix}"):
                answer: Mapping[str, Any] = self._client.list_object_versions(**page, **owner, MaxKeys=self._at_once)
            return answer

        for _, entry in version_entries(list_page, bucket, prefix=prefix, after=after):
            yield _listed(entry)


def _listed(entry: VersionEntry) -> ListedObject:
    said, is_latest = entry.said, bool(entry.said["IsLatest"])
    version_id = said["VersionId"] if said["VersionId"] != NO_VERSION else None
    last_modified = said["LastModified"].timestamp()
    if entry.is_marker:
        return ListedObject(
            said["Key"],
            None,
            None,
            None,
            version_id=version_id,
            last_modified=last_modified,
            is_marker=True,
            is_latest=is_latest,
        )
    return ListedObject(
        said["Key"],
        unquoted(said["ETag"]),
        said["Size"],
        said.get("StorageClass") or "STANDARD",
        version_id=version_id,
        last_modified=last_modified,
        is_latest=is_latest,
    )
