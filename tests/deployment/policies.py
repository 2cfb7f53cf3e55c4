"""A deployed role's policies, and what they allow: actions by name, resources by pattern, nothing denied."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from tests.deployment.authorizations import Demand


@dataclass(frozen=True, slots=True)
class Grant:
    """One action of one statement."""

    sid: str
    action: str
    resources: tuple[str, ...]
    condition: Mapping[str, Any]

    def covers(self, demand: Demand) -> bool:
        """Whether it allows this; an ARN that ends in /* is one whose end only the service knows."""
        action, arn = demand
        if self.action != action:
            return False
        return any(
            one == "*" or fnmatchcase(arn, one) or (arn.endswith("/*") and fnmatchcase(one, arn))
            for one in self.resources
        )


def role_policies(iam: Any, role: str) -> Mapping[str, Any]:
    """The documents of a role's own policies, by their names."""
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    return {name: iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names}


def grants_of(policies: Mapping[str, Any]) -> Iterator[Grant]:
    """All that they allow."""
    for document in policies.values():
        for one in document["Statement"]:
            for action in _listed(one["Action"]):
                yield Grant(one["Sid"], action, tuple(_listed(one["Resource"])), one.get("Condition", {}))


def _listed(value: Any) -> list[str]:
    return list(value) if isinstance(value, list) else [value]
