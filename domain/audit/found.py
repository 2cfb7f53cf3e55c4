"""The findings of single segments and changes, in words, and with their chain."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from domain.audit.chains import ReadChain
from domain.audit.findings import Fault, Finding
from domain.audit.ports import Deferred, StoredSegment
from domain.audit.reading import ChainedEvent


def located(finding: Finding, chain: ReadChain) -> Finding:
    """The finding with its chain; the chain without a shard is not named."""
    if not chain.shard:
        return finding
    return replace(finding, text=f"{chain.shard}: {finding.text}", shard=chain.shard)


def around(stored: StoredSegment) -> Iterator[Finding]:
    """What exists beside the one version that a segment has."""
    if stored.sequence is None:
        text = f"{stored.key} is not a segment's key: another program put it there"
        yield Finding(Fault.SEGMENT_FOREIGN, text)
        return
    if stored.versions > 1:
        text = (
            f"segment {stored.sequence} was written over: {stored.versions:,} versions of it lie there, and the oldest "
            "is read here"
        )
        yield Finding(Fault.SEGMENT_OVERWRITTEN, text, stored.sequence)
    if stored.markers:
        kept = "its oldest version is read here" if stored.versions else "no version of it is left"
        text = f"segment {stored.sequence} was deleted: {stored.markers:,} delete markers lie there, and {kept}"
        yield Finding(Fault.SEGMENT_DELETED, text, stored.sequence)


def unaudited(state: Deferred) -> Finding:
    """A change of a record that no chain tells."""
    text = f"{state.uri}: the chain tells nothing of revision {state.revision} of its record"
    return Finding(Fault.RECORD_UNAUDITED, text, subject=state.subject)


def source_of(event: ChainedEvent) -> str:
    """The object that an event tells of, or its subject."""
    detail: Mapping[str, Any] = event.fields["detail"]
    return str(detail.get("source", event.event_id.partition(":")[0]))
