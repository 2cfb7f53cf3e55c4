"""RestoreObject on S3."""

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from adapters.aws.clients import AwsClients
from adapters.aws.errors import meaning_of, translated
from adapters.s3.requests import ABSENT, Owners, place
from domain.keys import Location
from domain.lifecycle.archives import Asked
from domain.objects import ObjectState
from domain.rules.restoring import RestoreRule

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import RestoreRequestTypeDef

_REFUSALS = {
    Asked.UNDER_WAY: {"RestoreAlreadyInProgress"},
    Asked.READABLE: {"ObjectAlreadyInActiveTierError"},
    Asked.GONE: ABSENT,
}
_ACCEPTED = 202
"""The restore begins; 200 says that the object is readable already (API reference, RestoreObject)."""


class S3RestoreStore:
    """RestoreStore on S3."""

    def __init__(self, clients: AwsClients, *, owners: Owners | None = None) -> None:
        self._client = clients.s3
        self._owners = owners or Owners()

    def restore_object(self, location: Location, *, seen: ObjectState, rule: RestoreRule) -> Asked:
        """See the port."""
        request: RestoreRequestTypeDef = {"GlacierJobParameters": {"Tier": rule.tier.value}}
        if seen.archive_status is None:
            # S3 refuses Days for the archive tiers of INTELLIGENT_TIERING, whose objects do not expire again.
            request["Days"] = rule.days
        parameters: dict[str, Any] = place(location) | self._owners.of(location)
        if seen.version_id is not None:
            parameters["VersionId"] = seen.version_id
        with translated("RestoreObject", location.uri):
            try:
                answer = self._client.restore_object(**parameters, RestoreRequest=request)
            except ClientError as error:
                return meaning_of(error, _REFUSALS)
        return Asked.BEGUN if answer["ResponseMetadata"]["HTTPStatusCode"] == _ACCEPTED else Asked.READABLE
