"""Whatever is published, every event arrives exactly once, and no pack is billed twice."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.audit.events import AuditEvent, audit_event, enveloped
from domain.audit.packs import MOST_PACK_BYTES, PACK_TYPE, entries_of, events_of, is_routine
from domain.protocol.record import Record
from tests.audit_schema import check_delivered
from tests.contract.records import records

BILLED = 64_000
"""The smaller meaning of 64 KB."""
ADDED = 600
"""More than EventBridge adds: version, id, account, region, resources, and the names of the fields."""
TEXTS = st.text(st.characters(codec=None), max_size=20)


@st.composite
def events(draw: st.DrawFn) -> list[AuditEvent]:
    """Routine ones and others, of any text and of sizes around what fits."""
    migration = draw(TEXTS)
    sizes = st.one_of(st.integers(0, 3_000), st.integers(10_000, 33_000), st.integers(62_000, 64_000))
    types = st.sampled_from(["Object Migrated", "Attempt Under Way", "Object In Conflict", "Stage Changed"])
    return [
        enveloped(f"id-{number}", kind, draw(st.floats(0, 4e9)), {"text": text, "pad": "x" * size}, migration=migration)
        for number, (kind, text, size) in enumerate(draw(st.lists(st.tuples(types, TEXTS, sizes), max_size=12)))
    ]


@given(events(), st.booleans())
def test_every_event_arrives_exactly_once(published: list[AuditEvent], in_packs: bool) -> None:
    """With its type and content, in order within an entry, named by the place that it had."""
    entries = entries_of(published, in_packs=in_packs)
    arrived = []
    for entry in entries:
        delivered = {"detail-type": entry.detail_type, "detail": json.loads(entry.detail)}
        told = events_of(delivered)
        assert list(entry.places) == sorted(entry.places)
        assert [one["detail"]["event_id"] for one in told] == [published[place].event_id for place in entry.places]
        arrived += [(one["detail"]["event_id"], one["detail-type"], one["detail"]) for one in told]
    assert sorted(arrived, key=str) == sorted(
        ((one.event_id, one.detail_type, dict(one.detail)) for one in published), key=str
    )
    assert [entry.places for entry in entries] == sorted(entry.places for entry in entries)


@given(events())
def test_no_pack_is_above_64_kb_and_none_could_take_the_next_event(published: list[AuditEvent]) -> None:
    """Sizes as EventBridge counts them; only routine events are packed, and all that fit are."""
    packs = [entry for entry in entries_of(published, in_packs=True) if entry.detail_type == PACK_TYPE]
    for pack in packs:
        size = 14 + sum(len(text.encode()) for text in ("keyshift", pack.detail_type, pack.detail))
        assert pack.size == size <= MOST_PACK_BYTES <= BILLED - ADDED
        assert all(is_routine(published[place]) for place in pack.places)
    for pack, following in pairwise(packs):
        together = [published[place] for place in (*pack.places, following.places[0])]
        assert len(entries_of(together, in_packs=True)) == 2


@pytest.mark.slow("checks hundreds of examples against the JSON schema")
@given(st.lists(st.tuples(records(), st.booleans()), max_size=8))
def test_what_is_delivered_fits_the_schema(told: list[tuple[Record, bool]]) -> None:
    """Records in any shape, packed or alone."""
    published = [audit_event(record, migration="m", removed=removed) for record, removed in told]
    for entry in entries_of(published, in_packs=True):
        check_delivered(entry)
