"""docs/iam.md at a glance: all permissions in one table, a role a column, and what each command needs of them."""

from collections.abc import Iterator

from tests.deployment.artefact import Artefact
from tests.deployment.iam_places import place_of
from tests.deployment.operated import ACTING, OPERATOR
from tests.deployment.operator_needs import OperatorsNeeds
from tests.deployment.roles import FUNCTION_ROLES, statements

_HEAD = """## In one table

One column for each function, for jobs of S3 Batch Operations, and for the two roles of the command line. The sections
below have the call behind each permission.
"""
_COMMANDS_HEAD = """### What each command needs

By the statements of its role, as they were used when the command was run.
"""
_COLUMNS = {
    **FUNCTION_ROLES,
    "batch jobs": "BatchJobRole",
    "operator": "OperatorRole",
    "acting operator": "ActingOperatorRole",
}


def permissions_table(artefact: Artefact) -> Iterator[str]:
    """A row for each action on each resource, sorted by service."""
    holders: dict[tuple[str, str], set[str]] = {}
    for column, role in _COLUMNS.items():
        for one in statements(artefact, role):
            for action in one["Action"]:
                holders.setdefault((action, place_of(one)), set()).add(column)
    yield _HEAD
    yield _row("Action", "Resource", *_COLUMNS)
    yield _row("---", "---", *(":-:" for _ in _COLUMNS))
    for (action, place), held in sorted(holders.items()):
        yield _row(f"`{action}`", place, *("●" if column in held else "" for column in _COLUMNS))
    yield ""


def commands_table(operators: OperatorsNeeds) -> Iterator[str]:
    """A row for each command, with the statements and actions that it used."""
    yield _COMMANDS_HEAD
    yield _row("Command", "Role", "Needs")
    yield _row("---", "---", "---")
    for command, role in sorted((one, name) for name in _NAMES for one in operators.roles[name].commands):
        used: dict[str, list[str]] = {}
        for (sid, action), commands in sorted(operators.roles[role].needed.items()):
            if command in commands:
                used.setdefault(sid, []).append(f"`{action}`")
        needs = "; ".join(f"{sid}: {', '.join(actions)}" for sid, actions in used.items())
        yield _row(f"`{command}`", _NAMES[role], needs or "nothing of AWS")
    yield ""


_NAMES = {OPERATOR: "operator", ACTING: "acting operator"}


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |".replace("  |", " |")
