"""Whether a bucket exists: HEAD has no body, so a 404 does not show whether the key or the bucket is missing."""

from typing import Any

from botocore.exceptions import ClientError

from adapters.aws.clients import AwsClients
from adapters.aws.errors import error_code, translated
from adapters.s3.requests import Owners
from domain.errors import MissingResourceError
from domain.keys import Location

_KNOWN_SECONDS = 60.0


class KnownBuckets:
    """Buckets that one process has read a short while ago."""

    def __init__(self, clients: AwsClients, owners: Owners) -> None:
        self._client = clients.s3
        self._monotonic = clients.monotonic
        self._owners = owners
        self._seen: dict[str, float] = {}

    def require(self, location: Location) -> None:
        """Raise MissingResourceError where the location's bucket does not exist, so that an absent key is certain."""
        seen_at = self._seen.get(location.bucket)
        if seen_at is not None and self._monotonic() - seen_at < _KNOWN_SECONDS:
            return
        owner: dict[str, Any] = self._owners.of_settings(location.bucket)
        with translated("HeadBucket", f"s3://{location.bucket}"):
            try:
                self._client.head_bucket(Bucket=location.bucket, **owner)
            except ClientError as error:
                if error_code(error) in ("404", "NoSuchBucket"):
                    raise MissingResourceError(
                        f"The bucket {location.bucket} does not exist; create it, or correct its name"
                    ) from error
                raise
        self._seen[location.bucket] = self._monotonic()
