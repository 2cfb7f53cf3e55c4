"""The dead-letter commands on a migration that is set up: what they show, and that they lose nothing."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.messaging.queue import SqsMessageQueue
from handlers.engine.batch import handle_messages
from handlers.intake.messages import BackfillRow, encode_backfill
from tests.e2e.command_line import assert_one_sentence, environment, run_keyshift
from tests.e2e.workers import RunHere
from tests.servers import Server
from tests.worlds.site import Site

pytestmark = pytest.mark.slow("runs commands one after the other, each as a process")

POISON = '{"hello": "[bold]world[/]"}'


@pytest.fixture
def site(credentials: Server, tmp_path: Path) -> Site:
    """A migration of one bucket: one key is copied, two wait; their rows and a poison message are dead letters."""
    made = Site(credentials, tmp_path)
    made.clients.s3.put_bucket_notification_configuration(Bucket=made.name, NotificationConfiguration={})
    for key in ("old/done", "old/[red]open", "old/other"):
        made.put(key, b"x")
    queue = made.dependencies.backfill_queue
    queue.send_messages([row(made, "old/done")])
    done = queue.receive_messages(at_most=10, wait=1)
    handle_messages(done, made.dependencies, seconds_left=lambda: 300.0)
    queue.delete_messages(done)
    SqsMessageQueue(made.clients, made.backfill.dead_url).send_messages(
        [row(made, key) for key in ("old/done", "old/[red]open", "old/other")]
    )
    SqsMessageQueue(made.clients, made.events.dead_url).send_messages([POISON])
    return made


def row(site: Site, key: str) -> str:
    """A backfill message of one row, as a listing would make it."""
    etag = "9dd4e461268c8034f5c8564e155c67a6"  # MD5 of x
    rows = [BackfillRow(key=key, etag=etag, size=1, storage_class="STANDARD")]
    (body,) = encode_backfill(rows, migration="site", bucket=site.name)
    return body


def listed(keyshift: RunHere, *arguments: str) -> list[dict[str, object]]:
    """The JSON Lines of ``dlq list``."""
    answer = keyshift("dlq", "list", "--json", *arguments)
    assert answer.returncode == 0, answer.stderr
    return [json.loads(line) for line in answer.stdout.splitlines()]


def test_letters_are_grouped_shown_replayed_and_purged(
    site: Site, more: dict[str, str], keyshift: RunHere, tmp_path: Path
) -> None:
    """The whole way of an operator, each step seen by the next; looking never loses a letter."""
    groups = {(one["queue"], one["cause"]): one["letters"] for one in listed(keyshift)}
    assert groups == {
        ("backfill", "never-attempted"): 2,
        ("backfill", "overtaken"): 1,
        ("events", "malformed-message"): 1,
    }
    plain = run_keyshift("dlq", "list", "--each", more={**more, "COLUMNS": "80"})
    assert "old/[red]open" in plain.stdout
    # What is typed into the next command is whole, however narrow the terminal that the pipe began in.
    assert all(str(one["message_id"]) in plain.stdout for one in listed(keyshift, "--each"))
    assert "malformed-message" in run_keyshift("dlq", "list", more={**more, "COLUMNS": "80"}).stdout
    (letter,) = listed(keyshift, "--each", "--key", "old/[*", "--rule", "move", "--since", "1h", "--queue", "backfill")
    shown = json.loads(keyshift("dlq", "show", str(letter["message_id"]), "--json").stdout)
    assert json.loads(shown["body"])["rows"][0]["key"] == "old/[red]open"
    dry = keyshift("dlq", "replay", str(letter["message_id"]))
    assert "1 messages would be sent back" in dry.stdout
    assert "dry run" in dry.stderr
    replay = ("dlq", "replay", "--key", "old/*", "--rate", "50", "--yes", "--json")
    answer = json.loads(keyshift(*replay).stdout)
    assert answer == {"replayed": 2, "overtaken": 1, "missing": [], "dry_run": False}
    waiting = site.dependencies.backfill_queue.receive_messages(at_most=10, wait=1)
    assert sorted(json.loads(one.body)["rows"][0]["key"] for one in waiting) == ["old/[red]open", "old/other"]
    assert sum(site.dependencies.events_queue.count_messages()) == 1  # S3's own test event
    wrong = keyshift("dlq", "purge", "--all", "--count", "2")
    assert wrong.returncode == 1
    assert "there are 1, not 2" in wrong.stderr
    saved = tmp_path / "purged.jsonl"
    purge = ("dlq", "purge", "--cause", "malformed-message", "--count", "1", "--save", saved, "--json")
    assert json.loads(keyshift(*purge).stdout) == {"found": 1, "deleted": 1}
    assert json.loads(saved.read_text())["body"] == POISON
    assert listed(keyshift) == []


def test_a_letter_is_readable_with_its_record(site: Site, keyshift: RunHere) -> None:
    """For people: why it is there, what the manifest says, and the body."""
    (letter,) = listed(keyshift, "--each", "--cause", "overtaken")
    shown = keyshift("dlq", "show", str(letter["message_id"])).stdout
    assert "overtaken: everything it asks for is incorporated" in shown
    assert "state: COPIED" in shown
    assert "keyshift audit show old/done" in shown
    assert f"target: s3://{site.name}/new/done" in shown
    assert '"kind": "backfill"' in shown
    missing = keyshift("dlq", "show", "no-such-id")
    assert missing.returncode == 1
    assert "dlq list --each" in missing.stderr


def test_a_letter_nested_without_end_is_shown_as_it_is(site: Site, keyshift: RunHere) -> None:
    """Whoever wrote it, the operator can look at it."""
    body = "[" * 50_000
    SqsMessageQueue(site.clients, site.events.dead_url).send_messages([body])
    letters = listed(keyshift, "--each", "--cause", "malformed-message")
    shown = [keyshift("dlq", "show", str(letter["message_id"])) for letter in letters]
    assert [one.returncode for one in shown] == [0, 0]
    assert any(body in one.stdout for one in shown)


def test_everything_is_moved_by_sqs(site: Site, keyshift: RunHere) -> None:
    """Unlooked-at, each to the queue that it came from."""
    dry = json.loads(keyshift("dlq", "replay", "--all", "--json").stdout)
    assert dry == {"moved": 4, "failed": {}, "dry_run": True}
    real = keyshift("dlq", "replay", "--all", "--rate", "100", "--yes")
    assert "4 messages moved back" in real.stdout, real.stderr
    assert sum(site.dependencies.backfill_queue.count_messages()) == 3
    assert sum(site.dependencies.events_queue.count_messages()) == 1 + 1  # and S3's own test event


@pytest.mark.parametrize("command", [("replay", "--yes"), ("purge",), ("replay", "--all", "--cause", "kms")])
def test_an_unclear_choice_is_refused(command: tuple[str, ...], keyshift: RunHere) -> None:
    """Nothing is chosen by accident."""
    assert_one_sentence(keyshift("dlq", *command), code=2, says="choose the messages")


def test_a_purge_asks_for_the_count_on_a_terminal(site: Site, more: dict[str, str]) -> None:
    """The number typed is the word that counts; anything else deletes nothing."""
    for typed, code, left in (("3", 1, 1), ("1", 0, 0)):
        main, child = pty.openpty()
        command = [sys.executable, "-m", "handlers.cli", "dlq", "purge", "--cause", "malformed-message"]
        process = subprocess.Popen(  # noqa: S603  # ourselves
            command, env=environment(more), stdin=child, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        os.close(child)
        os.write(main, f"{typed}\n".encode())
        _, said = process.communicate(timeout=60)
        os.close(main)
        assert code == process.returncode, said
        assert "Type their number" in said
        dead = SqsMessageQueue(site.clients, site.events.dead_url)
        assert sum(dead.count_messages()) == left
