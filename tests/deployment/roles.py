"""What the roles of the template allow, as plain values."""

from collections.abc import Iterator, Mapping
from typing import Any

from tests.deployment.artefact import Artefact

FUNCTION_ROLES = {
    "objectEvents": "ObjectEventsRole",
    "backfill": "BackfillRole",
    "inventory": "InventoryRole",
    "lookingWork": "LookingRole",
    "removingWork": "RemovingRole",
    "restoringWork": "RestoringRole",
    "rewritingWork": "RewritingRole",
    "manifestStream": "ManifestStreamRole",
    "batchOperations": "BatchOperationsRole",
    "resolver": "ResolverRole",
    "referenceEvents": "ReferenceEventsRole",
}


def statements(artefact: Artefact, role: str, *, policy: str | None = None) -> Iterator[Mapping[str, Any]]:
    """Every statement of a role, or of one of its policies, also those that a parameter switches on."""
    for document in artefact.template["Resources"][role]["Properties"]["Policies"]:
        if policy not in (None, document["PolicyName"]):
            continue
        for one in document["PolicyDocument"]["Statement"]:
            yield one["Fn::If"][1] if "Fn::If" in one else one


def allowed(artefact: Artefact, function: str) -> set[tuple[str, str]]:
    """Sid and action of all that a function's role allows."""
    return {
        (str(one["Sid"]), str(action))
        for one in statements(artefact, FUNCTION_ROLES[function])
        for action in one["Action"]
    }
