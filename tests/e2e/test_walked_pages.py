"""The outputs in the runbook and in the plan's page are what the commands print, on a sandbox of their own."""

from pathlib import Path

import pytest

from tests.docs.walked_pages import PLAN, RUNBOOK, WalkedPage
from tests.docs.walkthrough import steps_of
from tests.worlds.sandbox import running_sandbox

pytestmark = pytest.mark.slow("starts a sandbox for each page")


@pytest.mark.parametrize("page", [RUNBOOK, PLAN], ids=["runbook", "plan"])
def test_a_page_as_it_stands(page: WalkedPage, tmp_path: Path) -> None:
    """Each command ends as the page says, and prints what it shows on a terminal."""
    steps = steps_of(page.path)
    assert steps
    with running_sandbox(tmp_path, page.options) as running:
        assert len(list(page.walk(running, steps, coloured=True))) == len(steps)
        assert running.end() == 0
