"""What Lambda was invoked with: an event of the shape that its source sends, or refused by name, and the time left."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from domain.errors import InputError

RESERVE_SECONDS = 10.0
"""What an invocation keeps for giving messages back and answering."""


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


def seconds_left_of(context: Any) -> Callable[[], float]:
    """How long this invocation may still begin new work, by Lambda's ``context``."""
    return lambda: float(context.get_remaining_time_in_millis()) / 1000 - RESERVE_SECONDS
