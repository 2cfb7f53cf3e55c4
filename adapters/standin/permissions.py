"""IAM actions and resources as AWS names them, where the emulator asks for others when it checks permissions."""

import json
from importlib import import_module
from typing import Any

_SINGLE = {f"sqs:{name}Batch": f"sqs:{name}" for name in ("SendMessage", "DeleteMessage", "ChangeMessageVisibility")}
"""A batch call of SQS is allowed by the permission of the single one."""


def install_permissions() -> None:
    """Correct the emulator's names of actions and its ARNs; a policy for one resource then means that resource."""
    actions: Any = import_module("ministack.core.iam_actions")
    extract, locate = actions.extract_iam_action, actions.extract_resource_arn

    def named(*arguments: Any, **options: Any) -> Any:
        action = extract(*arguments, **options)
        return _SINGLE.get(action, action)

    def located(  # noqa: PLR0913, PLR0917  # the emulator's signature
        service: str, method: str, path: str, headers: Any, body: bytes, query: Any, region: str, account: str
    ) -> Any:
        found = locate(service, method, path, headers, body, query, region, account)
        target = str(headers.get("x-amz-target", ""))
        return _corrected(service, target, query, _fields(body), f"{region}:{account}") or found

    actions.extract_iam_action, actions.extract_resource_arn = named, located


def _corrected(service: str, target: str, query: Any, fields: dict[str, Any], place: str) -> str | None:
    """The ARN where the emulator has none, or another one than AWS; ``None`` where it is right."""
    if service == "events":
        return _of_events(target.rpartition(".")[2], fields, place)
    if service == "sqs" and "SourceArn" in fields:  # of tasks that move dead letters
        return str(fields["SourceArn"])
    if service == "iam" and query.get("PolicySourceArn"):
        return _first(query["PolicySourceArn"])
    if service == "cloudformation" and query.get("StackName"):
        stacks: Any = import_module("ministack.services.cloudformation")._stacks
        return str((stacks.get(_first(query["StackName"])) or {}).get("StackId", "")) or None
    return None


def _of_events(operation: str, fields: dict[str, Any], place: str) -> str | None:
    """A rule of the default bus has no bus in its ARN; targets name their rule; a bus is looked at by its name."""
    if operation == "DescribeEventBus":
        return f"arn:aws:events:{place}:event-bus/{fields.get('Name', 'default')}"
    rule, bus = fields.get("Rule") or fields.get("Name"), str(fields.get("EventBusName") or "default")
    if rule is None or not operation.endswith(("Rule", "Targets")):
        return None
    return f"arn:aws:events:{place}:rule/{rule}" if bus == "default" else f"arn:aws:events:{place}:rule/{bus}/{rule}"


def _fields(body: bytes) -> dict[str, Any]:
    try:
        read = json.loads(body or b"{}")
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}


def _first(value: Any) -> str:
    return str(value[0] if isinstance(value, list) else value)
