"""Annotations of S3 objects: named texts beside an object; putting one leaves etag, version and date as they are."""

from collections.abc import Mapping
from dataclasses import dataclass

SHOWN = 3


@dataclass(frozen=True, slots=True)
class Annotation:
    """One annotation as ListObjectAnnotations shows it; ``size`` in bytes, ``etag`` without quotes."""

    size: int
    etag: str


Annotations = Mapping[str, Annotation]


@dataclass(frozen=True, slots=True)
class AnnotationsCompared:
    """How many annotations a source has, and the names of those that its target lacks.

    Those in ``absent`` can be put there. At each of ``other`` the target has an annotation of that name with other
    content, which another writer may have put.
    """

    count: int = 0
    absent: tuple[str, ...] = ()
    other: tuple[str, ...] = ()

    @property
    def lack(self) -> str:
        """What the target lacks, for people; empty where it lacks nothing."""
        parts = ("annotations ", self.absent), ("annotations with other content at the new key: ", self.other)
        return "; ".join(text + _named(names) for text, names in parts if names)


def _named(names: tuple[str, ...]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")
