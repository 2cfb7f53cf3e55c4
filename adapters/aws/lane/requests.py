"""What an operation becomes before it is signed, and the answer's part that every protocol has."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from adapters.aws.lane.answers import Answer


@dataclass(frozen=True, slots=True)
class Request:
    """A request without its place and its signature; ``path`` and ``query`` are encoded, names in lower case."""

    path: str
    query: str
    headers: list[tuple[str, str]]
    body: bytes


class Operation(Protocol):
    """One of AWS's operations, made once from botocore's model."""

    name: str
    method: str

    def request(self, params: Mapping[str, Any]) -> Request:
        """The request for boto3's parameters; raises UnusualError where botocore has to make it."""
        ...

    def read(self, answer: Answer) -> dict[str, Any]:
        """What boto3 returns for a success; raises UnusualError where botocore has to read it."""
        ...


def first_of(attempts: int) -> dict[str, Any]:
    """What botocore adds to the metadata of an answer to the first of so many attempts."""
    return {"RetryAttempts": 0} | ({"MaxAttemptsReached": True} if attempts == 1 else {})


def metadata_of(answer: Answer) -> dict[str, Any]:
    """The answer's own ``ResponseMetadata``."""
    headers = answer.headers
    metadata: dict[str, Any] = {"HTTPStatusCode": answer.status, "HTTPHeaders": headers}
    if "x-amzn-requestid" in headers:
        metadata["RequestId"] = headers["x-amzn-requestid"]
    return metadata
