"""AnnotationStore: the fake and the S3 adapter keep one contract; servers without annotations are told apart."""

import pytest

from domain.errors import LeaseExpiredError, RefusedRequestError
from domain.keys import Location
from domain.objects import same_object
from domain.protocol.annotations import Annotation
from domain.protocol.parts import Part
from domain.protocol.ports import MustBeAbsent, TargetObject, Written
from tests.fakes.buckets import md5_text
from tests.worlds.objects import FAR, TWO_PARTS, ObjectWorld, Pair, new_pair
from tests.worlds.presence import present

MODEL, NOTE = "ml.sentiment_2-größe", "note"
LABEL, TEXT = '{"label": "ä<&>"}'.encode(), b"x" * 1024
NO_ANNOTATIONS = "it has no annotations"
needs_annotations = [
    pytest.mark.disagrees("seaweedfs", f"SeaweedFS: {NO_ANNOTATIONS}"),
    pytest.mark.disagrees("moto", f"moto 5.2.5: {NO_ANNOTATIONS}"),
]


def annotated(world: ObjectWorld, body: bytes = b"bytes", *, versioned: bool = False) -> Pair:
    """A source with two annotations."""
    pair = new_pair(world, body, versioned=versioned)
    world.annotate(pair.source, MODEL, LABEL)
    world.annotate(pair.source, NOTE, TEXT)
    return pair


def all_of(world: ObjectWorld, location: Location) -> dict[str, bytes | None]:
    """Every annotation with its payload."""
    listed = present(world.annotations.list_annotations(location))
    return {name: world.annotations.read_annotation(location, name) for name in listed}


class TestWithAnnotations:
    """What S3 does, on the servers that have annotations."""

    pytestmark = needs_annotations

    def test_each_annotation_is_listed_and_read(self, world: ObjectWorld) -> None:
        """Names of every kind, sizes, etags and payloads."""
        pair = annotated(world)
        assert world.annotations.list_annotations(pair.source) == {
            MODEL: Annotation(len(LABEL), md5_text(LABEL)),
            NOTE: Annotation(len(TEXT), md5_text(TEXT)),
        }
        assert all_of(world, pair.source) == {MODEL: LABEL, NOTE: TEXT}

    def test_an_annotation_leaves_the_object_as_it_is(self, world: ObjectWorld) -> None:
        """No etag, version or date tells of it."""
        pair = new_pair(world, versioned=True)
        before = pair.seen()
        world.annotate(pair.source, NOTE, TEXT)
        assert pair.seen() == before

    def test_an_object_without_annotations_has_none(self, world: ObjectWorld) -> None:
        """An empty mapping, which is another answer than for an absent object."""
        pair = new_pair(world)
        assert world.annotations.list_annotations(pair.source) == {}
        assert world.annotations.list_annotations(pair.target) is None
        assert world.annotations.read_annotation(pair.source, NOTE) is None
        assert world.annotations.read_annotation(pair.target, NOTE) is None

    def test_a_version_keeps_its_own(self, world: ObjectWorld) -> None:
        """A new version begins without annotations; the one under it is found by its id, under a delete marker too."""
        pair = annotated(world, versioned=True)
        old = pair.seen().version_id
        world.put(pair.source, b"newer")
        assert world.annotations.list_annotations(pair.source) == {}
        world.remove(pair.source)
        assert set(world.annotations.list_annotations(pair.source, version_id=old) or {}) == {MODEL, NOTE}
        assert world.annotations.read_annotation(pair.source, NOTE, version_id=old) == TEXT
        assert world.annotations.list_annotations(pair.source) is None

    def test_a_put_is_on_the_objects_condition(self, world: ObjectWorld) -> None:
        """With another etag, or no object, nothing is put."""
        pair = new_pair(world)
        etag = pair.seen().etag
        put = world.annotations.put_annotation
        assert put(pair.source, NOTE, TEXT, if_match=etag, send_before=FAR)
        assert put(pair.source, NOTE, LABEL, if_match=etag, send_before=FAR)
        assert all_of(world, pair.source) == {NOTE: LABEL}
        assert not put(pair.source, NOTE, TEXT, if_match="0" * 32, send_before=FAR)
        assert not put(pair.target, NOTE, TEXT, if_match=etag, send_before=FAR)
        assert all_of(world, pair.source) == {NOTE: LABEL}

    def test_no_put_after_the_claim(self, world: ObjectWorld) -> None:
        """It is not sent."""
        pair = new_pair(world)
        with pytest.raises(LeaseExpiredError):
            world.annotations.put_annotation(pair.source, NOTE, TEXT, if_match=pair.seen().etag, send_before=-FAR)
        assert world.annotations.list_annotations(pair.source) == {}

    @pytest.mark.parametrize("versioned", [False, True])
    def test_a_copy_in_one_request_carries_them(self, world: ObjectWorld, *, versioned: bool) -> None:
        """By the directive; those of an object that it replaces go."""
        pair = annotated(world, versioned=versioned)
        world.put(pair.target, b"before")
        world.annotate(pair.target, "stale", TEXT)
        there = present(world.store.look_at_object(pair.target))
        assert isinstance(world.store.copy_object(pair.origin(), pair.goal(there.etag), seen=pair.seen()), Written)
        assert all_of(world, pair.target) == {MODEL: LABEL, NOTE: TEXT}

    @pytest.mark.parametrize("versioned", [False, True])
    def test_a_copy_in_parts_loses_them(self, world: ObjectWorld, *, versioned: bool) -> None:
        """The completed object has no annotations, even if the object before it had some."""
        pair = annotated(world, TWO_PARTS, versioned=versioned)
        world.put(pair.target, b"before")
        world.annotate(pair.target, "stale", TEXT)
        there = present(world.store.look_at_object(pair.target))
        copy_in_parts(world, pair, there.etag)
        assert world.annotations.list_annotations(pair.target) == {}


def copy_in_parts(world: ObjectWorld, pair: Pair, if_match: str) -> None:
    """All of the source over the target."""
    seen, goal = pair.seen(), pair.goal(if_match)
    upload_id = world.multipart.create_upload(goal, seen=seen)
    parts = [Part(1, 0, 5 * 1024 * 1024 - 1), Part(2, 5 * 1024 * 1024, seen.size - 1)]
    etags = world.multipart.copy_parts(pair.origin(), goal, upload_id=upload_id, parts=parts)
    assert not isinstance(etags, str)
    answer = world.multipart.complete_upload(goal, upload_id=upload_id, etags=etags, size=seen.size)
    assert isinstance(answer, Written)


@pytest.mark.parametrize("world", ["seaweedfs", "moto"], indirect=True)
def test_a_server_without_annotations_is_no_object_without_any(world: ObjectWorld) -> None:
    """Such a server answers with the object itself or with an error, so its annotations are not known."""
    pair = new_pair(world, b"<ListObjectAnnotationsOutput/>")
    for _ in range(2):
        with pytest.raises(RefusedRequestError, match=r"has no annotations.*`annotations: none` under `source`"):
            world.annotations.list_annotations(pair.source)
    answer = world.store.copy_object(pair.origin(), pair.goal(), seen=pair.seen())
    assert isinstance(answer, Written)
    copy = present(world.store.look_at_object(pair.target, with_tags=True))
    assert same_object(pair.seen(), copy)


@pytest.mark.parametrize("world", ["fake", "standin", "standin through boto3"], indirect=True)
def test_annotations_are_left_behind_where_none_are_promised(world: ObjectWorld) -> None:
    """The directive says EXCLUDE, which needs no permission for them."""
    pair = annotated(world)
    leaving = world.leaving_annotations()
    goal = TargetObject(pair.target, MustBeAbsent(), FAR)
    assert isinstance(leaving.copy_object(pair.origin(), goal, seen=None), Written)
    assert world.annotations.list_annotations(pair.target) == {}
