"""The table of decisions in the contract and above ``decide`` are one, and ``decide`` follows each row."""

import re
from dataclasses import replace

import pytest

from domain.keys import Location
from domain.objects import ObjectState
from domain.protocol.decisions import Copy, CopyHidden, Decision, DeleteTarget, Settle, Sight
from domain.protocol.intents import Action, Intent
from domain.protocol.ports import HiddenVersion, MustBeAbsent, MustMatch, TopMarker
from domain.protocol.reconciling import decide
from domain.protocol.record import EMPTY_TARGET, Origin, Record, State
from tests.docs.citing import ROOT

PROTOCOL = (ROOT / "docs" / "design" / "protocol.md").read_text(encoding="utf-8")
SOURCE, TARGET = Location("line-1", "legacy/a"), Location("line-1", "new/a")
OLD, NEW, OTHER = "1" * 32, "2" * 32, "f" * 32
COPIED = Record(
    SOURCE, TARGET, State.COPIED, source_etag=OLD, source_version="v1", target_etag=OLD, origin=Origin.CREATED
)
CLEANED = replace(COPIED, state=State.CLEANED, marker_version="m1")
NOTHING = replace(COPIED, state=State.NEW, target_etag=None, origin=None)
CONFLICT = replace(NOTHING, state=State.CONFLICT)
THERE = ObjectState(NEW, 5, version_id="v2", last_modified=9, metadata={"a": "b"}, tags={})
COPY = ObjectState(OLD, 5, version_id="t1", last_modified=5, metadata={"a": "b"}, tags={})
SAME = replace(THERE, version_id="t2")
ANOTHER = replace(COPY, etag=OTHER)
REFUSED = replace(NOTHING, maybe=frozenset({Intent(Action.COPY, OLD, "v1", OLD, not_before=1, is_refused=True)}))

ROWS = {
    "1": [Sight(COPIED, THERE, None), Sight(CONFLICT, THERE, None)],
    "2": [
        Sight(NOTHING, THERE, None),
        Sight(replace(COPIED, maybe=frozenset({Intent(Action.DELETE_TARGET)})), THERE, None),
        Sight(replace(CONFLICT, replaceable_etag=EMPTY_TARGET), THERE, None),
    ],
    "3": [Sight(replace(COPIED, target_etag=NEW), replace(THERE, storage_class="STANDARD_IA"), SAME)],
    "4": [
        Sight(replace(COPIED, target_etag=NEW), THERE, SAME),
        Sight(NOTHING, THERE, SAME),
        Sight(replace(COPIED, rewritten_etag=OLD, source_etag=NEW), replace(THERE, version_id="v1"), COPY),
    ],
    "5": [Sight(CLEANED, replace(THERE, last_modified=1), COPY)],
    "6": [Sight(COPIED, THERE, COPY), Sight(CLEANED, THERE, COPY)],
    "7": [Sight(replace(CONFLICT, replaceable_etag=OTHER), THERE, ANOTHER)],
    "8": [Sight(REFUSED, THERE, COPY)],
    "9": [Sight(COPIED, THERE, ANOTHER), Sight(NOTHING, THERE, COPY)],
    "10": [
        Sight(
            replace(CLEANED, marker_version=None),
            None,
            COPY,
            top=TopMarker("m9", HiddenVersion("v9", OLD, 8)),
        )
    ],
    "11": [
        Sight(COPIED, None, COPY, removed=True),
        Sight(replace(COPIED, origin=Origin.ADOPTED), None, COPY, removed=True, mirror_adopted=True),
        Sight(replace(CONFLICT, target_etag=OLD, replaceable_etag=OTHER), None, COPY, removed=True),
    ],
    "12": [Sight(CLEANED, None, COPY), Sight(CLEANED, None, COPY, removed=True)],
    "13": [
        Sight(COPIED, None, COPY),
        Sight(COPIED, None, COPY, removed=True, mirror_deletes=False),
        Sight(replace(COPIED, origin=Origin.ADOPTED), None, COPY, removed=True),
        Sight(replace(COPIED, state=State.CONFLICT), None, COPY, removed=True),
    ],
    "14": [Sight(COPIED, None, ANOTHER), Sight(NOTHING, None, COPY, removed=True)],
    "15": [Sight(CLEANED, None, None), Sight(CLEANED, None, None, removed=True)],
    "16": [Sight(COPIED, None, None, removed=True), Sight(replace(COPIED, state=State.TOMBSTONE), None, None)],
    "17": [Sight(COPIED, None, None), Sight(NOTHING, None, None)],
}
SETTLED = {
    "CONFLICT": State.CONFLICT,
    "settle COPIED": State.COPIED,
    "settle CLEANED": State.CLEANED,
    "settle GONE": State.GONE,
    "settle TOMBSTONE": State.TOMBSTONE,
}


def step_of(decision: Decision) -> str:
    """The table's words for a decision."""
    match decision:
        case Settle(state):
            return next(step for step, settled in SETTLED.items() if settled is state)
        case Copy(_, condition):
            return "copy if absent" if condition == MustBeAbsent() else "copy if it matches"
        case CopyHidden():
            return "copy it, CLEANED"
        case DeleteTarget():
            return "delete, TOMBSTONE"


def rows_of_the_contract() -> dict[str, tuple[str, ...]]:
    """The cells of each row of protocol.md §5, without marks."""
    lines = re.findall(r"^\| \d+ \|.*\|$", PROTOCOL.replace("`", ""), re.MULTILINE)
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: tuple(row[1:]) for row in cells}


def rows_above_decide() -> dict[str, tuple[str, ...]]:
    """The cells of each row of the docstring, cut where its heading has its columns."""
    lines = (decide.__doc__ or "").splitlines()
    at = next(number for number, line in enumerate(lines) if line.split() == ["#", "source", "target", "and", "step"])
    starts = [match.start() for match in re.finditer(r"\S+", lines[at])]
    ends = [*starts[1:], None]
    rows = [[line[start:end].strip() for start, end in zip(starts, ends, strict=True)] for line in lines[at + 1 :]]
    return {row[0]: tuple(row[1:]) for row in rows if row[0]}


def test_the_contract_and_the_code_have_one_table() -> None:
    """Cell for cell."""
    assert rows_above_decide() == rows_of_the_contract()
    assert list(rows_of_the_contract()) == list(ROWS)


@pytest.mark.parametrize(("row", "sight"), [(row, sight) for row, sights in ROWS.items() for sight in sights])
def test_each_row_is_what_is_decided(row: str, sight: Sight) -> None:
    """The first row that fits says source, target, step, state and condition."""
    source, target, _, step = rows_of_the_contract()[row]
    decision = decide(sight)
    assert step_of(decision) == step
    assert (sight.source is None, sight.target is None) == (source == "absent", target == "absent")
    if step == "copy if it matches" and isinstance(decision, Copy) and sight.target is not None:
        assert decision.condition == MustMatch(sight.target.etag)
