"""Archives written as streams: one member after the other, never whole in memory."""

import stat
import tarfile
import zipfile
from typing import IO, cast

from domain.portal.ports import ObjectWriter
from domain.protocol.parts import GIB
from handlers.portal.archives import Member, Readable, copy_member

_OLD = (1980, 1, 1, 0, 0, 0)
"""Every member's time, so that the same model makes the same zip."""


class ZipStream:
    """A zip that is written as it grows, into something that cannot be sought in."""

    def __init__(self, sink: ObjectWriter) -> None:
        self._zip = zipfile.ZipFile(cast("IO[bytes]", _Sink(sink)), "w", zipfile.ZIP_DEFLATED)

    def add_bytes(self, name: str, body: bytes) -> None:
        """A member from memory."""
        self._zip.writestr(_zip_info(name, is_executable=False), body)

    def add_member(self, name: str, member: Member, body: Readable) -> None:
        """A member from another archive."""
        info = _zip_info(name, is_executable=member.is_executable)
        # The size stands after the bytes here, in four or eight bytes: that must be known before.
        with self._zip.open(info, "w", force_zip64=member.size >= GIB) as out:
            copy_member(body, out.write)

    def close(self) -> None:
        """Write the directory."""
        self._zip.close()


class TarStream:
    """A ``tar.gz`` that is written as it grows."""

    def __init__(self, sink: ObjectWriter) -> None:
        self._tar = tarfile.open(fileobj=cast("IO[bytes]", _Sink(sink)), mode="w|gz")  # noqa: SIM115  # closed below

    def add_member(self, name: str, member: Member, body: IO[bytes]) -> None:
        """A member from another archive."""
        info = tarfile.TarInfo(name)
        info.size = member.size
        self._tar.addfile(info, body)

    def close(self) -> None:
        """Write the end."""
        self._tar.close()


class _Sink:
    """An ObjectWriter as ``zipfile`` and ``tarfile`` want a file: no ``tell``, so they never seek."""

    def __init__(self, sink: ObjectWriter) -> None:
        self._sink = sink

    def write(self, body: bytes) -> int:
        return self._sink.write(bytes(body))

    def flush(self) -> None:
        """Nothing waits here."""


def _zip_info(name: str, *, is_executable: bool) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _OLD)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = (stat.S_IFREG | (0o755 if is_executable else 0o644)) << 16
    return info
