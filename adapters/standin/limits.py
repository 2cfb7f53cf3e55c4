"""S3's size limits, lowered by tests that want to reach them with small objects."""

from dataclasses import dataclass

GIB = 1024**3
MIB = 1024**2


@dataclass(slots=True)
class Limits:
    """Bytes; AWS's own values by default."""

    copy_bytes: int = 5 * GIB
    """The largest source of one CopyObject, and the largest part."""
    part_bytes: int = 5 * MIB
    """The smallest part but the last; a source must be larger than this to be read by range."""
