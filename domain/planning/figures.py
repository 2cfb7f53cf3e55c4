"""What a plan says about a real key set before a byte moves."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from domain.parts import MULTIPART_ABOVE, PART_BYTES


@dataclass(frozen=True, slots=True)
class Cutting:
    """How the workers copy large objects, in bytes: one ``above`` this size in parts of ``part_size``."""

    above: int = MULTIPART_ABOVE
    part_size: int = PART_BYTES


@dataclass(frozen=True, slots=True)
class Share:
    """How many objects and bytes."""

    objects: int = 0
    size: int = 0


@dataclass(frozen=True, slots=True)
class Shape:
    """A form that many unmapped keys have: digits and identifiers replaced, with one real key of it."""

    shape: str
    objects: int
    example: str


@dataclass(frozen=True, slots=True)
class Collision:
    """Keys that would meet at one target; ``occupied`` says that an object that does not move is there already."""

    target: str
    keys: tuple[str, ...]
    occupied: bool


@dataclass(frozen=True, slots=True)
class EarlyDeletion:
    """What S3 bills for sources of a class deleted too young, in GiB-days; ``undated`` objects are not in it."""

    gib_days: float = 0.0
    undated: int = 0


@dataclass(frozen=True, slots=True)
class PlanFigures:
    """Everything counted; sizes in bytes.

    ``large`` are those that the workers copy in parts, ``in_parts`` were uploaded in parts (their etag is no digest),
    ``archived`` must be restored first. ``parts`` counts the UploadPartCopy requests of the large ones.
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
    storage_classes: Mapping[str, Share] = field(default_factory=dict)
    encryption: Mapping[str, int] = field(default_factory=dict)
    locked: int = 0
    early_deletion: Mapping[str, EarlyDeletion] = field(default_factory=dict)
    unmapped_fails: bool = False
    """The rules say ``unmapped: fail``."""

    @property
    def moving(self) -> Share:
        """What the rules move."""
        return Share(sum(one.objects for one in self.rules.values()), sum(one.size for one in self.rules.values()))

    @property
    def total(self) -> int:
        """Every object that was looked at."""
        return self.moving.objects + self.kept.objects + self.unmapped.objects + self.rejected.objects

    @property
    def is_safe(self) -> bool:
        """No two objects meet, no key is impossible, and none is unmapped where the rules call that a mistake."""
        refused = self.unmapped.objects if self.unmapped_fails else 0
        return not self.colliding_targets and not self.rejected.objects and not refused

    def fidelity(self) -> tuple[str, ...]:
        """What a move does not preserve, and why (aws-facts.md §2.3)."""
        notes = [
            "Last-Modified becomes the time of the copy: age-based lifecycle rules start again",
            "ACLs are not copied: the target's owner and policy decide",
        ]
        if self.in_parts.objects:
            notes.append(
                f"{self.in_parts.objects:,} objects were uploaded in parts: their etag changes, a part-wise checksum "
                "becomes one of the whole object"
            )
        if self.locked:
            notes.append(f"{self.locked:,} objects are locked: their sources cannot be deleted before the lock ends")
        if self.archived.objects:
            notes.append(f"{self.archived.objects:,} archived objects are parked until somebody restores them")
        classes = [name for name in self.storage_classes if name in EARLY_DELETION_DAYS]
        if classes:
            undated = sum(one.undated for one in self.early_deletion.values())
            unknown = f"; the age of {undated:,} of them is not known, they are not in the bill" if undated else ""
            notes.append(
                f"sources in {', '.join(sorted(classes))} deleted before their least age are billed for the rest"
                + unknown
            )
        if any("KMS" in name for name in self.encryption):
            notes.append("objects under a KMS key get the target bucket's key where theirs cannot be used")
        return tuple(notes)


EARLY_DELETION_DAYS = {"STANDARD_IA": 30, "ONEZONE_IA": 30, "GLACIER_IR": 90, "GLACIER": 90, "DEEP_ARCHIVE": 180}
"""Days for which S3 bills an object of the class at least."""
