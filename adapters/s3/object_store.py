"""S3 objects: read, copy and delete on conditions."""

import random
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import ClientError
from tenacity import RetryCallState, Retrying, retry_if_result, stop_after_attempt, wait_random_exponential

from adapters.aws.clients import AwsClients, sending_before
from adapters.aws.errors import accepting, meaning_of, translated
from adapters.s3.known_buckets import KnownBuckets
from adapters.s3.requests import (
    ABSENT,
    CONFLICT,
    NOT_ALLOWED,
    NOT_OFFERED,
    PRECONDITION,
    Owners,
    copy_source,
    not_inherited,
    object_state,
    place,
    quoted,
    target_condition,
    unquoted,
)
from domain.errors import RefusedRequestError, UnavailableError
from domain.keys import Location
from domain.objects import ObjectState
from domain.protocol.ports import (
    Deleted,
    HiddenVersion,
    MustMatch,
    Refused,
    SourceObject,
    TargetObject,
    TopMarker,
    Written,
)

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ObjectVersionTypeDef

Answer = TypeVar("Answer")
_LOOKS = 4
_CONFLICT_TRIES = 4
_FIRST_WAIT = 0.1
_REFUSALS = {Refused.SOURCE_ABSENT: ABSENT, Refused.PRECONDITION: PRECONDITION, Refused.CONCURRENT: CONFLICT}


class S3ObjectStore:
    """ObjectStore on S3; ``owners`` contains the accounts that buckets must belong to.

    Without ``carries_annotations`` copies leave annotations behind, and need no permission for them.
    """

    def __init__(self, clients: AwsClients, *, owners: Owners | None = None, carries_annotations: bool = True) -> None:
        self._reads = clients.s3
        self._once = clients.s3_once
        self._owners = owners or Owners()
        self._directives = {
            "MetadataDirective": "COPY",
            "TaggingDirective": "COPY",
            "AnnotationDirective": "COPY" if carries_annotations else "EXCLUDE",
        }
        self._buckets = KnownBuckets(clients, self._owners)

    def look_at_object(
        self, location: Location, *, version_id: str | None = None, with_tags: bool = False
    ) -> ObjectState | None:
        """See the port; a 404 counts only where the bucket is known to exist, since HEAD has no body with the cause."""
        for _ in range(_LOOKS):
            answer = self._head(location, version_id)
            if answer is None:
                self._buckets.require(location)
                return None
            seen = object_state(answer)
            if not with_tags:
                return seen
            tags = self._tags(location, version_id or seen.version_id)
            # Two requests may read two objects: if the number of tags differs, or tags are not found, read again.
            if tags is not None and answer.get("TagCount", len(tags)) == len(tags):
                return replace(seen, tags=tags)
        raise UnavailableError(f"{location.uri}: it changes faster than it can be read")

    def copy_object(self, source: SourceObject, target: TargetObject, *, seen: ObjectState | None) -> Written | Refused:
        """See the port; a 409 is a refusal without effect, so the copy is tried again a few times."""
        if source.location == target.location and source.version_id is None:
            raise RefusedRequestError(f"{source.location.uri}: it cannot be copied onto itself; correct the rule")
        parameters = place(target.location) | copy_source(source) | target_condition(target)
        parameters |= self._directives | {"StorageClass": target.storage_class}
        parameters |= self._owners.of_write(target.location) | self._owners.of_source(source.location)
        if seen is not None:
            parameters |= not_inherited(seen, now=time.time())
        return _through_conflicts(lambda: self._copy(parameters, target))

    def _copy(self, parameters: dict[str, Any], target: TargetObject) -> Written | Refused:
        uri = target.location.uri
        with translated("CopyObject", uri), sending_before(target.send_before):
            try:
                answer = self._once.copy_object(**parameters)
            except ClientError as error:
                refused = meaning_of(error, _REFUSALS | {Refused.NOT_OFFERED: NOT_OFFERED})
                # With If-Match a missing target is a 404 as well, so only a read of both keys can decide.
                is_doubtful = refused is Refused.SOURCE_ABSENT and isinstance(target.condition, MustMatch)
                return Refused.PRECONDITION if is_doubtful else refused
        etag = answer.get("CopyObjectResult", {}).get("ETag")
        if not etag:
            raise UnavailableError(f"CopyObject on {uri}: the answer holds no result")
        return Written(unquoted(etag), answer.get("VersionId"), answer.get("CopySourceVersionId"))

    def delete_object(self, location: Location, *, if_match: str, send_before: float) -> Deleted | Refused:
        """See the port; a server that returns 204 for a key that was absent makes that ``Deleted`` as well."""
        return _through_conflicts(lambda: self._delete(location, if_match, send_before))

    def _delete(self, location: Location, if_match: str, send_before: float) -> Deleted | Refused:
        with translated("DeleteObject", location.uri), sending_before(send_before):
            try:
                answer = self._once.delete_object(**self._at(location), IfMatch=quoted(if_match))
            except ClientError as error:
                return meaning_of(error, _REFUSALS)
        return Deleted(answer.get("VersionId") if answer.get("DeleteMarker") else None)

    def find_top_marker(self, location: Location) -> TopMarker | None:
        """See the port; S3 lists a key's versions newest first, and the key itself before longer ones."""
        marker_id: str | None = None
        page: dict[str, Any] = {"Bucket": location.bucket, "Prefix": location.key} | self._owners.of(location)
        while True:
            with translated("ListObjectVersions", location.uri):
                answer = self._reads.list_object_versions(**page)
            markers = [one for one in answer.get("DeleteMarkers", []) if one["Key"] == location.key]
            versions = [one for one in answer.get("Versions", []) if one["Key"] == location.key]
            marker_id = marker_id or next((marker["VersionId"] for marker in markers if marker["IsLatest"]), None)
            if marker_id is None:
                return None
            if versions:
                return TopMarker(marker_id, _hidden(versions[0]))
            if not answer.get("IsTruncated") or answer.get("NextKeyMarker") != location.key:
                return TopMarker(marker_id, None)
            page |= {"KeyMarker": answer["NextKeyMarker"], "VersionIdMarker": answer["NextVersionIdMarker"]}

    def remove_delete_marker(self, location: Location, *, marker_id: str, send_before: float) -> None:
        """See the port."""
        self.remove_version(location, version_id=marker_id, send_before=send_before)

    def remove_version(self, location: Location, *, version_id: str, send_before: float) -> None:
        """See VersionStore."""
        action = translated("DeleteObject", f"{location.uri} (version {version_id})")
        with action, sending_before(send_before), accepting(*ABSENT):
            self._once.delete_object(**self._at(location, version_id))

    def _head(self, location: Location, version_id: str | None) -> dict[str, Any] | None:
        # For a version that is a delete marker, S3 returns 405.
        with translated("HeadObject", location.uri), accepting(*ABSENT, *(NOT_ALLOWED if version_id else ())):
            return dict(self._reads.head_object(**self._at(location, version_id), ChecksumMode="ENABLED"))
        return None

    def _tags(self, location: Location, version_id: str | None) -> dict[str, str] | None:
        with translated("GetObjectTagging", location.uri), accepting(*ABSENT, *NOT_ALLOWED):
            answer = self._reads.get_object_tagging(**self._at(location, version_id))
            return {tag["Key"]: tag["Value"] for tag in answer["TagSet"]}
        return None

    def _at(self, location: Location, version_id: str | None = None) -> dict[str, Any]:
        return place(location) | self._owners.of(location) | ({"VersionId": version_id} if version_id else {})


def _hidden(listed: "ObjectVersionTypeDef") -> HiddenVersion:
    modified = int(listed["LastModified"].timestamp())
    return HiddenVersion(listed["VersionId"], unquoted(listed["ETag"]), modified)


def _through_conflicts(request: Callable[[], Answer | Refused]) -> Answer | Refused:
    """The answer to the request, which is sent again a few times while another write of the key is under way."""
    answer = request()
    if answer is not Refused.CONCURRENT:
        return answer
    time.sleep(random.uniform(0, _FIRST_WAIT))  # noqa: S311  # spreads retries, guards nothing
    repeated: Answer | Refused = _REPEATING(request)
    return repeated


def _last_answer(state: RetryCallState) -> Any:
    return state.outcome.result() if state.outcome is not None else Refused.CONCURRENT


_REPEATING = Retrying(
    retry=retry_if_result(lambda answer: answer is Refused.CONCURRENT),
    stop=stop_after_attempt(_CONFLICT_TRIES - 1),
    wait=wait_random_exponential(multiplier=2 * _FIRST_WAIT, max=2),
    retry_error_callback=_last_answer,
)
