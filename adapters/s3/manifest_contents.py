"""The contents of augmented manifests, read and written as streams."""

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import IncompleteReadError as ShortBodyError
from urllib3.exceptions import HTTPError

from adapters.aws.clients import AwsClients, sending_before
from adapters.aws.errors import accepting, translated
from adapters.s3.conditional_read import ConditionalRead
from adapters.s3.requests import Owners, place, unquoted
from domain.errors import UnavailableError
from domain.keys import Location
from domain.protocol.ports import Refused, TargetObject

_BLOCK_BYTES = 1024 * 1024


class S3ManifestContents:
    """ManifestContents on S3."""

    def __init__(self, clients: AwsClients, *, owners: Owners | None = None) -> None:
        self._client = clients.s3
        self._owners = owners or Owners()

    def read_content(self, location: Location, *, etag: str) -> Iterator[bytes] | Refused:
        """See the port."""
        body = ConditionalRead(self._client, self._owners, location, etag).open_body()
        return body if isinstance(body, Refused) else self._blocks(body, location)

    def _blocks(self, body: Any, location: Location) -> Iterator[bytes]:
        try:
            yield from body.iter_chunks(_BLOCK_BYTES)
        except (HTTPError, ShortBodyError, OSError) as error:
            raise UnavailableError(f"GetObject on {location.uri}: it ended too early") from error

    def upload_part(self, target: TargetObject, *, upload_id: str, number: int, body: bytes) -> str | Refused:
        """See the port."""
        uri = f"{target.location.uri} (part {number})"
        with translated("UploadPart", uri), sending_before(target.send_before), accepting("NoSuchUpload"):
            parameters: Any = place(target.location) | self._owners.of(target.location)
            parameters |= {"UploadId": upload_id, "PartNumber": number, "Body": body, "ChecksumAlgorithm": "CRC32"}
            return unquoted(self._client.upload_part(**parameters)["ETag"])
        return Refused.CONCURRENT
