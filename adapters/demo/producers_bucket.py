"""S3 as producers use it: plain writes, deletes and whole reads, for the demo and its checker."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote, urlencode

from adapters.aws.clients import AwsClients
from adapters.aws.errors import accepting, translated
from adapters.s3.requests import ABSENT, object_state, place
from domain.keys import Location
from domain.objects import ObjectState
from domain.protocol.parts import MIN_PART_BYTES


class S3ProducersBucket:
    """A producer's view of S3; a migration does not use it."""

    def __init__(self, clients: AwsClients) -> None:
        self._client: Any = clients.s3

    def put_object(  # noqa: PLR0913  # the properties of an object
        self,
        location: Location,
        *,
        body: bytes,
        metadata: Mapping[str, str],
        tags: Mapping[str, str],
        content_type: str,
        cache_control: str | None = None,
        in_parts: bool = False,
    ) -> None:
        """Write the object, in parts when asked to: its etag is then not a digest of its bytes."""
        about: dict[str, Any] = {"Metadata": dict(metadata), "ContentType": content_type}
        about |= {"CacheControl": cache_control} if cache_control else {}
        about |= {"Tagging": urlencode(tags, quote_via=quote)} if tags else {}
        with translated("PutObject", location.uri):
            if in_parts:
                self._put_parts(location, body, about)
            else:
                self._client.put_object(**place(location), Body=body, **about)

    def _put_parts(self, location: Location, body: bytes, about: Mapping[str, Any]) -> None:
        upload = {
            **place(location),
            "UploadId": self._client.create_multipart_upload(**place(location), **about)["UploadId"],
        }
        parts = []
        for number, first in enumerate(range(0, len(body), MIN_PART_BYTES), start=1):
            part = body[first : first + MIN_PART_BYTES]
            answer = self._client.upload_part(**upload, PartNumber=number, Body=part)
            parts.append({"PartNumber": number, "ETag": answer["ETag"]})
        self._client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})

    def delete_object(self, location: Location) -> None:
        """Delete the object; no error when it is not there."""
        with translated("DeleteObject", location.uri):
            self._client.delete_object(**place(location))

    def read_object(self, location: Location) -> tuple[bytes, ObjectState] | None:
        """The whole object with its tags; ``None`` when it is not there."""
        with translated("GetObject", location.uri), accepting(*ABSENT):
            answer = self._client.get_object(**place(location))
            body = answer["Body"].read()
            tags = self._client.get_object_tagging(**place(location))["TagSet"]
            return body, replace(object_state(answer), tags={tag["Key"]: tag["Value"] for tag in tags})
        return None
