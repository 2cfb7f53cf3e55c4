"""Reads objects from end to end, a piece at a time, for verification."""

from hashlib import sha256
from typing import Any

from botocore.exceptions import ClientError

from adapters.aws.clients import AwsClients
from adapters.aws.errors import error_code, translated
from adapters.s3.requests import ABSENT, PRECONDITION, Owners, place, quoted
from domain.errors import UnavailableError
from domain.keys import Location
from domain.objects import ObjectState

_CHUNK = 1024 * 1024
_RANGE = 64 * 1024 * 1024
"""Each request asks for so much, so that a broken connection costs no more than this."""


class S3ByteReader:
    """ByteReader on S3: ranged reads, each on the condition that the object is still the one that was seen."""

    def __init__(self, clients: AwsClients, *, owners: Owners | None = None) -> None:
        self._client = clients.s3
        self._owners = owners or Owners()

    def digest_object(self, location: Location, *, seen: ObjectState) -> str | None:
        """See the port; memory does not grow with the object."""
        digest = sha256()
        wanted: dict[str, Any] = place(location) | self._owners.of(location) | {"IfMatch": quoted(seen.etag)}
        wanted |= {"VersionId": seen.version_id} if seen.version_id else {}
        for first in range(0, seen.size, _RANGE):
            last = min(first + _RANGE, seen.size) - 1
            if not self._read(location, wanted | {"Range": f"bytes={first}-{last}"}, last - first + 1, digest):
                return None
        return digest.hexdigest()

    def _read(self, location: Location, wanted: Any, size: int, digest: Any) -> bool:
        with translated("GetObject", location.uri):
            try:
                body = self._client.get_object(**wanted)["Body"]
            except ClientError as error:
                if error_code(error) in ABSENT | PRECONDITION:
                    return False
                raise
            read = 0
            for chunk in body.iter_chunks(_CHUNK):
                digest.update(chunk)
                read += len(chunk)
        if read != size:
            raise UnavailableError(f"GetObject on {location.uri}: {read} of {size} bytes came; it is tried again")
        return True
