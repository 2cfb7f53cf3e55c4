"""Documents grown from recorded ones: any node replaced, dropped, doubled or renamed, any byte changed.

One function serves Hypothesis and atheris; each brings its own dice.
"""

import copy
import json
from typing import Any, Protocol

JUNK: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**63, 10**400, -0.0, 1e308, "", " ", "\x00", "\n", "a" * 2_000),
    *("%", "%zz", "%c3%28", "%2B", "+", "/", "//", "..", "\u202e", "\U0001f600", "\ud800", "s3://", '"', "0x1F"),
    *([], {}, [[]], [None], {"": ""}, {"a": {"b": {"c": []}}}, "true", "9" * 60, "2024-02-30T25:61:61Z"),
)
_MOST_CHANGES = 4


class Dice(Protocol):
    """Where the choices come from."""

    def below(self, sides: int) -> int:
        """A number from 0 to ``sides - 1``."""


def grown(document: Any, dice: Dice) -> Any:
    """A copy of the document with one to four changes somewhere in it."""
    changed = copy.deepcopy(document)
    for _ in range(1 + dice.below(_MOST_CHANGES)):
        changed = _changed(changed, dice)
    return changed


def grown_text(document: Any, dice: Dice) -> str:
    """The grown document as JSON text, sometimes with damaged characters."""
    text = json.dumps(grown(document, dice), ensure_ascii=bool(dice.below(2)))
    return damaged(text, dice) if dice.below(4) == 0 else text


def damaged(text: str, dice: Dice) -> str:
    """The text with a piece cut out, doubled, or replaced by junk."""
    if not text:
        return text
    first, second = sorted((dice.below(len(text) + 1), dice.below(len(text) + 1)))
    piece = ("", text[first:second] * 2, str(JUNK[dice.below(len(JUNK))]), chr(dice.below(0x250)))[dice.below(4)]
    return text[:first] + piece + text[second:]


def damaged_bytes(content: bytes, dice: Dice) -> bytes:
    """The bytes with one to four of them changed, or cut off at any place."""
    changed = bytearray(content)
    if changed and dice.below(4) == 0:
        return bytes(changed[: dice.below(len(changed))])
    for _ in range(1 + dice.below(_MOST_CHANGES)):
        if changed:
            changed[dice.below(len(changed))] = dice.below(256)
    return bytes(changed)


def _changed(node: Any, dice: Dice) -> Any:
    if isinstance(node, dict) and node and dice.below(4):
        name = sorted(node, key=str)[dice.below(len(node))]
        return _with_change(node, name, dice)
    if isinstance(node, list) and node and dice.below(4):
        return _with_change(dict(enumerate(node)), dice.below(len(node)), dice, as_list=True)
    if isinstance(node, str) and dice.below(2):
        return damaged(node, dice)
    return copy.deepcopy(JUNK[dice.below(len(JUNK))])


def _with_change(node: dict[Any, Any], name: Any, dice: Dice, *, as_list: bool = False) -> Any:
    deed = dice.below(6)
    if deed == 0:
        del node[name]
    elif deed == 1 and not as_list:
        node[str(JUNK[dice.below(len(JUNK))])] = node.pop(name)
    elif deed == 1:
        node[len(node)] = copy.deepcopy(node[name])
    else:
        node[name] = _changed(node[name], dice)
    return list(node.values()) if as_list else node
