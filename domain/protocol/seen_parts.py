"""What a verification saw of one object beside its bytes, and what its copy lacked."""

from dataclasses import dataclass

NOT_IN_INVENTORIES = ("metadata", "headers", "tags", "object lock", "annotations")
"""The parts that a verification by inventories does not compare, in the report's words.

Of a lock, the fields of an event hold are not read: a report need not have them.
"""


@dataclass(frozen=True, slots=True)
class SeenParts:
    """One source as verify compared it with its target.

    ``metadata`` and ``tags`` are numbers of entries. ``lock`` is empty without one. ``annotations`` is ``None`` where
    they were not looked at. ``lost`` names the parts that the target lacked, in verify's words. ``is_proven`` means
    that equal bytes were proven. ``source_key`` is the source's KMS key where the rules gave the copy another one.
    ``checksum`` says which kind of checksum the source has and which one the copy, where they differ. ``versions`` is
    the number of earlier versions and delete markers, ``None`` where they were not looked at. ``by_inventories`` means
    that only inventories were compared, so NOT_IN_INVENTORIES were not looked at.
    """

    metadata: int = 0
    tags: int = 0
    storage_class: str = "STANDARD"
    has_kms_key: bool = False
    lock: str = ""
    annotations: int | None = None
    lost: tuple[str, ...] = ()
    is_proven: bool = True
    source_key: str = ""
    checksum: str = ""
    versions: int | None = None
    by_inventories: bool = False
