"""Tries, with objects of its own, whether a server honours the conditions that the protocol stands on."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from uuid import uuid4

from botocore.exceptions import ClientError

from adapters.aws_clients import AwsClients
from adapters.aws_errors import error_code, translated
from adapters.s3_requests import Owners
from domain.keys import Location

_REFUSALS = frozenset({"PreconditionFailed", "412"})
_OTHER_ETAG = '"00000000000000000000000000000000"'


def probe_conditions(clients: AwsClients, *, target: Location, owners: Owners) -> Iterator[tuple[str, bool]]:
    """Each condition's name and whether the bucket honours it.

    Two objects of 6 bytes are written under the key that ``target`` begins, and deleted again.
    """
    owner: Any = owners.of(target)
    token = uuid4().hex
    keys = [f"{target.key}keyshift-probe-{token}-{side}" for side in ("source", "target")]
    written: list[str] = []
    try:
        for key in keys:
            with translated("PutObject", f"s3://{target.bucket}/{key}"):
                clients.s3_once.put_object(Bucket=target.bucket, Key=key, Body=b"probed", **owner)
            written.append(key)
        for name, attempt in _attempts(clients, target.bucket, keys, owner).items():
            yield name, _is_refused(attempt, name.partition(":")[0], f"s3://{target.bucket}/{keys[1]}")
    finally:
        for key in written:
            with translated("DeleteObject", f"s3://{target.bucket}/{key}"):
                clients.s3.delete_object(Bucket=target.bucket, Key=key, **owner)


def _attempts(clients: AwsClients, bucket: str, keys: list[str], owner: Any) -> Mapping[str, Callable[[], object]]:
    source, target = keys
    copy: dict[str, Any] = {"Bucket": bucket, "Key": target, "CopySource": {"Bucket": bucket, "Key": source}} | owner
    client = clients.s3_once
    return {
        "CopyObject: If-Match on the source": lambda: client.copy_object(**copy, CopySourceIfMatch=_OTHER_ETAG),
        "CopyObject: If-None-Match on the target": lambda: client.copy_object(**copy, IfNoneMatch="*"),
        "CopyObject: If-Match on the target": lambda: client.copy_object(**copy, IfMatch=_OTHER_ETAG),
        "DeleteObject: If-Match": lambda: client.delete_object(Bucket=bucket, Key=target, IfMatch=_OTHER_ETAG, **owner),
    }


def _is_refused(attempt: Callable[[], object], action: str, subject: str) -> bool:
    with translated(action, subject):
        try:
            attempt()
        except ClientError as error:
            if error_code(error) not in _REFUSALS:
                raise
            return True
    return False
