"""What the two roles of the command line allow, beside what the commands that were run under them needed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.deployment.authorizations import Demand
from tests.deployment.operated import ACTING, OPERATOR, STACK, OperatedSite
from tests.deployment.operating import Refused, operate
from tests.deployment.policies import Grant, grants_of, role_policies

Needed = Mapping[tuple[str, str], set[str]]
"""Sid and action to the commands that need them."""

WITHOUT_ROLE = frozenset({"batch-manifest", "demo", "init", "rules", "sandbox", "worker"})
"""Commands for which neither role is made."""


@dataclass(frozen=True, slots=True)
class RoleNeeds:
    """One role: its policies as they are deployed, the commands run under it, and how the two fit."""

    policies: Mapping[str, Any]
    commands: frozenset[str]
    grants: tuple[Grant, ...]
    needed: Needed
    lacking: tuple[tuple[str, Demand], ...]
    """Commands, and what nothing allows them."""


@dataclass(frozen=True, slots=True)
class OperatorsNeeds:
    """Both roles, and what the lesser one was refused."""

    roles: Mapping[str, RoleNeeds]
    refused: Refused


def needs_of_operators(site: OperatedSite) -> OperatorsNeeds:
    """Run every command, and compare its calls with its role; the acting operator's must allow the operator's too."""
    refused = operate(site)
    own = site.demands
    both = {command: own[OPERATOR].get(command, set()) | own[ACTING].get(command, set()) for command in _commands(site)}
    return OperatorsNeeds({OPERATOR: _fit(site, OPERATOR, own[OPERATOR]), ACTING: _fit(site, ACTING, both)}, refused)


def _commands(site: OperatedSite) -> set[str]:
    return {command for commands in site.demands.values() for command in commands}


def _fit(site: OperatedSite, role: str, made: Mapping[str, set[tuple[str, Demand]]]) -> RoleNeeds:
    policies = role_policies(site.client("iam"), f"{STACK}-{role}")
    grants = tuple(grants_of(policies))
    acting = {one["Sid"] for one in policies.get("acting", {}).get("Statement", ())}
    needed: dict[tuple[str, str], set[str]] = {}
    lacking = []
    for command, demands in sorted(made.items()):
        for _, demand in sorted(demands):
            covering = [one for one in grants if one.covers(demand)]
            # What the operator's policy allows already is no reason for anything in the other one.
            for one in [each for each in covering if each.sid not in acting] or covering:
                needed.setdefault((one.sid, one.action), set()).add(command)
            if not covering:
                lacking.append((command, demand))
    return RoleNeeds(policies, frozenset(site.demands[role]), grants, needed, tuple(lacking))
