"""A look at everything that holds objects, as a run of its own: it keeps a line for each place that is held."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice

from domain.errors import PermanentError
from handlers.operations.holder_parts import Part
from handlers.operations.slice_work import Page

LINES_AT_ONCE = 500
"""Lines of one page, which have to fit into one transaction."""
MOST_TRIES = 5
"""How often a step with many lines is begun before the look is given up: no process has had the time for it."""
PLACES, READ_AT = "places", "read_at"
"""The figures of a slice: the places that are held, and when its last page was read (whole seconds since 1970)."""


@dataclass(frozen=True, slots=True)
class Lines:
    """Some lines of a slice; ``read_at`` where they are its last ones."""

    lines: Sequence[str]
    read_at: int | None = None


class HolderScan:
    """SliceWork of a look: two phases of parts, each of which any process can read on from its cursor."""

    def __init__(self, first: Sequence[Part], second: Sequence[Part], *, now: Callable[[], float]) -> None:
        self._parts = (*first, *second)
        self._phases = tuple(len(phase) for phase in (first, second) if phase)
        self._now = now

    @property
    def phases(self) -> Sequence[int]:
        """See the port; empty where nothing can hold an object."""
        return self._phases

    def read_pages(self, number: int, cursor: str) -> Iterator[Page[Lines]]:
        """See the port. A step with many lines has several pages; where it is broken off, it begins again."""
        after, tries = json.loads(cursor) if cursor else ("", 0)
        if tries >= MOST_TRIES:
            raise PermanentError(f"a part of what holds objects was begun {tries} times, and no process got through it")
        for lines, next_after in self._parts[number](after):
            while len(some := list(islice(lines, LINES_AT_ONCE))) == LINES_AT_ONCE:
                yield self._page(some, json.dumps([after, tries + 1]))
            yield self._page(some, None if next_after is None else json.dumps([next_after, 0]))
            after, tries = next_after, 0

    def is_portable(self, number: int) -> bool:  # noqa: ARG002  # the port's
        """See the port; each."""
        return True

    def count_result(self, result: Lines) -> Mapping[str, int]:
        """See the port."""
        read_at = {READ_AT: result.read_at} if result.read_at is not None else {}
        return {PLACES: len(result.lines), **read_at}

    def keep_result(self, result: Lines) -> str | None:
        """See the port."""
        return "\n".join(result.lines) or None

    def _page(self, lines: Sequence[str], cursor: str | None) -> Page[Lines]:
        return Page([partial(self._lines, lines, is_last=cursor is None)], cursor, only_look=True)

    def _lines(self, lines: Sequence[str], *, is_last: bool) -> Lines:
        return Lines(lines, int(self._now()) if is_last else None)
