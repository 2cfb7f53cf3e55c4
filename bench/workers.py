"""``keyshift worker`` as users run it: on rows of the backfill queue or on live events, with the audit or without."""

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import count

from adapters.demo.provisioning import create_bus, create_manifest_table, create_queue
from adapters.dynamodb.progress import DynamoDbProgressCounters
from adapters.messaging.queue import SqsMessageQueue
from bench.clients import Client
from bench.messages import MIGRATION, created_events, rows
from bench.processes import Spent, run_until
from bench.site import BUCKET, Site, Sources
from handlers.demo.wiring import make_live

RULES = """version: 1
migration: {migration}
source: {{bucket: {bucket}{promises}}}
target: {{bucket: {bucket}}}
rules:
  - {{name: move, from: "{source}{{job}}/{{rest...}}", to: "{target}{{job}}/{{rest...}}"}}
"""
_NUMBERS = count(1)

Messages = Callable[[Sources], Iterable[str]]


def worker_clients() -> list[Client]:
    """The four ways."""
    return [
        Client("keyshift rows", "", "claim, copy, commit; rows of the backfill queue", worker_run(rows, audit=False)),
        Client("keyshift rows, audited", "", "the same, and each change published", worker_run(rows, audit=True)),
        Client("keyshift events", "", "the same for live events", worker_run(created_events, audit=False)),
        Client(
            "keyshift events, audited",
            "",
            "the same, and each change published",
            worker_run(created_events, audit=True),
        ),
    ]


@dataclass(frozen=True)
class Migration:
    """One run's rules, table, bus and queues; nothing of an earlier run is in them."""

    site: Site
    sources: Sources
    target: str
    promises: str = ""
    more_rules: str = ""
    name: str = field(default_factory=lambda: f"bench-{next(_NUMBERS)}")

    def write_rules(self) -> str:
        """Write the rules file; returns its path."""
        rules = self.site.folder / f"{self.name}.yaml"
        text = RULES.format(
            migration=MIGRATION,
            bucket=BUCKET,
            source=self.sources.prefix,
            target=self.target,
            promises=self.promises,
        )
        rules.write_text(text + self.more_rules, encoding="utf-8")
        return str(rules)

    def create(self) -> dict[str, str]:
        """Create everything; returns the environment of a worker."""
        clients = self.site.clients
        create_manifest_table(clients, self.name)
        make_live(clients, self.name)
        create_bus(clients, self.name)
        urls = {
            kind: create_queue(clients, f"{self.name}-{kind}", visibility=300).url for kind in ("events", "backfill")
        }
        return {
            **self.site.environment,
            "KEYSHIFT_RULES_FILE": self.write_rules(),
            "KEYSHIFT_TABLE": self.name,
            "KEYSHIFT_BUS": self.name,
            **{f"KEYSHIFT_{kind.upper()}_QUEUE_URL": url for kind, url in urls.items()},
        }

    def remove(self, environment: dict[str, str]) -> None:
        """Remove what a later run would pay for."""
        clients = self.site.clients
        clients.dynamodb.delete_table(TableName=self.name)
        for kind in ("EVENTS", "BACKFILL"):
            clients.sqs.delete_queue(QueueUrl=environment[f"KEYSHIFT_{kind}_QUEUE_URL"])


def worker_run(
    messages: Messages,
    *,
    audit: bool,
    more: dict[str, str] | None = None,
    beside: Callable[[int], object] = lambda _: None,
) -> Callable[[Site, Sources, str], Spent]:
    """A run of one worker over messages that wait in the queue already."""

    def run(site: Site, sources: Sources, target: str) -> Spent:
        migration = Migration(site, sources, target)
        environment = migration.create() | (more or {})
        spent = work_off(migration, environment, messages, audit=audit, beside=beside)
        migration.remove(environment)
        return spent

    return run


def work_off(
    migration: Migration,
    environment: dict[str, str],
    messages: Messages,
    *,
    audit: bool,
    beside: Callable[[int], object] = lambda _: None,
) -> Spent:
    """Fill the queue, and run a worker until every object is copied and, with the audit, told."""
    site, sources = migration.site, migration.sources
    kind = "EVENTS" if messages is created_events else "BACKFILL"
    queue = SqsMessageQueue(site.clients, environment[f"KEYSHIFT_{kind}_QUEUE_URL"])
    queue.send_messages(list(messages(sources)))
    progress = DynamoDbProgressCounters(site.clients, migration.name)

    def is_done() -> bool:
        if audit:  # the figures are written after the audit
            return progress.read_progress().get("records.COPIED", 0) >= sources.count
        return queue.count_messages() == (0, 0)

    command = [sys.executable, "-m", "handlers.cli", "worker", "--audit" if audit else "--no-audit"]
    return run_until(command, environment, site.folder / "worker.log", is_done=is_done, beside=beside)
