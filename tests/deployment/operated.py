"""A deployed stack for the command line: its owners' objects and tables, and commands under a role's credentials."""

import contextlib
import io
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from adapters.standin import StandIn, running_standin
from domain.protocol.parts import MIB
from handlers.cli.app import run
from tests.deployment.artefact import LOCAL_LAYERS, ROOT, require_built, run_osls
from tests.deployment.authorizations import ACCOUNT, Demand, demands_of
from tests.deployment.calls import recorded
from tests.deployment.inventory_report import md5_of, put_report
from tests.deployment.pin_services import running_pin_services
from tests.deployment.site import create_jobs, deploy_arguments, referring, root_client, root_environment, stack_outputs

STAGE, STACK = "ops", "keyshift-ops"
SOURCE, TARGET, REPORTS, JOBS = "operated-source", "operated-target", "operated-reports", "operated-jobs"
OPERATOR, ACTING = "operator", "acting-operator"
_FLAGS = (
    "--yes",
    "--stack",
    "--probe",
    "--inventory",
    "--deep",
    "--requeue",
    "--all",
    "--exact",
    "--purge",
    "--abort",
    "--versions",
    "--engine",
)
_RULES = f"""
version: 1
migration: operated
source: {{bucket: {SOURCE}, prefix: legacy/}}
target: {{bucket: {TARGET}, prefix: layout/}}
rules:
  - {{name: move, from: "old/{{rest*}}", to: "new/{{rest*}}"}}
allow:
  - {{rule: move, finding: invalid-target, why: "keys such as old//a keep their form"}}
references:
  - {{table: {JOBS}, key: id, attributes: [uri], indexes: {{by-uri: uri}}}}
  - {{manifests: ["old/{{rest*}}.manifest"], attributes: [source-ref]}}
pins: [glue, greengrass, sagemaker]
restore: {{tier: bulk, days: 1}}
"""
_SETTINGS = {
    "MULTIPART_ABOVE": str(5 * MIB),
    "PART_SIZE": str(5 * MIB),
    "ATTEMPT_SECONDS": "4",
    "REQUEST_SECONDS": "2",
    "MARGIN_SECONDS": "0.5",
    "CONTROL_SECONDS": "0",
}


@dataclass(frozen=True, slots=True)
class Said:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass
class OperatedSite:
    """The stack, and every call that each command made so far: by role, then by command."""

    standin: StandIn
    rules: Path
    outputs: Mapping[str, str]
    endpoints: Mapping[str, str]
    monkeypatch: pytest.MonkeyPatch
    demands: dict[str, dict[str, set[tuple[str, Demand]]]] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        """The account's owner looks and acts."""
        return root_client(self.standin, service)

    def credentials(self, role: str) -> dict[str, str]:
        """What a profile with ``role_arn`` and ``external_id`` gives to the command line."""
        answer = self.client("sts").assume_role(
            RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{STACK}-{role}",
            RoleSessionName="test",
            ExternalId=f"keyshift-{role}",
        )["Credentials"]
        names = {
            "ACCESS_KEY_ID": "AccessKeyId",
            "SECRET_ACCESS_KEY": "SecretAccessKey",
            "SESSION_TOKEN": "SessionToken",
        }
        return {f"AWS_{name}": answer[each] for name, each in names.items()}

    def settings(self, role: str) -> dict[str, str]:
        """The stack's outputs, as docs/deploy.md says to take them for a role, and short times."""
        outputs = {
            "RULES_FILE": str(ROOT / self.rules),
            "TABLE": self.outputs["Table"],
            "EVENTS_QUEUE_URL": self.outputs["EventsQueueUrl"],
            "BACKFILL_QUEUE_URL": self.outputs["BackfillQueueUrl"],
            "INVENTORY_QUEUE_URL": self.outputs["InventoryQueueUrl"],
            "LOOKING_QUEUE_URL": self.outputs["LookingQueueUrl"],
            "BUS": self.outputs["Bus"],
            "AUDIT_BUCKET": self.outputs["AuditBucketName"],
            "FUNCTIONS": self.outputs["Functions"],
        }
        if role == ACTING:
            outputs |= {
                f"{name.upper()}_QUEUE_URL": self.outputs[f"{name}QueueUrl"]
                for name in ("Removing", "Restoring", "Rewriting")
            }
        return {f"KEYSHIFT_{name}": value for name, value in (outputs | _SETTINGS).items()}

    def run(self, role: str, *words: str, code: int | None = 0) -> Said:
        """Run a command under the role's credentials; ``None``: whatever its exit code."""
        out, err = io.StringIO(), io.StringIO()
        with self.monkeypatch.context() as patch:
            for name in [one for one in os.environ if one.startswith(("AWS_", "KEYSHIFT_"))]:
                patch.delenv(name)
            own = {**self.standin.environment(), **self.endpoints, **self.settings(role), **self.credentials(role)}
            for name, value in own.items():
                patch.setenv(name, value)
            with recorded(patch) as recorder, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                ended = run(list(words))
        said = Said(ended, out.getvalue(), err.getvalue())
        noted = self.demands.setdefault(role, {}).setdefault(command_of(words), set())
        noted |= {(call.operation.partition(" ")[0], one) for call in recorder.calls for one in demands_of(call)}
        if code is not None and ended != code:
            raise AssertionError(f"{role}: keyshift {' '.join(words)} ended with {ended}\n{said.out}\n{said.err}")
        return said

    def tried(self, role: str, *words: str) -> str:
        """What a command says that the role does not allow; its calls are not the role's needs."""
        kept = {name: set(one) for name, one in self.demands.get(role, {}).items()}
        said = self.run(role, *words, code=1)
        self.demands[role] = kept
        return said.out + said.err

    def put(self, key: str, body: bytes, **more: Any) -> None:
        """An owner writes."""
        self.client("s3").put_object(Bucket=SOURCE, Key=f"legacy/{key}", Body=body, **more)

    def annotate(self, key: str) -> None:
        """An owner puts an annotation."""
        self.client("s3").put_object_annotation(
            Bucket=SOURCE, Key=f"legacy/{key}", AnnotationName="note", AnnotationPayload=b"text"
        )

    def keys(self, bucket: str, prefix: str = "") -> set[str]:
        """What a bucket holds."""
        answer = self.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix)
        return {one["Key"] for one in answer.get("Contents", [])}

    def dead(self, body: str, *, queue: str = "events") -> None:
        """A message that nobody could work off."""
        sqs = self.client("sqs")
        sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName=f"{STACK}-{queue}-dead")["QueueUrl"], MessageBody=body)

    def messages(self) -> dict[str, int]:
        """How many messages each queue holds, waiting, delayed or in a worker's hands."""
        sqs, counts = self.client("sqs"), {}
        for name in ("EventsQueueUrl", "BackfillQueueUrl", "InventoryQueueUrl"):
            answer = sqs.get_queue_attributes(QueueUrl=self.outputs[name], AttributeNames=["All"])["Attributes"]
            counts[name] = sum(int(value) for key, value in answer.items() if key.startswith("ApproximateNumberOf"))
        return counts

    def is_quiet(self) -> bool | None:
        """Whether no message is left that a function could still act on; ``None``: not yet."""
        return None if any(self.messages().values()) else True

    def job(self) -> str:
        """The URI that the application's table holds."""
        item = self.client("dynamodb").get_item(TableName=JOBS, Key={"id": {"S": "1"}})["Item"]
        return str(item["uri"]["S"])


def command_of(words: tuple[str, ...]) -> str:
    """A command as the documents name it: its words, and the options that change what it calls."""
    group = 2 if words[0] in ("conflicts", "dlq", "references", "audit") else 1
    return " ".join([*words[:group], *(one for one in words if one in _FLAGS)])


@contextmanager
def enforcing_standin() -> Iterator[StandIn]:
    """A stand-in that checks every request against the caller's IAM policies, as AWS does."""
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        patch.setenv("AUTH", "true")
        standin = stack.enter_context(running_standin())
        patch.undo()  # only this one
        yield standin


@contextmanager
def operated_site(standin: StandIn) -> Iterator[OperatedSite]:
    """The stack of a migration with references and pins, beside whatever else the stand-in has."""
    require_built(LOCAL_LAYERS)
    rules = ROOT / "build" / "operated.yaml"
    rules.write_text(_RULES, encoding="utf-8")
    s3 = root_client(standin, "s3")
    for bucket in (SOURCE, TARGET):
        s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    s3.create_bucket(Bucket=REPORTS)
    create_jobs(root_client(standin, "dynamodb"), JOBS)
    arguments = deploy_arguments(
        rules.relative_to(ROOT),
        stage=STAGE,
        reports=REPORTS,
        **referring(JOBS),
    )
    run_osls(standin, "deploy", *arguments, more=root_environment(standin))
    outputs = stack_outputs(standin, STACK)
    s3.delete_bucket_policy(Bucket=outputs["AuditBucketName"])  # it refuses plain HTTP, all that the stand-in speaks
    with pytest.MonkeyPatch.context() as patch, running_pin_services(patch) as endpoints:
        yield OperatedSite(standin, rules.relative_to(ROOT), outputs, endpoints, patch)


def write_inventory(site: OperatedSite, keys: list[str]) -> str:
    """An inventory of the source bucket with these keys; its manifest's URI."""
    rows = "".join(f'"{SOURCE}","legacy/{key}","1","{md5_of(b"")}"\n' for key in keys)
    place = "daily/2026-11-23T01-00Z"
    return put_report(site.client("s3"), REPORTS, rows, source=SOURCE, file="daily/one.csv.gz", base=place)
