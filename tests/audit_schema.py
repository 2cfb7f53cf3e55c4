"""The published schemas, as tests use them."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from domain.audit.events import SOURCE, AuditEvent
from domain.audit.packs import Entry

SCHEMAS = Path(__file__).resolve().parents[1] / "docs" / "schemas"


@cache
def validator(name: str) -> Draft202012Validator:
    """A schema of docs/schemas, itself checked."""
    schema: dict[str, Any] = json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def check_event(event: AuditEvent) -> None:
    """Raise what the schema says against an event, in the form in which EventBridge delivers it."""
    detail = json.loads(json.dumps(dict(event.detail)))
    validator("audit-event-1").validate({"source": SOURCE, "detail-type": event.detail_type, "detail": detail})


def check_delivered(entry: Entry) -> None:
    """Raise what the schema says against an entry, single or pack, in the form in which EventBridge delivers it."""
    delivered = {"source": SOURCE, "detail-type": entry.detail_type, "detail": json.loads(entry.detail)}
    validator("audit-event-1").validate(delivered)
