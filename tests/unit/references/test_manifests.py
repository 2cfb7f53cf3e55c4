"""JSON Lines manifests: new content at the new key, only on verified copies, and rollback has the original."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from domain.errors import ArchivedError, KeyshiftError, UnavailableError
from domain.keys import Location
from domain.protocol import causes as texts
from domain.protocol.causes import Cause
from domain.protocol.cleanup import DELETE_SOURCE, preview_source
from domain.protocol.intents import Action, Intent
from domain.protocol.ports import Refused
from domain.protocol.record import Claim, Mode, Record, State
from domain.references.manifest_reading import ManifestPorts
from domain.references.reports import ReferenceOutcome, Wait
from handlers.operations.reference_manifests import ManifestScan
from tests.fakes.contents import InMemoryContents
from tests.fakes.faults import Moment, ScriptedFaults
from tests.fakes.manifest import InMemoryManifest
from tests.fakes.object_store import InMemoryObjectStore
from tests.worlds.augmented_manifests import CONTENT, MANIFEST, NEW_MANIFEST, REWRITTEN, ManifestWorld
from tests.worlds.referring import REFERRING_POLICY, REFERRING_RULES, ReferringWorld

ALL = REWRITTEN.replace(b"s3:\\/\\/line-1\\/old\\/\\/b", b"s3:\\/\\/line-1\\/new\\/b")


def test_switched_lines_are_new_content_and_nothing_else_changes() -> None:
    """Spaces, ends of lines, escapes and other attributes stay; metadata, tags and class go along; the source stays."""
    world = ManifestWorld()
    reports = world.rewrite()
    assert world.content() == REWRITTEN
    assert world.store.body(world.place) == CONTENT
    seen, record = world.seen(), world.record(MANIFEST)
    assert (seen.metadata, seen.tags, seen.storage_class) == ({"m": "1"}, {"t": "2"}, "STANDARD_IA")
    assert (record.target_etag, record.is_rewritten, record.state) == (seen.etag, True, State.COPIED)
    assert not record.is_unfinished
    assert world.store.uploads == {}
    assert [one.outcome for one in reports] == [
        ReferenceOutcome.REWRITTEN,
        ReferenceOutcome.WAITING,
        ReferenceOutcome.STAYS,
    ]


def test_annotations_of_a_rewritten_manifest_stay() -> None:
    """The new content is a new object, which has none until they are put again."""
    world = ManifestWorld()
    world.store.annotate(world.record(MANIFEST).target, "note", b"text")
    world.rewrite()
    assert world.content() == REWRITTEN
    assert world.store.annotations(world.record(MANIFEST).target) == {"note": b"text"}


def test_annotations_are_not_looked_for_where_none_are_promised() -> None:
    """A rewriting sends no request for them."""
    world = ManifestWorld()
    unannotated = replace(world.migration_ports, annotations=None)
    world.scan = replace(world.scan, ports=replace(world.scan.ports, migration=unannotated))
    world.store.calls.clear()
    world.rewrite()
    assert not [call for call in world.store.calls if "annotation" in call]


def test_what_waits_is_switched_later_and_the_finder_says_so_until_then() -> None:
    """A manifest is finished only when its last image is migrated."""
    world = ManifestWorld()
    world.rewrite()
    assert [one.path for one in world.scan.find_references()] == ["line 3 source-ref"]
    world.migrate("old//b.png")
    world.rewrite()
    assert world.content() == ALL
    assert list(world.scan.find_references()) == []
    before = world.record(MANIFEST).target_etag
    world.rewrite()
    assert world.record(MANIFEST).target_etag == before


def test_a_manifest_of_which_nobody_knows_what_it_holds_counts_as_a_reference() -> None:
    """A broken-off rewrite does; a broken-off cleanup does not, which would hold itself for ever."""
    world = ManifestWorld()
    world.migrate("old//b.png")
    world.rewrite()
    world.change_record(MANIFEST, maybe=frozenset({Intent(Action.REWRITE)}))
    assert [one.path for one in world.scan.find_references()] == ["unfinished"]
    world.change_record(MANIFEST, maybe=frozenset({DELETE_SOURCE}))
    assert list(world.scan.find_references()) == []
    # Killed, it leaves its claim too; of a claim without an intent nobody knows what comes of it.
    world.change_record(MANIFEST, maybe=frozenset(), claim=Claim("t", 1.0), intent=DELETE_SOURCE)
    assert list(world.scan.find_references()) == []
    world.change_record(MANIFEST, intent=Intent(Action.REWRITE))
    assert [one.path for one in world.scan.find_references()] == ["unfinished"]
    for intent in (None, Intent(Action.COPY)):
        world.change_record(MANIFEST, intent=intent)
        # It may bring the old content, which names the old objects.
        assert [one.path for one in world.scan.find_references()] == [
            "unfinished",
            "line 1 source-ref",
            "line 3 source-ref",
            "line 3 mask-ref",
        ]
    world.change_record(MANIFEST, intent=DELETE_SOURCE, maybe=frozenset({Intent(Action.REWRITE)}))
    assert [one.path for one in world.scan.find_references()] == ["unfinished"]


def test_a_dry_run_writes_nothing() -> None:
    """Only what would be done is told."""
    world = ManifestWorld()
    reports = list(world.scan.scan(dry_run=True))
    assert [one.outcome for one in reports] == [
        ReferenceOutcome.READY,
        ReferenceOutcome.WAITING,
        ReferenceOutcome.READY,
        ReferenceOutcome.STAYS,
    ]
    assert world.content() == CONTENT
    assert not world.record(MANIFEST).is_rewritten


def test_another_look_at_the_manifest_leaves_the_new_content() -> None:
    """Reconciling does not copy the old content over it, but a new content of its owner is copied."""
    world = ManifestWorld()
    world.rewrite()
    world.change_record(MANIFEST, maybe=frozenset())
    world.migrate(MANIFEST)
    assert world.content() == REWRITTEN
    fresh = b'{"source-ref":"s3://line-1/old//a.png"}\n'
    world.store.put(world.place, fresh, metadata={"m": "1"}, tags={"t": "2"})
    world.migrate(MANIFEST)
    assert world.content() == fresh
    assert not world.record(MANIFEST).is_rewritten
    world.rewrite()
    assert world.content() == fresh.replace(b"old//", b"new/")


def test_somebody_elses_content_is_left_alone() -> None:
    """A manifest that was written anew at its new key is not ours to switch."""
    world = ManifestWorld()
    world.store.put(world.record(MANIFEST).target, b'{"source-ref":"s3://line-1/old//a.png"}')
    reports = world.rewrite()
    assert [one.outcome for one in reports if one.reference.holder == world.record(MANIFEST).target.uri] == [
        ReferenceOutcome.WAITING
    ]
    assert b"old//" in (world.content() or b"")


def test_what_stands_in_somebody_elses_manifest_is_still_a_reference() -> None:
    """Whoever reads it looks for the old objects: cleanup must leave them, and a dry run must not say that it would."""
    world = ManifestWorld()
    world.store.put(world.record(MANIFEST).target, b'{"source-ref":"s3://line-1/old//a.png"}')
    new = world.record(MANIFEST).target.uri
    found = [(one.path, one.source.key) for one in world.scan.find_references() if one.holder == new]
    assert found == [("line 1 source-ref", "old//a.png")]
    (told,) = (one for one in world.scan.scan(dry_run=True) if one.reference.holder == new)
    assert (told.outcome, told.new_uri, told.wait) == (ReferenceOutcome.WAITING, "", Wait.MANIFEST_REPLACED)


def test_what_stands_at_the_old_key_alone_is_still_a_reference() -> None:
    """Its owner wrote it anew and the event is late or lost, or somebody took the copy away: cleanup must leave it."""
    world = ManifestWorld()
    world.rewrite()
    assert [one.holder for one in world.scan.find_references()] == [world.record(MANIFEST).target.uri]
    world.put(MANIFEST, b'{"source-ref":"s3://line-1/old//a.png"}')
    (anew,) = (one for one in world.scan.find_references() if one.holder == world.place.uri)
    assert (anew.path, anew.source.key) == ("line 1 source-ref", "old//a.png")
    (told,) = (one for one in world.scan.scan(dry_run=True) if one.reference.holder == world.place.uri)
    assert (told.outcome, told.wait) == (ReferenceOutcome.WAITING, Wait.MANIFEST_WRITTEN_ANEW)
    world.put(MANIFEST, CONTENT)
    world.store.remove(world.record(MANIFEST).target)
    assert len(list(world.scan.find_references())) == 3
    told_now = [one for one in world.scan.scan(dry_run=True) if one.outcome is ReferenceOutcome.WAITING]
    assert [(one.reference.holder, one.wait) for one in told_now] == 3 * [(world.place.uri, Wait.MANIFEST_TAKEN_AWAY)]
    world.store.remove(world.place)
    assert list(world.scan.find_references()) == []


@pytest.mark.parametrize("versioned", [True, False])
def test_a_manifest_whose_content_was_put_again_holds_what_it_names(*, versioned: bool) -> None:
    """Its event lets it be copied again, without the switched references: cleanup must not be quicker."""
    world = ManifestWorld(versioned=versioned)
    world.rewrite()
    before = [one.holder for one in world.scan.find_references()]
    world.clock.advance(100)
    world.put(MANIFEST, CONTENT)
    found = [one.holder for one in world.scan.find_references()]
    assert found.count(world.place.uri) == 3
    assert before.count(world.place.uri) == 0
    world.migrate(MANIFEST)
    world.rewrite()
    assert [one.holder for one in world.scan.find_references()] == before


def test_a_manifest_that_is_not_migrated_yet_holds_what_it_names() -> None:
    """It has no record: its event is late or lost."""
    world = ManifestWorld()
    late = world.put("old//late.manifest", b'{"source-ref":"s3://line-1/old//a.png"}')
    assert [one.source.key for one in world.scan.find_references() if one.holder == late.uri] == ["old//a.png"]
    (told,) = (one for one in world.rewrite() if one.reference.holder == late.uri)
    assert (told.outcome, told.wait, told.new_uri) == (ReferenceOutcome.WAITING, Wait.MANIFEST_NOT_MIGRATED, "")
    world.change_record(MANIFEST, mode=Mode.ROLLED_BACK)
    assert [one.holder for one in world.scan.find_references()] == [late.uri]


class _Late(InMemoryManifest):
    """A worker claims the manifest right after the records were read."""

    def scan_records(self, *, segment: int = 0, segments: int = 1) -> Iterator[Record]:
        """See the port."""
        yield from list(super().scan_records(segment=segment, segments=segments))
        self.records.setdefault(LATE.record_id, Record(LATE, Location("line-1", "new/late.manifest")))


LATE = Location("line-1", "old//late.manifest")


def test_a_manifest_whose_record_comes_while_one_looks_is_not_passed_over() -> None:
    """It was neither among the records nor taken for one without a record: cleanup deleted what its lines name."""
    world = ManifestWorld()
    world.put(LATE.key, b'{"source-ref":"s3://line-1/old//a.png"}')
    manifest = _Late()
    manifest.records = dict(world.manifest.records)
    ports = ManifestPorts(replace(world.migration_ports, manifest=manifest), world.contents)
    found = [one.source.key for one in replace(world.scan, ports=ports).find_references() if one.holder == LATE.uri]
    assert found == ["old//a.png"]
    assert LATE.record_id in manifest.records


@pytest.mark.parametrize("state", [State.PARKED, State.CONFLICT, State.GONE])
def test_a_manifest_that_did_not_move_holds_what_it_names(state: State) -> None:
    """Parked or in conflict, it is read where it lies, at either key; nothing of it is rewritten."""
    world = ManifestWorld()
    world.change_record(MANIFEST, state=state, cause=Cause.ACCESS_DENIED)
    assert [one.path for one in world.scan.find_references()] == 2 * [
        "line 1 source-ref",
        "line 3 source-ref",
        "line 3 mask-ref",
    ]
    told = [one for one in world.rewrite() if one.outcome is not ReferenceOutcome.STAYS]
    assert {(one.outcome, one.why) for one in told} == {
        (ReferenceOutcome.WAITING, f"the manifest is {state}: {texts.told(Cause.ACCESS_DENIED)}")
    }
    assert world.content() == CONTENT
    world.store.remove(world.record(MANIFEST).target)
    assert len(list(world.scan.find_references())) == 3


def test_a_manifest_that_cannot_be_read_counts_as_a_reference() -> None:
    """Archived, say: nobody knows what it holds, so the answer is not that nothing is left."""
    world = ManifestWorld()
    world.contents.fail_next(ArchivedError(f"{NEW_MANIFEST} is archived: restore it first"), call="read_content")
    (found,) = world.scan.find_references()
    assert (found.holder, found.path) == (world.record(MANIFEST).target.uri, "archived")


def test_a_manifest_that_changes_while_it_is_read_is_read_again() -> None:
    """Another etag is no sign that nothing stands in it; one that never rests is an error."""
    world = ManifestWorld()
    place = world.record(MANIFEST).target
    restless = _Restless(world.store, changes=2)
    scan = replace(world.scan, ports=ManifestPorts(world.migration_ports, restless))
    assert [one.holder for one in scan.find_references()] == [place.uri]
    restless.changes = 99
    with pytest.raises(UnavailableError, match="changes faster"):
        list(scan.find_references())


class _Restless(InMemoryContents):
    """Somebody writes the manifest between the look and the read, so many times."""

    def __init__(self, store: InMemoryObjectStore, *, changes: int) -> None:
        super().__init__(store)
        self.changes = changes

    def read_content(self, location: Location, *, etag: str) -> Iterator[bytes] | Refused:
        """See the port."""
        if self.changes:
            self.changes -= 1
            self._store.put(location, b'{"source-ref":"s3://line-1/old//a.png"}' + b" " * self.changes)
        return super().read_content(location, etag=etag)


@pytest.mark.parametrize("place", [Location("line-1", "kept.manifest"), Location("line-2", "v2/kept.manifest")])
def test_manifests_that_stay_are_found_in_both_buckets(place: Location) -> None:
    """Where the new layout is in another bucket, the old one still has those that no rule moves."""
    rules = REFERRING_RULES.replace("target: {bucket: line-1}", "target: {bucket: line-2, prefix: v2/}").replace(
        'manifests: ["old//{rest...}.manifest"', 'manifests: ["{name}.manifest"'
    )
    world = ReferringWorld(rules=rules)
    world.store.create_bucket("line-2")
    scan = ManifestScan(
        world.rules,
        ManifestPorts(world.migration_ports, InMemoryContents(world.store)),
        REFERRING_POLICY,
        world.store,
        new_token=lambda: "token",
    )
    world.store.put(place, b'{"source-ref":"s3://line-1/old//a.png"}')
    assert [one.holder for one in scan.find_references()] == [place.uri]


def test_the_original_of_a_rewritten_manifest_is_not_cleaned_up() -> None:
    """Without versions the source is the only original, so rollback finds it untouched."""
    world = ManifestWorld()
    world.rewrite()
    world.change_record(MANIFEST, verified_at=1.0)
    cause = preview_source(
        world.record(MANIFEST), ports=world.migration_ports, policy=REFERRING_POLICY, now=world.clock.now()
    )
    assert cause is Cause.ONLY_ORIGINAL, "the dry run says so too"
    world.clean(MANIFEST)
    assert world.store.body(world.place) == CONTENT
    world.roll_back(MANIFEST)
    assert world.store.body(world.place) == CONTENT
    assert world.record(MANIFEST).mode is Mode.ROLLED_BACK


def test_with_versions_it_is_cleaned_up_and_rolled_back_to_its_own_bytes() -> None:
    """The version under our delete marker is the original."""
    world = ManifestWorld(versioned=True)
    world.rewrite()
    world.clean(MANIFEST)
    assert world.record(MANIFEST).state is State.CLEANED
    world.migrate("old//b.png")
    world.rewrite()
    assert world.content() == ALL
    assert world.record(MANIFEST).state is State.CLEANED
    world.roll_back(MANIFEST)
    assert world.store.body(world.place) == CONTENT


CALLS = (
    ("store", "look_at_object"),
    ("store", "create_upload"),
    ("store", "complete_upload"),
    ("store", "abort_upload"),
    ("manifest", "write_record"),
    ("manifest", "scan_records"),
    ("manifest", "read_records"),
    ("contents", "read_content"),
    ("contents", "upload_part"),
)
MOMENTS: tuple[Moment, ...] = ("before", "after")


@pytest.mark.parametrize("nth", range(5))
@pytest.mark.parametrize("when", MOMENTS)
@pytest.mark.parametrize(("port", "call"), CALLS)
def test_a_fault_at_any_call_leaves_a_manifest_that_the_next_run_ends(
    port: str, call: str, when: Moment, nth: int
) -> None:
    """Whatever call fails, before or after its effect: old or new content, never a mixture, and then the new one."""
    world = ManifestWorld()
    fake: ScriptedFaults = getattr(world, port)
    fake.fail_nth(nth, UnavailableError("no answer"), when=when, call=call)
    try:
        world.rewrite()
    except KeyshiftError:
        assert world.content() in (CONTENT, REWRITTEN)
    fake.forget_faults()
    world.clock.advance(10_000)
    world.rewrite()
    assert world.content() == REWRITTEN
    record = world.record(MANIFEST)
    assert (record.target_etag, record.is_rewritten) == (world.seen().etag, True)
    world.clock.advance(10_000)
    world.migrate(MANIFEST)
    assert world.content() == REWRITTEN


def test_a_manifest_that_is_not_moved_is_reported_and_holds_cleanup_up() -> None:
    """Already in the new layout, with old URIs: not rewritten behind its owner's back, but never forgotten."""
    world = ManifestWorld()
    world.put("new/kept.manifest", b'{"source-ref":"s3://line-1/old//a.png"}\n')
    told = [one for one in world.rewrite() if one.reference.holder.endswith("kept.manifest")]
    assert [one.outcome for one in told] == [ReferenceOutcome.STAYS]
    assert "s3://line-1/new/kept.manifest" in {one.holder for one in world.scan.find_references()}


def test_many_lines_take_several_parts() -> None:
    """Any size: parts of the least size, one after the other; each line still is what it should be."""
    world = ManifestWorld()
    rows = [{"source-ref": "s3://line-1/old//a.png", "n": n, "pad": "x" * 1000} for n in range(12_000)]
    content = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    world.store.put(world.place, content)
    world.migrate(MANIFEST)
    world.contents.calls.clear()
    policy = REFERRING_POLICY.__class__(request_seconds=5.0, margin_seconds=1.0, part_size=5 * 1024 * 1024)
    scan = ManifestScan(
        world.rules,
        ManifestPorts(world.migration_ports, _Blocks(world.store)),
        policy,
        world.store,
        new_token=lambda: "many",
        attempt_seconds=600.0,
    )
    list(scan.scan(dry_run=False))
    assert world.content() == content.replace(b"old//", b"new/")
    assert world.seen().etag.endswith("-3")


class _Blocks(InMemoryContents):
    """Contents in blocks of a usual size."""

    def read_content(self, location, *, etag):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        """See the port."""
        found = self._store.body(location) or b""
        return (found[at : at + 65_536] for at in range(0, len(found), 65_536))
