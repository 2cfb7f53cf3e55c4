"""``keyshift doctor --user-pool``: whether users of the portal can change their own role."""

from collections.abc import Iterator

from domain.errors import KeyshiftError
from domain.lifecycle.inspection import AppClient, UserPool
from handlers.cli.finding import Finding
from handlers.portal.access import CUSTOM_CLAIMS

_PART = "user pool"


def examine_user_pool(pool: UserPool) -> Iterator[Finding]:
    """One finding for each app client of the pool; a pool that cannot be read is a fault."""
    try:
        known = pool.list_attributes()
        claims = tuple(claim for claim in CUSTOM_CLAIMS if claim in known)
        if not claims:
            text = f"{pool.pool_id} has neither {' nor '.join(CUSTOM_CLAIMS)}: only its groups give a role"
            yield Finding("ok", _PART, text)
            return
        has_clients = False
        for client in pool.list_app_clients():
            has_clients = True
            yield _finding(client, claims)
        if not has_clients:
            yield Finding("ok", _PART, f"{pool.pool_id} has no app client")
    except KeyshiftError as error:
        yield Finding("fail", _PART, str(error))


def _finding(client: AppClient, claims: tuple[str, ...]) -> Finding:
    called = f"client {client.name} ({client.client_id})"
    named = " and ".join(claims)
    if not client.writes:
        # AWS documents that such a client writes standard attributes only. Terraform's pull request 2874 and the CDK's
        # issue 21835 saw custom ones written.
        text = f"{called} lists no attributes, so it is not known whether its users can write {named}:"
        return Finding("fail", _PART, f"{text} list its WriteAttributes, without those")
    written = [claim for claim in claims if claim in client.writes]
    if written:
        text = f"a user of {called} can write {' and '.join(written)} for their own account, and become a PortalAdmin:"
        return Finding("fail", _PART, f"{text} take it out of WriteAttributes (docs/portal/structure.md)")
    return Finding("ok", _PART, f"no user of {called} can write {named}")
