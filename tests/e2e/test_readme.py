"""The README's first migration, command by command as it is written there, on the stand-in."""

import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.command_line import run_keyshift
from tests.e2e.documents import shown_commands
from tests.e2e.workers import running_workers, wait_until
from tests.servers import Server
from tests.worlds.site import Site

OBJECTS = 25
BRIEF: dict[str, Any] = {"attempt_seconds": 6.0, "request_seconds": 2.0, "margin_seconds": 0.5, "control_seconds": 0.5}
"""Claims of seconds, so that cleanup need not wait for a quarter of an hour."""
INSTALLED = ("uv ", "pipx ", "make ")
"""Run elsewhere: tests/deployment installs and deploys."""


def steps() -> list[str]:
    """Each keyshift command of the README's ``sh`` blocks."""
    shown = [one.command for one in shown_commands() if one.place.startswith("README.md") and one.kind == "sh"]
    return [one for one in shown if not one.startswith(INSTALLED)]


class Reader:
    """Who does what the README says, in a folder of his own."""

    def __init__(self, site: Site, more: dict[str, str], folder: Path) -> None:
        self.site = site
        self.more = {**more, "KEYSHIFT_RULES_FILE": str(folder / "rules.yaml")}
        self.folder = folder
        self.said = ""

    def ends_well(self, command: str) -> bool:
        """Run one command with the bucket's real name and no soak time, and look once where it would go on looking."""
        changed = command.replace("my-bucket", self.site.name).replace("--soak 7d", "--soak 0s").replace(" --watch", "")
        answer = run_keyshift(*shlex.split(changed)[1:], more=self.more, folder=self.folder)
        self.said = answer.stdout + answer.stderr
        return answer.returncode == 0

    def run(self, command: str) -> None:
        """Run one command, which must end well at once."""
        assert self.ends_well(command), (command, self.said)


@pytest.fixture
def reader(credentials: Server, tmp_path: Path) -> Reader:
    """With a bucket that keeps versions, and what a deployment makes."""
    site = Site(credentials, tmp_path, captured=False, live=False, versioned=True, **BRIEF)
    for number in range(OBJECTS):
        site.put(f"line-{number}/pictures/{number}.png", f"body {number}".encode())
    folder = tmp_path / "reader"
    folder.mkdir()
    return Reader(site, {**credentials.keys, **site.environment()}, folder)


def test_the_first_migration_of_the_readme(reader: Reader) -> None:
    """From init to cleanup and a dry run of the way back: each ends with 0, and every object is at its new key only."""
    commands = steps()
    deployed, moved, cleaned = (
        next(at for at, one in enumerate(commands) if one.startswith(f"keyshift {name}"))
        for name in ("start", "verify", "cleanup")
    )
    for command in commands[:deployed]:
        reader.run(command)
    with running_workers(1, more=reader.more, folder=reader.folder):
        for command in commands[deployed:moved]:
            reader.run(command)
        wait_until(lambda: len(reader.site.keys("v2/")) == OBJECTS)
        wait_until(lambda: reader.ends_well(commands[moved]))
        for command in commands[moved + 1 : cleaned]:
            reader.run(command)
        # A source is left alone for as long as a claim on it could last.
        wait_until(lambda: reader.ends_well(commands[cleaned]) and not reader.site.keys("line-"))
        for command in commands[cleaned + 1 :]:
            reader.run(command)
    copies = {reader.site.read(key) for key in reader.site.keys("v2/")}
    assert copies == {f"body {number}".encode() for number in range(OBJECTS)}
