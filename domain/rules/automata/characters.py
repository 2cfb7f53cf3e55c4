"""Sets of characters as ranges of code points, and which of them to show to people."""

from collections.abc import Iterable, Iterator
from typing import TypeAlias

Ranges: TypeAlias = tuple[tuple[int, int], ...]
"""Code points as ascending, disjoint, inclusive ranges."""

ANY: Ranges = ((0, 0xD7FF), (0xE000, 0x10FFFF))
"""Every code point that UTF-8 can hold; surrogates are in no valid key."""
_PLAIN = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-_./ "
_PLAINNESS = {ord(character): place for place, character in enumerate(_PLAIN)}
"""Characters that make an example easy to read, the easiest first."""


def joined(pairs: Iterable[tuple[int, int]]) -> Ranges:
    """The union of the pairs."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted(pairs):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)


def common(one: Ranges, other: Ranges) -> Ranges:
    """The code points in both."""
    pairs = ((max(a, c), min(b, d)) for a, b in one for c, d in other)
    return joined((low, high) for low, high in pairs if low <= high)


def others(ranges: Ranges) -> Ranges:
    """Every code point that is not in ``ranges``."""
    gaps, start = [], 0
    for low, high in ranges:
        gaps.append((start, low - 1))
        start = high + 1
    gaps.append((start, 0x10FFFF))
    return common(ANY, tuple((low, high) for low, high in gaps if low <= high))


def of_characters(text: str) -> Ranges:
    """The characters of ``text``."""
    return joined((ord(character), ord(character)) for character in text)


def readable(low: int, high: int) -> Iterator[int]:
    """The code points of a range once each: alphanumeric ones first, then other visible ones, invisible ones last."""
    seen: set[int] = set()
    signs = (range(max(low, 0x21), min(high, 0x7E) + 1), range(max(low, 0xA1), high + 1))
    for codes in ((code for code in _PLAINNESS if low <= code <= high), *signs, range(low, high + 1)):
        for code in codes:
            if code not in seen:
                seen.add(code)
                yield code


def plainness(code: int) -> int:
    """How hard the character is for people to read, from 0 on."""
    return _PLAINNESS.get(code, len(_PLAINNESS))
