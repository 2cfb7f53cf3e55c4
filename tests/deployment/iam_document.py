"""docs/iam.md: every IAM statement of the stack beside the calls that need it, from what was recorded."""

from collections.abc import Iterator, Mapping

from tests.deployment.artefact import Artefact
from tests.deployment.iam_places import place_of
from tests.deployment.iam_table import commands_table, permissions_table
from tests.deployment.operated import ACTING, OPERATOR
from tests.deployment.operator_needs import WITHOUT_ROLE, OperatorsNeeds
from tests.deployment.permissions import BY_SERVICES
from tests.deployment.roles import FUNCTION_ROLES, statements

_HEAD = """# Permissions

Made by `make iam` and checked by `make deploy-test`; do not edit it. Each function's handler was run through all that
it can meet on the stand-in (`tests/deployment/scenarios.py`): objects small and large, tagged, locked, versioned,
overwritten, deleted, in conflict, broken off, cleaned up and written again. Its calls were recorded, and
`tests/deployment/permissions.py` says which permission each needs. A role that lacks one, or has one that no call
needs, fails the test.

Every statement on objects and buckets has a condition on `aws:ResourceAccount`: a bucket of that name in another
account than the rules file's `expected_owner` (or this account) is refused. The wildcard resource `*` stands only
where AWS knows no resource.
"""
_JOB = (
    "BatchJobRole",
    "The role of S3 Batch Operations jobs",
    {"Invoke": "the job, for each task", "Manifest": "the job: its manifest and its completion report"},
)
_OPERATORS = f"""## The command line

Two roles, by what they may destroy. Each command was run on a deployed stack under the credentials of the role that is
named here, with every request checked, through a whole migration (`tests/deployment/operating.py`): from the plan to a
purge after a rollback. The acting operator's role allows all that the operator's does. A caller that assumes one
must name its external id.

- The operator's role deletes, writes and overwrites no object but probes. It may write and delete probes: keys that
  begin with `.keyshift/probe-` below the source's prefix and with `keyshift-probe-` below the target's.
- No permission of SQS sends a dead-letter message back and could not delete it: an operator who may replay may purge.
- `cutover --yes` changes the manifest table's item that `start` changes too: an operator who may start could write it.
  Every change of it is in the audit.
- For {", ".join(f"`{one}`" for one in sorted(WITHOUT_ROLE))} neither role is made: `init` lists a bucket before
  there is a stack, `worker` needs what the functions' roles allow, the others ask AWS nothing.

| Role | Commands |
|---|---|
"""
_ABOUT = {
    OPERATOR: ("OperatorRole", "operator", "The operator"),
    ACTING: ("ActingOperatorRole", "acting", "The acting operator, besides all of the operator's"),
}
_TABLE = ("| Statement | Action | Resource | Needed by |", "|---|---|---|---|")
MOST_NAMED = 5


def iam_document(
    artefact: Artefact, needs: Mapping[str, Mapping[tuple[str, str], set[str]]], operators: OperatorsNeeds
) -> str:
    """The page."""
    lines = [_HEAD, *permissions_table(artefact)]
    for function, role in FUNCTION_ROLES.items():
        lines += [f"## {function}\n", *_TABLE, *_rows(artefact, role, needs[function]), ""]
    role, title, reasons = _JOB
    lines += [f"## {title}\n", *_TABLE]
    for one in statements(artefact, role):
        lines += [
            f"| {one['Sid']} | `{action}` | {place_of(one)} | {reasons[one['Sid']]} |" for action in one["Action"]
        ]
    lines += ["", *_command_line(artefact, operators)]
    return "\n".join(lines).rstrip() + "\n"


def _command_line(artefact: Artefact, operators: OperatorsNeeds) -> Iterator[str]:
    text = _OPERATORS.rstrip("\n")
    for name, (role, _, _) in _ABOUT.items():
        commands = ", ".join(f"`{one}`" for one in sorted(operators.roles[name].commands))
        text += f"\n| `{role}` | {commands} |"
    yield f"{text}\n"
    yield from commands_table(operators)
    for name, (role, policy, title) in _ABOUT.items():
        yield f"### {title}\n"
        yield from _TABLE
        needed = operators.roles[name].needed
        for one in statements(artefact, role, policy=policy):
            for action in one["Action"]:
                need = (one["Sid"], action)
                reason = _commands(needed.get(need, set())) or BY_SERVICES.get(need, "nothing")
                yield f"| {one['Sid']} | `{action}` | {place_of(one)} | {reason} |"
        yield ""


def _commands(names: set[str]) -> str:
    """All of them, or some where they are many."""
    named = [f"`{one}`" for one in sorted(names)]
    if len(named) <= MOST_NAMED:
        return ", ".join(named)
    return f"{len(named)} commands: {', '.join(named[: MOST_NAMED - 1])} …"


def _rows(artefact: Artefact, role: str, needs: Mapping[tuple[str, str], set[str]]) -> Iterator[str]:
    for one in statements(artefact, role):
        for action in one["Action"]:
            need = (one["Sid"], action)
            calls = ", ".join(f"`{call}`" for call in sorted(needs.get(need, ())))
            reason = calls or BY_SERVICES.get(need, "nothing")
            yield f"| {one['Sid']} | `{action}` | {place_of(one)} | {reason} |"
