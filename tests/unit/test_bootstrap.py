"""Bootstrap wires real adapters to every port, sends nothing, and takes its policy from settings and rules."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.aws.clients import AwsClients
from adapters.s3.bucket_encryption import BucketEncryption
from adapters.s3.object_store import S3ObjectStore
from domain.audit.ports import EventBus
from domain.errors import RulesError
from domain.protocol.ports import Manifest, MultipartStore, ObjectStore, Refused
from domain.queues import MessageQueue
from domain.reporting.ports import ProgressCounters
from handlers.bootstrap import bootstrap, policy_of, wire_command
from handlers.bootstrap import process as process_module
from handlers.bootstrap.audit import audit_chains, audited_items
from handlers.bootstrap.inspection import inspector_of, object_listing
from handlers.bootstrap.inventories import inventory_queue, journal_of
from handlers.bootstrap.operations import operation_of
from handlers.bootstrap.process import Process
from handlers.bootstrap.references import manifests_of, resolver_of
from handlers.bootstrap.steering import queues_of, steering_of
from handlers.bootstrap.worker import change_reader
from handlers.config.rules_file import load_rules, read_rules
from handlers.config.settings import Settings
from tests.worlds.handlers import HANDLER_RULES

NOWHERE = "http://127.0.0.1:9"
"""The discard port: whoever sends something there fails."""


def some_settings(**given: object) -> Settings:
    """Settings that lead to no server."""
    return Settings.model_validate(
        {"rules_file": Path("rules.yaml"), "table": "manifest", "region": "us-east-1", "endpoint_url": NOWHERE} | given
    )


def test_nothing_is_sent_while_wiring() -> None:
    """A cold start must not depend on any service; mypy proves that the adapters fit the ports."""
    made = bootstrap(Process(some_settings(), rules=read_rules(HANDLER_RULES)), function="test")
    store: ObjectStore = made.ports.store
    multipart: MultipartStore = made.ports.multipart
    manifest: Manifest = made.ports.manifest
    queue: MessageQueue = made.events_queue
    bus: EventBus = made.bus
    progress: ProgressCounters = made.progress
    assert all((store, multipart, manifest, queue, bus, progress))
    assert made.new_token() != made.new_token()


def test_all_that_a_process_wires_shares_its_clients_and_its_rules(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each session costs a command a tenth of a second, and each reading of the rules could see another file."""
    made: list[str] = []

    def noted(what: str, make: Callable[..., Any]) -> Callable[..., Any]:
        def note(*given: Any, **more: Any) -> Any:
            made.append(what)
            return make(*given, **more)

        return note

    monkeypatch.setattr(process_module, "AwsClients", noted("clients", AwsClients))
    monkeypatch.setattr(process_module, "load_rules", noted("rules", load_rules))
    (tmp_path / "rules.yaml").write_text(HANDLER_RULES)
    queues = {f"{name}_queue_url": f"{NOWHERE}/{name}" for name in ("events", "backfill", "inventory")}
    process = Process(some_settings(rules_file=tmp_path / "rules.yaml", audit_bucket="audit", **queues))
    operation = operation_of(process, wire_command(process, function="test"))
    assert operation.engine() is operation.engine()
    wirings: list[Callable[[Process], object]] = [queues_of, steering_of, inventory_queue, journal_of, object_listing]
    wirings += [inspector_of, resolver_of, change_reader, audit_chains, audited_items]
    for wire in wirings:
        wire(process)
    assert sorted(made) == ["clients", "rules"]


def test_the_policy_follows_rules_and_settings() -> None:
    """What the rules promise and the settings limit is what the protocol works with."""
    keys = {
        f"arn:aws:kms:us-east-1:{number * 12}:key/mrk-{number * 32}": f"arn:aws:kms:us-east-1:{'3' * 12}:key/x"
        for number in "12"
    }
    encryption = "".join(f"    {old}: {new}\n" for old, new in keys.items())
    rules = read_rules(f"{HANDLER_RULES}deletes: keep\nencryption:\n  map:\n{encryption}")
    settings = some_settings(multipart_above=7, request_seconds=60, encrypted_targets=True)
    policy = policy_of(Process(settings, rules=rules))
    assert (policy.mirror_deletes, policy.multipart_above, policy.request_seconds) == (False, 7, 60)
    assert (policy.encrypts_targets(), policy.rules_digest, policy.kms_keys.pairs) == (True, rules.digest, keys)


def test_a_bucket_that_takes_no_copies_is_logged_once(capsys: pytest.CaptureFixture[str]) -> None:
    """So that an operator finds out why requests have become more."""
    policy = wire_command(Process(some_settings(), rules=read_rules(HANDLER_RULES)), function="in-parts").policy
    for _ in range(2):
        policy.in_parts_only.learn("line-1", Refused.NOT_OFFERED)
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "in parts" in line]
    assert (json.loads(line)["level"], json.loads(line)["bucket"]) == ("WARNING", "line-1")


@pytest.mark.parametrize(("promise", "directive"), [("", "COPY"), (", annotations: none", "EXCLUDE")])
def test_annotations_go_along_unless_the_rules_promise_none(promise: str, directive: str) -> None:
    """Then nothing looks for them, and copies need no permission for them."""
    rules = read_rules(HANDLER_RULES.replace("source: {bucket: line-1", f"source: {{bucket: line-1{promise}", 1))
    process = Process(some_settings(), rules=rules)
    ports = wire_command(process, function="test").ports
    assert (ports.annotations is None) == (directive == "EXCLUDE")
    assert (manifests_of(process).ports.migration.annotations is None) == (directive == "EXCLUDE")
    assert isinstance(ports.store, S3ObjectStore)
    assert ports.store._directives["AnnotationDirective"] == directive


def test_the_target_bucket_is_asked_unless_the_settings_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is sent before the first copy."""
    rules = read_rules(HANDLER_RULES)
    monkeypatch.setattr(BucketEncryption, "is_kms", lambda one: one._bucket == "line-1")
    assert policy_of(Process(some_settings(), rules=rules)).encrypts_targets()
    assert not policy_of(Process(some_settings(encrypted_targets=False), rules=rules)).encrypts_targets()


def test_an_unreadable_rules_file_is_one_sentence(tmp_path: Path) -> None:
    """It names the file and the remedy."""
    missing = tmp_path / "rules.yaml"
    with pytest.raises(RulesError, match=r"rules\.yaml: cannot be read"):
        bootstrap(Process(some_settings(rules_file=missing)), function="test")


def test_an_item_that_is_no_record_is_none() -> None:
    """Counters and control share the table and its stream."""
    made = bootstrap(Process(some_settings(), rules=read_rules(HANDLER_RULES)), function="test")
    assert made.record_of_item({"pk": {"S": "keyshift#progress"}}) is None
