"""Whether a bucket encrypts what is written to it with a KMS key, unless the request says otherwise."""

from collections.abc import Callable, Mapping
from typing import Any

from adapters.aws.clients import AwsClients
from adapters.aws.errors import accepting, translated
from adapters.s3.requests import Owners
from domain.objects import Encryption

_NO_DEFAULT = "ServerSideEncryptionConfigurationNotFoundError"
LOOK_SECONDS = 300.0


class BucketEncryption:
    """The bucket's default encryption, read when it is first asked for, and again after some minutes.

    Threads that ask at the same time may both read it.
    """

    def __init__(
        self, clients: AwsClients, bucket: str, *, monotonic: Callable[[], float], owners: Owners | None = None
    ) -> None:
        self._clients = clients
        self._bucket = bucket
        self._monotonic = monotonic
        self._owner = (owners or Owners()).of_settings(bucket)
        self._seen: tuple[float, bool] | None = None

    def is_kms(self) -> bool:
        """Whether its default is a KMS key; raises the errors of the look, because a failed one says nothing."""
        seen = self._seen
        if seen is None or self._monotonic() - seen[0] >= LOOK_SECONDS:
            seen = self._seen = self._monotonic(), Encryption(self._read()).is_kms
        return seen[1]

    def _read(self) -> str:
        with translated("GetBucketEncryption", f"s3://{self._bucket}"), accepting(_NO_DEFAULT):
            return default_algorithm(self._clients.s3.get_bucket_encryption(Bucket=self._bucket, **self._owner))
        return ""


def default_algorithm(answer: Mapping[str, Any]) -> str:
    """The algorithm in an answer to GetBucketEncryption; empty without one.

    A rule may only switch bucket keys on, or block a kind of encryption, and then has no default.
    """
    rules = answer.get("ServerSideEncryptionConfiguration", {}).get("Rules", ())
    defaults = (rule.get("ApplyServerSideEncryptionByDefault", {}) for rule in rules)
    return next((default["SSEAlgorithm"] for default in defaults if default), "")
