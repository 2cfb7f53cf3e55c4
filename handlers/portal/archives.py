"""Archives of unknown origin: read as a stream, refused where they are hostile, never unpacked to a disk."""

import gzip
import re
import stat
import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any, Protocol, cast

from domain.errors import InputError
from domain.portal.ports import ObjectReader
from domain.protocol.parts import GIB, MIB

_CHUNK = MIB
_LARGEST_HEADER = MIB
"""A tar header may say that a name is gigabytes long; tarfile would read it into memory."""
_DRIVE = re.compile(r"[A-Za-z]:")
_DAMAGE = (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class ArchiveError(InputError):
    """An archive that is broken, hostile or too large."""


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """How much an archive may hold; sizes in bytes. ``ratio`` counts above ``ratio_free`` bytes."""

    members: int = 10_000
    member_bytes: int = 20 * GIB
    total_bytes: int = 50 * GIB
    ratio: int = 200
    ratio_free: int = 64 * MIB


@dataclass(frozen=True, slots=True)
class Member:
    """A regular file of an archive under its clean name."""

    name: str
    size: int
    is_executable: bool


class Readable(Protocol):
    """A body that is read once, from front to back."""

    def read(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes; empty at the end."""
        ...


def read_members(source: ObjectReader, limits: ArchiveLimits) -> Iterator[tuple[Member, IO[bytes]]]:
    """Every regular file of a ``tar.gz``, in order; each body is read before the next is asked for.

    Raises ArchiveError for a body that is not such an archive, is damaged or cut short, or passes a limit. It also
    refuses a member whose name leads out of the folder or is there twice, and one that is not a file or folder.
    """
    compressed = _Counted(source)
    stream = _Forward(gzip.GzipFile(fileobj=cast("IO[bytes]", compressed)), compressed, limits)
    try:
        with tarfile.open(fileobj=cast("IO[bytes]", stream), mode="r:") as archive:
            seen: dict[str, bool] = {}
            for number, info in enumerate(archive, start=1):
                if number > limits.members:
                    raise ArchiveError(f"The archive has more than {limits.members:,} members")
                name = _clean_name(info, limits)
                _require_new(seen, name, is_folder=info.isdir())
                body = archive.extractfile(info) if info.isreg() else None
                if body is not None:
                    checked = cast("IO[bytes]", _Body(body))
                    yield Member(name, info.size, bool(info.mode & stat.S_IXUSR)), checked
                archive.members = []  # type: ignore[attr-defined]  # tarfile would keep them all
        stream.drain()
    except _DAMAGE as error:
        raise _damaged(error) from error


def _damaged(error: Exception) -> ArchiveError:
    return ArchiveError(f"The archive is not a tar.gz, or it is damaged or cut short ({error})")


def read_small(body: Readable, name: str, *, most: int = 4 * MIB) -> bytes:
    """A member that is read as a whole."""
    found = body.read(most + 1)
    if len(found) > most:
        raise ArchiveError(f"{name} is larger than {most:,} bytes")
    return found


def copy_member(body: Readable, write: Callable[[bytes], Any]) -> None:
    """All bytes of a member, a MiB at a time."""
    while chunk := body.read(_CHUNK):
        write(chunk)


class _Counted:
    def __init__(self, source: ObjectReader) -> None:
        self._source = source
        self.count = 0

    def read(self, size: int = -1) -> bytes:
        body = self._source.read(_CHUNK if size < 0 else size)
        self.count += len(body)
        return body


class _Body:
    """A member's bytes; their reader is outside of ``read_members`` and must get its errors all the same."""

    def __init__(self, body: Readable) -> None:
        self._body = body

    def read(self, size: int = -1) -> bytes:
        try:
            return self._body.read(size)
        except _DAMAGE as error:
            raise _damaged(error) from error


class _Forward:
    """A decompressed stream as ``tarfile`` wants a file; it only goes forward, and it counts."""

    def __init__(self, source: Readable, compressed: _Counted, limits: ArchiveLimits) -> None:
        self._source = source
        self._compressed = compressed
        self._limits = limits
        self._at = 0
        self._last = b""

    def tell(self) -> int:
        return self._at

    def seek(self, position: int, whence: int = 0) -> int:
        if whence or position < self._at:
            raise ArchiveError("The archive asks to be read backwards")
        while self._at < position:
            if not self.read(min(position - self._at, _CHUNK)):
                break
        return self._at

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _LARGEST_HEADER:
            raise ArchiveError(f"The archive has a header of more than {_LARGEST_HEADER:,} bytes")
        body = self._source.read(size)
        while len(body) < size and (more := self._source.read(size - len(body))):
            body += more
        self._at += len(body)
        self._last = body
        self._check()
        return body

    def drain(self) -> None:
        """Read to the end, where the checksum is; a tar ends in zeros, anything else was a damaged header."""
        if len(self._last) != tarfile.BLOCKSIZE or any(self._last):
            raise ArchiveError("The archive is damaged or cut short: its end is not marked")
        while self.read(_CHUNK):
            pass

    def _check(self) -> None:
        if self._at > self._limits.total_bytes:
            raise ArchiveError(f"The archive holds more than {self._limits.total_bytes:,} bytes")
        if self._at > self._limits.ratio_free and self._at > self._limits.ratio * max(self._compressed.count, 1):
            raise ArchiveError(f"The archive unpacks to more than {self._limits.ratio} times its size")


def _clean_name(info: tarfile.TarInfo, limits: ArchiveLimits) -> str:
    said = ascii(info.name[:200])
    if not (info.isreg() or info.isdir()) or info.issparse():
        raise ArchiveError(f"{said} is neither a file nor a folder (a link, a device or the like)")
    if info.size > limits.member_bytes:
        raise ArchiveError(f"{said} has {info.size:,} bytes, {limits.member_bytes:,} are allowed")
    try:
        info.name.encode()
    except UnicodeEncodeError as error:
        raise ArchiveError(f"{said} is not valid UTF-8") from error
    if info.name.startswith("/") or _DRIVE.match(info.name) or "\\" in info.name or _CONTROL.search(info.name):
        raise ArchiveError(f"{said} is an absolute name, or has a backslash or a control character")
    segments = [one for one in info.name.split("/") if one not in ("", ".")]
    if ".." in segments:
        raise ArchiveError(f"{said} leads out of the folder")
    if not segments and not info.isdir():
        raise ArchiveError(f"{said} is not a valid file name")
    return "/".join(segments)


def _require_new(seen: dict[str, bool], name: str, *, is_folder: bool) -> None:
    """A file once only, and nothing both as a file and as a folder."""
    if name in seen and not (is_folder and seen[name]):
        raise ArchiveError(f"{name[:200]!a} is in the archive twice")
    parents = name.split("/")[:-1]
    for depth in range(1, len(parents) + 1):
        parent = "/".join(parents[:depth])
        if not seen.setdefault(parent, True):
            raise ArchiveError(f"{parent[:200]!a} is both a file and a folder")
    if name:
        seen[name] = is_folder
