"""The figures of a plan, made from the real keys before a byte moves."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from domain.planning.history import History
from domain.planning.shares import Share
from domain.protocol.parts import MULTIPART_ABOVE, PART_BYTES
from domain.rules.lake_tables import LakeTable

SHOWN_TABLES = 3


@dataclass(frozen=True, slots=True)
class Cutting:
    """How the workers copy large objects: one of more than ``above`` bytes in parts of ``part_size`` bytes.

    ``encrypts_targets`` means that the target bucket encrypts with a KMS key, so no etag of a copy is known before.
    """

    above: int = MULTIPART_ABOVE
    part_size: int = PART_BYTES
    encrypts_targets: bool = False


@dataclass(frozen=True, slots=True)
class Shape:
    """A pattern that many unmapped keys share: digits and identifiers are replaced; with one real key of it."""

    shape: str
    objects: int
    example: str


@dataclass(frozen=True, slots=True)
class Collision:
    """Keys with the same target; ``occupied`` means that an object that does not move is there already."""

    target: str
    keys: tuple[str, ...]
    occupied: bool


@dataclass(frozen=True, slots=True)
class EarlyDeletion:
    """What S3 bills for sources of a class that are deleted too early, in GiB-days, without the ``undated`` objects."""

    gib_days: float = 0.0
    undated: int = 0


@dataclass(frozen=True, slots=True)
class PlanFigures:
    """Everything counted; sizes in bytes.

    ``large`` objects are copied in parts, ``in_parts`` were uploaded in parts (their etag is not a digest),
    ``archived`` ones must be restored first. ``parts`` counts the UploadPartCopy requests of the large ones, ``reads``
    the HEAD, GetObjectTagging and ListObjectAnnotations requests for the copies. ``refused`` objects are unmapped,
    and the rules forbid that (``unmapped: fail``). The columns of ``plain`` objects rule out a KMS key and an object
    lock. With ``carries_versions`` there is a ``history`` too, unless the inventory lists current versions only.
    """

    rules: Mapping[str, Share]
    kept: Share
    unmapped: Share
    rejected: Share
    rejected_examples: tuple[str, ...]
    shapes: tuple[Shape, ...]
    collisions: tuple[Collision, ...]
    colliding_targets: int
    large: Share
    in_parts: Share
    archived: Share
    parts: int
    reads: int = 0
    storage_classes: Mapping[str, Share] = field(default_factory=dict)
    encryption: Mapping[str, int] = field(default_factory=dict)
    locked: int = 0
    early_deletion: Mapping[str, EarlyDeletion] = field(default_factory=dict)
    refused: int = 0
    plain: int = 0
    lake_tables: tuple[LakeTable, ...] = ()
    """The first of the data-lake tables that the rules file does not accept."""
    lake_table_count: int = 0
    carries_versions: bool = False
    history: History | None = None

    @property
    def moving(self) -> Share:
        """The objects that the rules move."""
        return Share(sum(rule.objects for rule in self.rules.values()), sum(rule.size for rule in self.rules.values()))

    @property
    def total(self) -> int:
        """Every object that was read."""
        return self.moving.objects + self.kept.objects + self.unmapped.objects + self.rejected.objects

    @property
    def is_safe(self) -> bool:
        """Whether all targets differ, all new keys are valid, and the rules refuse no object."""
        return not self.colliding_targets and not self.rejected.objects and not self.refused

    def _history_notes(self) -> list[str]:
        if not self.carries_versions:
            return []
        notes = ["version ids are new, and every version gets the date of its copy; the order stays"]
        if self.history is not None and self.history.archived.objects:
            notes.append(
                f"{self.history.archived.objects:,} earlier versions are archived: their keys wait until those are"
                " restored: keyshift archived"
            )
        return notes

    def promises(self) -> Mapping[str, str]:
        """What the rules file can promise of every object that moves, as entries of ``source:``."""
        moving = self.moving.objects
        found: dict[str, str] = {}
        if moving and set(self.storage_classes) == {"STANDARD"}:
            found["storage_class"] = "STANDARD"
        if moving and self.plain == moving:
            found |= {"encryption": "AES256", "object_lock": "none"}
        return found

    def fidelity(self) -> tuple[str, ...]:
        """What a move does not preserve, and why (aws-facts.md §2.3)."""
        notes = [
            "Last-Modified becomes the time of the copy: age-based lifecycle rules start again",
            "ACLs are not copied: the target bucket's owner and policy decide",
        ]
        if self.in_parts.objects:
            notes.append(
                f"{self.in_parts.objects:,} objects were uploaded in parts: their etag changes, a part-wise checksum "
                "becomes one of the whole object"
            )
        if self.locked:
            notes.append(f"{self.locked:,} objects are locked: their sources cannot be deleted before the lock ends")
        notes += self._history_notes()
        if self.archived.objects:
            notes.append(
                f"{self.archived.objects:,} archived objects are parked until they are restored: keyshift archived"
            )
        classes = [name for name in self.storage_classes if name in EARLY_DELETION_DAYS]
        if classes:
            undated = sum(one.undated for one in self.early_deletion.values())
            unknown = f"; the age of {undated:,} of them is not known, they are not in the bill" if undated else ""
            notes.append(
                f"sources in {', '.join(sorted(classes))} deleted before their minimum age are billed for the rest"
                + unknown
            )
        if self.lake_tables:
            names = ", ".join(str(table) for table in self.lake_tables[:SHOWN_TABLES])
            more = self.lake_table_count - SHOWN_TABLES
            notes.append(
                f"data-lake tables: {names}{f' and {more:,} more' if more > 0 else ''}. Metadata or a catalog names"
                " their files by old URIs; cleanup keeps the sources until the rules file accepts the tables"
                " (docs/lake-tables.md)"
            )
        if any("KMS" in name for name in self.encryption):
            under = sum(count for name, count in self.encryption.items() if "KMS" in name)
            notes.append(
                f"objects under a KMS key: {under:,}; a copy gets the same key, or the one that `encryption: {{map:"
                " …}` in the rules file names. A key that the target cannot use parks its objects with the cause kms"
            )
        return tuple(notes)


EARLY_DELETION_DAYS = {"STANDARD_IA": 30, "ONEZONE_IA": 30, "GLACIER_IR": 90, "GLACIER": 90, "DEEP_ARCHIVE": 180}
"""Days for which S3 bills an object of the class at least."""
