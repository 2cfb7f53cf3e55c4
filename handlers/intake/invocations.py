"""What Lambda was invoked with: of the shape that an event source sends, or refused by name before anything is done."""

from collections.abc import Mapping, Sequence
from typing import Any

from domain.errors import InputError


def records_of(event: Any, *, source: str, needs: Sequence[str]) -> Sequence[Mapping[str, Any]]:
    """The event's ``Records``, each of which has the fields that ``needs`` names.

    Raises InputError for anything else, so that the event source delivers the whole of it again.
    """
    records = event.get("Records") if isinstance(event, Mapping) else None
    is_one = isinstance(records, list) and all(
        isinstance(record, Mapping) and all(name in record for name in needs) for record in records
    )
    if not isinstance(records, list) or not is_one:
        fields = " and ".join(needs)
        what = f"this is no event of {source}: it needs a list Records, each with {fields}"
        raise InputError(f"{what}; look at what invokes the function")
    return records
