"""What names objects of the new layout: before copies are purged, applications' own new URIs must be known."""

import pytest

from domain.keys import Location
from domain.protocol.record import State
from domain.protocol.rollback import purge_copy
from domain.references.pins import HeldUri, copy_pins_of, pins_of
from tests.worlds.augmented_manifests import MANIFEST, ManifestWorld
from tests.worlds.items import OLD, new_world, rewrite
from tests.worlds.referring import REFERRING_POLICY, REFERRING_RULES, ReferringWorld, compiled

NEW_KEY = "new/a"
COPY = Location("line-1", NEW_KEY)
ANYTHING = Location("line-1", "")
TWO = REFERRING_RULES.replace("target: {bucket: line-1}", "target: {bucket: line-2, prefix: v2/}")


def named(world: ReferringWorld) -> set[Location]:
    """What a purge learns."""
    return {one.source for one in world.references.find_copy_references()}


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("s3://line-1/new/a", {COPY}),
        ("s3a://line-1/new/a", {COPY}),
        ("arn:aws:s3:::line-1/new/a", {COPY}),
        ("https://line-1.s3.amazonaws.com/new/a", {COPY}),
        ("https://line-1.s3.amazonaws.com/new/a?versionId=1", {COPY, Location("line-1", "new/a?versionId=1")}),
        ("s3://reader-abc-s3alias/new/a", {COPY}),
        ("s3://line-1/new/", {Location("line-1", "new/")}),
        ("s3://line-1", {ANYTHING}),
        ("see line-1 for it", {ANYTHING}),
        ("s3://line-1/old//a, s3://line-1/new/a", {ANYTHING}),
        ("s3://line-1/old//a", set()),
        ("https://line-1.s3.amazonaws.com/old//a", set()),
        ("s3://line-10/new/a", set()),
        ("not yet", set()),
    ],
)
def test_a_text_names_the_copies_that_it_may_mean(text: str, places: set[Location]) -> None:
    """In every form that is read for legacy URIs; those do not matter here."""
    world = new_world()
    world.put_job(uri={"S": text})
    assert named(world) == places


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("s3://line-2/v2/new/a", {Location("line-2", "v2/new/a")}),
        ("s3://line-2/other/a", set()),
        ("s3://line-1/v2/new/a", set()),
        ("s3://line-2/", {Location("line-2", "")}),
        ("images of line-2", {Location("line-2", "")}),
        ("images of line-1", set()),
    ],
)
def test_only_the_targets_bucket_and_prefix_count(text: str, places: set[Location]) -> None:
    """What stands elsewhere a purge never touches."""
    world = ReferringWorld(rules=TWO)
    world.put_job(uri={"S": text})
    assert named(world) == places


def test_a_text_that_should_be_json_may_name_any_copy() -> None:
    """Where the bucket's name stands in it, or where bare keys are declared."""
    world = new_world()
    world.put_job(config={"S": '{"model": "s3://line-1/new/a"'})
    assert named(world) == {ANYTHING}
    world.put_job(config={"S": '{"model": "s3://elsewhere/new/a"'})
    assert named(world) == set()
    world.put_job(bare={"S": NEW_KEY})
    assert named(world) == {COPY}


def test_what_was_rewritten_and_put_back_names_no_copy() -> None:
    """The undo of a rollback leaves nothing that would hold its purge."""
    world = new_world("old//a")
    world.put_job(uri={"S": OLD})
    rewrite(world)
    assert named(world) == {COPY}
    list(world.references.undo_references())
    assert named(world) == set()


def test_manifests_that_stay_name_copies_and_those_that_are_purged_do_not() -> None:
    """A rewritten copy would hold itself without end; what an application wrote at either key counts."""
    world = ManifestWorld()
    world.migrate("old//b.png")
    world.rewrite()
    world.roll_back(MANIFEST)
    target = world.record(MANIFEST).target
    assert world.record(MANIFEST).state is State.ROLLED_BACK
    assert list(world.scan.find_copy_references()) == []
    own = world.put("new/own.manifest", b'\n{"source-ref": "s3://line-1/new/a.png"}\nline-1 is broken')
    found = [(one.path, one.source) for one in world.scan.find_copy_references() if one.holder == own.uri]
    assert found == [("line 2 source-ref", Location("line-1", "new/a.png")), ("line 3", ANYTHING)]
    world.store.put(target, b'{"source-ref": "s3://line-1/new/b.png"}')
    assert {one.holder for one in world.scan.find_copy_references()} == {own.uri, target.uri}
    world.store.put(world.place, b'{"source-ref": "s3://line-1/new/a.png"}')
    assert world.place.uri in {one.holder for one in world.scan.find_copy_references()}


def test_a_purged_manifest_is_read_no_more() -> None:
    """Nothing is at its new key."""
    world = ManifestWorld()
    world.rewrite()
    world.roll_back(MANIFEST)
    world.clock.advance(10_000)
    record = world.record(MANIFEST)
    purge_copy(record.record_id, attempt=world.attempt(), ports=world.migration_ports, policy=REFERRING_POLICY)
    assert world.record(MANIFEST).state is State.PURGED
    assert list(world.scan.find_copy_references()) == []


@pytest.mark.parametrize(
    ("uri", "legacy", "new"),
    [
        ("s3://line-1/new/a", [], [NEW_KEY]),
        ("s3a://line-1/new/a", [], [NEW_KEY]),
        ("https://line-1.s3.amazonaws.com/old//a?versionId=1", ["old//a"], []),
        ("https://line-1.s3.amazonaws.com/new/a#1", [], [NEW_KEY]),
        ("s3://reader-abc-s3alias/old//a", ["old//a"], []),
        ("s3://line-1", [""], [""]),
        ("s3://elsewhere/new/a", [], []),
        ("docker:public.ecr.aws/line-1/image:latest", [], []),
    ],
)
def test_a_pin_holds_what_its_uri_may_mean_on_either_side(uri: str, legacy: list[str], new: list[str]) -> None:
    """Published things cannot be edited: a form that cannot be read as one object pins each that it may be."""
    held, rules = HeldUri("component 1", uri, "publish it again"), compiled(REFERRING_RULES)
    sources = {one.source.key for one in pins_of(held, rules=rules, below=lambda _: ())}
    copies = {one.source.key for one in copy_pins_of(held, rules=rules, below=lambda _: ())}
    assert set(legacy) <= sources
    assert set(new) <= copies
    assert (bool(sources), bool(copies)) == (bool(legacy), bool(new))


def test_a_pin_on_a_prefix_holds_the_copies_below_it() -> None:
    """S3's prefixes end anywhere, so they are listed."""
    held = HeldUri("model", "s3://line-1/new/mod", "publish it again", is_prefix=True)
    below = [Location("line-1", "new/model"), Location("line-1", "old//x")]
    found = copy_pins_of(held, rules=compiled(REFERRING_RULES), below=lambda _: below)
    assert [one.source.key for one in found] == ["new/model"]
