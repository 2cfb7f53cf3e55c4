"""Segments of a parallel scan: the emulator sorts and hashes all keys of a table for each page.

With 300,000 items a page took a second. Here the keys of each segment are sorted once, until a key comes or goes.
"""

from bisect import bisect_left
from hashlib import sha1
from typing import Any

from adapters.standin.emulator import Emulator

MOST = 65_536
"""Items of a page without a limit: a page has at most 1 MiB, and no item is smaller than 16 bytes."""

Segments = list[list[str]]
State = tuple[int, int, int]


class QuickScans:
    """Scan of one segment in front of the emulator's own, which then sees the keys of one page only."""

    def __init__(self, dynamodb: Any) -> None:
        self._dynamodb = dynamodb
        self._scan, self._remove = dynamodb._scan, dynamodb._remove_item
        self._removed = 0
        self._kept: dict[tuple[str, int], tuple[State, Segments]] = {}

    def install(self) -> None:
        """Put it in front."""
        self._dynamodb._scan = self.scan
        self._dynamodb._remove_item = self.remove

    def remove(self, table: Any, pk_val: Any, sk_val: Any) -> Any:
        """Count what leaves a table: a key that came in its place would not show in the number of keys."""
        self._removed += 1
        return self._remove(table, pk_val, sk_val)

    def scan(self, data: dict[str, Any]) -> Any:
        """One page; what is not the scan of a segment is the emulator's."""
        segment, total = data.get("Segment"), data.get("TotalSegments")
        name = self._dynamodb._normalize_table_name(data.get("TableName"))
        table = self._dynamodb._tables.get(name)
        if not isinstance(segment, int) or not isinstance(total, int) or not 0 <= segment < total:
            return self._scan(data)
        if table is None or data.get("IndexName"):
            return self._scan(data)
        items = table["items"]
        page = self._page(self._segments(name, items, total)[segment], table["pk_name"], data)
        self._dynamodb._tables[name] = {**table, "items": {key: items[key] for key in page}}
        try:
            whole = {field: value for field, value in data.items() if field not in ("Segment", "TotalSegments")}
            return self._scan(whole)
        finally:
            self._dynamodb._tables[name] = table

    def _page(self, keys: list[str], pk_name: str, data: dict[str, Any]) -> list[str]:
        after = data.get("ExclusiveStartKey", {}).get(pk_name)
        first = bisect_left(keys, self._dynamodb._extract_key_val(after)) if after is not None else 0
        # The key that the page begins after, and one item more than the page, so that there is a next page.
        return keys[first : first + int(data.get("Limit") or MOST) + 2]

    def _segments(self, name: str, items: Any, total: int) -> Segments:
        state = (id(items), len(items), self._removed)
        kept = self._kept.get((name, total))
        if kept is None or kept[0] != state:
            segments: Segments = [[] for _ in range(total)]
            for key in sorted(items):
                digest = sha1(str(key).encode(), usedforsecurity=False).digest()
                segments[int.from_bytes(digest[:4], "big") % total].append(key)
            kept = self._kept[name, total] = (state, segments)
        return kept[1]


def install_scans(emulator: Emulator) -> None:
    """Put the quick scan into the emulator."""
    QuickScans(emulator.dynamodb).install()
