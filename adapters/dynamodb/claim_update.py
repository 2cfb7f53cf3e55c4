"""The claim as one DynamoDB update: ``domain.protocol.claims.refusal`` as its condition, ``claimed`` as its effect."""

from typing import Any

from adapters.dynamodb.attributes import number, text
from adapters.dynamodb.record_item import intent_list, order_text
from domain.protocol.claims import ClaimRequest
from domain.protocol.notices import NoticeKind
from domain.protocol.record import Mode, State

_FREE = "(attribute_not_exists(#token) OR #deadline < :now)"
_UNFINISHED = "attribute_exists(#token) OR attribute_exists(#upload) OR size(#maybe) > :zero"
_AFTER_SEQUENCER = (
    "attribute_not_exists(#sequencer_order) OR size(#sequencer_order) <> :length OR #sequencer_order < :order"
)
_OTHER_ETAG = (
    "(#state <> :copied AND #state <> :cleaned) OR attribute_not_exists(#source_etag) OR #source_etag <> :etag"
)
_OTHER_VERSION = "attribute_not_exists(#source_version) OR #source_version <> :version"


def claim_update(request: ClaimRequest) -> dict[str, Any]:
    """UpdateItem's expressions for ``request``.

    Each alternative names an absent attribute explicitly, so the result does not depend on how DynamoDB compares absent
    attributes.
    """
    values = _new_values(request) | {":now": number(request.now), ":forward": text(Mode.FORWARD.value)}
    condition = f"attribute_not_exists(#pk) OR (#mode = :forward AND {_FREE}"
    not_incorporated, needed = _not_incorporated(request)
    if not_incorporated:
        condition += f" AND ({_UNFINISHED} OR {not_incorporated})"
        values |= needed | {":zero": {"N": "0"}}
    condition += ")"
    update = _update_expression()
    names = {f"#{name}": name for name in _ATTRIBUTES if f"#{name}" in condition + update}
    return {
        "UpdateExpression": update,
        "ConditionExpression": condition,
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
    }


_FIRST_ONLY = ("bucket", "key", "target_bucket", "target_key", "state", "mode", "rule", "rules_digest")
_ATTRIBUTES = (
    "pk",
    *_FIRST_ONLY,
    "revision",
    "token",
    "deadline",
    "intent",
    "maybe",
    "upload",
    "changed_at",
    "sequencer_order",
    "source_etag",
    "source_version",
)


def _update_expression() -> str:
    kept = ", ".join(f"#{name} = if_not_exists(#{name}, :first_{name})" for name in _FIRST_ONLY)
    return (
        f"SET {kept}, #token = :token, #deadline = :deadline, #changed_at = :now, #intent = :intent, "
        "#maybe = list_append(if_not_exists(#maybe, :nothing), if_not_exists(#intent, :nothing)) ADD #revision :one"
    )


def _new_values(request: ClaimRequest) -> dict[str, Any]:
    source, target = request.notice.source, request.target
    first = {
        "bucket": source.bucket,
        "key": source.key,
        "target_bucket": target.bucket,
        "target_key": target.key,
        "state": State.NEW.value,
        "mode": Mode.FORWARD.value,
        "rule": request.rule,
        "rules_digest": request.rules_digest,
    }
    return {f":first_{name}": text(value) for name, value in first.items()} | {
        ":token": text(request.claim.token),
        ":deadline": number(request.claim.deadline),
        ":intent": intent_list(request.intent),
        ":nothing": {"L": []},
        ":one": {"N": "1"},
    }


def _not_incorporated(request: ClaimRequest) -> tuple[str, dict[str, Any]]:
    """The negation of ``is_incorporated``, as alternatives; empty where no record can have incorporated the notice."""
    notice = request.notice
    if notice.kind is not NoticeKind.LISTED:
        if notice.sequencer is None:
            return "", {}
        order = order_text(notice.sequencer)
        return _AFTER_SEQUENCER, {":order": text(order), ":length": number(len(order))}
    if notice.etag is None:
        return "", {}
    values = {
        ":copied": text(State.COPIED.value),
        ":cleaned": text(State.CLEANED.value),
        ":etag": text(notice.etag),
    }
    if notice.version_id is None:
        return _OTHER_ETAG, values
    return f"{_OTHER_ETAG} OR {_OTHER_VERSION}", values | {":version": text(notice.version_id)}
