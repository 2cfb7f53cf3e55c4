"""Large objects are cut so that every byte is copied once."""

from hashlib import md5
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.protocol.attempt import MigrationPolicy
from domain.protocol.parts import (
    GIB,
    MAX_OBJECT_BYTES,
    MAX_PARTS,
    MIB,
    MIN_PART_BYTES,
    composed_etag,
    cut_into_parts,
    part_size_for,
)
from tests.worlds.migration import LARGE, TARGET, holding_large, listed


@given(size=st.integers(1, 3_000_000), part_size=st.integers(1_000, 1_000_000))
def test_parts_cover_every_byte_once(size: int, part_size: int) -> None:
    """Parts join without gap or overlap from the first byte to the last, numbered from 1."""
    parts = cut_into_parts(size, part_size=part_size)
    assert [part.number for part in parts] == list(range(1, len(parts) + 1))
    assert parts[0].first == 0
    assert parts[-1].last == size - 1
    assert all(one.last + 1 == other.first for one, other in pairwise(parts))


@given(size=st.integers(0, MAX_OBJECT_BYTES), wanted=st.integers(0, 6 * GIB))
def test_part_size_is_within_what_s3_takes(size: int, wanted: int) -> None:
    """Never under 5 MiB, over 5 GiB, or so small that more than 10,000 parts were needed."""
    part_size = part_size_for(size, wanted=wanted)
    assert MIN_PART_BYTES <= part_size <= 5 * GIB
    assert -(-size // part_size) <= MAX_PARTS


def test_a_limit_of_zero_cuts_every_object() -> None:
    """One without bytes, too: it has one empty part. Above it the limit counts, and what S3 copies at once."""
    for above, cut, whole in ((0, (0, 1), ()), (5, (6,), (0, 5)), (9 * GIB, (5 * GIB + 1,), (5 * GIB,))):
        policy = MigrationPolicy(multipart_above=above)
        assert all(policy.is_cut(size, "b") for size in cut)
        assert not any(policy.is_cut(size, "b") for size in whole)
    (part,) = cut_into_parts(0, part_size=MIN_PART_BYTES)
    assert (part.number, part.first, part.is_empty) == (1, 0, True)
    assert not cut_into_parts(1, part_size=MIN_PART_BYTES)[0].is_empty


def test_part_size_at_the_edges() -> None:
    """The wanted size holds as long as 10,000 parts do; then it grows by whole MiB."""
    assert part_size_for(80_000 * MIB, wanted=8 * MIB) == 8 * MIB
    assert part_size_for(80_000 * MIB + 1, wanted=8 * MIB) == 9 * MIB
    assert part_size_for(MAX_OBJECT_BYTES, wanted=8 * MIB) == 5 * GIB
    with pytest.raises(ValueError, match="more than S3 can hold"):
        part_size_for(MAX_OBJECT_BYTES + 1, wanted=8 * MIB)


def test_composed_etag_is_the_md5_of_the_parts_md5s() -> None:
    """In the order of the parts' numbers, whatever order they were copied in."""
    one, two = md5(b"one", usedforsecurity=False), md5(b"two", usedforsecurity=False)
    whole = md5(one.digest() + two.digest(), usedforsecurity=False).hexdigest()
    assert composed_etag({2: two.hexdigest(), 1: one.hexdigest()}) == f"{whole}-2"


def test_parts_are_as_large_as_the_documentation_says_unless_told_otherwise() -> None:
    """128 MiB (docs/plan.md): each part is a request that is billed."""
    world = holding_large()
    world.migrate(listed(LARGE), policy=MigrationPolicy(multipart_above=6 * MIB))
    assert {now.upload.part_size for _, now in world.manifest.changes if now.upload is not None} == {128 * MIB}
    assert world.store.body(TARGET) == LARGE
