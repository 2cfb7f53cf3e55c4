"""What the roles of the template allow, as plain values."""

from collections.abc import Iterator, Mapping
from typing import Any

from tests.deployment.artefact import Artefact

FUNCTION_ROLES = {
    "objectEvents": "ObjectEventsRole",
    "backfill": "BackfillRole",
    "inventory": "InventoryRole",
    "manifestStream": "ManifestStreamRole",
    "batchOperations": "BatchOperationsRole",
    "resolver": "ResolverRole",
    "referenceEvents": "ReferenceEventsRole",
}


def statements(artefact: Artefact, role: str) -> Iterator[Mapping[str, Any]]:
    """Every statement of a role, also those that a parameter switches on."""
    for policy in artefact.template["Resources"][role]["Properties"]["Policies"]:
        for one in policy["PolicyDocument"]["Statement"]:
            yield one["Fn::If"][1] if "Fn::If" in one else one


def allowed(artefact: Artefact, function: str) -> set[tuple[str, str]]:
    """Sid and action of all that a function's role allows."""
    return {
        (str(one["Sid"]), str(action))
        for one in statements(artefact, FUNCTION_ROLES[function])
        for action in one["Action"]
    }
