"""The demo with its portal, small."""

import json

import pytest

from handlers.demo.portal.result import COUNTED, MUST_BE_ZERO
from tests.e2e.command_line import run_keyshift
from tests.e2e.demo_figures import FIGURES

pytestmark = pytest.mark.slow("runs keyshift demo with the portal")

SMALL = ("--objects", "50", "--workers", "2", "--kills", "1", "--seed", "7")


def test_the_portal_works_while_its_bucket_moves() -> None:
    """Everything was done, nothing is wrong, and exactly the pinned objects outlive the cleanup."""
    answer = run_keyshift("demo", "--portal", *SMALL, "--json", seconds=480)
    assert answer.returncode == 0, answer.stderr
    figures = json.loads(answer.stdout)
    portal = figures.pop("portal")
    assert list(figures) == FIGURES
    assert [figures[name] for name in ("lost", "wrong", "stale", "audit_missing")] == [0, 0, 0, 0]
    assert {name: portal[name] for name in MUST_BE_ZERO} == dict.fromkeys(MUST_BE_ZERO, 0)
    done = {"trained": 2, "compiled": 4, "packaged": 4, "published": 4, "republished": 1, "pins": 3}
    assert {name: portal[name] for name in done} == done
    assert all(portal[name] > 0 for name in COUNTED)
    assert "SageMaker and Greengrass are simulated" in answer.stderr
