"""docs/cli.md is the command line's own help."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_reference_is_current() -> None:
    """Write it anew with ``python -m handlers.cli.document > docs/cli.md`` after a change of an option."""
    # A process of its own: click remembers a command's help option from the first time that it was run, here by
    # other tests and without its root.
    command = [sys.executable, "-m", "handlers.cli.document"]
    answer = subprocess.run(command, capture_output=True, cwd=ROOT, check=True)  # noqa: S603  # ourselves
    assert (ROOT / "docs/cli.md").read_bytes() == answer.stdout
