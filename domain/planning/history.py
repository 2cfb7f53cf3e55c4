"""What a migration that carries every version has to do beside the current objects, and its requests."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from domain.planning.shares import NOTHING, Share

_SOURCE, _TARGET, _LOOK = 2, 2, 1
"""HEAD and GetObjectTagging of an object that is there; HEAD where it is absent."""


@dataclass(frozen=True, slots=True)
class History:
    """Earlier versions and delete markers of the keys that move, current delete markers included.

    ``keys`` have an earlier version or delete marker. ``deleted`` keys are deleted now, ``deleted_keys`` of them have
    an earlier version or marker. ``storage_classes`` and all that follows are of the earlier versions: ``large`` ones
    are copied in ``parts``, ``archived`` ones must be restored first, ``encrypted`` ones are under a KMS key.
    """

    versions: Share = NOTHING
    markers: int = 0
    keys: int = 0
    deleted: int = 0
    deleted_keys: int = 0
    storage_classes: Mapping[str, Share] = field(default_factory=dict)
    large: Share = NOTHING
    parts: int = 0
    archived: Share = NOTHING
    encrypted: int = 0

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> "History":
        """What ``asdict`` made of one. Raises KeyError or TypeError for another mapping."""
        shares = {name: Share(**said[name]) for name in ("versions", "large", "archived")}
        classes = {name: Share(**one) for name, one in said["storage_classes"].items()}
        return cls(**{**said, **shares, "storage_classes": classes})

    @property
    def steps(self) -> int:
        """Copies of earlier versions, and deletes of the target."""
        return self.versions.objects + self.markers

    def reads(self, *, promised_unannotated: bool) -> int:
        """HEAD, GetObjectTagging and ListObjectAnnotations requests beside those for the current objects.

        Each version is looked at before its copy, and the tags of one that is copied in parts are read. A key with a
        history is looked at once more after it.
        """
        large = self.large.objects * (1 if promised_unannotated else 2)
        again = (self.keys - self.deleted_keys) * (_SOURCE + _TARGET) + self.deleted_keys * 2 * _LOOK
        return self.versions.objects * _LOOK + large + self.deleted * 2 * _LOOK + again


@dataclass(frozen=True, slots=True)
class CarriedWork:
    """Requests for carrying every version that are not needed without it; ``lists`` are ListObjectVersions.

    ``rows`` are deleted keys in the backfill. ``steps`` are changes of the target. ``writes`` are of records.
    """

    lists: int = 0
    reads: int = 0
    writes: int = 0
    rows: int = 0
    steps: int = 0


def carried_work(
    objects: int, history: History | None, *, large_objects: int, promised_unannotated: bool
) -> CarriedWork:
    """The work for so many current objects; without a history, which is not known, for these alone.

    An object in parts needs no further write of its record: its claim and its intent are apart anyway.

    tests/integration/test_bill_of_versions.py compares it with the requests that a worker sends.
    """
    known = history or History()
    return CarriedWork(
        lists=objects + known.deleted + known.keys,
        reads=known.reads(promised_unannotated=promised_unannotated),
        writes=objects - large_objects + 2 * known.deleted + 2 * known.steps + 3 * known.large.objects,
        rows=known.deleted,
        steps=known.steps,
    )
