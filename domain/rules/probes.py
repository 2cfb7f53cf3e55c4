"""Probes of live capture: small objects under a reserved prefix, whose events show that capture works."""

import re

from domain.keys import Location

RESERVED = ".keyshift/"
_PROBE = re.compile(r"\.keyshift/probe-[0-9a-f]{32}\Z")


def probe_location(bucket: str, prefix: str, token: str) -> Location:
    """Where a probe is written; ``token`` is 32 hexadecimal digits that nobody else has."""
    return Location(bucket, f"{prefix}{RESERVED}probe-{token}")


def is_probe(key: str) -> bool:
    """Whether the key is a probe's: no rule applies to it, nothing moves it, no layout has it."""
    return _PROBE.search(key) is not None
