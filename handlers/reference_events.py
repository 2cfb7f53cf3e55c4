"""Lambda: rewrites references as soon as an object was copied, or an application wrote an old URI."""

from base64 import b64decode
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from domain.audit.packs import events_of
from domain.errors import TransientError
from domain.keys import Location
from domain.protocol.record import State
from domain.references.reports import ReferenceOutcome, Reported
from domain.rules.references import Item, TableReferences
from handlers.intake.invocations import records_of
from handlers.operations.references import References

_REFERABLE = (State.COPIED.value, State.CLEANED.value)


def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001  # Lambda's two
    """Rewrite the references of an object that was copied, or of an item that an application wrote."""
    return respond(event, _references())


def respond(event: Mapping[str, Any], references: References) -> dict[str, Any]:
    """For a stream: the first change that could not be handled, where the stream continues.

    An event, or a pack, of the audit bus that could not be handled raises: EventBridge delivers it again.
    """
    if isinstance(event, Mapping) and isinstance(event.get("detail"), Mapping):
        details = [told["detail"] for told in events_of(event)]
        return {"rewritten": _rewritten([one for detail in details for one in _by_source(detail, references)])}
    reports = []
    for entry in records_of(event, source="a DynamoDB stream, nor of the audit bus,", needs=("dynamodb",)):
        try:
            reports += _changed(entry, references)
        except TransientError:
            number = entry["dynamodb"]["SequenceNumber"]
            return {"batchItemFailures": [{"itemIdentifier": number}], "rewritten": _rewritten(reports)}
    return {"batchItemFailures": [], "rewritten": _rewritten(reports)}


def _changed(entry: Mapping[str, Any], references: References) -> list[Reported]:
    image: Item | None = entry["dynamodb"].get("NewImage")
    if image is None:
        return []
    table_name = str(entry.get("eventSourceARN", "")).partition("/")[2].partition("/")[0]
    table = next(iter(references.tables(table_name)), None) if table_name else None
    if table is not None:
        return _rewrite(table, {name: _plain(image[name]) for name in table.key}, references)
    is_free = "target_key" in image and "token" not in image
    if not is_free or image["state"]["S"] not in _REFERABLE or image["mode"]["S"] != "FORWARD":
        return []
    return list(_by_uri(Location(image["bucket"]["S"], image["key"]["S"]).uri, references))


def _by_source(detail: Mapping[str, Any], references: References) -> Iterator[Reported]:
    if detail.get("state") in _REFERABLE and not detail.get("running"):
        yield from _by_uri(str(detail.get("source", "")), references)


def _by_uri(uri: str, references: References) -> Iterator[Reported]:
    for table in references.tables():
        for index, attribute in table.indexes.items():
            found = references.ports.tables.find_items(table.table, index=index, attribute=attribute, text=uri)
            for item in found:
                yield from _rewrite(table, table.key_of(item), references)


def _rewrite(table: TableReferences, key: Item, references: References) -> list[Reported]:
    """The item as it is now: an event may be old."""
    item = references.ports.tables.read_item(table.table, key)
    return references.rewrite(table, item) if item is not None else []


def _plain(value: Item) -> Item:
    """Lambda's events contain binary values as base64 text."""
    return {"B": b64decode(value["B"])} if isinstance(value.get("B"), str) else value


def _rewritten(reports: list[Reported]) -> int:
    return sum(report.outcome is ReferenceOutcome.REWRITTEN for report in reports)


@cache
def _references() -> References:
    from handlers.bootstrap.process import Process
    from handlers.bootstrap.references import references_of
    from handlers.config.settings import read_settings

    return references_of(Process(read_settings()))
