"""Who asks, and what the portal's roles allow; the identity provider's claims are the truth."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from domain.portal.ports import UseCaseBook
from handlers.portal.errors import HttpError


class UserRole(StrEnum):
    """The portal's roles, the least first."""

    VIEWER = "Viewer"
    OPERATOR = "Operator"
    DATA_SCIENTIST = "DataScientist"
    USE_CASE_ADMIN = "UseCaseAdmin"
    PORTAL_ADMIN = "PortalAdmin"


BUILDERS = frozenset({UserRole.DATA_SCIENTIST, UserRole.USE_CASE_ADMIN, UserRole.PORTAL_ADMIN})
"""May train, compile, package and publish; an Operator deploys, which is another thing."""
EVERYBODY = frozenset(UserRole)

CUSTOM_CLAIMS = ("custom:role", "custom:groups")
"""Attributes of a user, which count where no group of the pool gives a role."""

_GROUPS: Mapping[str, UserRole] = {
    "portal-admins": UserRole.PORTAL_ADMIN,
    "usecase-admins": UserRole.USE_CASE_ADMIN,
    "cv-data-scientists": UserRole.DATA_SCIENTIST,
    "cv-operators": UserRole.OPERATOR,
    "cv-viewers": UserRole.VIEWER,
}


@dataclass(frozen=True, slots=True)
class Identity:
    """The caller."""

    user_id: str
    email: str
    role: UserRole


def identity_of(event: Mapping[str, Any]) -> Identity:
    """The caller, from a Cognito authorizer's claims or a Lambda authorizer's context; 401 without either."""
    authorizer = _part(_part(event, "requestContext"), "authorizer")
    claims = _part(authorizer, "claims") or _part(_part(authorizer, "jwt"), "claims")
    if claims.get("sub"):
        return Identity(str(claims["sub"]), str(claims.get("email") or claims["sub"]), _role_of_claims(claims))
    authorizer = _part(authorizer, "lambda") or authorizer  # an HTTP API puts a Lambda authorizer's context in there
    if authorizer.get("userId"):
        role = _role(authorizer.get("role"), authorizer.get("groups"))
        return Identity(str(authorizer["userId"]), str(authorizer.get("email") or authorizer["userId"]), role)
    raise HttpError(401, "The request has no identity: sign in again")


def require(identity: Identity, use_case_id: str, roles: frozenset[UserRole], use_cases: UseCaseBook) -> None:
    """403 unless the role allows it and the use case was given to this user; a PortalAdmin has all of them."""
    if identity.role not in roles:
        needed = ", ".join(role.value for role in UserRole if role in roles)
        raise HttpError(403, f"The role {identity.role.value} does not allow this; it needs one of: {needed}")
    if identity.role is not UserRole.PORTAL_ADMIN and not use_cases.is_assigned(identity.user_id, use_case_id):
        raise HttpError(403, f"The use case {use_case_id} is not yours: ask its administrator")


def _part(of: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An object inside another one; empty where there is none, or something else (a Lambda authorizer's text)."""
    found = of.get(name)
    return found if isinstance(found, Mapping) else {}


def _role_of_claims(claims: Mapping[str, Any]) -> UserRole:
    """The role by the pool's groups, which only an administrator of the pool changes; else by the custom claims.

    A custom claim is an attribute of the user. A user may write it himself where the app client has it among its
    WriteAttributes, so it never raises a user above the role that a group gives.
    """
    given = _greatest(claims.get("cognito:groups"))
    role, groups = (claims.get(name) for name in CUSTOM_CLAIMS)
    return given if given is not None else _role(role, groups)


def _role(role: object, groups: object) -> UserRole:
    """The role that the claim names, else the greatest that a group gives; anything unknown is a Viewer."""
    if isinstance(role, str) and role in set(UserRole):
        return UserRole(role)
    return _greatest(groups) or UserRole.VIEWER


def _greatest(groups: object) -> UserRole | None:
    """The greatest role that one of the groups gives; ``None`` where none gives one, as Cognito's own of an IdP."""
    listed = groups if isinstance(groups, list) else str(groups or "").strip("[]").replace(" ", ",").split(",")
    given = [_GROUPS.get(str(one)) or (UserRole(one) if one in set(UserRole) else None) for one in listed]
    order = list(UserRole)
    return max((one for one in given if one is not None), key=order.index, default=None)
