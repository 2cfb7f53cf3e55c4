"""Reads the bytes of one object, each time on the condition that it is still the one with the given etag."""

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from adapters.aws.errors import meaning_of, translated
from adapters.s3.requests import ABSENT, PRECONDITION, Owners, place, quoted
from domain.keys import Location
from domain.protocol.ports import Refused


@dataclass(frozen=True, slots=True)
class ConditionalRead:
    """GetObject of the object with this etag (no quotes), and of this version where one is named."""

    client: Any
    owners: Owners
    location: Location
    etag: str
    version_id: str | None = None

    def open_body(self, byte_range: tuple[int, int] | None = None) -> Any | Refused:
        """The stream of all its bytes, or of those from the first to the last of ``byte_range``, counted from 0."""
        parameters: Any = place(self.location) | self.owners.of(self.location) | {"IfMatch": quoted(self.etag)}
        if self.version_id:
            parameters["VersionId"] = self.version_id
        if byte_range is not None:
            parameters["Range"] = f"bytes={byte_range[0]}-{byte_range[1]}"
        with translated("GetObject", self.location.uri):
            try:
                return self.client.get_object(**parameters)["Body"]
            except ClientError as error:
                return meaning_of(error, {Refused.PRECONDITION: PRECONDITION, Refused.SOURCE_ABSENT: ABSENT})
