"""ListObjectsV2, and uploads that were not completed."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote_plus

from adapters.aws.clients import AwsClients
from adapters.aws.errors import translated
from adapters.s3.requests import Owners, unquoted
from domain.keys import Location
from domain.objects import ListedObject


class S3ObjectListing:
    """ObjectListing on S3."""

    def __init__(self, clients: AwsClients, *, owners: Owners | None = None) -> None:
        self._client = clients.s3
        self._owners = owners or Owners()

    def list_objects(self, bucket: str, *, prefix: str = "", after: str = "") -> Iterator[ListedObject]:
        """See the port; the SDK asks for URL-encoded keys and decodes them, since XML cannot carry every key."""
        page: dict[str, Any] = {"StartAfter": after} if after else {}
        while True:
            with translated("ListObjectsV2", f"s3://{bucket}/{prefix}"):
                answer = self._client.list_objects_v2(Bucket=bucket, Prefix=prefix, **page, **self._owner(bucket))
            for row in answer.get("Contents", []):
                etag = unquoted(row["ETag"])
                yield ListedObject(
                    row["Key"],
                    etag,
                    row["Size"],
                    row.get("StorageClass") or "STANDARD",
                    last_modified=row["LastModified"].timestamp(),
                )
            if not answer.get("IsTruncated"):
                return
            page = {"ContinuationToken": answer["NextContinuationToken"]}

    def list_uploads(self, bucket: str, *, prefix: str = "") -> Iterator[tuple[Location, str, float]]:
        """See the port UploadListing.

        This call returns URL-encoded keys too, but here the SDK does not decode them.
        """
        page: dict[str, Any] = {}
        while True:
            with translated("ListMultipartUploads", f"s3://{bucket}/{prefix}"):
                answer = self._client.list_multipart_uploads(
                    Bucket=bucket, Prefix=prefix, EncodingType="url", **page, **self._owner(bucket)
                )
            decoded = unquote_plus if answer.get("EncodingType") == "url" else str
            for upload in answer.get("Uploads", []):
                yield Location(bucket, decoded(upload["Key"])), upload["UploadId"], upload["Initiated"].timestamp()
            if not answer.get("IsTruncated"):
                return
            page = {"KeyMarker": decoded(answer["NextKeyMarker"]), "UploadIdMarker": answer["NextUploadIdMarker"]}

    def _owner(self, bucket: str) -> Any:
        return self._owners.of(Location(bucket, ""))
