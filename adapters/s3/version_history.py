"""The versions of one key in the order in which S3 stored them."""

import re
from html import unescape
from typing import Any

from adapters.aws.clients import AwsClients
from adapters.aws.errors import translated
from adapters.s3.requests import Owners, unquoted
from domain.errors import RefusedRequestError, UnavailableError
from domain.keys import Location
from domain.protocol.ports import StoredVersion

_ORDER = "VersionsInOrder"
_VERSION_ID = re.compile(rb"<VersionId>([^<]*)</VersionId>")


class S3VersionHistory:
    """VersionHistory on S3.

    botocore sorts an answer's versions and delete markers into two lists, and dates do not restore their order: they
    are whole seconds, and a large object has the date on which its upload began. So the order is read from the answer
    itself, in which S3 lists both kinds together, newest first (aws-facts.md §2.2).
    """

    def __init__(self, clients: AwsClients, *, owners: Owners | None = None, at_once: int = 1_000) -> None:
        self._s3 = clients.s3
        self._at_once = at_once
        self._owners = owners or Owners()
        self._s3.meta.events.register("before-parse.s3.ListObjectVersions", _keep_order, unique_id=_ORDER)

    def list_versions(self, location: Location, *, since: str | None = None) -> list[StoredVersion]:
        """See the port; the key itself is listed before longer ones."""
        page: dict[str, Any] = {"Bucket": location.bucket, "Prefix": location.key} | self._owners.of(location)
        newest_first: dict[str, StoredVersion] = {}
        while True:
            with translated("ListObjectVersions", location.uri):
                answer: dict[str, Any] = dict(self._s3.list_object_versions(**page, MaxKeys=self._at_once))
            known = len(newest_first)
            for version in _in_order(answer, location):
                newest_first.setdefault(version.version_id, version)
                if version.version_id == since:
                    return list(newest_first.values())[::-1]
            if not answer.get("IsTruncated") or answer.get("NextKeyMarker") != location.key:
                return list(newest_first.values())[::-1]
            if len(newest_first) == known:
                raise UnavailableError(f"ListObjectVersions of {location.uri} repeats a page")
            page |= {"KeyMarker": answer["NextKeyMarker"], "VersionIdMarker": answer["NextVersionIdMarker"]}


def _keep_order(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: object) -> None:
    ids = _VERSION_ID.findall(response_dict["body"])
    customized_response_dict[_ORDER] = [unescape(one.decode()) for one in ids]


def _in_order(answer: dict[str, Any], location: Location) -> list[StoredVersion]:
    versions = [_version(one) for one in answer.get("Versions", []) if one["Key"] == location.key]
    markers = [_marker(one) for one in answer.get("DeleteMarkers", []) if one["Key"] == location.key]
    if not markers or not versions:
        return versions or markers
    if _ORDER not in answer:
        raise RefusedRequestError(
            f"{location.uri}: botocore did not keep the order of its versions; install the locked one"
        )
    places = {version_id: at for at, version_id in reversed(list(enumerate(answer[_ORDER])))}
    return sorted([*versions, *markers], key=lambda one: places[one.version_id])


def _version(listed: dict[str, Any]) -> StoredVersion:
    modified = int(listed["LastModified"].timestamp())
    return StoredVersion(listed["VersionId"], modified, unquoted(listed["ETag"]), listed["Size"])


def _marker(listed: dict[str, Any]) -> StoredVersion:
    return StoredVersion(listed["VersionId"], int(listed["LastModified"].timestamp()), is_marker=True)
