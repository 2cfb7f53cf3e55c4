"""What doctor found: one line each."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: ``level`` is ok, warn or fail."""

    level: str
    part: str
    text: str
