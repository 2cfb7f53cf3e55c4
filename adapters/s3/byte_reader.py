"""Reads objects from end to end, one range at a time, for verification."""

from hashlib import sha256
from typing import Any

from adapters.aws.clients import AwsClients
from adapters.aws.errors import translated
from adapters.s3.conditional_read import ConditionalRead
from adapters.s3.requests import Owners
from domain.errors import UnavailableError
from domain.keys import Location
from domain.objects import ObjectState
from domain.protocol.ports import Refused

_CHUNK = 1024 * 1024
_RANGE = 64 * 1024 * 1024
"""Bytes of one request; a broken connection costs no more than this."""


class S3ByteReader:
    """ByteReader on S3: ranged reads, each on the condition that the object is still the one that HEAD returned."""

    def __init__(self, clients: AwsClients, *, owners: Owners | None = None) -> None:
        self._client = clients.s3
        self._owners = owners or Owners()

    def digest_object(self, location: Location, *, seen: ObjectState) -> str | None:
        """See the port; memory does not grow with the object."""
        digest = sha256()
        reading = ConditionalRead(self._client, self._owners, location, seen.etag, seen.version_id)
        for first in range(0, seen.size, _RANGE):
            last = min(first + _RANGE, seen.size) - 1
            body = reading.open_body((first, last))
            if isinstance(body, Refused):
                return None
            _read(body, location, last - first + 1, digest)
        return digest.hexdigest()


def _read(body: Any, location: Location, size: int, digest: Any) -> None:
    read = 0
    with translated("GetObject", location.uri):
        for chunk in body.iter_chunks(_CHUNK):
            digest.update(chunk)
            read += len(chunk)
    if read != size:
        raise UnavailableError(f"GetObject on {location.uri}: {read} of {size} bytes came")
