"""The URIs in one item with their places, and the item with other URIs in them (protocol.md §8)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from domain.references.json_strings import strings_of, with_strings
from domain.rules.paths import Path, Place, matches, value_at, values_at, with_value, write_place
from domain.rules.references import AttributePath, Item, TableReferences

MAX_ITEM_BYTES = 400 * 1024
"""DynamoDB's limit, attribute names included (aws-facts.md §5)."""

MAX_EXPRESSION_BYTES = 4_096
"""DynamoDB's limit for the text of one expression as it is sent, with its placeholders (Constraints page)."""

MAX_OPERATORS = 300
"""DynamoDB's limit for one expression. Whether the steps of a path count is not documented, so they count here."""

MAX_EDITS = 40
"""Maximum number of edits in one write by their own paths.

If there are more, or they exceed an expression, whole attributes are written.
"""


@dataclass(frozen=True, slots=True)
class HeldUri:
    """One URI in an item: at ``place``, in its JSON text at ``inside``; ``uri`` as it is written.

    ``is_deeper`` means that the declared place has a list or a map and not a text, and the URI is somewhere in it.
    """

    place: Place
    inside: Place | None
    uri: str
    attribute: AttributePath
    is_deeper: bool = False

    @property
    def text(self) -> str:
        """The place as a text for people."""
        return place_text(self.place, self.inside)

    @property
    def is_unreadable(self) -> bool:
        """Whether ``uri`` is a whole text that was declared as JSON and is not valid JSON."""
        return self.inside is None and self.attribute.inside is not None and not self.is_deeper


def place_text(place: Place, inside: Place | None) -> str:
    """A place in an item, and in the JSON text there, as a text for people."""
    return write_place(place) + (f":{write_place(inside)}" if inside is not None else "")


def held_uris(item: Item, table: TableReferences) -> Iterator[HeldUri]:
    """Every text at the declared places, each once, whether it is a URI or not.

    A text that was declared as JSON and is not valid JSON is returned whole. Otherwise a URI in it would be missed.
    """
    seen: set[tuple[Place, Place | None, str]] = set()
    deeper: list[HeldUri] = []
    for attribute in table.attributes:
        for place, value in values_at(item, attribute.path):
            deeper += (
                HeldUri(below, None, text, attribute, is_deeper=True) for below, text in texts_below(value, place)
            )
            for inside, text in _texts(value, attribute):
                held = HeldUri(place, inside, text, attribute, is_deeper=is_deeper(attribute.inside, inside))
                if held.is_deeper:
                    deeper.append(held)
                elif (place, inside, text) not in seen:
                    seen.add((place, inside, text))
                    yield held
    for held in deeper:  # last, because another declared path may lead there
        if (held.place, held.inside, held.uri) not in seen:
            seen.add((held.place, held.inside, held.uri))
            yield held


def is_deeper(path: Path | None, place: Place | None) -> bool:
    """Whether the place is below the place to which the path leads."""
    return path is not None and place is not None and len(place) > len(path) and matches(path, place[: len(path)])


def texts_below(value: Item, place: Place) -> Iterator[tuple[Place, str]]:
    """Every text in a list or map, with its place."""
    children = value["M"].items() if "M" in value else enumerate(value["L"]) if "L" in value else ()
    for key, child in children:
        yield from (((*place, key), text) for text in ([child["S"]] if "S" in child else child.get("SS", [])))
        yield from texts_below(child, (*place, key))


def _texts(value: Item, attribute: AttributePath) -> Iterator[tuple[Place | None, str]]:
    texts = [value["S"]] if "S" in value else value.get("SS", [])
    for text in texts:
        if attribute.inside is None:
            yield None, text
            continue
        try:
            strings = strings_of(text)
        except ValueError:
            yield None, text
            continue
        inside = attribute.inside
        yield from (
            (string.place, string.value)
            for string in strings
            if matches(inside, string.place) or is_deeper(inside, string.place)
        )


@dataclass(frozen=True, slots=True)
class Switch:
    """One URI to be replaced by another at a place; ``record_id`` is the manifest record that allows it.

    ``merged`` means that a string set held the new URI already, so two members became one.
    """

    place: Place
    inside: Place | None
    before: str
    after: str
    record_id: str
    merged: bool = False


@dataclass(frozen=True, slots=True)
class Edit:
    """One attribute value of an item and its replacement."""

    place: Place
    before: Item
    after: Item


def edits_of(item: Item, switches: Sequence[Switch]) -> list[Edit]:
    """The attribute values that the switches change, each once, with all its URIs switched."""
    places = dict.fromkeys(switch.place for switch in switches)
    edits: list[Edit] = []
    for place in places:
        before = value_at(item, place)
        if before is None:
            continue
        after = before
        for switch in switches:
            if switch.place == place:
                after = _switched(after, switch)
        if after != before:
            edits.append(Edit(place, before, after))
    if len(edits) <= MAX_EDITS and _fits_expression(edits):
        return edits
    changed = edited(item, edits)
    names = dict.fromkeys(str(edit.place[0]) for edit in edits)
    return [Edit((name,), item[name], changed[name]) for name in names]


def _fits_expression(edits: Sequence[Edit]) -> bool:
    """Whether the longer expression of a write, its condition, stays below DynamoDB's limits.

    In a borderline case the result is ``False``.
    """
    size = sum(len(f"{_path_text(edit.place)} = :o{at} AND ") for at, edit in enumerate(edits))
    operators = sum(len(edit.place) + 1 for edit in edits)
    return size <= MAX_EXPRESSION_BYTES and operators <= MAX_OPERATORS


def _path_text(place: Place) -> str:
    """The place with a placeholder of maximum length for each name."""
    return "".join(f"[{key}]" if isinstance(key, int) else ".#a9999" for key in place)


def _switched(value: Item, switch: Switch) -> Item:
    if "SS" in value:
        if switch.merged and switch.after not in value["SS"]:  # reversed: the other member was always there
            return {"SS": [*value["SS"], switch.after]}
        members = [_text_switched(one, switch) for one in value["SS"]]
        return {"SS": list(dict.fromkeys(members))}
    return {"S": _text_switched(value["S"], switch)}


def _text_switched(text: str, switch: Switch) -> str:
    if switch.inside is None:
        return switch.after if text == switch.before else text
    try:
        strings = strings_of(text)
    except ValueError:
        return text
    starts = {
        string.start: switch.after
        for string in strings
        if (string.place, string.value) == (switch.inside, switch.before)
    }
    return with_strings(text, starts)


def edited(item: Item, edits: Sequence[Edit]) -> Item:
    """The item after the edits."""
    for edit in edits:
        item = with_value(item, edit.place, edit.after)
    return item


def item_size(item: Item) -> int:
    """The approximate size that DynamoDB counts for an item, in bytes; rather more than less."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: Item) -> int:
    kind, content = next(iter(value.items()))
    if kind == "M":
        return 3 + sum(1 + len(name.encode()) + _value_size(one) for name, one in content.items())
    if kind == "L":
        return 3 + sum(1 + _value_size(one) for one in content)
    if kind in ("SS", "NS"):
        return sum(len(one.encode()) for one in content)
    if kind == "S":
        return len(content.encode())
    if kind == "N":
        return len(content) // 2 + 2
    if kind == "BS":
        return sum(map(len, content))
    return len(content) if kind == "B" else 1


def relocated(item: Item, table: TableReferences, switches: Sequence[Switch]) -> dict[Switch, Switch]:
    """The switches whose new URI is still in the item, each with its reverse at the present place.

    A list may have been reordered since. A URI is searched at its own place first, then at any other place to which the
    same declared path leads.
    """
    free = [held for held in held_uris(item, table) if not held.is_unreadable and not held.is_deeper]
    found: dict[Switch, Switch] = {}
    for exactly in (True, False):
        for switch in switches:
            if switch in found:
                continue
            at = next((one for one in free if _stands(one, switch, table, exactly=exactly)), None)
            if at is not None:
                free.remove(at)
                found[switch] = replace(
                    switch, place=at.place, inside=at.inside, before=switch.after, after=switch.before
                )
    return found


def _stands(held: HeldUri, switch: Switch, table: TableReferences, *, exactly: bool) -> bool:
    if held.uri != switch.after:
        return False
    if exactly:
        return (held.place, held.inside) == (switch.place, switch.inside)
    return any(attribute == held.attribute and matches(attribute.path, switch.place) for attribute in table.attributes)
