"""ManifestContents: the fake and S3 keep one contract."""

from dataclasses import replace

import pytest

from adapters.s3.manifest_contents import S3ManifestContents
from domain.errors import RefusedRequestError
from domain.keys import Location
from domain.protocol.parts import MAX_PARTS, MIN_PART_BYTES
from domain.protocol.ports import Refused, Written
from domain.references.ports import ManifestContents
from tests.fakes.contents import InMemoryContents
from tests.fakes.object_store import InMemoryObjectStore
from tests.worlds.objects import FakeWorld, ObjectWorld, clients_for, new_pair


@pytest.fixture
def contents(request: pytest.FixtureRequest, world: ObjectWorld) -> ManifestContents:
    """The port beside the world's stores."""
    if isinstance(world, FakeWorld):
        assert isinstance(world.store, InMemoryObjectStore)
        return InMemoryContents(world.store)
    name = request.node.callspec.params["world"].partition(" through ")[0]
    fixture = "moto_endpoint" if name == "moto" else name
    return S3ManifestContents(clients_for(request.getfixturevalue(fixture)))


def test_the_bytes_come_back_on_their_etag(world: ObjectWorld, contents: ManifestContents) -> None:
    """All of them, in blocks; another etag is refused, an absent key is told apart."""
    body = bytes(range(256)) * 9_000
    pair = new_pair(world, body)
    blocks = contents.read_content(pair.source, etag=pair.seen().etag)
    assert not isinstance(blocks, Refused)
    assert b"".join(blocks) == body
    assert contents.read_content(pair.source, etag="0" * 32) is Refused.PRECONDITION
    absent = contents.read_content(Location(pair.source.bucket, "absent"), etag="0" * 32)
    assert absent in (Refused.SOURCE_ABSENT, Refused.PRECONDITION)


def test_parts_become_one_object(world: ObjectWorld, contents: ManifestContents) -> None:
    """Uploaded parts complete on the target's condition, with what was said of the object."""
    pair = new_pair(world, metadata={"m": "1"}, tags={"t": "2"})
    seen = pair.seen()
    # The parts carry a CRC32, which the upload must have been told of (S3 refuses another kind than it expects).
    described = replace(seen, checksums={"CRC32": ""}, full_checksums=True)
    upload_id = world.multipart.create_upload(pair.goal(), seen=described)
    bodies = [b"a" * MIN_PART_BYTES, b"b"]
    etags: dict[int, str] = {}
    for number, body in enumerate(bodies, start=1):
        answer = contents.upload_part(pair.goal(), upload_id=upload_id, number=number, body=body)
        assert not isinstance(answer, Refused)
        etags[number] = answer
    written = world.multipart.complete_upload(pair.goal(), upload_id=upload_id, etags=etags, size=sum(map(len, bodies)))
    assert isinstance(written, Written)
    now = world.store.look_at_object(pair.target, with_tags=True)
    assert now is not None
    assert (now.etag, now.metadata, now.tags) == (written.etag, {"m": "1"}, {"t": "2"})
    blocks = contents.read_content(pair.target, etag=written.etag)
    assert not isinstance(blocks, Refused)
    assert b"".join(blocks) == b"".join(bodies)


@pytest.mark.disagrees("moto", "moto 5.2.5 answers 500 to a part of an upload that is gone")
def test_a_part_of_an_aborted_upload_is_refused(world: ObjectWorld, contents: ManifestContents) -> None:
    """Somebody aborted it: nothing can be written any more."""
    pair = new_pair(world)
    upload_id = world.multipart.create_upload(pair.goal(), seen=pair.seen())
    world.multipart.abort_upload(pair.target, upload_id=upload_id)
    answer = contents.upload_part(pair.goal(), upload_id=upload_id, number=1, body=b"x")
    assert answer is Refused.CONCURRENT


@pytest.mark.parametrize(
    "number",
    [pytest.param(0, marks=pytest.mark.disagrees("moto", "moto 5.2.5 takes a part 0")), MAX_PARTS + 1],
)
def test_parts_are_counted_from_one_to_ten_thousand(
    world: ObjectWorld, contents: ManifestContents, number: int
) -> None:
    """S3 takes no other number (docs: multipart upload limits)."""
    pair = new_pair(world)
    upload_id = world.multipart.create_upload(pair.goal(), seen=pair.seen())
    with pytest.raises(RefusedRequestError, match=r"Invalid(Argument|Part)"):
        contents.upload_part(pair.goal(), upload_id=upload_id, number=number, body=b"x")
