"""Parameters and answers of AWS's JSON services: shapes of botocore's models as functions, made once.

They take what botocore's own validation would take and give what its parser would give; anything else is unusual.
"""

from typing import Any

from botocore.model import Shape

from adapters.aws.lane.scalars import Convert, UnusualError, checked, epoch_of, read_blob, read_date, write_blob

_PLAIN = {"string": str, "integer": int, "long": int, "boolean": bool}


class JsonWriter:
    """Functions that turn parameters into what is written as JSON."""

    def __init__(self) -> None:
        self._known: dict[str, list[Convert]] = {}

    def of(self, shape: Any) -> Convert:
        """The function for a shape; raises UnusualError where the lane cannot write it."""
        kind = shape.type_name
        if kind in _PLAIN:
            return checked(_PLAIN[kind], shape.metadata.get("min"))
        if kind == "blob":
            return write_blob
        if kind == "timestamp" and shape.serialization.get("timestampFormat", "unixtimestamp") == "unixtimestamp":
            return epoch_of
        if kind in ("structure", "list", "map"):
            return _once(self._known, shape, getattr(self, f"_{kind}"))
        raise UnusualError(f"a parameter of the type {kind}")

    def _structure(self, shape: Any) -> Convert:
        _refuse_documents(shape)
        members = {
            name: (member.serialization.get("name", name), self.of(member)) for name, member in shape.members.items()
        }
        plain = {
            name: _PLAIN[member.type_name]
            for name, member in shape.members.items()
            if member.type_name in _PLAIN and "min" not in member.metadata and members[name][0] == name
        }
        required = frozenset(shape.required_members)
        is_union = shape.is_tagged_union

        def write(value: Any) -> Any:
            if type(value) is not dict or not required <= value.keys() or (is_union and len(value) != 1):
                raise UnusualError
            if is_union:
                for name, one in value.items():
                    if plain.get(name) is type(one):  # an attribute's text or number is written as it is
                        return value
            written = {}
            for name, one in value.items():
                if plain.get(name) is type(one):  # what most values are, without a call for each
                    written[name] = one
                elif name in members:
                    wire, convert = members[name]
                    written[wire] = convert(one)
                else:
                    raise UnusualError
            return written

        return write

    def _list(self, shape: Any) -> Convert:
        member, least = self.of(shape.member), shape.metadata.get("min", 0)

        def write(value: Any) -> Any:
            if type(value) is not list or len(value) < least:
                raise UnusualError
            return [member(one) for one in value]

        return write

    def _map(self, shape: Any) -> Convert:
        key, member, least = self.of(shape.key), self.of(shape.value), shape.metadata.get("min", 0)

        def write(value: Any) -> Any:
            if type(value) is not dict or len(value) < least:
                raise UnusualError
            return {key(name): member(one) for name, one in value.items()}

        return write


class JsonReader:
    """Functions that turn what was read from JSON into answers."""

    def __init__(self) -> None:
        self._known: dict[str, list[Convert]] = {}

    def of(self, shape: Any) -> Convert | None:
        """The function for a shape, ``None`` where the value stays as it is; raises UnusualError for unknown ones."""
        kind = shape.type_name
        if kind == "blob":
            return read_blob
        if kind == "timestamp":
            return read_date
        if kind in ("structure", "list", "map"):
            return _once(self._known, shape, getattr(self, f"_{kind}"))
        return None

    def _structure(self, shape: Any) -> Convert:
        _refuse_documents(shape)
        members = {
            member.serialization.get("name", name): (name, self.of(member)) for name, member in shape.members.items()
        }
        is_union = shape.is_tagged_union

        as_they_are = {name for name, (given, convert) in members.items() if convert is None and given == name}

        def read(value: Any) -> Any:
            if type(value) is not dict or (is_union and len(value) != 1):
                raise UnusualError
            if is_union:
                for name, one in value.items():
                    if name in as_they_are and one is not None:
                        return value
            found = {}
            for name, one in value.items():
                known = members.get(name)
                if known is not None and one is not None:
                    found[known[0]] = one if known[1] is None else known[1](one)
                elif is_union:
                    raise UnusualError
            return found

        return read

    def _list(self, shape: Any) -> Convert:
        member = self.of(shape.member)

        def read(value: Any) -> Any:
            if type(value) is not list:
                raise UnusualError
            return value if member is None else [one if one is None else member(one) for one in value]

        return read

    def _map(self, shape: Any) -> Convert:
        member = self.of(shape.value)

        def read(value: Any) -> Any:
            if type(value) is not dict:
                raise UnusualError
            return value if member is None else {name: member(one) for name, one in value.items()}

        return read


def _once(known: dict[str, list[Convert]], shape: Shape, make: Any) -> Convert:
    """The function for a shape that may hold itself."""
    if shape.name not in known:
        made: list[Convert] = []
        known[shape.name] = made
        made.append(make(shape))
    (function,) = known[shape.name] or [_later(known[shape.name])]
    return function


def _later(made: list[Convert]) -> Convert:
    def later(value: Any) -> Any:
        return made[0](value)

    return later


def _refuse_documents(shape: Any) -> None:
    if shape.is_document_type or shape.metadata.get("exception") or "eventstream" in shape.serialization:
        raise UnusualError(f"the shape {shape.name}")
