"""What a verification of the audit can find."""

from dataclasses import dataclass
from enum import StrEnum

from domain.audit.chain import MISSING_SHARD


class Fault(StrEnum):
    """What was done to the chain, or to the objects and items that it reports on."""

    SEGMENT_MISSING = "segment-missing"
    SEGMENT_ALTERED = "segment-altered"
    SEGMENT_FOREIGN = "segment-foreign"
    SEGMENT_OVERWRITTEN = "segment-overwritten"
    SEGMENT_DELETED = "segment-deleted"
    LINE_ALTERED = "line-altered"
    LINE_MISSING = "line-missing"
    LINE_OUT_OF_ORDER = "line-out-of-order"
    HEAD_MISSING = "head-missing"
    HEAD_REPLACED = "head-replaced"
    CHAIN_TRUNCATED = "chain-truncated"
    NOT_ANCHORED = "not-anchored"
    CHAIN_MISSING = "chain-missing"
    CHAIN_UNNAMED = "chain-unnamed"
    REVISION_MISSING = "revision-missing"
    REVISION_OUT_OF_ORDER = "revision-out-of-order"
    REVISION_CONTRADICTED = "revision-contradicted"
    RECORD_REMOVED = "record-removed"
    RECORD_ALTERED = "record-altered"
    RECORD_UNKNOWN = "record-unknown"
    RECORD_UNAUDITED = "record-unaudited"


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault and its place: line 0 of a segment is its header.

    ``shard`` is the chain's, empty for the chain without a shard. ``is_late`` means that the stream may still repair
    it. It is too old for a stream that keeps up, and not yet lost.
    """

    fault: Fault
    text: str
    segment: int | None = None
    line: int | None = None
    subject: str | None = None
    is_late: bool = False
    shard: str = MISSING_SHARD
