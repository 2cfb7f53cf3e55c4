"""A pytest plugin that notes how long each test took, setting up and tearing down included."""

import json
import os

import pytest

from tests.mutation.recording import DURATIONS


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Called in the process that starts the workers; appends ``[test, seconds, whether it failed]``."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        return
    with open(os.environ[DURATIONS], "a", encoding="utf-8") as notes:  # noqa: PTH123  # appended, line by line
        notes.write(json.dumps([report.nodeid, report.duration, report.failed]) + "\n")
