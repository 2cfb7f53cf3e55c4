"""The owners' own book: what they last wrote or deleted, kept apart from everything that migrates."""

import threading
from dataclasses import dataclass

from handlers.demo.objects import OwnedObject


@dataclass(frozen=True, slots=True)
class Entry:
    """One key's last word (``None``: deleted) and everything its owner ever wrote there before."""

    last: OwnedObject | None
    earlier: tuple[OwnedObject, ...] = ()


class Ledger:
    """Every key that an owner ever wrote; each key has one owner at a time."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._lock = threading.Lock()
        self.writes = 0

    def note(self, key: str, written: OwnedObject | None) -> None:
        """The owner has written this object, or deleted the key, and S3 has said yes."""
        with self._lock:
            before = self._entries.get(key)
            earlier = () if before is None else before.earlier
            if before is not None and before.last is not None:
                earlier = (*earlier, before.last)
            self._entries[key] = Entry(written, earlier)
            self.writes += 1

    def entries(self) -> dict[str, Entry]:
        """A copy of the book."""
        with self._lock:
            return dict(self._entries)
