"""What the benchmarks make of what they measured; nothing here is timed."""

import json
from dataclasses import replace

import pytest

from bench.aims import Aim
from bench.chains import Case, row
from bench.clients import Client
from bench.compare import figures
from bench.counting import CHUNK, Counted
from bench.dollars import batch_operations, bill, whole_log
from bench.processes import Spent
from bench.profile import call_of, package_of, shares_of, stacks_of


def client(name: str) -> Client:
    """One that is not run."""
    return Client(name, "", "", lambda *_: Spent(0, 0))


def test_what_an_object_costs_is_the_slope_and_the_start_is_apart() -> None:
    """10 objects take 1 s of start and 1 ms each, 110 take 100 ms more; the middle one of three repetitions counts."""
    usual = (Spent(1.01, 2.0), Spent(1.11, 2.5))
    busy = (Spent(1.01, 2.0), Spent(1.51, 6.0))
    quiet = (Spent(1.01, 2.0), Spent(1.06, 2.1))
    (row,) = figures([client("one")], {"one": [busy, usual, quiet]}, 10, 110)
    assert row["cpu_ms"] == 1.0
    assert row["cpu_ms_range"] == [0.5, 5.0]
    assert row["objects_per_second"] == 200
    assert row["start_cpu_s"] == 1.0
    assert "cpu_to_base" not in row


def test_ratios_are_to_s5cmd() -> None:
    """Twice the CPU, and half the objects a second."""
    runs = {
        "s5cmd": [(Spent(0.1, 1.0), Spent(0.2, 2.0))],
        "other": [(Spent(0.1, 1.0), Spent(0.3, 3.0))],
    }
    base, other = figures([client("s5cmd"), client("other")], runs, 100, 200)
    assert (base["cpu_to_base"], base["rate_to_base"]) == (1.0, 1.0)
    assert (other["cpu_to_base"], other["rate_to_base"]) == (2.0, 0.5)


def body(**content: object) -> bytes:
    """A request's body."""
    return json.dumps(content).encode()


@pytest.mark.parametrize(
    ("operation", "request_body", "answer", "units"),
    [
        ("CopyObject", b"", b"<xml/>", 1),
        ("UpdateItem", body(Key={}), b"{}", 1),
        ("BatchExecuteStatement", body(Statements=[{}] * 25), b"{}", 25),
        ("TransactWriteItems", body(TransactItems=[{}] * 3), b"{}", 6),
        ("PutEvents", body(Entries=[{"Detail": "x"}, {"Detail": "x" * (CHUNK + 1)}]), b"{}", 3),
        ("ReceiveMessage", b"{}", b"x" * (2 * CHUNK + 1), 3),
        ("ReceiveMessage", b"{}", b"", 1),
        ("DeleteMessageBatch", b"x" * (2 * CHUNK), b"", 1),
    ],
)
def test_units_are_what_a_service_bills(operation: str, request_body: bytes, answer: bytes, units: int) -> None:
    """A write for each statement, two in a transaction, 64 KB of a queue or of an event."""
    counted = Counted()
    counted.note(operation, request_body, answer)
    assert counted.requests == {operation: 1}
    assert counted.units == {operation: units}


def work(units: dict[str, int], **more: int) -> dict[str, object]:
    """A half of a counted way."""
    names = ("entries", "entry_bytes", "single_entries", "single_bytes", "invocations", "log_bytes", "send_units")
    nothing = dict.fromkeys(names, 0)
    return {"units": units, **nothing, **more}


def test_the_bill_of_a_way() -> None:
    """Ten objects as aims and the plan's example have them (aws-facts.md §9.3)."""
    move = work(
        {"CopyObject": 10, "HeadObject": 10, "UpdateItem": 20, "ReceiveMessage": 1}, send_units=1, invocations=1
    )
    audit = work({"PutEvents": 20, "PutObject": 1}, entries=20, entry_bytes=20 * 800, log_bytes=2_000)
    audit |= {"single_entries": 10, "single_bytes": 10 * 800}
    way = {"objects": 10, "move": move, "audit": audit}
    items = bill(way)
    assert items["S3 copies"] == pytest.approx(5.0)
    assert items["S3 reads"] == pytest.approx(0.4)
    assert items["manifest"] == pytest.approx(1.25)
    assert items["queues"] == pytest.approx(0.08)
    assert items["audit events"] == pytest.approx(2.0)
    assert items["audit chain"] == pytest.approx(0.5)
    assert 0.4 < items["audit log"] < 0.6
    assert whole_log(way) == pytest.approx(2 * items["audit log"])
    assert items["functions' log"] == pytest.approx(0.1)
    assert items["functions' requests"] == pytest.approx(0.02)
    assert items["functions' time"] == pytest.approx(0.152, abs=0.001)


def test_a_request_without_a_price_is_not_free() -> None:
    """A new kind of request needs a line in the bill."""
    with pytest.raises(KeyError, match="RestoreObject"):
        bill({"objects": 1, "move": work({"RestoreObject": 1}), "audit": work({})})


def test_the_bill_of_s3_batch_operations() -> None:
    """Copies, objects of the job, one invocation each and its time."""
    assert sum(batch_operations().values()) == pytest.approx(5.0 + 1.0 + 0.2 + 0.25, abs=0.001)


RAW = """\
run (/usr/lib/python3.11/threading.py:975);main (handlers/engine/worker.py:9);\
f (adapters/s3/a.py:1);send (adapters/aws/lane/s.py:1);\
sign (/x/site-packages/botocore/auth.py:5);new (/usr/lib/python3.11/hmac.py:3) 6
run (/usr/lib/python3.11/threading.py:975);main (handlers/engine/worker.py:9) 3
get (/usr/lib/python3.11/queue.py:171) 1
main (handlers/engine/worker.py:9);_find_and_load (<frozen importlib._bootstrap>:1176) 50
"""


def test_a_profile_is_told_by_function_and_by_package() -> None:
    """The innermost adapter, else keyshift; the standard library counts for what called it; imports do not count."""
    stacks = list(stacks_of(RAW))
    assert sum(times for _, times in stacks) == 10
    assert [call_of(stack) for stack, _ in stacks] == [
        "adapters/s3/a.py: f",
        "handlers/engine/worker.py: main",
        "outside keyshift",
    ]
    assert [package_of(stack) for stack, _ in stacks] == ["botocore.auth", "handlers/engine", "python"]
    told = shares_of(stacks)
    assert told["samples"] == 10
    assert told["by_package"] == {"botocore.auth": 0.6, "handlers/engine": 0.3, "python": 0.1, "the rest": 0.0}


@pytest.mark.parametrize(
    ("figure", "is_least", "is_reached"),
    [(1.0, False, True), (1.01, False, False), (1.0, True, True), (0.99, True, False)],
)
def test_an_aim_is_reached_or_missed(figure: float, is_least: bool, is_reached: bool) -> None:
    """The limit itself is reached."""
    assert Aim("what", figure, 1.0, is_least=is_least).is_reached is is_reached


def test_a_writer_that_tries_again_shows_in_the_writes_of_a_segment() -> None:
    """The median of the events a second, and the most calls that any repetition made."""
    found = [
        {"rate": rate, "cpu": 0.0001, "longest_append": 0.5, "calls": {"write_segment": writes}}
        for rate, writes in ((2_000.4, 1.0), (1_000.0, 1.25), (3_000.0, 1.0))
    ]
    case = Case("chains", is_apart=False, writers=4)
    assert row(case, found) == {
        "way": "chains",
        "writers": 4,
        "chains": 1,
        "is_apart": False,
        "events_per_second": 2_000,
        "events_per_second_range": [1_000, 3_000],
        "cpu_ms": 0.1,
        "longest_append_s": 0.5,
        "calls_a_segment": {"write_segment": 1.25},
    }
    assert case.shards == [""] * 4
    assert len(set(replace(case, is_apart=True).shards)) == 4
