"""The resolver: where the bytes are now, for how long that is good, and clear errors."""

import pytest

from domain.errors import InputError, UnavailableError
from domain.lifecycle.stages import Stage, StageEntry
from domain.references.resolver import ResolveFault
from handlers.resolver import respond
from tests.worlds.referring import ReferringWorld

OLD, NEW = "s3://line-1/old//a", "s3://line-1/new/a"


def test_a_legacy_uri_is_followed_through_the_whole_move() -> None:
    """Not migrated, copied, cut over, cleaned, rolled back: each moment has its own place."""
    world = ReferringWorld()
    world.put("old//a")
    answer = world.resolver.resolve(OLD)
    assert (answer.is_legacy, answer.location, answer.new_uri, answer.state) == (True, OLD, NEW, None)
    world.migrate("old//a")
    assert world.resolver.resolve(OLD).location == OLD
    world.stages.entry = StageEntry(Stage.CUT_OVER)
    assert (world.resolver.resolve(OLD).location, world.resolver.resolve(OLD).good_for) == (NEW, 300)
    world.stages.entry = StageEntry(Stage.CLEANING)
    world.clean("old//a")
    assert (world.resolver.resolve(OLD).location, world.resolver.resolve(OLD).good_for) == (NEW, 3600)
    world.stages.entry = StageEntry(Stage.ROLLING_BACK)
    world.roll_back("old//a")
    answer = world.resolver.resolve(OLD)
    assert (answer.location, answer.good_for) == (OLD, 0)


def test_a_new_uri_works_before_its_object_is_copied() -> None:
    """The rules are turned round: the bytes are still at the old key."""
    world = ReferringWorld()
    world.put("old//a")
    answer = world.resolver.resolve("https://line-1.s3.amazonaws.com/new/a")
    assert (answer.is_legacy, answer.legacy_uri) == (False, OLD)
    assert answer.location == "https://line-1.s3.amazonaws.com/old//a"
    world.migrate("old//a")
    assert world.resolver.resolve(NEW).location == NEW


@pytest.mark.parametrize(
    ("uri", "fault", "says"),
    [
        ("hello", ResolveFault.MALFORMED, "not a valid S3 URI"),
        ("s3://line-1", ResolveFault.MALFORMED, "not an object"),
        ("https://line-1.s3.amazonaws.com/a?X-Amz-Date=1", ResolveFault.MALFORMED, "presigned"),
        ("s3://elsewhere/a", ResolveFault.FOREIGN_BUCKET, "not a bucket of this migration"),
        ("s3://line-1/stray", ResolveFault.UNMAPPED, "no rule matches it"),
        (OLD, ResolveFault.VANISHED, "the manifest has no record of it"),
        ("s3://line-1/new/b", ResolveFault.VANISHED, "no object"),
    ],
)
def test_what_has_no_answer_says_why(uri: str, fault: ResolveFault, says: str) -> None:
    """Malformed, foreign, unmapped and vanished objects are told apart."""
    answer = ReferringWorld().resolver.resolve(uri)
    assert (answer.fault, answer.location) == (fault, None)
    assert says in answer.reason


def test_a_failed_look_is_never_vanished() -> None:
    """Where S3 does not answer there is an error, not a guess."""
    world = ReferringWorld()
    world.put("old//a")
    world.store.fail_next(UnavailableError("no answer"), call="look_at_object")
    with pytest.raises(UnavailableError):
        world.resolver.resolve(OLD)


def test_a_batch_reads_its_records_at_once() -> None:
    """Three hundred URIs cost four reads of the manifest, and answers keep their order."""
    world = ReferringWorld()
    uris = []
    for number in range(301):
        world.put(f"old//{number}")
        uris.append(f"s3://line-1/old//{number}")
    world.manifest.calls.clear()
    answers = respond({"uris": uris}, world.resolver)["answers"]
    assert [one["location"] for one in answers] == uris
    assert world.manifest.calls == ["read_records"] * 4


def test_an_object_its_new_owner_deleted_is_not_brought_back_by_its_name() -> None:
    """The old bytes are not what the new name means any more."""
    world = ReferringWorld()
    place = world.put("old//a")
    world.store.remove(world.migrate("old//a").target)
    world.put("old//a", b"other")
    world.migrate("old//a")
    assert world.resolver.resolve(NEW).fault is ResolveFault.VANISHED
    assert world.resolver.resolve(OLD).location == place.uri


@pytest.mark.parametrize("event", [{}, {"uris": "s3://line-1/a"}, {"uris": [1]}, {"uris": ["x"] * 1001}])
def test_an_event_of_another_shape_is_refused(event: dict[str, object]) -> None:
    """The function says what it takes."""
    with pytest.raises(InputError):
        respond(event, ReferringWorld().resolver)


def test_the_function_answers_one_uri() -> None:
    """The short form of the event."""
    world = ReferringWorld()
    world.put("old//a")
    assert respond({"uri": OLD}, world.resolver)["answers"][0]["location"] == OLD
