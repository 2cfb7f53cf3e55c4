"""What ``to`` may do with a captured text, how that is reversed, and how much may be tried."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from domain.errors import PermanentError
from domain.rules.automata.dfa import Dfa


class TooManyParsesError(PermanentError):
    """The key can be split in too many ways to find the right one in limited time."""


@dataclass(slots=True)
class Effort:
    """How much may still be tried over several matches, counted in characters read; ``None``: no limit."""

    left: int

    def spend(self, amount: int) -> None:
        """Raises TooManyParsesError when nothing is left."""
        self.left -= amount
        if self.left < 0:
            raise TooManyParsesError(
                "the key can be taken apart in too many ways; make the rule's placeholders narrower"
            )


class Filter(StrEnum):
    """What ``to`` may do with a captured text. Only ASCII changes: other case rules depend on Unicode's version."""

    LOWER = "lower"
    UPPER = "upper"

    def apply(self, text: str) -> str:
        """The text with the case of its ASCII characters changed."""
        return text.translate(_TO_LOWER if self is Filter.LOWER else _TO_UPPER)

    def written(self, low: int, high: int) -> Iterator[tuple[int, int, int]]:
        """The new range of a range of code points: low, high, and the difference."""
        first, last, shift = (65, 90, 32) if self is Filter.LOWER else (97, 122, -32)
        if low < first:
            yield low, min(high, first - 1), 0
        if high > last:
            yield max(low, last + 1), high, 0
        if low <= last and high >= first:
            yield max(low, first) + shift, min(high, last) + shift, shift

    def origins(self, text: str, dfa: Dfa, effort: Effort) -> Iterator[str]:
        """Every text of the automaton that becomes ``text``; raises TooManyParsesError when the effort is spent."""
        if self.apply(text) != text:
            return
        # From the back: in which states the rest of the text can still be read, so that no character is tried in vain.
        live: list[set[int]] = [set(dfa.accepting)]
        for character in reversed(text):
            effort.spend(len(dfa.edges))
            codes = _spellings(character)
            states = range(len(dfa.edges))
            live.append({state for state in states if any(dfa.step(state, code) in live[-1] for code in codes)})
        live.reverse()
        todo = [("", 0)] if 0 in live[0] else []
        while todo:
            found, state = todo.pop()
            effort.spend(1)
            if len(found) == len(text):
                yield found
                continue
            for code in reversed(_spellings(text[len(found)])):
                following = dfa.step(state, code)
                if following is not None and following in live[len(found) + 1]:
                    todo.append((found + chr(code), following))


def _spellings(character: str) -> tuple[int, ...]:
    """The character, and an ASCII one in its other case too."""
    if not (character.isascii() and character.isalpha()):
        return (ord(character),)
    return ord(character), ord(character.swapcase())


_TO_LOWER = {code: code + 32 for code in range(65, 91)}
_TO_UPPER = {code + 32: code for code in range(65, 91)}
