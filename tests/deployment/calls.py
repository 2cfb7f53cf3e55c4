"""The AWS calls that each function really makes, recorded while its handler runs on the stand-in."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from adapters.aws.clients import AwsClients

_NAMES = (
    *("Key", "IndexName", "QueueName", "SourceArn", "Rule", "Name", "FunctionName", "UUID", "StackName", "RoleName"),
    *("PolicySourceArn", "arn", "deploymentId", "ModelName", "ModelPackageName"),
)


@dataclass(frozen=True, slots=True)
class Call:
    """One request: botocore's names, and the parameters that decide which permissions it needs.

    ``name`` is the object's key, the index, the rule, the function …: what is inside the resource or has no other.
    """

    service: str
    operation: str
    resource: str
    with_version: bool = False
    name: str = ""


_STATEMENT = re.compile(r'^(INSERT|UPDATE) (?:INTO )?"([^"]+)"')


@dataclass(slots=True)
class Recorder:
    """Collects calls, each kind once."""

    calls: set[Call] = field(default_factory=set)

    def watch(self, client: Any) -> None:
        """Note every call of a client; the SDK's own hook, before it touches the parameters."""
        service = client.meta.service_model.service_name
        client.meta.events.register_first(f"provide-client-params.{service}", self._note)

    def _note(self, params: dict[str, Any], model: Any, **_unused: Any) -> None:
        service, operation = model.service_model.service_name, model.name
        for part in params.get("TransactItems", [{}] if "Statements" not in params else []):
            place = next(iter(part.values())) if part else params
            kind = {"Put": "PutItem", "Update": "UpdateItem", "ConditionCheck": "ConditionCheckItem"}
            named = kind.get(next(iter(part), ""), operation)
            self.calls.add(Call(service, named, _resource(place), "VersionId" in params, _name(params)))
        for statement in params.get("Statements", []):
            verb, table = _STATEMENT.findall(statement["Statement"])[0]
            self.calls.add(Call(service, f"PartiQL{verb.capitalize()}", table))
        source = params.get("CopySource")
        if isinstance(source, dict):
            bucket, key = str(source["Bucket"]), str(source["Key"])
            self.calls.add(Call(service, f"{operation} (source)", bucket, "VersionId" in source, key))
            if params.get("AnnotationDirective") == "COPY":
                self.calls.add(Call(service, f"{operation} (source annotations)", bucket, name=key))
                self.calls.add(Call(service, f"{operation} (annotations)", _resource(params), name=_name(params)))
        for name in ("Tagging", "ObjectLockMode", "ObjectLockLegalHoldStatus"):
            if name in params:
                self.calls.add(Call(service, f"{operation} ({name})", _resource(params), name=_name(params)))


def _resource(params: dict[str, Any]) -> str:
    entries = params.get("Entries") or [{}]
    bus = entries[0].get("EventBusName", "")
    for table in params.get("RequestItems", {}):
        return str(table)
    return str(
        params.get("Bucket") or params.get("TableName") or params.get("QueueUrl") or params.get("StreamArn") or bus
    )


def _name(params: dict[str, Any]) -> str:
    return next((str(params[one]) for one in _NAMES if isinstance(params.get(one), str)), "")


@contextmanager
def recorded(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    """Every call of every client that is made meanwhile; in the lean lane botocore's hooks would miss most."""
    recorder, made = Recorder(), AwsClients._make

    def make(clients: AwsClients, service: Any, **options: Any) -> Any:
        client = made(clients, service, **options)
        recorder.watch(client)
        return client

    with monkeypatch.context() as patch:
        patch.setenv("KEYSHIFT_LANE", "boto3")
        patch.setattr(AwsClients, "_make", make)
        yield recorder
