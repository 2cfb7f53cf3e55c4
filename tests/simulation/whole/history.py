"""What owners, strangers and keyshift did to one source key and to its target: facts, and no judgement.

Every stored version has a number, and the history knows who made it. ``Shadow`` is what the source key would hold
if keyshift had never touched it: that is the owner's word.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from domain.keys import Location
from tests.fakes.buckets import Version

Value = tuple[bytes, str]
"""The bytes, and the owner's metadata, which tells two puts of the same bytes apart."""
NULL = "null"
"""The version id of what is written while no versions are kept (S3 user guide, versioning-workflows)."""


class Writer(StrEnum):
    """Who does something to a bucket."""

    OWNER = "owner"
    """A producer; at a target he is a foreign writer like any other."""
    STRANGER = "stranger"
    RULE = "rule"
    """A lifecycle rule."""
    KEYSHIFT = "keyshift"


@dataclass(frozen=True, slots=True)
class Made:
    """One stored version (or delete marker): who made it, what it holds, and whose put keyshift carried there."""

    number: int
    writer: Writer
    value: Value | None
    at: float
    of: int | None = None


@dataclass(slots=True)
class Shadow:
    """The versions of a key as they would be without keyshift, oldest first: version id, and number of the put."""

    stack: list[tuple[str, int | None]] = field(default_factory=list)

    def put(self, version_id: str | None, number: int) -> None:
        """An object; where no versions are kept it replaces the one before."""
        self._add(version_id, number)

    def delete(self, marker_id: str | None) -> None:
        """A plain delete: a marker, or where versions were never kept nothing at all."""
        if marker_id is None:
            self.stack = [entry for entry in self.stack if entry[0] != NULL]
        else:
            self._add(marker_id, None)

    def erase(self, version_id: str) -> None:
        """One version is gone for good."""
        self.stack = [entry for entry in self.stack if entry[0] != version_id]

    def _add(self, version_id: str | None, number: int | None) -> None:
        name = version_id or NULL
        if name == NULL:
            self.erase(NULL)
        self.stack.append((name, number))

    @property
    def top(self) -> str | None:
        """The version id on top."""
        return self.stack[-1][0] if self.stack else None

    @property
    def current(self) -> int | None:
        """The number of the put that a reader would find."""
        return self.stack[-1][1] if self.stack else None


@dataclass(slots=True)
class Doubt:
    """Whether a request of its own took effect keyshift cannot know.

    ``about`` is the put that it was about, ``content`` the bytes that the owner had put last. What S3 dates before
    ``earliest`` cannot be its work.
    """

    since: float
    about: int | None
    content: bytes | None = None
    earliest: float = 0.0


@dataclass
class KeyTruth:
    """The history of one source key and its target; ``words[n]`` is the owner's n-th word (``None``: absent)."""

    source: Location
    target: Location
    versioned: bool
    mirrors: bool
    words: list[Value | None] = field(default_factory=lambda: [None])
    numbers: list[int | None] = field(default_factory=lambda: [None])
    """The put behind each word."""
    shadow: Shadow = field(default_factory=Shadow)
    emptied_by: Writer | None = None
    """Whose delete took the object at the source away; ``None`` while there is one, or never was."""
    cleaned_at: int | None = None
    """The owner's last word when keyshift last emptied the source."""
    last_at_target: Writer | None = None
    """Who wrote or deleted the target last."""
    forgotten: set[int] = field(default_factory=set)
    taken: set[int] = field(default_factory=set)
    """Versions that a lifecycle rule removed, and that only keyshift's marker had made noncurrent."""
    """The puts of which keyshift removed the version for good."""
    noted: dict[int, float] = field(default_factory=dict)
    """When a process of keyshift wrote or saw a version at the target; it then ended its work undisturbed."""
    noted_beside: dict[int, set[int]] = field(default_factory=dict)
    """For each noted version, the puts that such a process saw at the source in the same work."""
    foreign_delete: tuple[int, int] | None = None
    """The newest word that a stranger's delete took away, and the owner's last word at that time."""
    meddled_at: float = 0.0
    """When anybody but keyshift last did."""
    meddled: bool = False
    """Whether anybody but keyshift ever wrote or deleted at the target."""
    lost_events: int = 0
    lost_deletes: bool = False
    """Whether S3 failed to tell of a delete."""
    given_up: str | None = None
    """The etag at the target that an operator gives up (empty: the absence), until keyshift's next write there."""
    decided: int = 0
    """The number of keyshift's write that an operator's last decision was used for."""
    doubled: bool = False
    """Whether S3 refused the second of two sendings of one copy."""
    refused_at: float | None = None
    """When S3 last refused a copy to the target on a condition."""
    doubt_at_source: Doubt | None = None
    doubt_at_target: Doubt | None = None
    stops: list[tuple[float, float]] = field(default_factory=list)
    """From when to when a process was at work on it that stood still in a request."""
    unfollowed: dict[int, str] = field(default_factory=dict)
    """Deletes among the words of which keyshift cannot know, with the name of the excuse."""
    indistinct: dict[int, str] = field(default_factory=dict)
    """Foreign versions at the target that nothing tells from keyshift's copy, with the name of the excuse."""
    is_erased: bool = False
    """Whether its owner removed a version or marker for good while a marker of keyshift's lay over the key.

    Or where a cleanup of versions had removed what was below, or a lifecycle rule under a marker of keyshift's.
    """
    has_erased: bool = False
    """Whether its owner ever removed a version or marker for good, whatever lay over the key."""
    has_lost_version: bool = False
    """Whether a lifecycle rule took the owner's last version, which only keyshift's marker had made noncurrent."""
    has_lost_metadata: bool = False
    """Whether the owner's last metadata went with a source of which the same bytes were put at that moment."""
    has_broken_promise: bool = False
    """Whether its owner ever put an object with a KMS key although the rules file promises that there is none."""
    is_whole: bool = False
    """Whether every version is to be carried."""
    plain: Callable[[bytes], bytes] = bytes
    """What is at the target as the owner wrote it: a manifest's references may be switched there."""

    @property
    def content(self) -> bytes | None:
        """The bytes that the owner put last, also where he has deleted them."""
        return next((word[0] for word in reversed(self.words) if word is not None), None)

    @property
    def owner(self) -> Value | None:
        """The owner's last word."""
        return self.words[-1]

    @property
    def is_foreign(self) -> bool:
        """Whether somebody else than keyshift wrote or deleted the target last."""
        return self.last_at_target not in (None, Writer.KEYSHIFT)

    def holds(self, version: Version | None) -> Value | None:
        """What a version at the target holds, as the owner wrote it."""
        value = value_of(version)
        return value if value is None else (self.plain(value[0]), value[1])

    def number_of(self, value: Value | None) -> int:
        """The last word that said this; -1 where the owner never did."""
        return next((n for n in range(len(self.words) - 1, -1, -1) if self.words[n] == value), -1)

    def word_of(self, number: int | None) -> int:
        """The last word that is this put; -1 where there is none."""
        return next((n for n in range(len(self.numbers) - 1, 0, -1) if self.numbers[n] == number), -1)

    def has_said_bytes(self, body: bytes) -> bool:
        """Whether the owner ever put these bytes, with whatever metadata."""
        return any(word is not None and word[0] == body for word in self.words)


def value_of(version: Version | None) -> Value | None:
    """What a stored version holds."""
    if version is None or version.state is None:
        return None
    return version.body, version.state.metadata.get("put", "")
