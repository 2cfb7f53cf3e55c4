"""S3 requests and answers as the layer sees them: the operation's name, and errors in S3's XML."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote
from xml.sax.saxutils import escape

Answer = tuple[int, dict[str, str], bytes]

_NOT_IN_XML = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_SUBRESOURCES = ("tagging", "acl", "retention", "legal-hold", "attributes", "restore")
_BUCKET_READS = {"uploads": "ListMultipartUploads", "versions": "ListObjectVersions", "list-type": "ListObjectsV2"}


@dataclass(frozen=True, slots=True)
class S3Request:
    """One S3 request, path style; header names are lower case, query values are lists."""

    method: str
    bucket: str
    key: str
    headers: dict[str, str]
    body: bytes
    query: Mapping[str, Any]

    def parameter(self, name: str) -> str:
        """The query parameter's first value, or nothing."""
        found = self.query.get(name, "")
        return str(found[0] if isinstance(found, list) and found else found or "")


@dataclass(frozen=True, slots=True)
class CopySource:
    """What an x-amz-copy-source header names."""

    bucket: str
    key: str
    version_id: str | None


def parse_copy_source(header: str) -> CopySource | None:
    """Split before decoding: ``?versionId=`` belongs to the key when it is encoded."""
    path, _, query = header.removeprefix("/").partition("?")
    bucket, slash, key = unquote(path).partition("/")
    if not (slash and bucket and key):
        return None
    return CopySource(bucket, key, parse_qs(query).get("versionId", [None])[0])


def operation_of(method: str, key: str, query: Mapping[str, Any], headers: Mapping[str, str]) -> str:
    """AWS's name of the operation; requests on a bucket's settings are all ``Bucket``."""
    if not key:
        return _bucket_operation(method, query)
    if "annotation" in query:
        return _annotation_operation(method, query)
    if any(name in query for name in _SUBRESOURCES):
        return "ObjectSubresource"
    copy = "Copy" if "x-amz-copy-source" in headers else ""
    match method:
        case "PUT" if "partNumber" in query:
            return f"UploadPart{copy}"
        case "PUT":
            return "CopyObject" if copy else "PutObject"
        case "POST":
            return "CreateMultipartUpload" if "uploads" in query else "CompleteMultipartUpload"
        case "DELETE":
            return "AbortMultipartUpload" if "uploadId" in query else "DeleteObject"
        case "HEAD":
            return "HeadObject"
        case _:
            return "ListParts" if "uploadId" in query else "GetObject"


def _annotation_operation(method: str, query: Mapping[str, Any]) -> str:
    if method == "GET" and "annotationName" not in query:
        return "ListObjectAnnotations"
    return f"{method.capitalize()}ObjectAnnotation"


def _bucket_operation(method: str, query: Mapping[str, Any]) -> str:
    if method == "GET":
        return next((name for mark, name in _BUCKET_READS.items() if mark in query), "Bucket")
    return "DeleteObjects" if method == "POST" and "delete" in query else "Bucket"


def s3_error(code: str, message: str, status: int, **fields: str) -> Answer:
    """S3's error document; ``fields`` are the extra elements that some codes carry, such as Condition."""
    request_id, host_id = secrets.token_hex(8).upper(), secrets.token_urlsafe(57)
    elements = {"Code": code, "Message": message, **fields, "RequestId": request_id, "HostId": host_id}
    inner = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in elements.items())
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{inner}</Error>'.encode()
    headers = {"Content-Type": "application/xml", "x-amz-request-id": request_id, "x-amz-id-2": host_id}
    return status, headers, body


def parsable(answer: Answer) -> Answer:
    """The answer with what XML 1.0 cannot carry replaced; keys may hold control characters, SDKs choke on them."""
    status, headers, body = answer
    if isinstance(body, str):  # some of ministack's answers are text
        return parsable((status, headers, body.encode()))
    return (status, headers, _NOT_IN_XML.sub("\ufffd".encode(), body)) if _NOT_IN_XML.search(body) else answer
