"""A manifest record as a DynamoDB item, one attribute each; a field without a value is not in the item."""

from collections.abc import Mapping
from typing import Any

from adapters.dynamodb.attributes import PARTITION_KEY, Item, number, text
from domain.keys import Location, Sequencer
from domain.protocol.causes import Cause
from domain.protocol.record import Action, Claim, Intent, Mode, Origin, Record, State, Upload

_TEXTS = (
    *("source_etag", "source_version", "target_etag", "target_version", "marker_version", "rewritten_etag"),
    *("cleaned_etag", "replaceable_etag"),
)


def is_record(item: Item) -> bool:
    """Whether the item is a record: control, counters and other items share the table."""
    return "revision" in item and "target_key" in item


def record_of_item(item: Item) -> Record | None:
    """The record in an item, or in an image in the table's stream; ``None`` for another kind of item."""
    return to_record(item) if is_record(item) else None


def to_item(record: Record) -> dict[str, Any]:
    """The whole item."""
    item: dict[str, Any] = {
        PARTITION_KEY: text(record.record_id),
        "bucket": text(record.source.bucket),
        "key": text(record.source.key),
        "target_bucket": text(record.target.bucket),
        "target_key": text(record.target.key),
        "state": text(record.state.value),
        "mode": text(record.mode.value),
        "revision": number(record.revision),
        "rule": text(record.rule),
        "rules_digest": text(record.rules_digest),
        "changed_at": number(record.changed_at),
    }
    item |= {name: text(value) for name in _TEXTS if (value := getattr(record, name)) is not None}
    if record.sequencer is not None:
        item |= {"sequencer": text(record.sequencer.text), "sequencer_order": text(order_text(record.sequencer))}
    if record.size is not None:
        item["size"] = number(record.size)
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
    item |= _cause_texts(record)
    if record.verified_at is not None:
        item["verified_at"] = number(record.verified_at)
    if record.copied_before is not None:
        item["copied_before"] = number(record.copied_before)
    return item


def _cause_texts(record: Record) -> dict[str, Any]:
    told = {"cause": record.cause.value if record.cause is not None else "", "cause_detail": record.cause_detail}
    return {name: text(value) for name, value in told.items() if value}


def to_record(item: Item) -> Record:
    """The record in a record's item."""
    texts = {name: item[name]["S"] for name in _TEXTS if name in item}
    claim = Claim(item["token"]["S"], float(item["deadline"]["N"])) if "token" in item else None
    intents = item.get("intent", {"L": []})["L"]
    return Record(
        source=Location(item["bucket"]["S"], item["key"]["S"]),
        target=Location(item["target_bucket"]["S"], item["target_key"]["S"]),
        state=State(item["state"]["S"]),
        revision=int(item["revision"]["N"]),
        mode=Mode(item["mode"]["S"]),
        sequencer=Sequencer(item["sequencer"]["S"]) if "sequencer" in item else None,
        size=int(item["size"]["N"]) if "size" in item else None,
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
        copied_before=int(item["copied_before"]["N"]) if "copied_before" in item else None,
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
