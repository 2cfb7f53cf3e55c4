"""Clients under a role of another account."""

from dataclasses import replace

from adapters.aws.clients import AwsClients
from adapters.aws.errors import translated

_SESSION_SECONDS = 3_600


def assumed(
    clients: AwsClients, role_arn: str, *, session: str, external_id: str | None, region: str | None
) -> tuple[float, AwsClients]:
    """Clients under another role, for an hour; when they end (seconds since 1970)."""
    external = {"ExternalId": external_id} if external_id else {}
    with translated("AssumeRole", role_arn):
        answer = clients.sts.assume_role(
            RoleArn=role_arn,
            RoleSessionName=session,
            DurationSeconds=_SESSION_SECONDS,
            **external,  # type: ignore[arg-type]  # a text, where there is one
        )["Credentials"]
    entered = replace(
        clients,
        region=region,
        access_key_id=answer["AccessKeyId"],
        secret_access_key=answer["SecretAccessKey"],
        session_token=answer["SessionToken"],
    )
    return answer["Expiration"].timestamp(), entered
