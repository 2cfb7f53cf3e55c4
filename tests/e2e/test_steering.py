"""What the person on call does to two running workers: pause, throttle, and the breaker's own pause."""

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from adapters.dynamodb.control import DynamoDbControlPanel
from adapters.messaging.queue import SqsMessageQueue
from adapters.standin import Fault, StandIn
from domain.protocol.record import Record, State
from domain.steering.learned import Learned, LearnedLimit
from domain.steering.places import Place, Service
from handlers.demo.world import own_command
from handlers.intake.messages import BackfillRow, encode_backfill
from tests.contract.functions import new_function
from tests.e2e.command_line import environment, run_keyshift
from tests.e2e.workers import RunHere, running_workers, wait_until
from tests.servers import Server
from tests.worlds.site import Site

pytestmark = pytest.mark.slow("runs workers and commands as processes")

ROWS = 5
CONCURRENCY = 4


@pytest.fixture
def site(credentials: Server, tmp_path: Path) -> Site:
    """A migration of one bucket, whose control item is read every two seconds as in production."""
    return Site(credentials, tmp_path, control_seconds=2.0, concurrency=CONCURRENCY)


def fill(site: Site, objects: int) -> None:
    """Objects and their backfill rows; the bucket tells nobody of them, so that nothing is done twice."""
    site.clients.s3.put_bucket_notification_configuration(Bucket=site.name, NotificationConfiguration={})
    rows = []
    for number in range(objects):
        site.put(f"old/{number:04}", b"x")
        rows.append(BackfillRow(key=f"old/{number:04}", storage_class="STANDARD"))
    bodies = encode_backfill(rows, migration="site", bucket=site.name, at_most_rows=ROWS)
    site.dependencies.backfill_queue.send_messages(list(bodies))


def records(site: Site) -> list[Record]:
    """The manifest now."""
    return list(site.dependencies.ports.manifest.scan_records())


def copied(site: Site) -> int:
    """How many records say so."""
    return sum(record.state is State.COPIED for record in records(site))


def dead(site: Site) -> int:
    """How many letters are dead."""
    return sum(SqsMessageQueue(site.clients, site.backfill.dead_url).count_messages())


def test_a_pause_holds_both_workers_and_costs_no_message(
    site: Site, more: dict[str, str], keyshift: RunHere, tmp_path: Path
) -> None:
    """What was begun ends, nothing else begins; after resume everything is done, and no letter is dead."""
    fill(site, 120)
    # Slow enough that a command which starts late on a busy machine still finds rows to hold.
    assert keyshift("throttle", "--objects-per-second", "3").returncode == 0
    with running_workers(2, more=more, folder=tmp_path):
        wait_until(lambda: copied(site) >= 8)
        answer = run_keyshift("pause", "--reason", "a look at the costs", more=more)
        assert answer.returncode == 0, answer.stderr
        assert "paused: a look at the costs" in answer.stdout
        assert "no Lambda function is named" in answer.stdout
        time.sleep(5)
        held = records(site)
        assert not any(record.claim for record in held)
        assert len(held) < 120
        time.sleep(3)
        assert held == records(site)
        status = json.loads(keyshift("status", "--json").stdout)
        assert (status["paused"], status["reason"]) == (True, "a look at the costs")
        assert keyshift("throttle", "--off").returncode == 0
        assert keyshift("resume").stdout.startswith("resumed; it was paused: a look at the costs")
        wait_until(lambda: copied(site) == 120, seconds=120)
    assert dead(site) == 0


def test_two_workers_share_one_rate(site: Site, more: dict[str, str], keyshift: RunHere, tmp_path: Path) -> None:
    """In no stretch of time more than the tolerance says, and not much less over all of it."""
    rate, objects = 20.0, 160
    fill(site, objects)
    assert keyshift("throttle", "--objects-per-second", str(rate)).returncode == 0
    with running_workers(2, more=more, folder=tmp_path):
        wait_until(lambda: copied(site) == objects, seconds=90)
    ended = sorted(record.changed_at for record in records(site))
    for seconds in (1.0, 2.0, 4.0):
        most = max(sum(1 for moment in ended if begun <= moment < begun + seconds) for begun in ended)
        # Ends are seen here, beginnings are promised: an object that took long ends among later ones.
        assert most <= rate * (seconds + 2.5) + 2 * CONCURRENCY
    assert objects / (ended[-1] - ended[0]) <= rate * 1.4
    workers = [Path(tmp_path, f"worker-{number}.log").read_text() for number in range(2)]
    assert all('"Handled"' in log for log in workers), "one worker did everything"


def test_broken_permissions_trip_the_breaker_and_nothing_is_lost(
    site: Site, more: dict[str, str], keyshift: RunHere, standin_process: StandIn, tmp_path: Path
) -> None:
    """A few objects are parked of many; the reason is in status; after fix, resume and replay all are there."""
    fill(site, 200)
    assert keyshift("throttle", "--objects-per-second", "40").returncode == 0
    with running_workers(2, more=more, folder=tmp_path):
        wait_until(lambda: copied(site) >= 40)
        standin_process.inject(
            Fault("CopyObject", count=100_000, status=403, code="AccessDenied", message="no", bucket=site.name)
        )
        wait_until(lambda: site.dependencies.control.refresh().paused)
        time.sleep(3)
        parked = sum(record.state is State.PARKED for record in records(site))
        assert 5 <= parked <= 2 * (5 + CONCURRENCY)
        status = json.loads(keyshift("status", "--json", "--exact").stdout)
        assert status["paused_by"] == "circuit-breaker"
        assert "access-denied" in status["reason"]
        assert "s3:PutObject" in status["reason"]
        assert status["failures_by_cause"] == {"access-denied": parked}
        standin_process.clear_faults()
        assert keyshift("throttle", "--off").returncode == 0
        assert "circuit-breaker" in keyshift("resume").stdout

        def all_done() -> bool:
            if dead(site):
                keyshift("dlq", "replay", "--all", "--yes")
            return copied(site) == 200

        wait_until(all_done, seconds=120, every=1.0)
    assert len(site.keys("new/")) == 200


def test_event_source_mappings_are_switched_with_the_pause(site: Site, keyshift: RunHere) -> None:
    """Of the functions named, exactly those that polled; resume needs no names, the item remembers."""
    name, (on, off) = new_function(site.clients, True, False)

    def states() -> list[bool]:
        mappings = [site.clients.functions.get_event_source_mapping(UUID=one) for one in (on, off)]
        return [one["State"] in ("Enabled", "Enabling") for one in mappings]

    paused = json.loads(keyshift("pause", "--function", name, "--json").stdout)
    assert (paused["switched"], states()) == ([on], [False, False])
    again = keyshift("pause", "--function", name).stdout
    assert "was paused already: by an operator" in again
    assert f"event source mapping {on} switched on" in keyshift("resume").stdout
    assert states() == [True, False]
    assert "was not paused" in keyshift("resume").stdout


@pytest.mark.parametrize("limit", ["0", "-1", "many", "inf", "nan"])
def test_a_limit_that_is_none_is_refused(keyshift: RunHere, limit: str) -> None:
    """A rate of 0 would be a pause that nobody sees."""
    answer = keyshift("throttle", "--objects-per-second", limit)
    assert answer.returncode == 2
    assert "above 0" in answer.stderr


def test_limits_that_are_not_named_stay(keyshift: RunHere) -> None:
    """Sizes are written as people do; ``none`` lifts one, --off all; without options they are shown."""
    keyshift("throttle", "--objects-per-second", "20", "--bytes-per-second", "1.5MiB")
    keyshift("throttle", "--concurrency", "3")
    limits = json.loads(keyshift("throttle", "--objects-per-second", "none", "--json").stdout)
    kept = {"objects_per_second": None, "bytes_per_second": 1_572_864.0, "concurrency": 3}
    assert limits == {"changed": True, **kept, "throttled": []}
    assert keyshift("throttle").stdout == "1,572,864 bytes/s, 3 objects at once in each process\n"
    assert keyshift("throttle", "--off").stdout == "no limits\n"
    assert keyshift("throttle", "--off", "--concurrency", "3").returncode == 2


def test_a_learned_limit_is_shown_and_forgotten(site: Site, keyshift: RunHere) -> None:
    """By its name; --off lifts only what an operator set."""
    now = site.dependencies.ports.clock.now()
    limit = LearnedLimit(Place(Service.S3, site.name, "new/"), 10.0, 20.0, now, now, "SlowDown")
    DynamoDbControlPanel(site.clients, site.name).write_learned(Learned(1, (limit,)), before=Learned())
    place = limit.place.uri
    for answer in (keyshift("throttle", "--off"), keyshift("throttle")):
        assert f"no limits\nthrottled {place}: 10.0 objects/s, because AWS answered SlowDown (first" in answer.stdout
    (shown,) = json.loads(keyshift("status", "--json").stdout)["throttled"]
    assert (shown["place"], shown["objects_per_second"], shown["answer"]) == (place, 10.0, "SlowDown")
    assert keyshift("throttle", "--forget", place, "--off").returncode == 2
    assert keyshift("throttle", "--forget", place).stdout == "no limits\n"
    again = keyshift("throttle", "--forget", place)
    assert (again.returncode, "has no learned limit" in again.stderr) == (2, True)


@pytest.mark.parametrize("leash_is_cut", [False, True])
def test_a_worker_on_a_leash_ends_without_a_crash(more: dict[str, str], tmp_path: Path, *, leash_is_cut: bool) -> None:
    """SIGUSR1 shows what its threads do; SIGTERM, or the end of its parent, lets it finish and exit with 0."""
    log = tmp_path / "worker.log"
    with log.open("wb") as written:
        process = subprocess.Popen(  # noqa: S603 - ours
            own_command("worker", "--lanes", "1", "--no-audit", "--until-stdin-closes"),
            stdin=subprocess.PIPE,
            stdout=written,
            stderr=written,
            env=environment(more),
        )
    try:
        wait_until(lambda: "worker started" in log.read_text())
        process.send_signal(signal.SIGUSR1)
        wait_until(lambda: "most recent call first" in log.read_text())
        assert process.stdin is not None
        if leash_is_cut:
            process.stdin.close()
        else:
            process.terminate()
        assert process.wait(timeout=60) == 0, log.read_text()
        process.stdin.close()
    finally:
        process.kill()
    assert "worker stopped" in log.read_text()
    assert "Fatal" not in log.read_text()
