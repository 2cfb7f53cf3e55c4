"""Runs the real command line in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without anything of AWS's or ours, and ``more``."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "KEYSHIFT_"))}
    isolated = {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_REGION": "us-east-1",
        "NO_PROXY": "127.0.0.1,localhost",
        "PYTHONPATH": str(ROOT),
    }
    return {**kept, **isolated, **(more or {})}


def run_keyshift(
    *arguments: str | Path,
    more: Mapping[str, str] | None = None,
    keys: str = "",
    seconds: float = 120,
    folder: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run ``keyshift`` to its end, in ``folder`` if one is given."""
    command: Sequence[str] = [sys.executable, "-m", "handlers.cli", *map(str, arguments)]
    return subprocess.run(  # noqa: S603  # ourselves
        command,
        cwd=folder,
        env=environment(more),
        input=keys,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def assert_one_sentence(answer: subprocess.CompletedProcess[str], *, code: int, says: str) -> str:
    """The failure is one line on standard error that says this, with no traceback; the line."""
    lines = answer.stderr.strip().splitlines()
    assert "Traceback" not in answer.stderr
    assert len(lines) == 1, answer.stderr
    assert says in lines[0]
    assert answer.returncode == code
    return lines[0]
