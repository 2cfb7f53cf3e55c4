"""S3's annotations of objects: list, read and put them."""

from typing import Any

from botocore.exceptions import ClientError

from adapters.aws.clients import AwsClients, sending_before
from adapters.aws.errors import accepting, error_code, translated
from adapters.s3.requests import ABSENT, NOT_ALLOWED, NOT_OFFERED, PRECONDITION, Owners, place, quoted, unquoted
from domain.errors import RefusedRequestError
from domain.keys import Location
from domain.protocol.annotations import Annotation, Annotations

PROBE = "keyshift.known"
"""The name of an annotation that no object has."""
_NO_ANNOTATION = "NoSuchAnnotation"
_UNKNOWN = NOT_ALLOWED | NOT_OFFERED
_NOT_THERE = ABSENT | NOT_ALLOWED
"""A version that is a delete marker is answered with 405."""


class S3AnnotationStore:
    """AnnotationStore on S3; ``owners`` contains the accounts that buckets must belong to."""

    def __init__(self, clients: AwsClients, *, owners: Owners | None = None) -> None:
        self._reads = clients.s3
        self._once = clients.s3_once
        self._owners = owners or Owners()
        self._known: dict[str, bool] = {}
        """Whether a bucket's server has annotations."""

    def list_annotations(self, location: Location, *, version_id: str | None = None) -> Annotations | None:
        """See the port."""
        if not self._is_there(location, version_id):
            return None
        found: dict[str, Annotation] = {}
        page = self._at(location, version_id)
        while True:
            with translated("ListObjectAnnotations", location.uri):
                try:
                    answer = self._reads.list_object_annotations(**page)
                except ClientError as error:
                    if error_code(error) in _NOT_THERE:
                        return None
                    raise
            found |= {
                one["AnnotationName"]: Annotation(one["Size"], unquoted(one.get("ETag", "")))
                for one in answer.get("Annotations", [])
            }
            if not answer.get("NextContinuationToken"):
                return found
            page |= {"ContinuationToken": answer["NextContinuationToken"]}

    def read_annotation(self, location: Location, name: str, *, version_id: str | None = None) -> bytes | None:
        """See the port."""
        with translated("GetObjectAnnotation", location.uri), accepting(*_NOT_THERE, _NO_ANNOTATION):
            answer = self._reads.get_object_annotation(
                **self._at(location, version_id), AnnotationName=name, ChecksumMode="ENABLED"
            )
            return answer["AnnotationPayload"].read()
        return None

    def put_annotation(
        self, location: Location, name: str, payload: bytes, *, if_match: str, send_before: float
    ) -> bool:
        """See the port."""
        parameters = self._at(location) | {"AnnotationName": name, "AnnotationPayload": payload}
        action = translated("PutObjectAnnotation", location.uri)
        with action, sending_before(send_before), accepting(*ABSENT, *PRECONDITION):
            self._once.put_object_annotation(**parameters, ObjectIfMatch=quoted(if_match))
            return True
        return False

    def _is_there(self, location: Location, version_id: str | None) -> bool:
        """Whether the object exists; RefusedRequestError where its server has no annotations.

        A server that does not know the query answers with the object itself, however large. botocore reads the whole
        answer to ListObjectAnnotations, and that to GetObjectAnnotation only when asked. So a bucket's first request
        is for an annotation that no object has.
        """
        if location.bucket not in self._known:
            with translated("GetObjectAnnotation", location.uri):
                try:
                    answer = self._reads.get_object_annotation(**self._at(location, version_id), AnnotationName=PROBE)
                    answer["AnnotationPayload"].close()
                    self._known[location.bucket] = False
                except ClientError as error:
                    code = error_code(error)
                    if code in ABSENT or (version_id and code in NOT_ALLOWED):
                        return False
                    if code not in _UNKNOWN | {_NO_ANNOTATION}:
                        raise
                    self._known[location.bucket] = code == _NO_ANNOTATION
        if not self._known[location.bucket]:
            raise RefusedRequestError(
                f"{location.uri}: its server has no annotations, so whether the object has any cannot be known; if none"
                " has, write `annotations: none` under `source` in the rules file"
            )
        return True

    def _at(self, location: Location, version_id: str | None = None) -> dict[str, Any]:
        return place(location) | self._owners.of(location) | ({"VersionId": version_id} if version_id else {})
