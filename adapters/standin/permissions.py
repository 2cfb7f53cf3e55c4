"""IAM actions and resources as AWS names them, where the emulator asks for others when it checks permissions."""

import json
import re
from importlib import import_module
from typing import Any
from urllib.parse import unquote

from adapters.standin.wire import parse_copy_source

_STATEMENTS = "dynamodb:BatchExecuteStatement"
_STATEMENT = re.compile(r'(INSERT|UPDATE) (?:INTO )?"([^"]+)"')
_ON_BUSES = ("CreateEventBus", "DeleteEventBus", "DescribeEventBus")
_SINGLE = {f"sqs:{name}Batch": f"sqs:{name}" for name in ("SendMessage", "DeleteMessage", "ChangeMessageVisibility")}
"""A batch call of SQS is allowed by the permission of the single one."""
_CONDITIONS = ("if-match", "if-none-match")
"""Headers of S3 that are condition keys of policies, too (User Guide, conditional-delete-enforce)."""


def install_permissions() -> None:
    """Correct the emulator's names of actions and its ARNs; a policy for one resource then means that resource."""
    actions: Any = import_module("ministack.core.iam_actions")
    extract, locate = actions.extract_iam_action, actions.extract_resource_arn

    def named(  # noqa: PLR0913, PLR0917  # the emulator's signature
        service: str, method: str, path: str, headers: Any, body: bytes, query: Any
    ) -> Any:
        action = extract(service, method, path, headers, body, query)
        statement = _statement_of(_fields(body)) if action == _STATEMENTS else None
        return f"dynamodb:PartiQL{statement[1].capitalize()}" if statement else _SINGLE.get(action, action)

    def located(  # noqa: PLR0913, PLR0917  # the emulator's signature
        service: str, method: str, path: str, headers: Any, body: bytes, query: Any, region: str, account: str
    ) -> Any:
        found = locate(service, method, path, headers, body, query, region, account)
        target = str(headers.get("x-amz-target", ""))
        return _corrected(service, target, query, _fields(body), f"{region}:{account}") or found

    checks = actions.s3_additional_checks

    def checked(method: str, path: str, headers: Any, body: bytes, query: Any) -> list[tuple[str, str]]:
        return [*checks(method, path, headers, body, query), *_of_annotations(method, path, headers, query)]

    describe = actions.s3_service_context

    def conditioned(action: str, query: Any, path: str = "", headers: Any = None) -> dict[str, Any]:
        said = {f"s3:{name}": headers[name] for name in _CONDITIONS if name in (headers or {})}
        return {**describe(action, query, path, headers), **said}

    actions.s3_service_context = conditioned
    actions.extract_iam_action, actions.extract_resource_arn = named, located
    actions.s3_additional_checks = checked


def _of_annotations(method: str, path: str, headers: Any, query: Any) -> list[tuple[str, str]]:
    """What CopyObject needs besides unless it says EXCLUDE: S3 documents it of every object, annotated or not."""
    source = parse_copy_source(headers.get("x-amz-copy-source", ""))
    excluded = headers.get("x-amz-object-annotation-directive", "").upper() == "EXCLUDE"
    if source is None or method != "PUT" or "uploadId" in query or excluded:
        return []
    arn = "arn:aws:s3:::"
    target = unquote(path).lstrip("/")
    return [
        ("s3:GetObjectAnnotation", f"{arn}{source.bucket}/{source.key}"),
        ("s3:PutObjectAnnotation", f"{arn}{target}"),
    ]


def _corrected(service: str, target: str, query: Any, fields: dict[str, Any], place: str) -> str | None:
    """The ARN where the emulator has none, or another one than AWS; ``None`` where it is right."""
    if service == "dynamodb" and (statement := _statement_of(fields)) is not None:
        return f"arn:aws:dynamodb:{place}:table/{statement[2]}"
    if service == "events":
        return _of_events(target.rpartition(".")[2], fields, place)
    if service == "sqs" and "SourceArn" in fields:  # of tasks that move dead-letter messages
        return str(fields["SourceArn"])
    if service == "iam" and query.get("PolicySourceArn"):
        return _first(query["PolicySourceArn"])
    if service == "cloudformation" and query.get("StackName"):
        stacks: Any = import_module("ministack.services.cloudformation")._stacks
        return str((stacks.get(_first(query["StackName"])) or {}).get("StackId", "")) or None
    return None


def _statement_of(fields: dict[str, Any]) -> re.Match[str] | None:
    """The verb and the table of a batch's first statement; keyshift's batches have one of each."""
    statements = fields.get("Statements") or [{}]
    return _STATEMENT.match(str(statements[0].get("Statement", "")))


def _of_events(operation: str, fields: dict[str, Any], place: str) -> str | None:
    """A rule of the default bus has no bus in its ARN; targets name their rule; a bus is looked at by its name."""
    if operation in _ON_BUSES:
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
