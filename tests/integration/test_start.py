"""What start refuses, and what it mends when it is run again: rules, live capture, the stage."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from adapters.s3.notification_filters import live_pattern
from adapters.s3.notifications import route_events
from domain.lifecycle.ports import Capture
from domain.lifecycle.stages import Stage, StageEntry, advanced, rules_fault
from domain.protocol.record import State
from handlers.bootstrap import wire_command
from handlers.bootstrap.operations import operation_of
from handlers.bootstrap.process import Process
from handlers.operations.operator import Shut
from handlers.operations.start import Opened, Probing, plan_start, start_capture
from tests.servers import Server
from tests.worlds.life import Life, life, life_on

__all__ = ["life"]

LOOP = """
version: 1
migration: site
source: {{bucket: {bucket}}}
target: {{bucket: {bucket}}}
rules:
  - {{name: move, from: "{{rest*}}", to: "x/{{rest*}}"}}
"""
ALLOWED = (
    LOOP
    + """
allow:
  - {{rule: move, finding: loop, why: "a test"}}
  - {{rule: move, finding: invalid-target, why: "a test"}}
  - {{rule: move, finding: collision, why: "a test"}}
"""
)


def test_refuted_rules_do_not_start(credentials: Server, tmp_path: Path) -> None:
    """A rule that feeds itself made about 510 copies of each object: the dry run and --yes say no, nothing changed."""
    life = life_on(credentials, tmp_path, rules_text=LOOP)
    before = life.operation.capture.read_configuration()
    planned, started = plan_start(life.operation, through="auto"), life.start()
    for answer in (planned, started):
        assert isinstance(answer, Shut), answer
        assert "refuted" in answer.why
        assert "loop of 'move'" in answer.why
        assert "keyshift rules check" in answer.why
    assert life.operation.stages.read_stage() == StageEntry()
    assert life.operation.capture.read_configuration() == before


def test_rules_whose_findings_are_allowed_by_name_start(credentials: Server, tmp_path: Path) -> None:
    """The stage then names the file that was proven, and no other one may run."""
    life = life_on(credentials, tmp_path, rules_text=ALLOWED)
    assert isinstance(life.start(), Opened)
    entry = life.operation.stages.read_stage()
    assert entry.rules_digest == life.site.dependencies.rules.digest
    assert rules_fault(entry, life.site.dependencies.rules.digest) is None
    assert rules_fault(entry, "another") is not None


def test_other_rules_are_proven_by_starting_again(life: Life) -> None:
    """Also after the cut-over, whose stage stays."""
    assert isinstance(life.start(), Opened)
    first = life.operation.stages.read_stage()
    _cut_over(life)
    rules = life.site.settings.rules_file
    rules.write_text(rules.read_text().replace("new/", "newer/"))
    process = Process(life.site.settings, clients=life.site.clients)
    dependencies = wire_command(process, function="again")
    other = Life(life.site, operation_of(process, dependencies), life.clock)
    assert isinstance(other.start(), Opened)
    entry = other.operation.stages.read_stage()
    assert entry.rules_digest == dependencies.rules.digest != first.rules_digest
    assert (entry.stage, entry.capture) == (Stage.CUT_OVER, first.capture)


def test_each_event_comes_once_on_a_deployed_stack(life: Life) -> None:
    """The stack's rule feeds the queue already: start takes that way by itself, and rollback leaves the rule."""
    site = life.site
    name = f"{site.name}-source"
    route_events(site.clients, name, live_pattern(site.name, ""), site.events)
    assert isinstance(_started(life, "auto"), Opened)
    life.work()
    site.put("old/1", b"x")
    bodies = [json.loads(one.body) for one in site.dependencies.events_queue.receive_messages(at_most=10, wait=2)]
    keys = Counter(body["detail"]["object"]["key"] for body in bodies)
    assert keys == {"old/1": 1}
    assert life.roll_back().clean
    assert site.clients.events.list_rule_names_by_target(TargetArn=site.events.arn)["RuleNames"] == [name]


def test_start_mends_what_another_program_took_away(life: Life) -> None:
    """In any stage before the end: Terraform wrote the bucket's notifications, and the owner's next write counts."""
    before = life.operation.capture.read_configuration()
    assert isinstance(life.start(), Opened)
    _cut_over(life)
    nothing: Any = {}
    life.site.clients.s3.put_bucket_notification_configuration(Bucket=life.site.name, NotificationConfiguration=nothing)
    assert isinstance(life.start(), Opened)
    assert life.operation.stages.read_stage().stage is Stage.CUT_OVER
    life.site.put("old/1", b"x")
    life.work()
    assert life.record("old/1").state is State.COPIED
    assert life.roll_back().clean
    assert life.operation.capture.read_configuration() == before


def test_a_rule_that_a_later_start_makes_goes_with_the_rollback(life: Life) -> None:
    """The first start took the queue, which another program then took away; the second one took EventBridge."""
    assert isinstance(life.start(), Opened)
    nothing: Any = {}
    life.site.clients.s3.put_bucket_notification_configuration(Bucket=life.site.name, NotificationConfiguration=nothing)
    assert isinstance(_started(life, "eventbridge"), Opened)
    assert life.roll_back().clean
    assert life.site.clients.events.list_rule_names_by_target(TargetArn=life.site.events.arn)["RuleNames"] == []


def test_a_rollback_that_begins_meanwhile_wins(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    """Live capture that was switched on behind its back is taken away again, and the stage is the rollback's."""
    before = life.operation.capture.read_configuration()
    switched = life.operation.capture.switch_on

    def switch_on(capture: Capture) -> None:
        switched(capture)
        entry = life.operation.stages.read_stage()
        back = advanced(entry, Stage.ROLLING_BACK, by="you", why="rollback", now=1.0)
        assert life.operation.stages.write_stage(back, before=entry)

    monkeypatch.setattr(life.operation.capture, "switch_on", switch_on)
    answer = life.start()
    assert isinstance(answer, Shut)
    assert "taken away again" in answer.why
    assert life.operation.capture.read_configuration() == before
    assert life.operation.stages.read_stage().stage is Stage.ROLLING_BACK


def _cut_over(life: Life) -> None:
    before = life.operation.stages.read_stage()
    after = advanced(before, Stage.CUT_OVER, by="t", why="t", now=1.0)
    assert life.operation.stages.write_stage(after, before=before)


def _started(life: Life, through: str) -> Opened | Shut:
    return start_capture(life.operation, through=through, probing=Probing(1, 20, 1), say=lambda _: None)
