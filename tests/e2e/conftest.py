"""What the suites of commands share: the environment of a site's operator, and the command line in it."""

import pytest

from tests.e2e.workers import RunHere, run_here
from tests.servers import Server
from tests.worlds.site import Site, variables


@pytest.fixture
def more(site: Site, standin: Server) -> dict[str, str]:
    """The site as an operator's environment."""
    return variables(site, standin)


@pytest.fixture
def keyshift(more: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> RunHere:
    """The command line with that environment."""
    return run_here(more, monkeypatch, capsys)
