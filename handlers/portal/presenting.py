"""What leaves through the API: every S3 path is a URI of the new layout, whatever the record holds."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from domain.portal.layout import Layout
from domain.portal.ports import PathResolver, ResolvedPath

_PATH = re.compile(r"(?:s3://|https?://[^\s/]*amazonaws\.com)[^\s\"'<>,;)\]}]*", re.IGNORECASE)
HIDDEN = "(an S3 path outside the new layout)"


def presented(body: Mapping[str, Any], *, paths: PathResolver, layout: Layout) -> dict[str, Any]:
    """The body with its S3 paths in their new form.

    An attribute that is nothing but a path which has no new form becomes ``None`` and is named under ``unresolved``
    with the reason; inside a longer text such a path is left out.
    """
    found = dict.fromkeys(path for _, text in _texts(body, "") for path in _paths_in(text))
    answers = {one.uri: one for one in paths.resolve_paths(list(found))} if found else {}
    new = {uri: _new_uri(answer, layout) for uri, answer in answers.items()}
    shown: dict[str, Any] = _shown(body, new)
    unresolved = [
        {"field": place, "why": _PATH.sub(HIDDEN, answers[text].reason or "it is not of the new layout")}
        for place, text in _texts(body, "")
        if _is_path(text) and new[text] is None
    ]
    return {**shown, "unresolved": unresolved} if unresolved else shown


def _new_uri(answer: ResolvedPath, layout: Layout) -> str | None:
    if answer.new is None or answer.new.bucket != layout.bucket or layout.fault_of(answer.new.key) is not None:
        return None
    return answer.new.uri


def _is_path(text: str) -> bool:
    return _PATH.match(text) is not None


def _paths_in(text: str) -> list[str]:
    return [text] if _is_path(text) else _PATH.findall(text)


def _shown(value: Any, new: Mapping[str, str | None]) -> Any:
    if isinstance(value, str):
        if _is_path(value):
            return new[value]
        return _PATH.sub(lambda found: new[found[0]] or HIDDEN, value)
    if isinstance(value, Mapping):
        return {name: _shown(one, new) for name, one in value.items()}
    if isinstance(value, list):
        return [_shown(one, new) for one in value]
    return value


def _texts(value: Any, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, Mapping):
        for name, one in value.items():
            yield from _texts(one, f"{place}.{name}" if place else str(name))
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _texts(one, f"{place}[{number}]")
