"""What two inventories prove of one record, and each condition that leaves it to a look."""

from dataclasses import replace
from typing import Any

import pytest

from domain.keys import Location
from domain.lifecycle.inventory_proof import InventoryProof, prove_by_inventories
from domain.lifecycle.reported import ReportedObject
from domain.objects import Encryption, ObjectState
from domain.planning.inventory import SETTLING_SECONDS, Inventory, certain_until
from domain.protocol.intents import Action, Intent
from domain.protocol.record import Claim, Mode, Origin, Record, State, Upload
from domain.protocol.seen_parts import SeenParts

ETAG, OTHER = "a" * 32, "b" * 32
UNTIL = 1_790_000_000.0
BEFORE = UNTIL - 100
SOURCE, TARGET = Location("b", "old/k"), Location("b", "new/k")
RECORD = Record(
    SOURCE,
    TARGET,
    State.COPIED,
    source_etag=ETAG,
    source_version="s1",
    target_etag=ETAG,
    target_version="t1",
    size=4,
    origin=Origin.CREATED,
    copied_before=int(BEFORE) + 30,
    source_modified=int(BEFORE),
    changed_at=BEFORE,
)
ROW = ReportedObject(ETAG, 4, "s1", BEFORE, "STANDARD", "SSE-S3", is_plain=True)
COPY = replace(ROW, version_id="t1")


def proof(record: Record = RECORD, source: ReportedObject | None = ROW, target: ReportedObject | None = COPY) -> Any:
    """By reports of which UNTIL is certain."""
    return prove_by_inventories(record, source, target, until=UNTIL)


def test_an_unchanged_copy_is_proven() -> None:
    """Bytes, size, class and encryption; what no inventory shows is named as not looked at, and never claimed."""
    found = proof(source=replace(ROW, storage_class="STANDARD_IA"), target=replace(COPY, storage_class="STANDARD_IA"))
    assert isinstance(found, InventoryProof)
    finding = found.finding
    assert (finding.verified, finding.differences, found.newest) == (True, (), BEFORE)
    assert finding.seen == SeenParts(storage_class="STANDARD_IA", by_inventories=True)
    assert finding.detail == "by inventories; not looked at: metadata, headers, tags, object lock, annotations"


def test_the_later_date_of_the_two_objects_is_told() -> None:
    """A mark must not be older than either."""
    assert proof(source=replace(ROW, last_modified=BEFORE - 5)).newest == BEFORE
    assert proof(target=replace(COPY, last_modified=BEFORE - 5)).newest == BEFORE


def test_a_mark_is_renewed_by_a_later_report() -> None:
    """The mark changed the record after the report's certain time; only a commit removes it."""
    marked = replace(RECORD, changed_at=UNTIL + 1, verified_at=UNTIL - 86_400, seen=SeenParts(by_inventories=True))
    assert proof(marked)
    assert proof(replace(marked, verified_at=None)) is None


def test_a_source_that_was_put_again_is_looked_at() -> None:
    """The same bytes may have other metadata; where the copied date is unknown, the copy's date stands for it."""
    unknown = replace(RECORD, source_modified=None)
    assert proof(unknown)
    assert proof(unknown, source=replace(ROW, last_modified=BEFORE + 1)) is None
    assert proof(source=replace(ROW, last_modified=BEFORE + 1)) is None
    assert proof(source=replace(ROW, last_modified=BEFORE - 1))


@pytest.mark.parametrize("version", [None, "null"])
def test_a_copy_without_a_version_needs_the_date_after_which_it_is_another_writers(version: str | None) -> None:
    """A decided conflict has none: equal bytes that were put since would pass."""
    record, target = replace(RECORD, target_version=version), replace(COPY, version_id=version)
    assert proof(record, target=target)
    assert proof(replace(record, copied_before=None), target=target) is None
    assert proof(replace(RECORD, copied_before=None))


@pytest.mark.parametrize("origin", [Origin.ADOPTED, None])
def test_an_adopted_copy_is_proven_too(origin: Origin | None) -> None:
    """As a look accepts it."""
    assert proof(replace(RECORD, origin=origin))


@pytest.mark.parametrize(("source", "target"), [("NOT-SSE", "SSE-S3"), ("NOT-SSE", "NOT-SSE"), ("SSE-S3", "SSE-S3")])
def test_etags_without_a_kms_key_are_digests(source: str, target: str) -> None:
    """An old source may be stored without encryption, and S3 encrypts its copy."""
    assert proof(source=replace(ROW, encryption=source), target=replace(COPY, encryption=target))


@pytest.mark.parametrize("version", [None, "null"])
@pytest.mark.parametrize("reported", [None, "", "null"])
def test_a_bucket_without_versions_has_no_version_to_compare(version: str | None, reported: str | None) -> None:
    """S3 names what was stored without versioning ``null`` once versioning was on."""
    record = replace(RECORD, source_version=version, target_version=version)
    assert proof(record, replace(ROW, version_id=reported), replace(COPY, version_id=reported))


COPY_INTENT = Intent(Action.COPY, ETAG)


@pytest.mark.parametrize(
    "change",
    [
        {"state": State.CLEANED},
        {"state": State.NEW},
        {"mode": Mode.ROLLED_BACK},
        {"claim": Claim("token", UNTIL + 99)},
        {"maybe": frozenset({COPY_INTENT})},
        {"upload": Upload("u", TARGET, ETAG, "", 0, 5)},
        {"rewritten_etag": ETAG},
        {"changed_at": UNTIL},
        {"seen": SeenParts(metadata=2, lost=("metadata",))},
        {"source_modified": int(BEFORE) - 1},
        {"source_etag": OTHER},
        {"target_etag": OTHER},
        {"source_version": "s2"},
        {"target_version": "t2"},
        {"source_version": None},
        {"target_version": None},
        {"copied_before": int(BEFORE)},
    ],
    ids=str,
)
def test_a_record_that_says_something_else_is_looked_at(change: dict[str, Any]) -> None:
    """Each field by itself."""
    assert proof(replace(RECORD, **change)) is None


ROW_CHANGES: list[dict[str, Any]] = [
    {"etag": OTHER},
    {"etag": None},
    {"size": 5},
    {"size": None},
    {"version_id": "x"},
    {"version_id": None},
    {"last_modified": UNTIL},
    {"last_modified": None},
    {"storage_class": "GLACIER"},
    {"storage_class": None},
    {"encryption": ""},
    {"encryption": "SSE-KMS"},
    {"encryption": "DSSE-KMS"},
    {"encryption": "SSE-C"},
    {"is_plain": False},
]


@pytest.mark.parametrize("side", ["source", "target"])
@pytest.mark.parametrize("change", ROW_CHANGES, ids=str)
def test_a_row_that_shows_something_else_or_too_little_is_looked_at(side: str, change: dict[str, Any]) -> None:
    """A column that is empty never counts as absent."""
    rows: dict[str, Any] = {"source": ROW, "target": COPY}
    assert proof(**rows)
    assert proof(**rows | {side: replace(rows[side], **change)}) is None


@pytest.mark.parametrize("name", ["etag", "size", "last_modified", "storage_class"])
def test_what_both_rows_lack_is_not_equal(name: str) -> None:
    """Two empty columns prove nothing."""
    lacking: dict[str, Any] = {name: None}
    assert proof(source=replace(ROW, **lacking), target=replace(COPY, **lacking)) is None


def test_an_object_that_a_report_does_not_name_is_looked_at() -> None:
    """On either side."""
    assert proof(source=None) is None
    assert proof(target=None) is None


@pytest.mark.parametrize("etag", ["a" * 32 + "-2", '"' + "a" * 32 + '"', "A" * 32])
def test_equal_etags_that_are_not_digests_prove_nothing(etag: str) -> None:
    """Two objects uploaded in the same parts may be equal, and only checksums or the bytes show it."""
    record = replace(RECORD, source_etag=etag, target_etag=etag)
    assert proof(record, replace(ROW, etag=etag), replace(COPY, etag=etag)) is None


def test_versions_alone_do_not_prove_bytes() -> None:
    """The copy of an object in parts has another etag, although both versions are those of the record."""
    record = replace(RECORD, source_etag="c" * 32 + "-3")
    assert proof(record, replace(ROW, etag="c" * 32 + "-3")) is None


def test_only_what_both_reports_certainly_tell_counts() -> None:
    """The older report, less what a report may lag, less the difference of clocks, in whole seconds."""
    reports = [Inventory("b", "d", "CSV", (), (), begun) for begun in (UNTIL + 0.75, UNTIL + 7200)]
    assert certain_until(reports, margin=60.0) == UNTIL - SETTLING_SECONDS - 60
    assert certain_until(reversed(reports), margin=0.0) == UNTIL - SETTLING_SECONDS


def test_the_same_rule_as_a_looks_decides_about_bytes() -> None:
    """An object under a KMS key has no digest as its etag, whatever its form."""
    assert ObjectState(ETAG, 4, encryption=Encryption("AES256")).etag_is_digest
    assert not ObjectState(ETAG, 4, encryption=Encryption("aws:kms", "key")).etag_is_digest
