"""Parameters and answers of AWS's operations, generated from botocore's own models."""

import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any
from xml.sax.saxutils import escape

from hypothesis import strategies as st

AWKWARD = [
    *("a b", "a+b", "ä/ö.txt", "?x=1", "#part", "%41", "..", "a/../b", "./a", "//a", "/a", "a//b", "a/"),
    *("😀", "a;b", "~a", "x&y=z", "a'b\"c", "\u2028", "a\tb", "\x7f", "a\\b", "versionId=1", "e\u0301", "a" * 900),
]
KEYS = st.sampled_from(AWKWARD) | st.text(min_size=1, max_size=30)
PRINTABLE = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)
HEADER_TEXTS = PRINTABLE | st.text(max_size=8) | st.sampled_from(["", " a ", "a  b", '"etag"', "*", "é"])
_FIRST, _LAST = datetime(1980, 1, 2), datetime(2080, 1, 1)  # noqa: DTZ001  # Hypothesis adds the zone
_ZONES = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))])
MOMENTS = st.datetimes(_FIRST, _LAST, timezones=_ZONES) | st.datetimes(_FIRST, _LAST)
_ARBITRARY: st.SearchStrategy[Any] = st.none() | st.integers() | st.text(max_size=3) | st.just({}) | st.just([])
"""What a caller may give by mistake."""


def rest_parameters(model: Any, bucket: str) -> st.SearchStrategy[dict[str, Any]]:
    """boto3's parameters of an operation of S3, each optional one given or not."""
    source = st.fixed_dictionaries(
        {"Bucket": st.just("source-bucket"), "Key": KEYS}, optional={"VersionId": PRINTABLE | st.none()}
    )
    given: dict[str, Any] = {}
    for name, member in model.input_shape.members.items():
        if name not in ("Bucket", "Key", "CopySource"):
            given[name] = _parameter(member)
    required = {name: given.pop(name) for name in model.input_shape.required_members if name in given}
    required |= {"Bucket": st.just(bucket), "Key": KEYS}
    if "CopySource" in model.input_shape.members:
        required["CopySource"] = source | st.just("source-bucket/a key?versionId=v")
    return st.fixed_dictionaries(required, optional=given)


def _parameter(member: Any) -> st.SearchStrategy[Any]:
    simple: dict[str, st.SearchStrategy[Any]] = {
        "string": HEADER_TEXTS,
        "boolean": st.booleans(),
        "integer": st.integers(0, 10_000),
        "long": st.integers(0, 10_000),
        "timestamp": MOMENTS,
        "map": st.dictionaries(st.sampled_from(["owner", "Line-1", "a b", "é", "note"]), HEADER_TEXTS, max_size=3),
    }
    return simple[member.type_name]


def json_parameters(shape: Any, *, mistakes: bool, depth: int = 3) -> st.SearchStrategy[Any]:
    """Parameters in the shape of a structure, or now and then, with ``mistakes``, in none."""
    right = _json(shape, mistakes=mistakes, depth=depth)
    return right | _ARBITRARY if mistakes and depth < 3 else right


def _json(shape: Any, *, mistakes: bool, depth: int) -> st.SearchStrategy[Any]:
    kind = shape.type_name
    if kind == "structure":
        return _structure(shape, mistakes=mistakes, depth=depth)
    if kind == "list":
        inner = json_parameters(shape.member, mistakes=mistakes, depth=depth - 1)
        return st.lists(inner, min_size=0 if mistakes else shape.metadata.get("min", 0), max_size=3)
    if kind == "map":
        inner = json_parameters(shape.value, mistakes=mistakes, depth=depth - 1)
        return st.dictionaries(
            st.text(min_size=1, max_size=6), inner, min_size=shape.metadata.get("min", 0), max_size=3
        )
    simple: dict[str, st.SearchStrategy[Any]] = {
        "string": st.text(min_size=0 if mistakes else shape.metadata.get("min", 0), max_size=8),
        "boolean": st.booleans(),
        "integer": st.integers(shape.metadata.get("min", 0), 10_000),
        "long": st.integers(shape.metadata.get("min", 0), 10_000),
        "blob": st.binary(max_size=8) | (st.text(max_size=4) if mistakes else st.binary(max_size=8)),
        "timestamp": MOMENTS,
    }
    return simple[kind]


def _structure(shape: Any, *, mistakes: bool, depth: int) -> st.SearchStrategy[Any]:
    members = {
        name: json_parameters(member, mistakes=mistakes, depth=depth - 1)
        for name, member in shape.members.items()
        if depth > 0 or member.type_name not in ("structure", "list", "map")
    }
    if shape.is_tagged_union:
        one = st.one_of([st.fixed_dictionaries({name: inner}) for name, inner in members.items()])
        return one | st.just({}) | st.just({"S": "a", "N": "1"}) if mistakes else one
    required = {name: members.pop(name) for name in shape.required_members if name in members}
    if mistakes:
        members["Unknown"] = _ARBITRARY
    return st.fixed_dictionaries(required, optional=members)


def json_answers(shape: Any, *, odd: bool, depth: int = 4) -> st.SearchStrategy[Any]:
    """What a JSON service answers in that shape; ``odd`` ones have members, nulls and types that no model names."""
    kind = shape.type_name
    if kind == "structure":
        members = {
            member.serialization.get("name", name): json_answers(member, odd=odd, depth=depth - 1)
            for name, member in shape.members.items()
            if depth > 0 or member.type_name not in ("structure", "list", "map")
        }
        if shape.is_tagged_union:
            one = st.one_of([st.fixed_dictionaries({name: inner}) for name, inner in members.items()])
            return one | st.sampled_from([None, {}, {"S": "a", "N": "1"}, {"New": 1}, {"S": None}]) if odd else one
        strange = {"Unknown": _ARBITRARY, "ResponseMetadata": st.just({"own": 1})} if odd else {}
        whole: st.SearchStrategy[Any] = st.fixed_dictionaries({}, optional=members | strange)
        return whole | st.none() if odd and depth < 4 else whole
    if kind == "list":
        return st.lists(json_answers(shape.member, odd=odd, depth=depth - 1), max_size=3)
    if kind == "map":
        return st.dictionaries(st.text(max_size=6), json_answers(shape.value, odd=odd, depth=depth - 1), max_size=3)
    simple: dict[str, st.SearchStrategy[Any]] = {
        "blob": st.binary(max_size=8).map(lambda data: b64encode(data).decode()),
        "timestamp": st.integers(0, 2**32) | st.floats(0, 2**32).map(lambda number: round(number, 3)),
        "boolean": st.booleans(),
        "string": st.text(max_size=8),
    }
    known = simple.get(kind, st.integers(-5, 10_000))
    return known | _ARBITRARY if odd and kind not in ("blob", "timestamp") else known


def json_bodies(shape: Any) -> st.SearchStrategy[bytes]:
    """Bodies of a JSON service: plain ones, odd ones, and no JSON."""
    answers = json_answers(shape, odd=False) | json_answers(shape, odd=True)
    return answers.map(lambda answer: json.dumps(answer).encode()) | st.sampled_from(
        [b"", b"{}", b"[]", b"null", b"{", b'"text"', b"\xff", b"<html></html>", b" {} "]
    )


def answer_headers(shape: Any) -> st.SearchStrategy[dict[str, str]]:
    """Headers of an answer of S3: those the model reads, each there or not, and some more."""
    known: dict[str, Any] = {"x-amz-id-2": PRINTABLE, "X-Amz-Meta-Owner": PRINTABLE, "x-amz-meta-n": PRINTABLE}
    for member in shape.members.values():
        if member.serialization.get("location") == "header":
            wire = member.serialization["name"]
            if wire != "Content-Length":
                known[wire] = _header_text(member)
    known["ETag"] = st.just('"e1"') | st.just("")
    return st.fixed_dictionaries({}, optional=known)


def _header_text(member: Any) -> st.SearchStrategy[str]:
    texts: dict[str, st.SearchStrategy[str]] = {
        "string": st.text(st.characters(min_codepoint=33, max_codepoint=255, exclude_categories=["Cc"]), max_size=8),
        "boolean": st.sampled_from(["true", "false", "True", ""]),
        "integer": st.integers(0, 10_000).map(str) | st.sampled_from(["", "many"]),
        "long": st.integers(0, 10_000).map(str),
        "timestamp": date_texts(),
    }
    return texts[member.type_name]


def date_texts() -> st.SearchStrategy[str]:
    """Dates as AWS writes them, in other forms, and none at all."""
    moments = st.datetimes(_FIRST, _LAST, timezones=st.just(UTC))
    return (
        moments.map(lambda moment: format_datetime(moment, usegmt=True))
        | moments.map(lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%S.000Z"))
        | moments.map(lambda moment: moment.isoformat())
        | st.sampled_from(["", "0", "1764300000", "soon", "Wed, 31 Feb 2026 07:28:00 GMT", "2026-01-01T00:00:00Z"])
    )


def xml_bodies(root: str, *members: str) -> st.SearchStrategy[bytes]:
    """Small documents of S3, errors, pages and pieces of them."""
    texts = st.text(st.characters(min_codepoint=32, max_codepoint=1000), max_size=8) | date_texts()
    names = st.sampled_from([*members, "Unknown"])
    children = st.lists(st.tuples(names, texts), max_size=5, unique_by=lambda child: child[0])
    space = st.sampled_from(["", ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'])
    heads = st.sampled_from(["", '<?xml version="1.0" encoding="UTF-8"?>\n'])

    def document(head: str, xmlns: str, said: list[tuple[str, str]]) -> bytes:
        inner = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in said)
        return f"{head}<{root}{xmlns}>{inner}</{root}>".encode()

    error = b"<Error><Code>InternalError</Code><Message>again</Message><RequestId>r</RequestId><ETag>e</ETag></Error>"
    return st.builds(document, heads, space, children) | st.sampled_from(
        [b"", error, error[:20], b"<html><body>hotel</body></html>", b"text", b"\xff<", b"<a/>", b"  " + error]
    )
