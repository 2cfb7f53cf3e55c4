"""A worker on the stand-in while S3 throttles one prefix: only that prefix waits, and no message is lost by it."""

from dataclasses import replace
from pathlib import Path

import pytest

from adapters.messaging.queue import SqsMessageQueue
from adapters.standin import Fault, StandIn
from domain.steering.learned import LearnedLimit, LearningPolicy, rate_at
from handlers.bootstrap import learned_limits
from handlers.engine.dependencies import EngineDependencies
from handlers.engine.worker import Worker
from handlers.intake.messages import BackfillRow, encode_backfill
from tests.servers import Server
from tests.worlds.site import Site, run_until

RULES = """
version: 1
migration: site
source: {{bucket: {bucket}}}
target: {{bucket: {bucket}}}
rules:
  - {{name: busy, from: "old/busy/{{rest}}", to: "new/busy/{{rest}}"}}
  - {{name: calm, from: "old/calm/{{rest}}", to: "new/calm/{{rest}}"}}
"""
POLICY = LearningPolicy(quiet_seconds=4.0, rise_seconds=20.0, burst_seconds=0.1)
"""Everything faster than in production, because the test waits for it."""
BUSY, CALM, ROWS = 12, 60, 4


@pytest.fixture
def site(credentials: Server, tmp_path: Path) -> Site:
    """A migration by two rules; a message that fails three times is dead."""
    made = Site(credentials, tmp_path, rules_text=RULES, captured=False)
    for name, number in (("busy", BUSY), ("calm", CALM)):
        rows = []
        for index in range(number):
            key = f"old/{name}/{index:03}"
            made.put(key, b"x")
            rows.append(BackfillRow(key=key, storage_class="STANDARD"))
        bodies = encode_backfill(rows, migration="site", bucket=made.name, at_most_rows=ROWS)
        made.dependencies.backfill_queue.send_messages(list(bodies))
    return made


def learning(site: Site) -> EngineDependencies:
    """A process of its own that learns by the faster policy."""
    wired = site.dependencies
    learned = learned_limits(site.process, wired.control, wired.observer, policy=POLICY)
    return replace(site.dependencies, learned=learned)


def limits(site: Site) -> dict[str, LearnedLimit]:
    """What all processes know of each place."""
    return {one.place.uri: one for one in site.dependencies.control.refresh().learned.limits}


@pytest.mark.slow("waits until a limit is lifted")
def test_a_prefix_that_throttles_waits_and_the_other_one_goes_on(site: Site, standin_process: StandIn) -> None:
    """The busy prefix has the first messages. Nothing of it succeeds, and all of the other one arrives."""
    busy = f"s3://{site.name}/new/busy/"
    standin_process.inject(Fault("CopyObject", count=100_000, bucket=site.name, key_prefix="new/busy/"))
    dependencies = learning(site)
    run_until(Worker(dependencies, lanes=2), lambda: len(site.keys("new/calm/")) == CALM)
    run_until(Worker(dependencies, lanes=2), lambda: busy in limits(site) and limits(site)[busy].rate == 1.0)
    assert site.keys("new/busy/") == []
    assert set(limits(site)) == {busy}
    assert limits(site)[busy].answer == "SlowDown"
    held = dependencies.observer.totals()["HeldBack"]
    assert held >= 1
    standin_process.clear_faults()
    # A process that begins now knows the limit, and obeys it until it is gone.
    run_until(Worker(learning(site), lanes=2), lambda: len(site.keys("new/busy/")) == BUSY)
    now = site.dependencies.ports.clock.now() + POLICY.quiet_seconds + POLICY.rise_seconds
    assert rate_at(limits(site)[busy], now, POLICY) is None
    queues = (site.events, site.backfill)
    assert [SqsMessageQueue(site.clients, queue.dead_url).count_messages() for queue in queues] == [(0, 0), (0, 0)]
    assert dependencies.observer.totals().get("Failures", 0) == 0
