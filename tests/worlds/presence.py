"""What a test expects to be there."""

from typing import TypeVar

T = TypeVar("T")


def present(found: T | None) -> T:
    """What was found; the test fails where nothing was."""
    assert found is not None
    return found
