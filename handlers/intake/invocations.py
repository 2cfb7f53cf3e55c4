"""The event and the time limit of a Lambda invocation; an event of another shape is refused before any work starts."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from domain.errors import InputError

RESERVE_SECONDS = 10.0
"""Seconds of an invocation that are reserved for returning messages and for the answer."""


def records_of(event: Any, *, source: str, needs: Sequence[str]) -> Sequence[Mapping[str, Any]]:
    """The event's ``Records``, each of which has the fields that ``needs`` names.

    Raises InputError for anything else, so that the event source delivers the whole event again.
    """
    records = event.get("Records") if isinstance(event, Mapping) else None
    is_one = isinstance(records, list) and all(
        isinstance(record, Mapping) and all(name in record for name in needs) for record in records
    )
    if not isinstance(records, list) or not is_one:
        fields = " and ".join(needs)
        what = f"this is not an event of {source}: it needs a list Records, each with {fields}"
        raise InputError(f"{what}; check what invokes the function")
    return records


def seconds_left_of(context: Any) -> Callable[[], float]:
    """Seconds for which this invocation may still begin new work, by Lambda's ``context``."""
    return lambda: float(context.get_remaining_time_in_millis()) / 1000 - RESERVE_SECONDS
