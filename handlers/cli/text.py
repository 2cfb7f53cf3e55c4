"""Texts for people: keys without control characters, sizes and times, written and read."""

import math
import re
import time
from datetime import UTC, datetime

from domain.errors import InputError

_BINARY = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB")
_SIZE = re.compile(r"(?P<number>\d+(\.\d+)?) ?((?P<prefix>[KMG])(?P<binary>i)?B)?")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_LAST_MOMENT = datetime(9999, 12, 31, tzinfo=UTC).timestamp()
_SPAN = re.compile(r"(?P<number>\d+(\.\d+)?)(?P<unit>[smhd])")


def printable(text: str) -> str:
    """The text with every character that is not printable written as its escape."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def said_bytes(size: float) -> str:
    """Bytes in the largest unit that leaves a number of at least one."""
    unit = 0
    while size >= 1024 and unit < len(_BINARY) - 1:
        size, unit = size / 1024, unit + 1
    return f"{size:,.0f} {_BINARY[unit]}" if unit == 0 else f"{size:,.1f} {_BINARY[unit]}"


def parse_bytes(text: str) -> float:
    """Bytes of ``50``, ``50MB`` or ``50MiB``; ValueError otherwise."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise ValueError(text)
    step = 1024.0 if found["binary"] else 1000.0
    return float(found["number"]) * math.pow(step, " KMG".index(found["prefix"] or " "))


def parse_since(text: str | None, *, now: float) -> float | None:
    """Seconds since 1970 for ``2h`` (ago) or an ISO 8601 time, UTC unless it names a zone; InputError otherwise."""
    if text is None:
        return None
    span = _SPAN.fullmatch(text)
    if span is not None:
        return now - float(span["number"]) * _SECONDS[span["unit"]]
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"{text!r} is not a valid time: write 30m, 2h, 3d, or 2026-11-22T10:00Z") from error
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()


def parse_moment(text: str, *, now: float) -> float:
    """Seconds since 1970 for ``12h`` (from now) or an ISO 8601 time, UTC unless it names a zone."""
    moment = now + parse_span(text) if _SPAN.fullmatch(text) is not None else parse_since(text, now=now) or now
    if moment >= _LAST_MOMENT:
        raise InputError(f"{text!r} is after the year 9999: give an earlier time")
    return moment


def parse_span(text: str) -> float:
    """Seconds of ``90s``, ``15m``, ``24h`` or ``7d``; InputError otherwise."""
    span = _SPAN.fullmatch(text)
    if span is None:
        raise InputError(f"{text!r} is not a valid length of time: write 90s, 15m, 24h or 7d")
    return float(span["number"]) * _SECONDS[span["unit"]]


def said_age(moment: float) -> str:
    """How long ago, in the largest unit that fits; a dash where it is not known."""
    return said_seconds(max(0.0, time.time() - moment)) if moment else "-"


def said_seconds(seconds: float) -> str:
    """``75`` is ``1m 15s``."""
    left = round(seconds)
    if left < 60:
        return f"{left}s"
    if left < 3600:
        return f"{left // 60}m {left % 60}s"
    if left < 86_400:
        return f"{left // 3600}h {left % 3600 // 60}m"
    return f"{left // 86_400}d {left % 86_400 // 3600}h"
