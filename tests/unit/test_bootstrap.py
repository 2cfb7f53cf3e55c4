"""Bootstrap wires real adapters to every port, sends nothing, and takes its policy from settings and rules."""

from pathlib import Path

import pytest

from domain.audit.ports import EventBus
from domain.errors import RulesError
from domain.protocol.ports import Manifest, MultipartStore, ObjectStore
from domain.queues import MessageQueue
from domain.reporting.ports import ProgressCounters
from handlers.bootstrap import bootstrap, policy_of, seconds_left_of
from handlers.config.rules_file import read_rules
from handlers.config.settings import Settings
from tests.unit.handler_world import RULES

NOWHERE = "http://127.0.0.1:9"
"""The discard port: whoever sends something there fails."""


def some_settings(**given: object) -> Settings:
    """Settings that lead to no server."""
    return Settings.model_validate(
        {"rules_file": Path("rules.yaml"), "table": "manifest", "region": "us-east-1", "endpoint_url": NOWHERE} | given
    )


def test_nothing_is_sent_while_wiring() -> None:
    """A cold start must not depend on any service; mypy proves that the adapters fit the ports."""
    made = bootstrap(some_settings(), function="test", rules=read_rules(RULES))
    store: ObjectStore = made.ports.store
    multipart: MultipartStore = made.ports.multipart
    manifest: Manifest = made.ports.manifest
    queue: MessageQueue = made.events_queue
    bus: EventBus = made.bus
    progress: ProgressCounters = made.progress
    assert all((store, multipart, manifest, queue, bus, progress))
    assert made.new_token() != made.new_token()


def test_the_policy_follows_rules_and_settings() -> None:
    """What the rules promise and the settings limit is what the protocol works with."""
    rules = read_rules(RULES + "deletes: keep\n")
    policy = policy_of(some_settings(multipart_above=7, request_seconds=60, encrypted_targets=True), rules)
    assert (policy.mirror_deletes, policy.multipart_above, policy.request_seconds) == (False, 7, 60)
    assert (policy.encrypted_targets, policy.rules_digest) == (True, rules.digest)


def test_an_unreadable_rules_file_is_one_sentence(tmp_path: Path) -> None:
    """It names the file and the remedy."""
    missing = tmp_path / "rules.yaml"
    with pytest.raises(RulesError, match=r"rules\.yaml: cannot be read"):
        bootstrap(some_settings(rules_file=missing), function="test")


def test_an_item_that_is_no_record_is_none() -> None:
    """Counters and control share the table and its stream."""
    made = bootstrap(some_settings(), function="test", rules=read_rules(RULES))
    assert made.record_of_item({"pk": {"S": "keyshift#progress"}}) is None


def test_an_invocation_keeps_time_for_its_answer() -> None:
    """Ten seconds before Lambda's end nothing new is begun."""

    class Context:
        def get_remaining_time_in_millis(self) -> int:
            """As Lambda's context."""
            return 30_000

    assert seconds_left_of(Context())() == 20.0
