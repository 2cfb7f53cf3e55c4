"""A site on the stand-in, and the commands as an operator runs them."""

import json
from pathlib import Path
from typing import Any

import pytest

from handlers.engine.worker import Worker
from tests.e2e.command_line import run_keyshift
from tests.servers import Server
from tests.worlds.site import SITE_RULES, Site


class Desk:
    """A site and the operator's environment."""

    def __init__(self, site: Site, more: dict[str, str]) -> None:
        self.site = site
        self.more = more

    def run(self, *arguments: str | Path, code: int = 0) -> list[dict[str, Any]]:
        """A command with --json; its lines."""
        answer = run_keyshift(*arguments, "--json", more=self.more)
        assert answer.returncode == code, (answer.stdout, answer.stderr)
        assert "Traceback" not in answer.stderr
        return [json.loads(line) for line in answer.stdout.splitlines()]

    def said(self, *arguments: str, code: int = 0) -> str:
        """A command as people see it."""
        answer = run_keyshift(*arguments, more=self.more)
        assert answer.returncode == code, (answer.stdout, answer.stderr)
        return answer.stdout + answer.stderr

    def work(self) -> None:
        """Workers work both queues off."""
        worker = Worker(self.site.dependencies, lanes=1)
        queues = (self.site.dependencies.events_queue, self.site.dependencies.backfill_queue)
        while sum(worker.serve(queue, at_most=10, wait=0) for queue in queues):
            pass


def desk_of(standin: Server, folder: Path, monkeypatch: pytest.MonkeyPatch, *, rules: str = SITE_RULES) -> Desk:
    """A migration of a bucket without versions and without live capture."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", standin.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", standin.secret_key)
    text = rules + "cleanup: {{unversioned_source: fenced}}\n"
    site = Site(standin, folder, captured=False, live=False, rules_text=text)
    keys = {"AWS_ACCESS_KEY_ID": standin.access_key, "AWS_SECRET_ACCESS_KEY": standin.secret_key}
    return Desk(site, {**keys, **site.environment()})


@pytest.fixture
def desk(standin: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A migration without references."""
    return desk_of(standin, tmp_path, monkeypatch)
