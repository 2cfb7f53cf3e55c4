"""A migration's whole life on the stand-in: what start, verify, cutover, cleanup and rollback do to it."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from domain.errors import AccessDeniedError
from domain.keys import Location
from domain.lifecycle.ports import Capture
from domain.lifecycle.stages import Stage
from domain.lifecycle.verification import Difference, Finding, Remark
from domain.protocol.record import Mode, State
from domain.references.holders import Pin, Reference
from domain.steering.control import paused, resumed
from handlers.operations.cleanup import refuse_cleanup
from handlers.operations.cutover import postpone_cutover
from handlers.operations.operator import Shut
from handlers.operations.removals import Hold
from handlers.operations.rollback import refuse_rollback
from handlers.operations.rollback_plan import COPIES_KEPT, FENCES, RESTORES
from handlers.operations.start import Opened, Probing, plan_start, start_capture
from handlers.operations.verify import Requeuer
from tests.fakes.clock import FakeClock
from tests.servers import Server
from tests.worlds.holders import own_holders
from tests.worlds.life import ACCEPTING, HOUR, Life, life, life_on
from tests.worlds.rolled_back import rollback_plan
from tests.worlds.site import SITE_RULES, Site

__all__ = ["life"]


@pytest.fixture
def moved(life: Life) -> Life:
    """Three objects that are copied."""
    assert isinstance(life.start(), Opened)
    for number in range(3):
        life.site.put(f"old/{number}", b"body" * (number + 1), Metadata={"n": str(number)}, Tagging="a=b")
    life.work()
    return life


def by_key(found: list[Finding]) -> dict[str, tuple[Difference, ...]]:
    """The differences of each source key."""
    return {one.source.key: one.differences for one in found if one.source is not None}


def test_start_keeps_other_notifications_and_is_live_when_a_probe_arrived(life: Life) -> None:
    """A topic's notification stays as it is; the probe is gone afterwards, and what was before is remembered."""
    theirs: Any = {"Id": "theirs", "QueueArn": life.site.backfill.arn, "Events": ["s3:ObjectTagging:*"]}
    life.site.clients.s3.put_bucket_notification_configuration(
        Bucket=life.site.name, NotificationConfiguration={"QueueConfigurations": [theirs]}
    )
    before = life.operation.capture.read_configuration()
    opened = life.start()
    assert isinstance(opened, Opened)
    entry = life.operation.stages.read_stage()
    assert entry.stage is Stage.LIVE
    assert json.loads(entry.capture)["before"] == before
    assert sorted(
        one["Id"] for one in json.loads(life.operation.capture.read_configuration())["QueueConfigurations"]
    ) == [
        "keyshift-site",
        "theirs",
    ]
    assert life.site.keys("") == []
    life.site.put("old/1", b"x")
    life.work()
    assert life.site.read("new/1") == b"x"
    assert isinstance(life.start(), Opened), "a second start finds everything there"


def test_start_through_eventbridge(life: Life) -> None:
    """EventBridge lives beside every other notification; rollback takes the rule away, and the switch stays on."""
    before = life.operation.capture.read_configuration()
    opened = start_capture(life.operation, through="eventbridge", probing=Probing(1, 20, 1), say=lambda _: None)
    assert isinstance(opened, Opened)
    assert "EventBridgeConfiguration" in life.operation.capture.read_configuration()
    done = life.roll_back()
    assert done.clean
    assert "EventBridge stays switched on" in done.capture.stays
    assert json.loads(life.operation.capture.read_configuration()) == json.loads(before) | {
        "EventBridgeConfiguration": {}
    }
    rules = life.site.clients.events.list_rule_names_by_target(TargetArn=life.site.events.arn)["RuleNames"]
    assert rules == []


def test_start_says_no_while_paused_and_when_nothing_arrives(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each refusal names the remedy, and the stage stays; the probes are gone all the same."""
    assert isinstance(plan_start(life.operation, through="queue"), Capture)
    control = life.operation.panel.read_control()
    life.operation.panel.write_control(replace(control, paused=True, reason="lunch", fence=1), before=control)
    shut = life.start()
    assert isinstance(shut, Shut)
    assert "keyshift resume" in shut.why
    life.operation.panel.write_control(replace(control, fence=2), before=replace(control, fence=1))
    monkeypatch.setattr(life.operation.capture, "switch_on", lambda _: None)
    late = start_capture(life.operation, through="queue", probing=Probing(1, 1.5, 1), say=lambda _: None)
    assert isinstance(late, Shut)
    assert "no event of a probe arrived" in late.why
    assert life.operation.stages.read_stage().stage is Stage.PREPARED
    assert life.site.keys("") == []


LAKE = {
    "ice/metadata/00000-1.metadata.json": "Iceberg table 'old/ice/'",
    "ice/data/00000-0-1.parquet": "Iceberg table 'old/ice/'",
    "delta/_delta_log/00000000000000000000.json": "Delta Lake table 'old/delta/'",
    "delta/part-00000.parquet": "Delta Lake table 'old/delta/'",
    "hudi/.hoodie/hoodie.properties": "Hudi table 'old/hudi/'",
    "hudi/2026/1_0-1-2_3.parquet": "Hudi table 'old/hudi/'",
    "hive/dt=2026-11-30/a.csv": "Hive table 'old/hive/'",
}


@pytest.mark.parametrize("accepted", [[], ["old/ice", "old/delta/", "/old/hudi/", "old/hive"]])
def test_data_lake_tables_stay_until_the_rules_file_accepts_them(
    credentials: Server, tmp_path: Path, accepted: list[str]
) -> None:
    """Each table is held by name, its data files too, of which nothing but the metadata tells; the rest goes."""
    text = ACCEPTING.replace("accept}}", f"accept, lake_tables: {json.dumps(accepted)}}}}}")
    life = life_on(credentials, tmp_path, rules_text=text)
    assert isinstance(life.start(), Opened)
    for key in (*LAKE, "plain/a"):
        life.site.put(f"old/{key}", key.encode())
    life.work()
    life.let_time_pass()
    life.verify()
    life.at(Stage.CUT_OVER)
    life.let_time_pass()
    cleaned = {one.source.partition("/old/")[2]: one for one in life.clean(yes=True).values()}
    held = {key: one for key, one in cleaned.items() if one.reason == Hold.LAKE_TABLE}
    assert set(held) == (set() if accepted else set(LAKE))
    assert all(f"the {table}" in held[key].why for key, table in LAKE.items() if key in held)
    assert cleaned["plain/a"].verdict == "cleaned"
    gone = {"plain/a", *(LAKE if accepted else ())}
    assert {key for key in (*LAKE, "plain/a") if life.site.read(f"old/{key}") is None} == gone


def test_verify_proves_what_is_right_and_marks_it(moved: Life) -> None:
    """No difference, every record marked; a second run writes nothing, and a new copy loses the mark."""
    found = moved.verify()
    assert {one.differences for one in found} == {()}
    assert all(one.verified for one in found)
    marked = moved.record("old/0")
    assert marked.verified_at is not None
    moved.verify()
    assert moved.record("old/0") == marked
    moved.site.put("old/0", b"again")
    moved.work()
    assert moved.record("old/0").verified_at is None


def test_verify_names_everything_that_is_planted_and_nothing_else(moved: Life) -> None:
    """One difference for each thing that is wrong, with its own name."""
    site, s3 = moved.site, moved.site.clients.s3
    for number in range(3, 9):
        site.put(f"old/{number}", b"body", Metadata={"n": str(number)})
    moved.work()
    moved.verify()
    s3.delete_object(Bucket=site.name, Key="new/3")
    site.put("new/4", b"somebody else's")
    s3.put_object_tagging(Bucket=site.name, Key="new/5", Tagging={"TagSet": [{"Key": "x", "Value": "y"}]})
    s3.put_bucket_notification_configuration(Bucket=site.name, NotificationConfiguration={})
    site.put("old/6", b"changed, and nobody was told")
    s3.delete_object(Bucket=site.name, Key="old/7")
    site.put("old/not-migrated", b"x")
    site.put("new/foreign", b"x")
    site.put("elsewhere", b"x")
    found = moved.verify()
    wrong = {key: differences for key, differences in by_key(found).items() if differences}
    assert wrong == {
        "old/3": (Difference.MISSING,),
        "old/4": (Difference.TARGET_CHANGED, Difference.SIZE, Difference.METADATA),
        "old/5": (Difference.TAGS,),
        "old/6": (Difference.CHANGED_SINCE,),
        "old/7": (Difference.SOURCE_ABSENT,),
        "old/not-migrated": (Difference.NOT_MIGRATED,),
    }
    remarks = {one.target.key: one.remarks for one in found if one.remarks and one.target is not None}
    assert remarks == {"new/foreign": (Remark.FOREIGN,), "elsewhere": (Remark.OUTSIDE,)}
    assert moved.record("old/5").verified_at is None, "what was proven once and is no more loses its mark"


def test_what_differs_is_enqueued_again_and_repaired(moved: Life) -> None:
    """One flag: what a worker can settle is settled by the protocol."""
    site = moved.site
    site.clients.s3.put_bucket_notification_configuration(Bucket=site.name, NotificationConfiguration={})
    site.put("old/0", b"changed")
    site.put("old/late", b"late")
    site.clients.s3.put_object_tagging(Bucket=site.name, Key="new/1", Tagging={"TagSet": []})
    requeuer = Requeuer(site.dependencies)
    for finding in moved.verify():
        requeuer.add(finding)
    requeuer.flush()
    assert requeuer.enqueued == 3
    moved.work()
    assert {one.differences for one in moved.verify()} == {()}
    assert (site.read("new/0"), site.read("new/late")) == (b"changed", b"late")


def test_only_reading_proves_what_was_uploaded_in_parts(credentials: Server, tmp_path: Path) -> None:
    """Without a checksum and with an etag that is no digest: unproven, until --deep reads both sides."""
    life = life_on(credentials, tmp_path)
    assert isinstance(life.start(), Opened)
    s3, name = life.site.clients.s3, life.site.name
    upload = s3.create_multipart_upload(Bucket=name, Key="old/parts")["UploadId"]
    part = s3.upload_part(Bucket=name, Key="old/parts", UploadId=upload, PartNumber=1, Body=b"p" * 100)
    s3.complete_multipart_upload(
        Bucket=name,
        Key="old/parts",
        UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
    )
    life.work()
    shallow = by_key(life.verify())["old/parts"]
    assert set(shallow) <= {Difference.UNPROVEN}
    assert by_key(life.verify(deep=True))["old/parts"] == ()
    assert life.record("old/parts").verified_at is not None


def test_cutover_names_every_shut_gate_and_goes_on_when_all_are_open(moved: Life) -> None:
    """Unverified, uncopied, not captured, referred to, postponed: each says so; then the stage changes, and once."""
    site = moved.site
    site.clients.s3.put_bucket_notification_configuration(Bucket=site.name, NotificationConfiguration={})
    site.put("old/late", b"late")
    held = Reference("table t id=1", "artifact", f"s3://{site.name}/old/0", Location(site.name, "old/0"))
    moved.operation = replace(moved.operation, finders=(Finder([held]),))
    postpone_cutover(moved.operation, moved.operation.dependencies.ports.clock.now() + HOUR, why="freeze")
    shut = moved.shut_gates()
    assert set(shut) == {"postponed", "capture", "uncopied", "unverified", "references"}
    assert "old/late" in shut["uncopied"]
    assert "freeze" in shut["postponed"]
    assert moved.operation.stages.read_stage().stage is Stage.LIVE
    site.clients.s3.delete_object(Bucket=site.name, Key="old/late")
    assert isinstance(moved.start(), Opened)
    moved.operation = replace(moved.operation, finders=())
    postpone_cutover(moved.operation, None, why="")
    assert set(moved.shut_gates()) == {"unverified"}
    moved.verify()
    assert moved.shut_gates() == {}
    assert moved.operation.stages.read_stage().stage is Stage.CUT_OVER
    assert moved.shut_gates() == {}


class Finder:
    """References that a test plants."""

    def __init__(self, found: list[Reference]) -> None:
        self.found = found

    def find_references(self) -> Iterator[Reference]:
        """See ReferenceFinder."""
        yield from self.found

    def find_copy_references(self) -> Iterator[Reference]:
        """See ReferenceFinder."""
        yield from self.found


class SlowFinder(Finder):
    """A look through large tables: each takes an hour."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__([])
        self.clock = clock
        self.looks = 0

    def find_references(self) -> Iterator[Reference]:
        """See ReferenceFinder."""
        self.looks += 1
        self.clock.advance(HOUR)
        yield from self.found


def test_a_look_for_holders_that_takes_long_is_not_taken_again_for_each_object(life: Life) -> None:
    """What it found is good from its end on; then everything is looked through again."""
    clock = FakeClock()
    finder = SlowFinder(clock)
    dependencies = life.operation.dependencies
    ports = replace(dependencies.ports, clock=clock)
    turned = replace(life.operation, dependencies=replace(dependencies, ports=ports), finders=(finder,), pins=())
    holders = own_holders(turned, life.pages())
    for _ in range(3):
        assert holders.holder_of(Location(life.site.name, "old/0")) is None
    assert finder.looks == 1
    clock.advance(HOUR / 6)
    holders.holder_of(Location(life.site.name, "old/0"))
    assert finder.looks == 2


class Pinned:
    """Pins that a test plants."""

    def __init__(self, found: list[Pin]) -> None:
        self.found = found

    def find_pins(self) -> Iterator[Pin]:
        """See PinFinder."""
        yield from self.found

    def find_copy_pins(self) -> Iterator[Pin]:
        """See PinFinder."""
        yield from self.found


def settled(life: Life) -> Life:
    """Verified, cut over, and quiet for longer than any claim."""
    life.verify()
    assert life.shut_gates() == {}
    life.let_time_pass()
    return life


def test_a_dry_cleanup_says_what_would_go_and_what_is_held(moved: Life) -> None:
    """Pinned, referred to, changed since: each with its reason; nothing is deleted."""
    settled(moved)
    name = moved.site.name
    pin = Pin("component c 1.0.0", f"s3://{name}/old/0", Location(name, "old/0"), "publish it again")
    held = Reference("table t id=1", "artifact", f"s3://{name}/old/1", Location(name, "old/1"))
    moved.operation = replace(moved.operation, finders=(Finder([held]),), pins=(Pinned([pin]),))
    told = moved.clean(yes=False)
    assert {key: one.verdict for key, one in told.items()} == {"0": "held", "1": "held", "2": "would-go"}
    assert "publish it again" in told["0"].why
    assert "table t id=1" in told["1"].why
    assert moved.clean(yes=False, soak=9 * HOUR)["2"].reason == Hold.SOAK_TIME
    assert len(moved.site.keys("old/")) == 3


def test_cleanup_deletes_what_is_proven_and_goes_on_where_it_stopped(moved: Life) -> None:
    """What changed stays; what went is readable at its target; DONE only when all are gone."""
    moved.site.put("old/3", b"x")
    moved.work()
    settled(moved)
    moved.site.clients.s3.put_bucket_notification_configuration(Bucket=moved.site.name, NotificationConfiguration={})
    time.sleep(1.1)  # S3's dates are whole seconds: the same bytes put in the second of their verification look alike
    moved.site.put("old/0", b"body", Metadata={"n": "other"})
    first = moved.clean(yes=True)
    assert {key: one.verdict for key, one in first.items()} == {
        "0": "held",
        "1": "cleaned",
        "2": "cleaned",
        "3": "cleaned",
    }
    assert moved.site.keys("old/") == ["old/0"]
    assert moved.site.read("new/1") == b"body" * 2
    again = moved.clean(yes=True)
    assert {key: one.verdict for key, one in again.items()} == {"0": "held"}
    shut = moved.finish()
    assert isinstance(shut, Shut)
    assert "old/0" in shut.why
    unseen = moved.finish(keep_rest=True)
    assert isinstance(unseen, Shut)
    assert unseen.why.startswith("changed: 1 "), "no event told of what its owner wrote there"
    moved.site.clients.s3.delete_object(Bucket=moved.site.name, Key="old/0")
    requeuer = Requeuer(moved.site.dependencies)
    requeuer.add_key("old/0")
    requeuer.flush()
    moved.work()
    assert moved.finish(keep_rest=True) is None
    assert moved.operation.stages.read_stage().stage is Stage.DONE
    assert isinstance(refuse_rollback(moved.operation), Shut)


def test_the_soak_time_since_the_cut_over_holds_in_every_run(moved: Life) -> None:
    """Verified long before it was cut over: a second cleanup, which finds the stage changed by the first, waits too."""
    moved.verify()
    moved.let_time_pass()
    assert moved.shut_gates() == {}
    for _ in range(2):
        told = moved.clean(yes=True, soak=HOUR / 2)
        assert {one.reason for one in told.values()} == {Hold.SOAK_TIME}
    moved.let_time_pass()
    assert {one.verdict for one in moved.clean(yes=True, soak=HOUR / 2).values()} == {"cleaned"}


def test_a_pause_holds_a_cleanup_that_runs(moved: Life) -> None:
    """Whoever pauses wants nothing deleted either; after resume the next run goes on."""
    settled(moved)
    before = moved.operation.panel.read_control()
    word = paused(before, reason="wrong bucket?", by="me", now=1.0)
    assert moved.operation.panel.write_control(word, before=before)
    moved.site.dependencies.control.refresh()
    told = moved.clean(yes=True)
    assert {(one.verdict, one.why) for one in told.values()} == {("held", "paused: wrong bucket?")}
    assert len(moved.site.keys("old/")) == 3
    assert moved.operation.panel.write_control(resumed(word, by="me", now=2.0), before=word)
    moved.site.dependencies.control.refresh()
    assert {one.verdict for one in moved.clean(yes=True).values()} == {"cleaned"}


def test_cleanup_refuses_a_bucket_without_versions_unless_the_rules_accept_it(
    credentials: Server, tmp_path: Path
) -> None:
    """The refusal names both ways out; a versioned bucket needs neither."""
    life = life_on(credentials, tmp_path, rules_text=SITE_RULES)
    life.at(Stage.CUT_OVER)
    shut = refuse_cleanup(life.operation)
    assert isinstance(shut, Shut)
    assert "unversioned_source: fenced" in shut.why
    versioned = life_on(credentials, tmp_path, rules_text=SITE_RULES, versioned=True)
    early = refuse_cleanup(versioned.operation)
    assert isinstance(early, Shut)
    assert "keyshift start" in early.why
    versioned.at(Stage.CUT_OVER)
    assert refuse_cleanup(versioned.operation) is None


@pytest.mark.parametrize("versions", [False, True])
def test_rollback_restores_bytes_metadata_tags_and_notifications(
    credentials: Server, tmp_path: Path, versions: bool
) -> None:
    """From CLEANING, also when the verified versions were deleted for good; copies go only by a purge."""
    life = life_on(credentials, tmp_path, versioned=True, rules_text=SITE_RULES)
    before = life.operation.capture.read_configuration()
    assert isinstance(life.start(), Opened)
    site = life.site
    site.put("old/0", b"older")
    for number in range(2):
        site.put(f"old/{number}", b"body", Metadata={"n": str(number)}, Tagging="a=b", ContentType="image/png")
    life.work()
    originals = [seen(site, f"old/{number}") for number in range(2)]
    settled(life)
    assert {one.verdict for one in life.clean(yes=True, versions=versions).values()} == {"cleaned"}
    assert site.keys("old/") == []
    kept = site.clients.s3.list_object_versions(Bucket=site.name, Prefix="old/").get("Versions", [])
    assert len(kept) == (1 if versions else 3)
    plan = rollback_plan(life.operation, life.pages())
    assert {name: plan.get(name, 0) for name in (RESTORES, FENCES, COPIES_KEPT)} == {
        RESTORES: 2,
        FENCES: 0,
        COPIES_KEPT: 2,
    }
    done = life.roll_back()
    assert done.differences == []
    assert done.capture.is_as_before
    assert [seen(site, f"old/{number}") for number in range(2)] == originals
    assert life.operation.capture.read_configuration() == before
    assert life.operation.stages.read_stage().stage is Stage.ROLLED_BACK
    assert {one.mode for one in life.records()} == {Mode.ROLLED_BACK}
    purge(life)
    assert site.keys("new/") == []
    assert [seen(site, f"old/{number}") for number in range(2)] == originals


def purge(life: Life) -> None:
    """Dry first, then really."""
    life.let_time_pass()
    dry = life.purge(yes=False)
    assert not isinstance(dry, Shut), dry
    assert {one.verdict for one in dry} == {"would-go"}
    real = life.purge(yes=True)
    assert not isinstance(real, Shut)
    assert {one.verdict for one in real} == {"purged"}


def seen(site: Site, key: str) -> tuple[Any, ...]:
    """Bytes, metadata, headers and tags of an object."""
    answer = site.clients.s3.get_object(Bucket=site.name, Key=key)
    tags = site.clients.s3.get_object_tagging(Bucket=site.name, Key=key)["TagSet"]
    return answer["Body"].read(), answer["Metadata"], answer["ContentType"], tags


def test_rollback_leaves_owners_and_strangers_their_words(moved: Life) -> None:
    """What an owner wrote since stays; a notification that somebody else added stays; the plan said so before."""
    site = moved.site
    site.put("old/0", b"newer")
    notes: Any = json.loads(moved.operation.capture.read_configuration())
    notes["QueueConfigurations"].append(
        {"Id": "theirs", "QueueArn": site.backfill.arn, "Events": ["s3:ObjectTagging:*"]}
    )
    site.clients.s3.put_bucket_notification_configuration(Bucket=site.name, NotificationConfiguration=notes)
    done = moved.roll_back()
    assert done.differences == []
    assert not done.capture.is_as_before
    assert [one["Id"] for one in json.loads(done.capture.configuration)["QueueConfigurations"]] == ["theirs"]
    assert site.read("old/0") == b"newer"
    assert {one.state for one in moved.records()} == {State.ROLLED_BACK}
    assert moved.operation.panel.read_control().paused


def test_rollback_says_what_it_could_not_restore(moved: Life) -> None:
    """A copy that a stranger overwrote after cleanup is no source of truth: a conflict, named."""
    settled(moved)
    moved.clean(yes=True)
    moved.site.put("new/1", b"a stranger's")
    done = moved.roll_back()
    assert [(source.rpartition("/")[2], why.partition(":")[0]) for source, why in done.differences] == [
        ("1", "in conflict")
    ]
    assert moved.site.read("old/0") == b"body"
    assert moved.site.read("new/1") == b"a stranger's"


def test_purge_waits_for_each_key_that_a_later_rollback_took_back(moved: Life) -> None:
    """The stage is old by then, but a request at this key may still be under way."""
    moved.roll_back()
    moved.let_time_pass()
    late, manifest = moved.record("old/0"), moved.operation.dependencies.ports.manifest
    written = replace(late, state=State.COPIED, mode=Mode.FORWARD, revision=late.revision + 1)
    assert manifest.write_record(written, before=late)
    moved.roll_back()
    for yes in (False, True):
        found = moved.purge(yes=yes)
        assert not isinstance(found, Shut)
        told = {one.source.rpartition("/")[2]: one for one in found}
        assert {key: one.verdict for key, one in told.items()} == {
            "0": "held",
            "1": "purged" if yes else "would-go",
            "2": "purged" if yes else "would-go",
        }
        assert told["0"].reason == Hold.QUIET_TIME
    assert moved.site.keys("new/") == ["new/0"]


def test_purge_waits_for_the_rollback_and_for_quiet(moved: Life) -> None:
    """Before, it is refused; right after, it names the seconds to go."""
    early = moved.purge(yes=True)
    assert isinstance(early, Shut)
    moved.roll_back()
    soon = moved.purge(yes=True)
    assert isinstance(soon, Shut)
    assert "try again in" in soon.why


def test_a_purge_leaves_the_copy_that_an_application_names_by_its_new_uri(moved: Life) -> None:
    """It stored the URI after the cut-over; the verdict says where it stands, and the next run takes the copy."""
    moved.roll_back()
    moved.let_time_pass()
    name, whole = moved.site.name, moved.operation
    held = Reference("table t id=1", "artifact", f"s3://{name}/new/0", Location(name, "new/0"))
    pin = Pin("component c 1.0.0", f"s3://{name}/new/1", Location(name, "new/1"), "publish it again")
    moved.operation = replace(whole, finders=(Finder([held]),), pins=(Pinned([pin]),))
    for yes in (False, True):
        found = moved.purge(yes=yes)
        assert not isinstance(found, Shut)
        told = {one.source.rpartition("/")[2]: one for one in found}
        assert {key: one.verdict for key, one in told.items()} == {
            "0": "held",
            "1": "held",
            "2": "purged" if yes else "would-go",
        }
        assert f"table t id=1 artifact names the copy s3://{name}/new/0" in told["0"].why
        assert "publish it again" in told["1"].why
    assert moved.site.keys("new/") == ["new/0", "new/1"]
    moved.operation = whole
    last = moved.purge(yes=True)
    assert not isinstance(last, Shut)
    assert {one.verdict for one in last} == {"purged"}
    assert moved.site.keys("new/") == []


def test_a_purge_that_cannot_look_for_references_deletes_nothing(moved: Life) -> None:
    """A table that does not answer is not a table without references."""
    moved.roll_back()
    moved.let_time_pass()

    class Failing(Finder):
        """A table whose role lacks a permission."""

        def find_copy_references(self) -> Iterator[Reference]:
            """See ReferenceFinder."""
            raise AccessDeniedError("Scan on t: AccessDenied")

    moved.operation = replace(moved.operation, finders=(Failing([]),))
    with pytest.raises(AccessDeniedError):
        moved.purge(yes=True)
    assert moved.site.keys("new/") == ["new/0", "new/1", "new/2"]
