"""Single values, as botocore writes and reads them; what it treats in another way raises UnusualError."""

import re
from base64 import b64decode, b64encode
from calendar import timegm
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any

from botocore.utils import parse_timestamp

Convert = Callable[[Any], Any]

_MONTHS = {
    name: number
    for number, name in enumerate("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)  # noqa: SIM905
}
_HTTP_DATE = re.compile(r"[A-Z][a-z]{2}, ([0-9]{2}) ([A-Z][a-z]{2}) ([0-9]{4}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) GMT")
_ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{3}|\.[0-9]{6})?Z")


class UnusualError(Exception):
    """This is not the lane's: botocore does it."""


def read_date(text: Any) -> datetime:
    """A date of an answer; the two forms that AWS writes are read here, any other by botocore."""
    if isinstance(text, (int, float)):
        return datetime.fromtimestamp(text, UTC)
    try:
        if _ISO_DATE.fullmatch(text):
            return datetime.fromisoformat(text)
        found = _HTTP_DATE.fullmatch(text)
        if found is not None:
            day, month, year, hour, minute, second = found.groups()
            return datetime(int(year), _MONTHS[month], int(day), int(hour), int(minute), int(second), tzinfo=UTC)
        return parse_timestamp(text)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise UnusualError from error


def read_timestamp(value: Any) -> datetime:
    """A date of an answer for botocore, as botocore reads it; those of listings are read a hundred times as fast."""
    if isinstance(value, str) and _ISO_DATE.fullmatch(value):
        return datetime.fromisoformat(value)
    return parse_timestamp(value)


def epoch_of(moment: Any) -> float:
    """Seconds since 1970 as botocore writes them in JSON: whole ones as an int."""
    aware = _aware(moment)
    seconds = timegm(aware.timetuple())
    return (seconds * 10**6 + aware.microsecond) / 10**6 if aware.microsecond else seconds


def header_date(form: str) -> Convert:
    """How botocore writes dates in headers: to the second, in ``iso8601`` or ``rfc822``."""
    if form == "iso8601":
        return lambda moment: _aware(moment).strftime("%Y-%m-%dT%H:%M:%SZ")
    if form == "rfc822":
        return lambda moment: formatdate(timegm(_aware(moment).timetuple()), usegmt=True)
    raise UnusualError(f"dates as {form}")


def _aware(moment: Any) -> datetime:
    if type(moment) is not datetime or moment.tzinfo is None or moment.year < 1970:
        raise UnusualError
    return moment.astimezone(UTC)


def write_blob(value: Any) -> str:
    """Bytes in base64; a text, which botocore would encode first, is botocore's."""
    if type(value) is not bytes:
        raise UnusualError
    return b64encode(value).decode()


def read_blob(text: Any) -> bytes:
    """The bytes behind a text in base64."""
    try:
        return b64decode(text)
    except (TypeError, ValueError) as error:
        raise UnusualError from error


def checked(expected: type[Any], least: int | None) -> Convert:
    """A value unchanged that has exactly this type, and no less than the model's ``min`` (its length, if a text)."""
    if least is None:

        def check(value: Any) -> Any:
            if type(value) is expected:
                return value
            raise UnusualError

        return check

    def check_least(value: Any) -> Any:
        if type(value) is expected and (len(value) if isinstance(value, str) else value) >= least:
            return value
        raise UnusualError

    return check_least
