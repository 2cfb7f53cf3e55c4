"""Answers of S3: members out of the headers, and small XML documents."""

from typing import Any
from xml.etree import ElementTree as ET

from adapters.aws.lane.answers import Answer
from adapters.aws.lane.scalars import Convert, UnusualError, read_date

_ERROR = "Error"


class RestReader:
    """Reads the success of one operation; raises UnusualError, also when made, for what the lane cannot read."""

    def __init__(self, model: Any) -> None:
        shape = model.output_shape
        self._headers: dict[str, tuple[str, Convert]] = {}
        self._prefixes: list[tuple[str, str]] = []
        self._expires = ""
        body: dict[str, Any] = {}
        for name, member in (shape.members if shape is not None else {}).items():
            location, wire = member.serialization.get("location"), member.serialization.get("name", name)
            if location == "header":
                self._headers[wire.lower()] = (name, _text_reader(member))
            elif location == "headers" and member.type_name == "map":
                self._prefixes.append((wire.lower(), name))
            elif location is None:
                body[name] = member
            else:
                raise UnusualError(f"the answer of {model.name}")
        payload = shape.serialization.get("payload") if shape is not None else None
        self._payload = payload
        self._document: _Structure | None = None
        if payload is not None:
            self._document = _Structure(body[payload].members)
        elif body:
            self._document = _Structure(body)

    def read(self, answer: Answer) -> dict[str, Any]:
        """The members; botocore reads a document in which none of them is, such as an error or a proxy's page."""
        parsed: dict[str, Any] = {}
        for wire, text in answer.headers.items():
            known = self._headers.get(wire)
            if known is not None:
                parsed[known[0]] = known[1](text)
        for prefix, name in self._prefixes:
            parsed[name] = {
                answer.spelled[wire][len(prefix) :]: text
                for wire, text in answer.headers.items()
                if wire.startswith(prefix)
            }
        if "Expires" in parsed:
            parsed["ExpiresString"] = answer.headers["expires"]
        if self._document is None:
            if answer.body:
                raise UnusualError
            return parsed
        found = self._document.read(_root_of(answer.body))
        if not found:
            raise UnusualError
        return parsed | ({self._payload: found} if self._payload is not None else found)


class _Structure:
    """Reads the children of a node: single texts, lists of structures of texts, and texts that are repeated."""

    def __init__(self, members: Any) -> None:
        self._members: dict[str, tuple[str, Any, bool]] = {}
        for name, member in members.items():
            wire = member.serialization.get("name", name)
            if member.serialization.get("xmlAttribute"):
                raise UnusualError(f"the attribute {wire}")
            is_repeated = bool(member.type_name == "list" and member.serialization.get("flattened"))
            read = _text_node_reader(member.member) if is_repeated else _node_reader(member)
            self._members[wire] = (name, read, is_repeated)

    def read(self, node: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for child in node:
            known = self._members.get(_local(child.tag))
            if known is None:
                continue
            name, read, is_repeated = known
            if is_repeated:
                found.setdefault(name, []).append(read(child))
            elif name in found:
                raise UnusualError
            else:
                found[name] = read(child)
        return found


def _node_reader(member: Any) -> Convert:
    if member.type_name == "list":
        if member.member.type_name != "structure":
            raise UnusualError(f"the list {member.name}")
        inner = _Structure(member.member.members)
        return lambda node: [inner.read(child) for child in node]
    if member.type_name == "structure":
        return _Structure(member.members).read
    return _text_node_reader(member)


def _text_node_reader(member: Any) -> Convert:
    convert = _text_reader(member)
    return lambda node: convert(node.text or "")


def _text_reader(member: Any) -> Convert:
    kind = member.type_name
    if kind == "string" and not member.serialization.get("jsonvalue"):
        return str
    if kind in ("integer", "long"):
        return _integer
    if kind == "boolean":
        return lambda text: bool(text == "true")
    if kind == "timestamp":
        return read_date
    raise UnusualError(f"a {kind} in an answer of S3")


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise UnusualError from error


def _root_of(body: bytes) -> Any:
    try:
        parser = ET.XMLParser(target=ET.TreeBuilder(), encoding="utf-8")  # noqa: S314  # as botocore itself reads it
        parser.feed(body)
        root = parser.close()
    except ET.ParseError as error:
        raise UnusualError from error
    if _local(root.tag) == _ERROR:
        raise UnusualError
    return root


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]
