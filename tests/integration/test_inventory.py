"""An inventory report arrives in S3 and ends as rows in the backfill queue."""

import gzip
import json
from dataclasses import replace
from functools import partial
from hashlib import md5
from pathlib import Path
from typing import Any

import pytest

from domain.errors import InputError, MalformedMessageError
from domain.planning.total import FileProgress
from domain.queues import Message
from handlers.bootstrap.inventories import inventory_files, inventory_queue, journal_of, total_book_of
from handlers.bootstrap.process import Process
from handlers.engine.give_back import RENEW_AT
from handlers.intake.messages import decode_message
from handlers.inventory import Reports, respond, take_on
from handlers.operations.backfill import content_id_of
from tests.servers import Server
from tests.worlds.site import Site, lambda_event

KEYS = ("old/a b+c.bin", "old/ünï\ncode", "keep/me", "old/100%")


@pytest.fixture
def site(credentials: Server, tmp_path: Path) -> Site:
    """A migration with an inventory queue; the handlers take their credentials from the environment."""
    return Site(credentials, tmp_path)


def put_report(site: Site, *, bucket: str | None = None, md5_of: bytes | None = None, rows: str | None = None) -> str:
    """Write a CSV report of KEYS as S3 would, and return S3's event of its checksum."""
    s3 = site.clients.s3
    text = rows if rows is not None else "".join(f'"{site.name}","{encoded(key)}","5","{"e" * 32}"\n' for key in KEYS)
    data = gzip.compress(text.encode())
    manifest = json.dumps(
        {
            "sourceBucket": bucket or site.name,
            "destinationBucket": f"arn:aws:s3:::{site.name}",
            "version": "2016-11-30",
            "creationTimestamp": "1763773200000",
            "fileFormat": "CSV",
            "fileSchema": "Bucket, Key, Size, ETag",
            "files": [{"key": "inv/data/1.csv.gz", "size": len(data), "MD5checksum": md5_hex(md5_of or data)}],
        }
    )
    s3.put_object(Bucket=site.name, Key="inv/data/1.csv.gz", Body=data)
    s3.put_object(Bucket=site.name, Key="inv/2026/manifest.json", Body=manifest.encode())
    s3.put_object(Bucket=site.name, Key="inv/2026/manifest.checksum", Body=md5_hex(manifest.encode()).encode())
    event = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": site.name}, "object": {"key": "inv/2026/manifest.checksum", "size": 32}},
    }
    return json.dumps({"Records": [event]})


def encoded(key: str) -> str:
    """A key as CSV inventories hold it."""
    from urllib.parse import quote_plus

    return quote_plus(key, safe="/")


def md5_hex(data: bytes) -> str:
    """S3's MD5checksum."""
    return md5(data, usedforsecurity=False).hexdigest()


class World:
    """The handler's surroundings on one site."""

    def __init__(self, site: Site) -> None:
        self.dependencies: Any = site.dependencies
        self.settings = self.dependencies.settings.model_copy(update={"inventory_queue_url": site.audit.url})
        process = Process(self.settings, rules=self.dependencies.rules)
        self.queue, self.journal = inventory_queue(process), journal_of(process)
        self.total_book = total_book_of(process)
        self.reports = Reports(
            self.queue, self.journal, self.total_book, partial(inventory_files, process, with_deleted=True)
        )

    def take_on(self, body: str, *, seconds: float = 300.0) -> None:
        """One message."""
        take_on(body, self.dependencies, self.reports, seconds_left=lambda: seconds)

    def respond(self, message: Message) -> list[str]:
        """What the function leaves in its queue."""
        event = lambda_event([message])
        answer = respond(event, self.dependencies, self.reports, seconds_left=lambda: 300.0)
        return [one["itemIdentifier"] for one in answer["batchItemFailures"]]

    def tasks(self) -> list[str]:
        """The tasks that wait."""
        messages = self.queue.receive_messages(at_most=10, wait=0)
        self.queue.delete_messages(messages)
        return [message.body for message in messages]

    def enqueued(self) -> list[str]:
        """The keys in the backfill queue."""
        queue = self.dependencies.backfill_queue
        messages = queue.receive_messages(at_most=10, wait=0)
        queue.delete_messages(messages)
        return sorted(notice.source.key for one in messages for notice in decode_message(one.body).notices)


def test_a_report_becomes_tasks_and_these_become_rows(site: Site) -> None:
    """Only keys that move are enqueued, decoded once; a repeated task enqueues nothing more."""
    world = World(site)
    world.take_on(put_report(site))
    (task,) = world.tasks()
    assert json.loads(task)["file"] == "inv/data/1.csv.gz"
    world.take_on(task)
    moving = sorted(key for key in KEYS if key.startswith("old/"))
    assert world.enqueued() == moving
    total = world.total_book.read_total()
    assert total is not None
    assert (total.objects, total.is_complete) == (len(moving), True)
    world.take_on(task)
    assert world.enqueued() == []


def test_other_objects_beside_the_report_are_no_reports(site: Site) -> None:
    """The arrival of a data file or of manifest.json alone starts nothing."""
    world = World(site)
    world.take_on(put_report(site).replace("manifest.checksum", "manifest.json"))
    assert world.tasks() == []


def test_a_report_of_another_bucket_is_refused(site: Site) -> None:
    """The error names both buckets."""
    world = World(site)
    with pytest.raises(InputError, match=f"is of bucket other, the rules move {site.name}"):
        world.take_on(put_report(site, bucket="other"))
    assert world.tasks() == []


def test_an_altered_data_file_enqueues_nothing(site: Site) -> None:
    """A wrong MD5 is found before the first row is believed."""
    world = World(site)
    world.take_on(put_report(site, md5_of=b"something else"))
    (task,) = world.tasks()
    with pytest.raises(InputError, match="MD5"):
        world.take_on(task)
    assert world.enqueued() == []


def test_a_row_that_cannot_be_read_is_named(site: Site) -> None:
    """The file and the row's number are in the error, and the message goes to the DLQ in the end."""
    world = World(site)
    good = f'"{site.name}","old/a","5","x"\n'
    world.take_on(put_report(site, rows=good + f'"{site.name}","old/b"\n'))
    (task,) = world.tasks()
    with pytest.raises(InputError, match=r"csv\.gz, row 2: .*2 columns, the manifest names 4"):
        world.take_on(task)


def test_a_full_backfill_queue_postpones_the_task(site: Site) -> None:
    """It is given back, then replaced by a copy of itself; nothing is enqueued beyond the limit."""
    world = World(site)
    world.take_on(put_report(site))
    world.dependencies.backfill_queue.send_messages(["{}"] * (world.settings.backlog + 1))
    (received,) = world.queue.receive_messages(at_most=10, wait=1)
    task = json.loads(received.body)
    assert world.respond(received) == [received.message_id]
    assert world.queue.count_messages() == (0, 1)
    with world.reports.open_files(task["manifest"], only="") as (inventory, _):
        content_id = content_id_of(inventory.content_of(task["file"]), world.dependencies.rules)
    assert world.journal.read_progress([(content_id, task["file"])]) == [FileProgress()]
    assert world.respond(replace(received, receive_count=RENEW_AT)) == []
    waiting, _ = world.queue.count_messages()
    assert waiting == 1


def test_a_daily_report_of_the_same_name_is_read_whole(site: Site) -> None:
    """Checkpoints are kept under the bytes: a report that another one replaced in one place is read too."""
    world = World(site)
    world.take_on(put_report(site))
    (task,) = world.tasks()
    world.take_on(task)
    assert world.enqueued()
    world.take_on(put_report(site, rows=f'"{site.name}","old/later","5","x"\n'))
    (task,) = world.tasks()
    world.take_on(task)
    assert world.enqueued() == ["old/later"]


@pytest.mark.parametrize("body", ["no JSON", '{"kind": "inventory-file"}', '{"what": "ever"}'])
def test_a_message_of_no_known_shape_is_malformed(site: Site, body: str) -> None:
    """It is refused with words."""
    with pytest.raises(MalformedMessageError):
        World(site).take_on(body)
