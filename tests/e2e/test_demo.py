"""The demo's own path, small."""

import json
import re
from pathlib import Path

import pytest

from tests.e2e.command_line import run_keyshift
from tests.e2e.demo_figures import FIGURES

pytestmark = pytest.mark.slow("runs keyshift demo, with workers that are killed")


def explained(stderr: str) -> str:
    """What a failed demo said, with the ends of its workers' logs."""
    folder = re.search(r"the workers' logs are in (\S+)", stderr)
    logs = sorted(Path(folder[1]).glob("*.log")) if folder else []
    return "\n".join([stderr, *(f"{log.name}:\n{log.read_text(errors='replace')[-8_000:]}" for log in logs)])


def test_the_demo_loses_nothing() -> None:
    """A live bucket moves under kills, duplicates and reordering, and every figure that must be 0 is 0."""
    answer = run_keyshift(
        "demo", "--objects", "150", "--workers", "2", "--kills", "1", "--seed", "7", "--json", seconds=420
    )
    assert answer.returncode == 0, explained(answer.stderr)
    figures = json.loads(answer.stdout)
    assert list(figures) == FIGURES
    assert [figures[name] for name in ("lost", "wrong", "stale", "audit_missing")] == [0, 0, 0, 0]
    assert figures["objects"] >= 150
    assert figures["migrated"] > 75
    assert figures["workers_killed"] == 1
    assert figures["duplicates_delivered"] > 0
    assert figures["audit_events"] >= 2 * figures["migrated"]
