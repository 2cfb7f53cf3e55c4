"""What a worker copies in parts, as SQL over a plan's rows (domain/protocol/copying.py decides the same of one object)."""

from domain.parts import MAX_COPY_BYTES, MAX_PART_BYTES, MAX_PARTS, MIB, MIN_PART_BYTES
from domain.planning.figures import Cutting


def is_cut(cutting: Cutting, *, knows_uploads: bool = True) -> str:
    """Whether the object is copied in parts; an upload in parts has no etag by which a copy in one request is known.

    An object with a checksum of the whole is copied in one request all the same, so this counts at most too many.
    """
    above = f"size > {min(cutting.above, MAX_COPY_BYTES)}"
    return f"({above} OR (size > 0 AND coalesce(is_multipart_uploaded, false)))" if knows_uploads else above


def number_of_parts(cutting: Cutting) -> str:
    """How many parts, as ``part_size_for`` cuts them."""
    least = f"ceil(ceil(size / {MAX_PARTS}.0) / {MIB}.0) * {MIB}"
    return f"ceil(size / least({MAX_PART_BYTES}, greatest({max(cutting.part_size, MIN_PART_BYTES)}, {least})))"
