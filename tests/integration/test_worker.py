"""The worker process on the stand-in: both queues, the stream, and an end without loss."""

from pathlib import Path

import pytest

from adapters.standin import Fault, StandIn
from handlers.engine.worker import Worker
from handlers.intake.messages import BackfillRow, encode_backfill
from tests.servers import Server
from tests.worlds.site import Site, run_until


@pytest.fixture
def site(credentials: Server, tmp_path: Path) -> Site:
    """A migration of one bucket."""
    return Site(credentials, tmp_path)


def worker_of(site: Site) -> Worker:
    """A worker of everything."""
    return Worker(site.dependencies, lanes=2, changes=site.change_reader())


def test_events_rows_and_audit_in_one_process(site: Site) -> None:
    """What was there before and what is written now are both moved, audited and counted."""
    for number in range(20):
        site.put(f"old/live-{number}", b"live")
    rows = [BackfillRow(key=f"old/live-{number}") for number in range(20)]
    site.dependencies.backfill_queue.send_messages(list(encode_backfill(rows, migration="site", bucket=site.name)))
    counted = site.dependencies.progress.read_progress
    queues = (site.dependencies.events_queue, site.dependencies.backfill_queue)
    ids: set[str] = set()

    def wanted() -> set[str]:
        records = list(site.dependencies.ports.manifest.scan_records())
        return {f"{record.record_id}:{number}" for record in records for number in range(1, record.revision + 1)}

    def is_done() -> bool:
        # The audit is behind the records: a second look at a key that changes no counter is a revision all the same.
        told = (event["detail"]["event_id"] for event in site.audited())
        ids.update(one for one in told if "#" not in one)  # the stage's
        at_rest = all(queue.count_messages() == (0, 0) for queue in queues)
        return at_rest and counted().get("records.COPIED") == 20 and wanted() <= ids

    run_until(worker_of(site), is_done)
    assert len(site.keys("new/")) == 20
    assert wanted() == ids


@pytest.mark.slow("a slowed run, some seconds long")
def test_slow_down_slows_the_run_and_fails_nothing(site: Site, standin_process: StandIn) -> None:
    """Every object arrives and no message is given back."""
    for number in range(10):
        site.put(f"old/{number}", b"x")
    standin_process.inject(Fault("CopyObject", count=8, bucket=site.name))
    run_until(worker_of(site), lambda: len(site.keys("new/")) == 10)
    totals = site.dependencies.observer.totals()
    assert totals["Throttled"] >= 1
    assert totals.get("Returned", 0) == 0
