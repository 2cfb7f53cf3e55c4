"""DynamoDB's JSON: an item, its key and its values."""

from collections.abc import Mapping
from typing import Any

PARTITION_KEY = "pk"
Item = Mapping[str, Any]
"""Attributes in DynamoDB's JSON, ``{"S": …}``: what the client and a stream's images both hold."""


def text(value: str) -> dict[str, str]:
    """A string attribute."""
    return {"S": value}


def number(value: float) -> dict[str, str]:
    """A number attribute; ``repr`` gives the digits that make the same float again."""
    return {"N": repr(value)}
