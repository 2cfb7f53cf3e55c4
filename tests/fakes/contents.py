"""Contents of manifests in memory, beside the in-memory object store."""

from collections.abc import Iterator

from domain.errors import ArchivedError, RefusedRequestError
from domain.keys import Location
from domain.protocol.parts import MAX_PARTS
from domain.protocol.ports import Refused, TargetObject
from tests.fakes.buckets import md5_text
from tests.fakes.faults import ScriptedFaults
from tests.fakes.object_store import InMemoryObjectStore

BLOCK = 7
"""Small, so that every line is cut somewhere."""


class InMemoryContents(ScriptedFaults):
    """ManifestContents over the store's buckets and uploads."""

    def __init__(self, store: InMemoryObjectStore) -> None:
        super().__init__()
        self._store = store

    def read_content(self, location: Location, *, etag: str) -> Iterator[bytes] | Refused:
        """See the port."""
        with self._faulty("read_content"):
            seen = self._store.buckets.current(location)
            if seen is None or seen.state is None:
                return Refused.SOURCE_ABSENT
            if seen.state.etag != etag:
                return Refused.PRECONDITION
            if seen.state.is_archived:
                raise ArchivedError(f"{location.uri} is archived: restore it first")
            body = seen.body
        return (body[at : at + BLOCK] for at in range(0, len(body), BLOCK))

    def upload_part(self, target: TargetObject, *, upload_id: str, number: int, body: bytes) -> str | Refused:
        """See the port."""
        with self._faulty("upload_part"):
            upload = self._store.uploads.get(upload_id)
            if upload is None:
                return Refused.CONCURRENT
            if not 1 <= number <= MAX_PARTS:
                raise RefusedRequestError(f"{target.location.uri}: InvalidArgument: part {number}")
            upload.parts[number] = body
            return md5_text(body)
