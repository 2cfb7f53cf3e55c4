"""A copy under the KMS key that the rules name: the request says it, and HEAD shows it."""

import pytest

from adapters.doctor.inspector import AwsInspector
from adapters.s3.requests import Owners
from domain.keys import Location
from domain.kms_keys import KeyMap
from domain.objects import Encryption
from domain.protocol.parts import MIN_PART_BYTES, cut_into_parts
from domain.protocol.ports import Written
from tests.servers import Server
from tests.worlds.objects import TWO_PARTS, ObjectWorld, ServerWorld, clients_for, new_pair

OLD = "arn:aws:kms:us-east-1:111111111111:key/11111111-2222-4333-8444-555555555555"
NEW = "arn:aws:kms:us-east-1:222222222222:key/99999999-2222-4333-8444-555555555555"
KEYS = KeyMap({OLD: NEW})
NO_KMS = "SeaweedFS without a KMS answers 500 to an object under a key"


def key_of_copy(world: ObjectWorld, body: bytes, *, in_parts: bool) -> Encryption:
    """The encryption of a copy of an object under the old key."""
    pair = new_pair(world, body, encryption=Encryption("aws:kms", OLD))
    seen = pair.seen()
    assert seen.encryption.kms_key_id == OLD
    wanted, goal, origin = KEYS.as_copied(seen), pair.goal(), pair.origin()
    if in_parts:
        upload_id = world.multipart.create_upload(goal, seen=wanted)
        parts = cut_into_parts(len(body), part_size=MIN_PART_BYTES)
        etags = world.multipart.copy_parts(origin, goal, upload_id=upload_id, parts=parts)
        assert isinstance(etags, dict)
        answer = world.multipart.complete_upload(goal, upload_id=upload_id, etags=etags, size=len(body))
    else:
        answer = world.store.copy_object(origin, goal, seen=wanted)
    assert isinstance(answer, Written)
    copy = world.store.look_at_object(pair.target)
    assert copy is not None
    return copy.encryption


@pytest.mark.disagrees("seaweedfs", NO_KMS)
@pytest.mark.parametrize(("body", "in_parts"), [(b"bytes", False), (TWO_PARTS, True)])
def test_a_copy_is_under_the_key_that_the_rules_name(world: ObjectWorld, body: bytes, *, in_parts: bool) -> None:
    """In one request and in parts."""
    assert key_of_copy(world, body, in_parts=in_parts).kms_key_id == NEW


def test_doctor_sees_the_keys_of_the_first_objects(standin: Server) -> None:
    """Below the prefix, and not those of objects that S3 encrypts with its own key."""
    world = ServerWorld(standin)
    bucket = world.bucket()
    world.put(Location(bucket, "old/plain"), b"1")
    world.put(Location(bucket, "old/secret"), b"2", encryption=Encryption("aws:kms", OLD))
    world.put(Location(bucket, "other/secret"), b"3", encryption=Encryption("aws:kms", NEW))
    assert AwsInspector(clients_for(standin), Owners()).kms_keys(bucket, "old/") == {OLD}
