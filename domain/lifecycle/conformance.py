"""Facts about a server that the protocol stands on, and what a run of ``doctor --conformance`` saw of each."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, Self

MOST_PREFIX = 36
"""Characters of a prefix: with what is added a bucket's name stays within S3's 63."""


class Outcome(StrEnum):
    """What became of one fact."""

    AS_EXPECTED = "as expected"
    DIFFERENT = "different"
    NOT_OFFERED = "not offered"
    """The server has no such service or request; that is not an error."""
    COULD_NOT_RUN = "could not run"
    """A permission is missing, or there was no answer."""
    NOT_TRIED = "not tried"
    """No run can provoke it, or an option is missing."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact: the section of docs/design/aws-facts.md that states it, and the answer that AWS documents.

    ``is_vital``: on a server that answers otherwise keyshift could lose or overwrite an object, or never finish.
    """

    section: str
    name: str
    expected: str
    is_vital: bool = False


@dataclass(frozen=True, slots=True)
class Observed:
    """One fact with what the server answered."""

    fact: Fact
    outcome: Outcome
    seen: str

    @property
    def is_fault(self) -> bool:
        """Whether the protocol needs the fact, and it does not hold or is not known."""
        return self.fact.is_vital and self.outcome in (Outcome.DIFFERENT, Outcome.COULD_NOT_RUN)


def faults_of(observed: Iterable[Observed]) -> list[Observed]:
    """What makes the server unfit for keyshift, or leaves that open."""
    return [one for one in observed if one.is_fault]


class Conformance(AbstractContextManager["Conformance"], Protocol):
    """One run: it makes its own buckets, table, queues and bus as they are needed, and removes them when it is left."""

    @property
    def facts(self) -> Sequence[Fact]:
        """Every fact, in the order in which they are tried."""

    @property
    def left(self) -> Sequence[str]:
        """What could not be removed, each with how to remove it; complete once the run has been left."""

    def __enter__(self) -> Self:
        """Begin; nothing is sent yet."""

    def observe(self) -> Iterator[Observed]:
        """Try every fact, one after the other; one that fails does not hide the others."""
