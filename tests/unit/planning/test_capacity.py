"""How long stages take: the slowest resource decides, and the page has what the program computes."""

import json
from dataclasses import replace

import pytest

from bench.capacity import table
from domain.planning.capacity import STAGES, Limits, Resource, bottleneck, dollars
from domain.planning.functions import Functions
from domain.planning.prices import Prices
from tests.docs.citing import ROOT

KEPT = json.loads((ROOT / "bench" / "kept" / "commands.json").read_text(encoding="utf-8"))["commands"]
LOOKS = ("HeadObject", "ObjectSubresource", "ListObjectAnnotations")


@pytest.mark.parametrize("command", [name for name in STAGES if name != "copy"])
def test_a_command_needs_what_was_measured(command: str) -> None:
    """Requests in whole ones, CPU to a tenth of a millisecond."""
    need, requests = STAGES[command].each, {name: round(many) for name, many in KEPT[command]["requests"].items()}
    assert need[Resource.S3_READS] == sum(requests.get(name, 0) for name in LOOKS)
    assert need[Resource.S3_WRITES] == requests.get("CopyObject", 0) + requests.get("DeleteObject", 0)
    assert STAGES[command].paid_writes == requests.get("CopyObject", 0)
    assert need[Resource.TABLE_WRITES] == requests["PutItem"]
    assert need[Resource.TABLE_READS] == requests.get("GetItem", 0)
    assert need[Resource.CORES] * 1_000 == pytest.approx(KEPT[command]["cpu_ms"], abs=0.06)


@pytest.mark.parametrize(
    ("changes", "resource", "rate"),
    [
        ({}, Resource.COPIES, 160 / 0.15),
        ({"invocations": 100}, Resource.TABLE_WRITES, 2_000),
        ({"invocations": 100, "table_writes": 40_000}, Resource.S3_WRITES, 3_500),
        ({"functions": Functions(objects_at_once=1)}, Resource.COPIES, 10 / 0.15),
        ({"events": 10}, Resource.EVENTS, 250),
    ],
)
def test_the_slowest_resource_bounds_a_stage(changes: dict[str, int], resource: Resource, rate: float) -> None:
    """Each limit in turn, for copies."""
    found, objects = bottleneck(STAGES["copy"], replace(Limits(), **changes))  # type: ignore[arg-type]
    assert found is resource
    assert objects == pytest.approx(rate)


def test_a_million_copies_cost_their_requests() -> None:
    """$5.00 for copies, $1.25 for two records, $0.04 for their events."""
    assert dollars(STAGES["copy"], 10**6, Prices()) == pytest.approx(6.29)
    assert dollars(STAGES["cleanup"], 10**6, Prices()) == pytest.approx(2.0 + 1.25 + 0.125 + 0.04)


def test_the_page_has_the_programs_table() -> None:
    """As `python -m bench capacity` prints it today."""
    page = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
    assert "\n".join(table()) in page
