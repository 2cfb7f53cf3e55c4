"""docs/cli.md is the command line's own help."""

from pathlib import Path

from handlers.cli.reference import reference

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "cli.md"


def test_the_reference_is_current() -> None:
    """Write it anew with ``python -m handlers.cli.reference > docs/cli.md`` after a change of an option."""
    assert DOCUMENT.read_text(encoding="utf-8") == reference()
