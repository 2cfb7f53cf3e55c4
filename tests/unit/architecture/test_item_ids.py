"""One module lists what the manifest table holds."""

import re
from pathlib import Path

import pytest

from adapters.dynamodb import item_ids
from domain.keys import Location

ROOT = Path(__file__).resolve().parents[3]
ID = re.compile(r"""["'](?:keyshift|backfill)#""")


def test_no_other_module_makes_up_an_id() -> None:
    """But the events of the audit, whose published ids begin with three of them."""
    modules = [path for part in ("adapters", "domain", "handlers") for path in (ROOT / part).rglob("*.py")]
    with_ids = {str(path.relative_to(ROOT)) for path in modules if ID.search(path.read_text(encoding="utf-8"))}
    allowed = {"adapters/dynamodb/item_ids.py"}
    assert allowed < with_ids
    assert all(name.startswith("domain/audit/") for name in with_ids - allowed)


@pytest.mark.parametrize("item_id", ["keyshift#control", "keyshift#stage", "keyshift#reference#ab"])
def test_control_stage_and_journal_are_audited(item_id: str) -> None:
    """They tell of themselves in the stream."""
    assert item_ids.is_audited(item_id)
    assert not item_ids.is_record_id(item_id)


@pytest.mark.parametrize(
    "item_id",
    [
        "keyshift#chain",
        "keyshift#chain#shardId-a",
        "keyshift#chains",
        "keyshift#run#references rewrite --yes",
        "keyshift#controls",
        "backfill#a",
    ],
)
def test_nothing_else_beside_the_records_is(item_id: str) -> None:
    """Counters and positions."""
    assert not item_ids.is_audited(item_id)
    assert not item_ids.is_record_id(item_id)


def test_a_record_has_an_id_without_a_sign() -> None:
    """By which it is told."""
    assert item_ids.is_record_id(Location("bucket", "a#key").record_id)
