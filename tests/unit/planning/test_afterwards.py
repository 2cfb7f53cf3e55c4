"""What verify and cleanup cost after the copies."""

import json

import pytest

from domain.planning.afterwards import AFTERWARDS, cost_afterwards
from domain.planning.estimate import estimate
from domain.planning.functions import DEPLOYED
from domain.planning.own_events import OwnEvents
from domain.planning.prices import CostLine, Prices
from tests.docs.citing import ROOT
from tests.worlds.plan_figures import MILLION, figures

KEPT = json.loads((ROOT / "bench" / "kept" / "commands.json").read_text(encoding="utf-8"))["commands"]


@pytest.mark.parametrize("command", AFTERWARDS)
def test_the_plan_counts_what_was_measured(command: str) -> None:
    """Requests of one object, in whole ones: what pages share is left out on both sides."""
    each, requests = AFTERWARDS[command], {name: round(number) for name, number in KEPT[command]["requests"].items()}
    assert each.looks == requests["HeadObject"] + requests["ObjectSubresource"]
    assert each.lists == requests["ListObjectAnnotations"]
    assert each.table_writes == requests["PutItem"]
    assert each.table_reads == requests.get("GetItem", 0)


def test_a_million_objects_cost_what_the_sum_by_hand_says() -> None:
    """Reads at $0.40 a million, writes at $0.625, reads of the table at $0.125, three events an object in packs."""
    given = figures(rules={"a": figures().moving})
    lines = {line.name: line for line in estimate(given, Prices(), concurrency=1).afterwards}
    assert {name: round(line.dollars, 3) for name, line in lines.items()} == {
        "verify: S3 reads": 2.0,
        "verify: DynamoDB": 0.625,
        "cleanup: S3 reads": 2.0,
        "cleanup: DynamoDB": 1.375,
        "EventBridge, full packs": 0.06,
    }
    assert lines["cleanup: DynamoDB"].requests == 3 * MILLION


def test_a_promise_of_no_annotations_saves_two_looks() -> None:
    """One in verify, one in cleanup."""
    lines = list(cost_afterwards(10, Prices(), DEPLOYED, OwnEvents(), single_events=True, promised_unannotated=True))
    assert CostLine("verify: S3 reads", 40, 40 * 0.4 / 1e6) in lines
    assert CostLine("EventBridge, single events", 30, 30 / 1e6) in lines
