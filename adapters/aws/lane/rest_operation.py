"""Operations of S3 whose requests have no body: the parameters are in the path, the query and the headers."""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from adapters.aws.lane.answers import Answer
from adapters.aws.lane.requests import Request, metadata_of
from adapters.aws.lane.rest_answer import RestReader
from adapters.aws.lane.scalars import UnusualError, checked, header_date

_KEY = "/{Key+}"
_SAFE = "-._~"
_ARN = "arn:"
_CUSTOMER_KEYS = frozenset(
    {"SSECustomerKey", "SSECustomerKeyMD5", "CopySourceSSECustomerKey", "CopySourceSSECustomerKeyMD5"}
)
_Text = Callable[[Any], str]


class RestOperation:
    """One operation; raises UnusualError for one that the lane cannot do."""

    def __init__(self, model: Any) -> None:
        self.name, self.method = model.name, model.http["method"]
        # botocore takes the bucket off the path in the model itself, when the operation is first called.
        path, _, self._fixed_query = model.http["requestUri"].removeprefix("/{Bucket}").partition("?")
        is_plain = path == _KEY and "payload" not in model.input_shape.serialization
        if not is_plain or model.http_checksum or model.idempotent_members or model.has_streaming_output:
            raise UnusualError(f"the request of {model.name}")
        self._required = frozenset(model.input_shape.required_members)
        self._headers: dict[str, tuple[str, _Text]] = {}
        self._queries: dict[str, tuple[str, _Text]] = {}
        for name, member in model.input_shape.members.items():
            self._learn(name, member)
        self._key = checked(str, 1)
        self._reader = RestReader(model)

    def _learn(self, name: str, member: Any) -> None:
        """A parameter that is not learnt here makes its call unusual."""
        location, wire = member.serialization.get("location"), member.serialization.get("name", name)
        write = _write_source if name == "CopySource" else _writer_of(member)
        if write is None or name in _CUSTOMER_KEYS:
            return
        if location == "header":
            self._headers[name] = (wire.lower(), write)
        if location == "querystring" and member.type_name in ("string", "integer"):
            self._queries[name] = (wire, write)

    def request(self, params: Mapping[str, Any]) -> Request:
        """See Operation."""
        if not self._required <= params.keys():
            raise UnusualError
        headers: list[tuple[str, str]] = []
        query = [self._fixed_query] if self._fixed_query else []
        for name, value in params.items():
            if name in self._headers:
                wire, write = self._headers[name]
                headers.append((wire, write(value)))
            elif name in self._queries:
                wire, write = self._queries[name]
                query.append(f"{wire}={quote(write(value), safe=_SAFE)}")
            elif name == "Metadata":
                headers += _metadata(value)
            elif name not in ("Bucket", "Key"):
                raise UnusualError
        try:
            path = "/" + quote(self._key(params["Key"]), safe=_SAFE + "/")
        except UnicodeError as error:
            raise UnusualError from error
        return Request(path, "&".join(query), headers, b"")

    def read(self, answer: Answer) -> dict[str, Any]:
        """See Operation."""
        parsed = self._reader.read(answer)
        metadata = metadata_of(answer)
        if "RequestId" not in metadata and "x-amz-request-id" in answer.headers:
            metadata["RequestId"] = answer.headers["x-amz-request-id"]
            metadata["HostId"] = answer.headers.get("x-amz-id-2", "")
        parsed["ResponseMetadata"] = metadata
        return parsed


def _writer_of(member: Any) -> _Text | None:
    kind, least = member.type_name, member.metadata.get("min")
    if kind == "string" and not member.serialization.get("jsonvalue"):
        check = checked(str, least)
        return lambda value: _printable(check(value))
    if kind in ("integer", "long"):
        number = checked(int, least)
        return lambda value: str(number(value))
    if kind == "boolean":
        flag = checked(bool, None)
        return lambda value: "true" if flag(value) else "false"
    if kind == "timestamp" and member.serialization.get("location") == "header":
        return header_date(member.serialization.get("timestampFormat", "rfc822"))
    return None


def _printable(text: str) -> str:
    """A header's text unchanged; botocore decides about characters outside ASCII and about control characters."""
    if text.isascii() and text.isprintable():
        return text
    raise UnusualError


def _write_source(source: Any) -> str:
    """CopySource, as botocore encodes it from its parts."""
    if type(source) is not dict or not {"Bucket", "Key"} <= source.keys() <= {"Bucket", "Key", "VersionId"}:
        raise UnusualError
    bucket, key, version = source["Bucket"], source["Key"], source.get("VersionId")
    if type(bucket) is not str or type(key) is not str or bucket.startswith(_ARN):
        raise UnusualError
    try:
        place = quote(f"{bucket}/{key}", safe=_SAFE + "/")
    except UnicodeError as error:
        raise UnusualError from error
    if version is None:
        return place
    if type(version) is not str:
        raise UnusualError
    return f"{place}?versionId={_printable(version)}"


_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def _metadata(value: Any) -> list[tuple[str, str]]:
    if type(value) is not dict:
        raise UnusualError
    headers: dict[str, str] = {}
    for name, text in value.items():
        if type(name) is not str or type(text) is not str or not _NAME.fullmatch(name):
            raise UnusualError
        headers[f"x-amz-meta-{name.lower()}"] = _printable(text)
    if len(headers) != len(value):  # two names that differ in case only
        raise UnusualError
    return list(headers.items())
