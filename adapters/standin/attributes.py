"""What S3 refuses in an object's own metadata and tags, before anything is written."""

from collections.abc import Mapping
from urllib.parse import parse_qsl

from adapters.standin.wire import Answer, s3_error

METADATA_BYTES = 2048
OBJECT_TAGS = 10
_META = "x-amz-meta-"


def attribute_refusal(headers: Mapping[str, str]) -> Answer | None:
    """Over 2 KB of user metadata (names and values), over ten tags, or a tag named twice."""
    metadata = [(name.removeprefix(_META), value) for name, value in headers.items() if name.startswith(_META)]
    size = sum(len(name) + len(value.encode()) for name, value in metadata)
    if size > METADATA_BYTES:
        return s3_error(
            "MetadataTooLarge",
            "Your metadata headers exceed the maximum allowed metadata size",
            400,
            Size=str(size),
            MaxSizeAllowed=str(METADATA_BYTES),
        )
    names = [name for name, _ in parse_qsl(headers.get("x-amz-tagging", ""), keep_blank_values=True)]
    if len(names) > OBJECT_TAGS:
        return s3_error("BadRequest", "Object tags cannot be greater than 10", 400)
    if len(set(names)) < len(names):
        return s3_error("InvalidTag", "Cannot provide multiple Tags with the same key", 400)
    return None
