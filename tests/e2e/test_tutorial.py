"""The first migration of the tutorial: the page's own commands, in order, on a sandbox of its own."""

from pathlib import Path

import pytest

from tests.docs.walked_pages import TUTORIAL
from tests.docs.walkthrough import steps_of
from tests.worlds.sandbox import running_sandbox

pytestmark = pytest.mark.slow("follows the tutorial from its first to its last command")


def test_the_tutorial_as_it_stands(tmp_path: Path) -> None:
    """Each command ends as the page says, and prints what it shows; afterwards only the reader's files are left."""
    steps = steps_of(TUTORIAL.path)
    words = {" ".join(step.command.split()[:2]) for step in steps}
    named = "init rules plan doctor start backfill status conflicts references verify cutover cleanup rollback audit"
    assert words >= {f"keyshift {name}" for name in named.split()}
    with running_sandbox(tmp_path, TUTORIAL.options) as running:
        assert len(list(TUTORIAL.walk(running, steps))) == len(steps)
        assert running.end() == 0
    assert sorted(one.name for one in tmp_path.iterdir()) == ["guess.env", "guess.yaml"]
