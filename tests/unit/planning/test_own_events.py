"""The bill of S3's events of keyshift's own requests against sums made by hand."""

from pathlib import Path

import pytest
import yaml

from domain.planning.estimate import estimate
from domain.planning.functions import DEPLOYED
from domain.planning.own_events import (
    EVENTS_PER_BATCH,
    NO_OWN_EVENTS,
    Notifications,
    OwnEvents,
    cost_copy_events,
    cost_delete_events,
)
from domain.planning.prices import Prices
from domain.rules.restoring import RestoreRule, RestoreTier
from handlers.config.rules_file import read_rules
from tests.docs.citing import ROOT
from tests.worlds.plan_figures import MILLION, figures

RULES = """
version: 1
migration: m
source: {{bucket: one-bucket, prefix: "{source}"}}
target: {{bucket: {bucket}, prefix: "{target}"}}
rules: [{{name: a, from: "a/{{rest*}}", to: "b/{{rest*}}"}}]
"""


def own(source: str, target: str, *, bucket: str = "one-bucket", through: str = "eventbridge") -> OwnEvents:
    """Of rules with these prefixes."""
    rules = read_rules(RULES.format(source=source, target=target, bucket=bucket))
    return OwnEvents.of(rules, Notifications(through))


def dollars(lines: object) -> dict[str, float]:
    """By item, without the words that all have in common."""
    return {line.name.partition(": ")[2]: round(line.dollars, 3) for line in lines}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("source", "target", "bucket", "is_told", "is_received"),
    [
        ("", "", "one-bucket", True, True),
        ("in/", "by-date/", "one-bucket", True, False),
        ("in/", "in/new/", "one-bucket", True, True),
        ("in/old/", "in/", "one-bucket", True, True),
        ("", "", "two-bucket", False, True),
    ],
)
def test_whether_a_copy_comes_back(source: str, target: str, bucket: str, is_told: bool, is_received: bool) -> None:
    """Only in one bucket; and into the queue only where a target can be below the source prefix."""
    made = own(source, target, bucket=bucket)
    assert (made.of_copies, made.copies_received) == (is_told, is_received)


def test_a_million_copies_through_eventbridge() -> None:
    """An event $1.00 a million; its message a send and a fifth of a request; a tenth of an invocation; 1 ms of CPU."""
    assert dollars(cost_copy_events(MILLION, Prices(), DEPLOYED, own("", ""))) == {
        "EventBridge": 1.0,
        "SQS": 0.48,
        "Lambda": 0.02,
        "Lambda time": 0.023,
    }


def test_prefixes_apart_save_the_messages_and_direct_notifications_the_events() -> None:
    """What is sent and not received costs EventBridge's dollar only; what is neither costs nothing."""
    apart = dollars(cost_copy_events(MILLION, Prices(), DEPLOYED, own("in/", "by-date/")))
    assert apart == {"EventBridge": 1.0, "Lambda time": 0.0}
    direct = dollars(cost_copy_events(MILLION, Prices(), DEPLOYED, own("in/", "by-date/", through="sqs")))
    assert sum(direct.values()) == 0
    assert "EventBridge" not in dollars(cost_copy_events(MILLION, Prices(), DEPLOYED, own("", "", through="sqs")))


def test_a_million_deletes_by_cleanup() -> None:
    """Three reads at $0.40, two writes at $0.625 a million, 0.15 seconds at a sixteenth of a function."""
    assert dollars(cost_delete_events(MILLION, Prices(), DEPLOYED, own("in/", "by-date/"))) == {
        "EventBridge": 1.0,
        "SQS": 0.48,
        "Lambda": 0.02,
        "S3 reads": 1.2,
        "DynamoDB": 1.25,
        "Lambda time": 0.125,
    }


def test_the_estimate_has_both_and_nothing_without_capture() -> None:
    """Copies in the bill of the move, deletes in what follows, with two audit events more."""
    bill = estimate(figures(), Prices(), concurrency=1, own=own("", ""))
    plain = estimate(figures(), Prices(), concurrency=1)
    assert bill.dollars - plain.dollars == pytest.approx(1.523, abs=0.001)
    assert sum(line.dollars for line in bill.afterwards) - sum(line.dollars for line in plain.afterwards) == (
        pytest.approx(4.075 + 0.04, abs=0.001)
    )
    assert [line for line in plain.lines if "events of" in line.name] == []
    assert list(cost_delete_events(1, Prices(), DEPLOYED, NO_OWN_EVENTS)) == []


def test_the_ways_and_the_batch_are_the_stacks() -> None:
    """The parameter's values, its default, and how many events a function gets at once."""
    stack = yaml.safe_load(Path(ROOT, "serverless.yml").read_text(encoding="utf-8"))
    assert stack["resources"]["Parameters"]["Notifications"]["AllowedValues"] == [one.value for one in Notifications]
    assert stack["params"]["default"]["notifications"] == Notifications.EVENTBRIDGE
    (mapping,) = stack["functions"]["objectEvents"]["events"]
    assert mapping["sqs"]["batchSize"] == EVENTS_PER_BATCH


def test_archived_objects_have_events_where_they_are_restored() -> None:
    """Without a rule for them they wait, and are not copied."""
    given = figures(archived=figures().moving)
    for restore, events in ((None, 0), (RestoreRule(RestoreTier.BULK, 1, 10), MILLION)):
        bill = estimate(given, Prices(), concurrency=1, own=own("", ""), restore=restore)
        assert sum(line.requests for line in bill.lines if line.name == "events of the copies: EventBridge") == events
