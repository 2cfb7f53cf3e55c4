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


def desk_of(credentials: Server, folder: Path, *, rules: str = SITE_RULES) -> Desk:
    """A migration of a bucket without versions and without live capture."""
    text = rules + "cleanup: {{unversioned_source: fenced}}\n"
    site = Site(credentials, folder, captured=False, live=False, rules_text=text)
    return Desk(site, {**credentials.keys, **site.environment()})


def moved_at(desk: Desk, objects: int) -> None:
    """A live migration of so many objects; another writer deleted one of the copies."""
    desk.run("start", "--yes", "--probes", "1", "--wait", "60")
    for number in range(objects):
        desk.site.put(f"old/{number}", b"x" * number)
    desk.work()
    desk.site.clients.s3.delete_object(Bucket=desk.site.name, Key="new/2")
    desk.site.put("new/a stranger's\n", b"x")


@pytest.fixture
def desk(credentials: Server, tmp_path: Path) -> Desk:
    """A migration without references."""
    return desk_of(credentials, tmp_path)
