"""What the workers ask of S3 for one row, as SQL over a plan's rows (domain/protocol decides the same of one object).

The columns are those of ``inventory_sql``. What a row leaves open counts as what costs more.
"""

from domain.planning.figures import Cutting
from domain.protocol.parts import MAX_COPY_BYTES, MAX_PART_BYTES, MAX_PARTS, MIB, MIN_PART_BYTES
from domain.rules.compiled import CompiledRules

IS_ARCHIVED = (
    "(coalesce(storage_class, '') IN ('GLACIER', 'DEEP_ARCHIVE') "
    "OR coalesce(intelligent_tiering_access_tier, '') LIKE '%ARCHIVE%')"
)
UPLOADED_IN_PARTS = "coalesce(is_multipart_uploaded, contains(e_tag, '-'), false)"
_HAS_ETAG = "coalesce(e_tag, '') <> ''"
HAS_KEY = "coalesce(encryption_status, '') LIKE '%KMS%'"
_TAGGED_LOOK = 2
"""HEAD and GetObjectTagging."""
_ANNOTATIONS_LOOK = 1
"""ListObjectAnnotations, of an object that has none."""


def is_cut(cutting: Cutting) -> str:
    """Whether the object is copied in parts.

    An upload in parts, an object under a KMS key and every object that goes to an encrypting bucket have no etag by
    which a copy in one request is known. With a checksum of the whole they are copied in one request all the same, so
    this counts at most too many.
    """
    # With a limit of 0 an object without bytes goes in parts, too (``MigrationPolicy.is_cut``).
    above = f"coalesce(size > {min(cutting.above, MAX_COPY_BYTES)}, false)" if cutting.above else "size IS NOT NULL"
    unknown = "true" if cutting.encrypts_targets else f"({UPLOADED_IN_PARTS} OR {HAS_KEY})"
    return f"(NOT {IS_ARCHIVED} AND ({above} OR (coalesce(size, 1) > 0 AND {unknown})))"


def number_of_parts(cutting: Cutting) -> str:
    """How many parts, as ``part_size_for`` cuts them."""
    least = f"ceil(ceil(size / {MAX_PARTS}.0) / {MIB}.0) * {MIB}"
    return f"greatest(1, ceil(size / least({MAX_PART_BYTES}, greatest({max(cutting.part_size, MIN_PART_BYTES)}, {least}))))"


def number_of_reads(cutting: Cutting, rules: CompiledRules) -> str:
    """How many requests that read come before the first copy of an object.

    Where every version is carried, the worker reads source and target, and domain/planning/history.py has the rest.
    Without an etag the worker reads source and target, a copy in parts reads the source twice and its annotations, and
    one look is needed unless size, class, key and lock are known.
    """
    in_parts = _TAGGED_LOOK + 1 + (0 if rules.promised_unannotated else _ANNOTATIONS_LOOK)
    is_known = [
        f"coalesce(size <= {min(cutting.above, MAX_COPY_BYTES)}, false)" if cutting.above else "false",
        f"NOT {UPLOADED_IN_PARTS}",
        "true" if rules.promised_storage_class else f"(coalesce(storage_class, '') <> '' AND NOT {HAS_KEY})",
        "true" if rules.promised_plain else "coalesce(is_plain, false)",
        "false" if cutting.encrypts_targets else "true",
    ]
    # An object without bytes is looked at once more, right before its empty part.
    parts = f"{in_parts} + CASE WHEN size = 0 THEN 1 ELSE 0 END"
    if rules.carries_versions:
        return f"CASE WHEN {is_cut(cutting)} OR size IS NULL THEN {parts} ELSE {_TAGGED_LOOK + 1} END"
    return (
        f"CASE WHEN {is_cut(cutting)} OR NOT {_HAS_ETAG} AND size IS NULL THEN {parts} WHEN NOT {_HAS_ETAG} THEN {_TAGGED_LOOK + 1} "
        f"WHEN {' AND '.join(is_known)} THEN 0 ELSE 1 END"
    )
