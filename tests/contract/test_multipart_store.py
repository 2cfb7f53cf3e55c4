"""MultipartStore: the fake and the S3 adapter keep one contract."""

from dataclasses import replace

import pytest

from domain.errors import KeyshiftError, LeaseExpiredError
from domain.protocol.parts import MIN_PART_BYTES, composed_etag, cut_into_parts
from domain.protocol.ports import Refused, Written
from tests.worlds.objects import EVERYTHING, TWO_PARTS, ObjectWorld, Pair, new_pair

MOTO = "moto 5.2.5 ignores conditions on copies (emulators.md)"
PARTS = cut_into_parts(len(TWO_PARTS), part_size=MIN_PART_BYTES)


def begin(pair: Pair) -> tuple[str, dict[int, str]]:
    """An upload with every part copied."""
    multipart = pair.world.multipart
    upload_id = multipart.create_upload(pair.goal(), seen=pair.seen())
    etags = multipart.copy_parts(pair.origin(), pair.goal(), upload_id=upload_id, parts=PARTS)
    assert not isinstance(etags, Refused)
    return upload_id, dict(etags)


def test_parts_make_the_object_again_with_all_that_belongs_to_it(world: ObjectWorld) -> None:
    """Bytes, metadata, headers and tags arrive; the etag is the one that can be foretold."""
    pair = new_pair(world, TWO_PARTS, **EVERYTHING)
    upload_id, etags = begin(pair)
    answer = world.multipart.complete_upload(pair.goal(), upload_id=upload_id, etags=etags, size=len(TWO_PARTS))
    assert isinstance(answer, Written)
    assert answer.etag == composed_etag(etags)
    copy, seen = world.store.look_at_object(pair.target, with_tags=True), pair.seen()
    assert copy is not None
    assert (copy.etag, copy.size) == (answer.etag, seen.size)
    assert (copy.metadata, copy.headers, copy.tags) == (seen.metadata, seen.headers, seen.tags)
    assert world.body(pair.target) == TWO_PARTS


@pytest.mark.disagrees("moto", "moto composes the checksum of a whole object")
@pytest.mark.disagrees("seaweedfs", "SeaweedFS keeps no checksum of a multipart object")
def test_the_whole_objects_checksum_survives(world: ObjectWorld) -> None:
    """A checksum of the whole source is a checksum of the whole copy, whatever the etags say."""
    pair = new_pair(world, TWO_PARTS)
    upload_id, etags = begin(pair)
    world.multipart.complete_upload(pair.goal(), upload_id=upload_id, etags=etags, size=len(TWO_PARTS))
    copy, seen = world.store.look_at_object(pair.target), pair.seen()
    assert copy is not None
    assert seen.full_checksums
    assert copy.full_checksums
    assert copy.checksums == seen.checksums


def test_an_object_without_bytes_goes_in_one_empty_part(world: ObjectWorld) -> None:
    """With all that belongs to it: a bucket that takes no CopyObject with a condition takes such a completion."""
    pair = new_pair(world, b"", **EVERYTHING)
    (part,) = cut_into_parts(0, part_size=MIN_PART_BYTES)
    upload_id = world.multipart.create_upload(pair.goal(), seen=pair.seen())
    etags = world.multipart.copy_parts(pair.origin(), pair.goal(), upload_id=upload_id, parts=[part])
    assert not isinstance(etags, Refused)
    assert world.multipart.list_parts(pair.target, upload_id=upload_id) == etags
    answer = world.multipart.complete_upload(pair.goal(), upload_id=upload_id, etags=etags, size=0)
    assert isinstance(answer, Written)
    copy, seen = world.store.look_at_object(pair.target, with_tags=True), pair.seen()
    assert copy is not None
    assert (copy.etag, copy.size) == (composed_etag(etags), 0)
    assert (copy.metadata, copy.headers, copy.tags) == (seen.metadata, seen.headers, seen.tags)
    assert world.body(pair.target) == b""


def test_an_empty_part_needs_the_source_that_was_seen(world: ObjectWorld) -> None:
    """One that has bytes meanwhile, or is gone, is not copied as nothing."""
    pair = new_pair(world, b"")
    parts = cut_into_parts(0, part_size=MIN_PART_BYTES)
    upload_id = world.multipart.create_upload(pair.goal(), seen=pair.seen())
    origin = replace(pair.origin(), version_id=None)
    world.put(pair.source, b"bytes")
    refused = world.multipart.copy_parts(origin, pair.goal(), upload_id=upload_id, parts=parts)
    assert refused is Refused.PRECONDITION
    world.remove(pair.source)
    absent = world.multipart.copy_parts(origin, pair.goal(), upload_id=upload_id, parts=parts)
    assert absent is Refused.SOURCE_ABSENT


def test_listed_parts_are_those_that_were_copied(world: ObjectWorld) -> None:
    """A resumed upload learns which parts are there."""
    pair = new_pair(world, TWO_PARTS)
    upload_id = world.multipart.create_upload(pair.goal(), seen=pair.seen())
    assert world.multipart.list_parts(pair.target, upload_id=upload_id) == {}
    copied = world.multipart.copy_parts(pair.origin(), pair.goal(), upload_id=upload_id, parts=PARTS[:1])
    assert world.multipart.list_parts(pair.target, upload_id=upload_id) == copied
    world.multipart.abort_upload(pair.target, upload_id=upload_id)


def test_a_small_object_is_one_part_without_a_range(world: ObjectWorld) -> None:
    """An object below the least part size is copied whole."""
    pair = new_pair(world, b"small")
    upload_id = world.multipart.create_upload(pair.goal(), seen=pair.seen())
    parts = cut_into_parts(5, part_size=MIN_PART_BYTES)
    etags = world.multipart.copy_parts(pair.origin(), pair.goal(), upload_id=upload_id, parts=parts)
    assert not isinstance(etags, Refused)
    world.multipart.complete_upload(pair.goal(), upload_id=upload_id, etags=etags, size=5)
    assert world.body(pair.target) == b"small"


@pytest.mark.disagrees("moto", MOTO)
def test_a_part_of_a_changed_source_is_refused(world: ObjectWorld) -> None:
    """Each part is copied only from the source that was seen: no torn object."""
    pair = new_pair(world, TWO_PARTS)
    origin = pair.origin()
    upload_id = world.multipart.create_upload(pair.goal(), seen=pair.seen())
    world.multipart.copy_parts(origin, pair.goal(), upload_id=upload_id, parts=PARTS[:1])
    world.put(pair.source, TWO_PARTS[::-1])
    answer = world.multipart.copy_parts(origin, pair.goal(), upload_id=upload_id, parts=PARTS[1:])
    assert answer is Refused.PRECONDITION
    world.multipart.abort_upload(pair.target, upload_id=upload_id)


def test_a_part_of_an_absent_source_is_refused(world: ObjectWorld) -> None:
    """A source that was deleted meanwhile is said to be absent."""
    pair = new_pair(world, TWO_PARTS)
    origin = pair.origin()
    upload_id = world.multipart.create_upload(pair.goal(), seen=pair.seen())
    world.remove(pair.source)
    answer = world.multipart.copy_parts(origin, pair.goal(), upload_id=upload_id, parts=PARTS)
    assert answer is Refused.SOURCE_ABSENT
    world.multipart.abort_upload(pair.target, upload_id=upload_id)


def test_completion_over_somebody_elses_object_is_refused(world: ObjectWorld) -> None:
    """The target's condition counts when the parts become an object."""
    pair = new_pair(world, TWO_PARTS)
    upload_id, etags = begin(pair)
    world.put(pair.target, b"foreign")
    answer = world.multipart.complete_upload(pair.goal(), upload_id=upload_id, etags=etags, size=len(TWO_PARTS))
    assert answer is Refused.PRECONDITION
    assert world.body(pair.target) == b"foreign"


@pytest.mark.disagrees("moto", "moto ignores If-Match on CompleteMultipartUpload")
def test_completion_over_another_target_than_known_is_refused(world: ObjectWorld) -> None:
    """If-Match with an etag that is not there completes nothing."""
    pair = new_pair(world, TWO_PARTS)
    upload_id, etags = begin(pair)
    world.put(pair.target, b"foreign")
    goal = pair.goal("0" * 32)
    answer = world.multipart.complete_upload(goal, upload_id=upload_id, etags=etags, size=len(TWO_PARTS))
    assert answer is Refused.PRECONDITION
    assert world.body(pair.target) == b"foreign"


@pytest.mark.disagrees("moto", "moto ignores MpuObjectSize")
@pytest.mark.disagrees("seaweedfs", "SeaweedFS ignores MpuObjectSize")
def test_completion_with_too_few_bytes_is_refused(world: ObjectWorld) -> None:
    """The object's size guards against a missing part."""
    pair = new_pair(world, TWO_PARTS)
    upload_id, etags = begin(pair)
    with pytest.raises(KeyshiftError):
        world.multipart.complete_upload(pair.goal(), upload_id=upload_id, etags={1: etags[1]}, size=len(TWO_PARTS))
    assert world.body(pair.target) is None
    world.multipart.abort_upload(pair.target, upload_id=upload_id)


@pytest.mark.disagrees("moto", "moto answers 500 to the completion of an aborted upload")
def test_an_aborted_upload_is_gone_and_aborted_again(world: ObjectWorld) -> None:
    """Abort may be repeated; afterwards the upload does not exist for anybody."""
    pair = new_pair(world, TWO_PARTS)
    upload_id, etags = begin(pair)
    for _ in range(2):
        world.multipart.abort_upload(pair.target, upload_id=upload_id)
    assert world.multipart.list_parts(pair.target, upload_id=upload_id) is None
    answer = world.multipart.complete_upload(pair.goal(), upload_id=upload_id, etags=etags, size=len(TWO_PARTS))
    assert answer is Refused.SOURCE_ABSENT
    assert world.body(pair.target) is None


def test_nothing_is_sent_past_the_lease(world: ObjectWorld) -> None:
    """Start, parts and completion all heed the claim's second."""
    pair = new_pair(world, TWO_PARTS)
    late = replace(pair.goal(), send_before=0.0)
    with pytest.raises(LeaseExpiredError):
        world.multipart.create_upload(late, seen=pair.seen())
    upload_id, etags = begin(pair)
    with pytest.raises(LeaseExpiredError):
        world.multipart.copy_parts(pair.origin(), late, upload_id=upload_id, parts=PARTS)
    with pytest.raises(LeaseExpiredError):
        world.multipart.complete_upload(late, upload_id=upload_id, etags=etags, size=len(TWO_PARTS))
    world.multipart.abort_upload(pair.target, upload_id=upload_id)


def test_an_upload_without_tags_read_is_refused(world: ObjectWorld) -> None:
    """Unknown tags must not become no tags."""
    pair = new_pair(world, TWO_PARTS)
    with pytest.raises(ValueError, match="tags"):
        world.multipart.create_upload(pair.goal(), seen=replace(pair.seen(), tags=None))
