"""A manifest record as a DynamoDB item, one attribute each; a field without a value is not in the item."""

from collections.abc import Mapping
from typing import Any

from adapters.dynamodb.attributes import PARTITION_KEY, Item, number, text
from domain.keys import Location, Sequencer
from domain.protocol.causes import Cause
from domain.protocol.intents import Action, Intent
from domain.protocol.record import Claim, Mode, Origin, Record, State, Upload
from domain.protocol.seen_parts import SeenParts

_TEXTS = (
    *("source_etag", "source_version", "target_etag", "target_version", "marker_version", "rewritten_etag"),
    *("cleaned_etag", "replaceable_etag"),
)
_WHOLE = ("size", "copied_before", "source_modified")
_NUMBERS = (*_WHOLE, "verified_at")


def is_record(item: Item) -> bool:
    """Whether the item is a record: control, counters and other items share the table."""
    return "revision" in item and "target_key" in item


def record_of_item(item: Item) -> Record | None:
    """The record in an item, or in an image in the table's stream; ``None`` for another kind of item."""
    return to_record(item) if is_record(item) else None


def to_item(record: Record) -> dict[str, Any]:
    """The whole item."""
    source, target = record.source, record.target
    item: dict[str, Any] = {
        PARTITION_KEY: {"S": record.record_id},
        "bucket": {"S": source.bucket},
        "key": {"S": source.key},
        "target_bucket": {"S": target.bucket},
        "target_key": {"S": target.key},
        "rule": {"S": record.rule},
        "rules_digest": {"S": record.rules_digest},
    }
    return item | _changing(record)


def changes_of(before: Record, after: Record) -> tuple[Item, Item]:
    """The attributes of both items that a commit may change, with the partition key.

    A claim fixes where an object comes from and goes to, so half of an item need not be compared.
    """
    if (before.target, before.rule, before.rules_digest) != (after.target, after.rule, after.rules_digest):
        return to_item(before), to_item(after)
    key = {PARTITION_KEY: {"S": before.record_id}}
    return key | _changing(before), key | _changing(after)


def _changing(record: Record) -> dict[str, Any]:
    item: dict[str, Any] = {
        "state": {"S": record.state.value},
        "mode": {"S": record.mode.value},
        "revision": number(record.revision),
        "changed_at": number(record.changed_at),
    }
    item |= {name: {"S": value} for name in _TEXTS if (value := getattr(record, name)) is not None}
    if record.sequencer is not None:
        item |= {"sequencer": text(record.sequencer.text), "sequencer_order": text(order_text(record.sequencer))}
    if record.claim is not None:
        item |= {"token": text(record.claim.token), "deadline": number(record.claim.deadline)}
    if record.intent is not None:
        item["intent"] = intent_list(record.intent)
    if record.maybe:
        item["maybe"] = {"L": [_intent_map(intent) for intent in sorted(record.maybe)]}
    if record.upload is not None:
        item["upload"] = _upload_map(record.upload)
    if record.origin is not None:
        item["origin"] = text(record.origin.value)
    if record.seen is not None:
        item["seen"] = _seen_map(record.seen)
    item |= _cause_texts(record)
    item |= {name: number(value) for name in _NUMBERS if (value := getattr(record, name)) is not None}
    return item


def _cause_texts(record: Record) -> dict[str, Any]:
    told = {"cause": record.cause.value if record.cause is not None else "", "cause_detail": record.cause_detail}
    return {name: text(value) for name, value in told.items() if value}


def to_record(item: Item) -> Record:
    """The record in a record's item."""
    texts = {name: item[name]["S"] for name in _TEXTS if name in item}
    whole = {name: int(item[name]["N"]) for name in _WHOLE if name in item}
    claim = Claim(item["token"]["S"], float(item["deadline"]["N"])) if "token" in item else None
    intents = item.get("intent", {"L": []})["L"]
    return Record(
        source=Location(item["bucket"]["S"], item["key"]["S"]),
        target=Location(item["target_bucket"]["S"], item["target_key"]["S"]),
        state=State(item["state"]["S"]),
        revision=int(item["revision"]["N"]),
        mode=Mode(item["mode"]["S"]),
        sequencer=Sequencer(item["sequencer"]["S"]) if "sequencer" in item else None,
        size=whole.get("size"),
        claim=claim,
        intent=_intent(intents[0]) if intents else None,
        maybe=frozenset(_intent(one) for one in item.get("maybe", {"L": []})["L"]),
        upload=_upload(item["upload"]["M"]) if "upload" in item else None,
        origin=Origin(item["origin"]["S"]) if "origin" in item else None,
        cause=Cause(item["cause"]["S"]) if "cause" in item else None,
        cause_detail=item.get("cause_detail", {"S": ""})["S"],
        rule=item["rule"]["S"],
        rules_digest=item["rules_digest"]["S"],
        verified_at=float(item["verified_at"]["N"]) if "verified_at" in item else None,
        seen=_seen(item["seen"]["M"]) if "seen" in item else None,
        copied_before=whole.get("copied_before"),
        source_modified=whole.get("source_modified"),
        changed_at=float(item["changed_at"]["N"]),
        **texts,
    )


def order_text(sequencer: Sequencer) -> str:
    """A sequencer so that texts of one length compare as their numbers do.

    Texts have no bound, DynamoDB's numbers end at 38 digits.
    """
    return f"{sequencer.value:x}".rjust(len(sequencer.text), "0")


def intent_list(intent: Intent | None) -> dict[str, Any]:
    """A list of the intent, empty for ``None``: a claim appends it to ``maybe`` without reading it."""
    return {"L": [] if intent is None else [_intent_map(intent)]}


def _intent_map(intent: Intent) -> dict[str, Any]:
    fields = {
        "etag": intent.etag,
        "version_id": intent.version_id,
        "target_etag": intent.target_etag,
        "checksum": intent.checksum,
    }
    named = {name: text(value) for name, value in fields.items() if value}
    since = {"not_before": number(intent.not_before)} if intent.not_before else {}
    refused = {"is_refused": {"BOOL": True}} if intent.is_refused else {}
    return {"M": {"action": text(intent.action.value)} | named | since | refused}


def _intent(value: Mapping[str, Any]) -> Intent:
    parts = value["M"]
    fields = {name: part.get("S") or part["N"] for name, part in parts.items() if "BOOL" not in part}
    return Intent(
        Action(fields["action"]),
        fields.get("etag", ""),
        fields.get("version_id", ""),
        fields.get("target_etag", ""),
        fields.get("checksum", ""),
        int(fields.get("not_before", "0")),
        is_refused="is_refused" in parts,
    )


def _upload_map(upload: Upload) -> dict[str, Any]:
    fields = {
        "upload_id": text(upload.upload_id),
        "bucket": text(upload.location.bucket),
        "key": text(upload.location.key),
        "etag": text(upload.etag),
        "version_id": text(upload.version_id),
        "last_modified": number(upload.last_modified),
        "part_size": number(upload.part_size),
    }
    begun = {"not_before": number(upload.not_before)} if upload.not_before else {}
    return {"M": fields | begun}


def _upload(fields: Mapping[str, Any]) -> Upload:
    return Upload(
        upload_id=fields["upload_id"]["S"],
        location=Location(fields["bucket"]["S"], fields["key"]["S"]),
        etag=fields["etag"]["S"],
        version_id=fields["version_id"]["S"],
        last_modified=int(fields["last_modified"]["N"]),
        part_size=int(fields["part_size"]["N"]),
        not_before=int(fields.get("not_before", {"N": "0"})["N"]),
    )


def _seen_map(seen: SeenParts) -> dict[str, Any]:
    """Only what an object has, in short names: an item above 1 KB costs two write units."""
    counts = {"m": seen.metadata, "t": seen.tags, "a": seen.annotations, "v": seen.versions}
    texts = {"c": seen.storage_class if seen.storage_class != "STANDARD" else "", "l": seen.lock}
    texts |= {"y": seen.source_key, "s": seen.checksum}
    fields: dict[str, Any] = {
        name: number(count) for name, count in counts.items() if count or (name in "av" and count == 0)
    }
    fields |= {name: text(value) for name, value in texts.items() if value}
    fields |= {"x": text(",".join(seen.lost))} if seen.lost else {}
    flags = {"k": seen.has_kms_key, "u": not seen.is_proven, "i": seen.by_inventories}
    return {"M": fields | {name: number(1) for name, is_set in flags.items() if is_set}}


def _seen(fields: Mapping[str, Any]) -> SeenParts:
    counts = {name: int(value["N"]) for name, value in fields.items() if "N" in value}
    texts = {name: value["S"] for name, value in fields.items() if "S" in value}
    return SeenParts(
        metadata=counts.get("m", 0),
        tags=counts.get("t", 0),
        storage_class=texts.get("c", "STANDARD"),
        has_kms_key="k" in counts,
        lock=texts.get("l", ""),
        annotations=counts.get("a"),
        lost=tuple(texts["x"].split(",")) if "x" in texts else (),
        is_proven="u" not in counts,
        source_key=texts.get("y", ""),
        checksum=texts.get("s", ""),
        versions=counts.get("v"),
        by_inventories="i" in counts,
    )
