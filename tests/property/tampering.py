"""Chains to tamper with, and places in them."""

from hypothesis import strategies as st

from domain.audit.events import AuditEvent
from domain.audit.reading import ChainedEvent, ChainReader
from tests.worlds.audited import MIGRATION, Audited

objects = st.integers(0, 3)
batches = st.lists(st.lists(objects, min_size=1, max_size=4), min_size=2, max_size=5)
places = st.integers(0, 10_000)


def events_of(made: Audited, sequence: int) -> list[AuditEvent]:
    """The events of a segment."""
    read = ChainReader(MIGRATION).read(sequence, made.archive.segments[sequence])
    fields = [one.fields for one in read if isinstance(one, ChainedEvent)]
    return [AuditEvent(one["event_id"], one["detail_type"], one["time"], one["detail"]) for one in fields]
