"""A verification by inventories on the stand-in: what is proven, what is looked at, and what the marks open."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from domain.errors import InputError
from domain.lifecycle.stages import Stage
from domain.lifecycle.verification import Difference, Finding
from domain.protocol.causes import Cause
from domain.protocol.record import State
from domain.protocol.seen_parts import SeenParts
from handlers.bootstrap.reported import reported_objects
from handlers.bootstrap.runs import verify_work
from handlers.operations.removals import Removed
from handlers.operations.start import Opened
from handlers.operations.verify_run import VerifyOptions, finding_of
from tests.servers import Server
from tests.worlds.life import ACCEPTING, HOUR, Life, life_on
from tests.worlds.reports import Rows, report_of
from tests.worlds.runs import lines_of

DAY = 24 * HOUR
BY_REPORTS = SeenParts(by_inventories=True)


@pytest.fixture
def life(credentials: Server, tmp_path: Path) -> Life:
    """A migration of a bucket whose events come, without the probes of a start."""
    return life_on(credentials, tmp_path, captured=True)


def begun(life: Life, *keys: str) -> Life:
    """A live migration whose objects were copied ten days ago."""
    if life.operation.stages.read_stage().stage is Stage.PREPARED:
        life.at(Stage.LIVE)
    for key in keys:
        life.site.put(key, f"body of {key}".encode())
    life.work()
    life.clock.shift += 10 * DAY
    return life


def verified(life: Life, *places: str, **options: Any) -> Mapping[str, Finding]:
    """The finding of each source key."""
    given = VerifyOptions(**{"segments": 2, "keeps_all": True, "keys": False, "references": False} | options)
    with (
        reported_objects(life.site.process, life.operation, places) as reported,
        verify_work(life.site.process, life.operation, given, reported=reported) as work,
    ):
        found = [finding_of(line) for line in lines_of(work)]
    return {one.source.key: one for one in found if one.source is not None}


def proven(found: Mapping[str, Finding]) -> set[str]:
    """The keys that were not looked at."""
    return {key for key, one in found.items() if one.detail.startswith("by inventories")}


def days_ago(life: Life, days: float) -> float:
    """By the operator's clock."""
    return life.clock.now() - days * DAY


def put_in_parts(life: Life, key: str) -> None:
    """Its etag is not a digest."""
    s3, name = life.site.clients.s3, life.site.name
    upload = s3.create_multipart_upload(Bucket=name, Key=key)["UploadId"]
    part = s3.upload_part(Bucket=name, Key=key, UploadId=upload, PartNumber=1, Body=b"one part")
    parts: Any = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(Bucket=name, Key=key, UploadId=upload, MultipartUpload=parts)


@pytest.mark.parametrize("file_format", ["Parquet", "CSV", "ORC"])
def test_only_what_the_inventory_does_not_prove_is_looked_at(life: Life, tmp_path: Path, file_format: str) -> None:
    """Awkward objects, in a bucket without versions; each is proven once, in one way or the other."""
    easy = {"old/plain", "old/a b+c%25é", "old//double", "old/q?x=1&y=2"}
    life.at(Stage.LIVE)
    life.site.put("old/kms", b"secret", ServerSideEncryption="aws:kms")
    put_in_parts(life, "old/parts")
    begun(life, *easy, "old/absent", "old/twice", "old/changed")

    def change(rows: Rows) -> Rows:
        kept = [row for row in rows if row["key"] != "old/absent"]
        return kept + [row for row in kept if row["key"] == "new/twice"]

    place = report_of(life.site, tmp_path, began=days_ago(life, 5), file_format=file_format, change=change)
    life.site.put("old/changed", b"newer")
    life.work()
    found = verified(life, place)
    assert proven(found) == easy
    assert set(found) == easy | {"old/kms", "old/parts", "old/absent", "old/twice", "old/changed"}
    assert {key for key, one in found.items() if not one.verified} <= {"old/parts", "old/kms"}
    until = int(days_ago(life, 7)) - 60
    marked = life.record("old/plain")
    assert marked.seen == BY_REPORTS
    assert marked.verified_at == pytest.approx(until, abs=60)
    looked = life.record("old/changed")
    assert looked.seen is not None
    assert not looked.seen.by_inventories
    assert looked.verified_at == pytest.approx(life.clock.now(), abs=60)


def test_versions_have_to_be_those_of_the_record(credentials: Server, tmp_path: Path) -> None:
    """The same bytes put again are another version, earlier versions are not the object, and markers hide one."""
    life = life_on(credentials, tmp_path, versioned=True, captured=True)
    s3, name = life.site.clients.s3, life.site.name
    life.site.put("old/history", b"first")
    begun(life, "old/plain", "old/history", "old/again", "old/deleted")
    s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration={})
    life.site.put("old/again", b"body of old/again")
    s3.delete_object(Bucket=name, Key="old/deleted")
    place = report_of(life.site, tmp_path / "report", began=days_ago(life, 5))
    found = verified(life, place)
    assert proven(found) == {"old/plain", "old/history"}
    assert found["old/again"].differences == (Difference.CHANGED_SINCE,)
    assert found["old/deleted"].differences == (Difference.SOURCE_ABSENT,)


def test_a_young_copy_is_looked_at(life: Life, tmp_path: Path) -> None:
    """What changed within two days before the report began may be missing in it."""
    begun(life, "old/a")
    for days, keys in ((8.0, set()), (7.9, {"old/a"})):
        place = report_of(life.site, tmp_path / str(days), began=days_ago(life, days))
        assert proven(verified(life, place, marks=False)) == keys
    assert life.record("old/a").verified_at is None, "without marks nothing is written"


def test_a_second_run_proves_the_same_again_and_writes_nothing(life: Life, tmp_path: Path) -> None:
    """A run that was stopped costs no look at what it has proven; a mark of a later look stays."""
    begun(life, "old/a", "old/b")
    place = report_of(life.site, tmp_path, began=days_ago(life, 5))
    fresh = {"fresh_since": life.clock.now() - HOUR}
    verified(life, place, **fresh)
    marked = list(life.records())
    assert len(proven(verified(life, place, **fresh))) == 2
    assert sorted(life.records(), key=str) == sorted(marked, key=str)
    life.verify()
    looked = life.record("old/a")
    assert looked.seen == SeenParts(annotations=0)
    verified(life, place, **fresh)
    assert life.record("old/a").seen == looked.seen


def test_a_later_report_renews_a_mark_only_before_the_cut_over(life: Life, tmp_path: Path) -> None:
    """After it the soak time of a cleanup counts from the mark."""
    begun(life, "old/a")
    verified(life, report_of(life.site, tmp_path / "1", began=days_ago(life, 5)))
    first = life.record("old/a").verified_at
    life.clock.shift += 10 * DAY
    later = report_of(life.site, tmp_path / "2", began=days_ago(life, 1))
    assert proven(verified(life, later))
    assert life.record("old/a").verified_at == first
    verified(life, later, fresh_since=life.clock.now() - HOUR)
    assert life.record("old/a").verified_at == pytest.approx(days_ago(life, 3) - 60, abs=60)


def test_a_record_that_changes_meanwhile_is_not_marked(life: Life, tmp_path: Path) -> None:
    """The mark is written on the record that was read."""
    begun(life, "old/a")
    place = report_of(life.site, tmp_path, began=days_ago(life, 5))
    options = VerifyOptions(segments=1, keeps_all=True, keys=False, references=False)
    with (
        reported_objects(life.site.process, life.operation, [place]) as reported,
        verify_work(life.site.process, life.operation, options, reported=reported) as work,
    ):
        tasks = [task for page in work.read_pages(0, "") for task in page.tasks]
        life.site.put("old/a", b"newer")
        life.work()
        (finding,) = (task() for task in tasks)
    assert finding is not None
    assert (finding.verified, finding.differences) == (False, (Difference.UNFINISHED,))
    assert work.count_result(finding).get("by_inventories", 0) == 0
    assert life.record("old/a").verified_at is None


def test_the_mark_opens_the_cut_over_which_says_what_was_not_compared(credentials: Server, tmp_path: Path) -> None:
    """A day later the mark is three days old, which is too old unless the operator allows more."""
    life = life_on(credentials, tmp_path)
    assert isinstance(life.start(), Opened)
    begun(life, "old/a", "old/b")
    verified(life, report_of(life.site, tmp_path, began=days_ago(life, 0.9)))
    gates = life.gates()
    assert [gate.name for gate in gates.values() if gate.holds] == []
    told = gates["unverified"].says
    assert told.endswith("; 2 were verified by inventories only, without "
                         "metadata, headers, tags, object lock, annotations")  # fmt: skip
    life.clock.shift += DAY
    assert [name for name, gate in life.gates().items() if gate.holds] == ["stale"]


def test_cleanup_compares_what_no_inventory_shows(life: Life, tmp_path: Path) -> None:
    """Before it deletes: tags and metadata that the copy lacks keep the source."""
    begun(life, "old/a", "old/tags", "old/metadata", "old/gone")
    s3, name = life.site.clients.s3, life.site.name
    s3.put_object_tagging(Bucket=name, Key="old/tags", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    place = report_of(life.site, tmp_path, began=days_ago(life, 5))
    life.work()
    s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration={})
    life.site.put("old/metadata", b"body of old/metadata", Metadata={"late": "1"})
    s3.delete_object(Bucket=name, Key="new/gone")
    assert len(proven(verified(life, place))) == 4
    life.at(Stage.CLEANING)
    life.let_time_pass()
    removed = life.clean(yes=True)
    assert removed["a"].verdict is Removed.CLEANED
    assert {removed[one].verdict for one in ("tags", "metadata", "gone")} == {Removed.HELD}
    assert life.site.read("old/tags") is not None
    assert life.record("old/gone").state is State.CONFLICT
    assert life.record("old/gone").cause is Cause.TARGET_CHANGED


def without(*names: str) -> Any:
    """The rows of a report whose configuration lacks these fields."""

    def change(rows: Rows) -> Rows:
        return [{name: value for name, value in row.items() if name not in names} for row in rows]

    return change


@pytest.mark.parametrize("name", ["e_tag", "size", "storage_class", "encryption_status", "object_lock_mode"])
def test_a_report_without_a_column_is_refused(life: Life, tmp_path: Path, name: str) -> None:
    """Its rows would prove nothing, and every object would be looked at."""
    begun(life, "old/a")
    place = report_of(life.site, tmp_path, began=days_ago(life, 5), change=without(name))
    with pytest.raises(InputError, match=rf"has no column {name}, .*or omit --by-inventories"):
        verified(life, place)


def test_a_versioned_bucket_needs_an_inventory_of_all_versions(credentials: Server, tmp_path: Path) -> None:
    """Else no row tells which version it is of."""
    life = begun(life_on(credentials, tmp_path, versioned=True, captured=True), "old/a")
    change = without("version_id", "is_latest", "is_delete_marker")
    place = report_of(life.site, tmp_path / "report", began=days_ago(life, 5), change=change)
    with pytest.raises(InputError, match="IncludedObjectVersions: All"):
        verified(life, place)


def test_reports_that_prove_nothing_are_refused(life: Life, tmp_path: Path) -> None:
    """None at all, one of the future, one twice, and one that is older than live capture."""
    begun(life, "old/a")
    with pytest.raises(InputError, match=f"needs an inventory of bucket {life.site.name} too"):
        verified(life)
    place = report_of(life.site, tmp_path / "future", began=days_ago(life, -1))
    with pytest.raises(InputError, match="later than now"):
        verified(life, place)
    early = report_of(life.site, tmp_path / "early", began=2.0)
    with pytest.raises(InputError, match="live capture"):
        verified(life, early)
    good = report_of(life.site, tmp_path / "good", began=days_ago(life, 5))
    with pytest.raises(InputError, match="is of bucket"):
        verified(life, good, good)


def test_a_migration_of_all_versions_is_looked_at(credentials: Server, tmp_path: Path) -> None:
    """No inventory is compared for earlier versions."""
    life = life_on(credentials, tmp_path, versioned=True, rules_text=ACCEPTING + "versions: all\n")
    with pytest.raises(InputError, match="versions: all"):
        verified(life, "no-such/manifest.json")


def test_both_sides_need_a_report(credentials: Server, tmp_path: Path) -> None:
    """The target's bucket is named."""
    life = life_on(credentials, tmp_path, rules_text=ACCEPTING.replace(
        "target: {{bucket: {bucket}}}", "target: {{bucket: other-bucket}}"))  # fmt: skip
    life.at(Stage.LIVE)
    life.clock.shift += 10 * DAY
    place = report_of(life.site, tmp_path / "report", began=days_ago(life, 5), change=lambda _: [NOTHING])
    with pytest.raises(InputError, match="needs an inventory of bucket other-bucket too"):
        verified(life, place)


NOTHING = {
    **dict.fromkeys(("e_tag", "storage_class", "encryption_status", "object_lock_mode"), ""),
    **dict.fromkeys(("object_lock_retain_until_date", "object_lock_legal_hold_status"), ""),
    "key": "logs/a",
    "size": 1,
    "last_modified_date": None,
}
