"""What a producer writes into a key must not steer an operator's terminal: every command that prints keys."""

import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import pytest

from adapters.dynamodb.stage import DynamoDbStageBook
from adapters.messaging.queue import SqsMessageQueue
from domain.lifecycle.stages import Stage, advanced
from handlers.cli.app import run
from handlers.cli.text import printable
from handlers.intake.messages import BackfillRow, encode_backfill
from tests.e2e.command_line import environment
from tests.worlds.desk import Desk, desk

pytestmark = pytest.mark.slow("runs every command in a terminal of its own")

__all__ = ["desk"]
TAIL = "\x1b[2K\x1b[1A\r\x07\u202e\x9b2J\nopen      faked: every gate"
"""Clears a line, goes up, rings, turns the text round, clears the screen, and begins a line that looks like ours."""


@pytest.fixture
def hostile(desk: Desk) -> Desk:
    """A live migration with such keys: copied, in conflict, without a record, of no rule, and in a dead letter."""
    desk.run("start", "--yes", "--probes", "1", "--wait", "60")
    site = desk.site
    site.put(f"new/conflict{TAIL}", b"a stranger's")
    for name in ("copied", "conflict", "changed"):
        site.put(f"old/{name}{TAIL}", b"bytes")
    site.put(f"elsewhere{TAIL}", b"of no rule")
    desk.work()
    site.clients.s3.put_bucket_notification_configuration(Bucket=site.name, NotificationConfiguration={})
    site.put(f"old/unrecorded{TAIL}", b"no event tells of it")
    site.put(f"old/changed{TAIL}", b"no event tells of that either")
    rows = encode_backfill([BackfillRow(key=f"old/dead{TAIL}")], migration="site", bucket=site.name, at_most_rows=1)
    SqsMessageQueue(site.clients, site.backfill.dead_url).send_messages(list(rows))
    stages = DynamoDbStageBook(site.clients, site.settings.table)
    live = stages.read_stage()
    assert stages.write_stage(advanced(live, Stage.CUT_OVER, by="test", why="test", now=time.time()), before=live)
    return desk


def faults(said: str) -> list[str]:
    """What of an output would steer a terminal, or pass for a line of ours."""
    steering = sorted({one for one in said if not one.isprintable() and one not in "\n\t"})
    return [*map(repr, steering), *(line for line in said.splitlines() if line.startswith("open      faked"))]


def test_no_command_prints_what_steers_a_terminal(
    hostile: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each character that is not printable is shown as its escape, on both streams; JSON has escapes of its own."""
    uri = f"s3://{hostile.site.name}/old/copied{TAIL}"
    rules = hostile.more["KEYSHIFT_RULES_FILE"]
    commands: tuple[tuple[str, ...], ...] = (
        ("verify",),
        ("verify", "--strict", "--requeue", "--out", str(tmp_path / "found.csv")),
        ("cutover", "--most-lag", "0"),
        ("cutover", "--postpone", "2h", "--why", TAIL),
        ("cutover", "--most-lag", "0"),
        ("cutover", "--postpone", "never"),
        ("conflicts", "list"),
        ("conflicts", "take-source", f"old/conflict{TAIL}"),
        ("conflicts", "take-source", f"old/unknown{TAIL}"),
        ("dlq", "list"),
        ("dlq", "replay", "--queue", "backfill"),
        ("resolve", uri),
        ("resolve", f"s3://{hostile.site.name}/nowhere{TAIL}"),
        ("rules", "map", rules, f"old/copied{TAIL}"),
        ("plan", rules),
        ("backfill", "--list", "--dry-run"),
        ("status", "--exact"),
        ("pause", "--reason", TAIL),
        ("status",),
        ("status", "--watch", "--looks", "1"),
        ("cleanup",),
        ("report", "--out", str(tmp_path / "report.html")),
        ("uploads",),
        ("pins",),
        ("references", "scan"),
        ("rollback",),
        ("rollback", "--yes"),
        ("rollback", "--purge"),
    )
    for name, value in hostile.more.items():
        monkeypatch.setenv(name, value)
    capsys.readouterr()
    said: dict[str, str] = {}
    for command in commands:
        run(command)
        shown = "".join(capsys.readouterr())
        said[command[0]] = said.get(command[0], "") + shown
        assert "Traceback" not in shown, shown
        assert faults(shown) == [], command
    for name in ("verify", "cutover", "conflicts", "dlq", "resolve", "rules", "cleanup", "status"):
        assert "faked: every gate" in said[name], f"{name} prints no such text here, so nothing was shown"


def test_a_terminal_gets_only_sequences_of_our_own(hostile: Desk) -> None:
    """Rich colours a terminal's tables and lines; a key's own sequences are text there too."""
    for command in (("dlq", "list"), ("cutover", "--most-lag", "0")):
        shown = on_a_terminal(*command, more=hostile.more)
        assert "faked: every gate" in shown
        for steering in ("\x1b[2K\x1b[1A\r\x07", "\u202e", "\x9b", "\x07"):
            assert steering not in shown
        assert not any(line.startswith("open      faked") for line in shown.splitlines())


def on_a_terminal(*arguments: str, more: dict[str, str]) -> str:
    """The output of a command that believes that it writes to a terminal."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "handlers.cli", *arguments]
    with subprocess.Popen(  # noqa: S603  # ourselves
        command, env=environment({**more, "TERM": "xterm", "COLUMNS": "300"}), stdout=theirs, stderr=theirs
    ) as running:
        os.close(theirs)
        shown = b""
        while True:
            try:
                block = os.read(ours, 65_536)
            except OSError:  # the other end is closed
                break
            if not block:
                break
            shown += block
        running.wait()
    os.close(ours)
    return shown.decode()


def test_every_character_keeps_its_place() -> None:
    """Letters of any language stay as they are; the rest is its escape."""
    assert printable("Grüße 日本 \x1b\n") == "Grüße 日本 \\x1b\\n"
