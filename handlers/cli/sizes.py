"""Sizes as people write and read them."""

import math
import re

_BINARY = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB")
_SIZE = re.compile(r"(?P<number>\d+(\.\d+)?) ?((?P<prefix>[KMG])(?P<binary>i)?B)?")


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
