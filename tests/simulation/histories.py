"""The versions of one key as S3 keeps them, as a value: oldest first, the last one is current."""

from typing import NamedTuple

from domain.protocol.parts import composed_etag
from tests.fakes.buckets import NULL, Versioning, md5_text

MARKER = ""
"""Instead of a value: a delete marker."""


def digest(value: str) -> str:
    """The etag of these bytes uploaded in one request; metadata does not count."""
    return md5_text(value.rstrip("*").encode())


class Stored(NamedTuple):
    """An object at a key: which value, as which of the owner's words, by whom, in parts or not, as which version, when.

    While versioning was off or is suspended the version is ``null``.
    """

    value: str
    number: int
    author: str
    parts: bool = False
    id: str = NULL
    date: int = 0

    @property
    def etag(self) -> str:
        """Its etag."""
        whole = digest(self.value)
        return composed_etag({1: whole, 2: whole}) if self.parts else whole


History = tuple[Stored, ...]


def current(history: History) -> Stored | None:
    """What a request without a version id finds."""
    return history[-1] if history and history[-1].value != MARKER else None


def noncurrent(history: History) -> History:
    """The objects that a newer version or a marker hides."""
    return tuple(one for one in history[: len(history) - (current(history) is not None)] if one.value != MARKER)


def version(history: History, version_id: str) -> Stored | None:
    """The object with that version id."""
    return next((one for one in history if one.id == version_id and one.value != MARKER), None)


def with_written(history: History, stored: Stored, versioning: Versioning, *, new_id: str) -> History:
    """After a PUT or COPY; ``new_id`` is its version where versions are kept."""
    if versioning is Versioning.OFF:
        return (stored._replace(id=NULL),)
    written = stored._replace(id=new_id if versioning is Versioning.ENABLED else NULL)
    return (*without(history, written.id), written)


def with_deleted(history: History, author: str, versioning: Versioning, *, new_id: str) -> History:
    """After a DELETE without a version id."""
    if versioning is Versioning.OFF:
        return ()
    return with_written(history, Stored(MARKER, 0, author), versioning, new_id=new_id)


def without(history: History, version_id: str) -> History:
    """After a DELETE of exactly that version, or marker."""
    return tuple(one for one in history if one.id != version_id)
