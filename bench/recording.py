"""``python -m bench recording``: record ``keyshift status --watch`` in a real run, for docs/status-watch.cast.

Two workers move objects on the stand-in; permissions break, the breaker pauses, an operator repairs and resumes.
The terminal is a real one (a pty); what is recorded is what the command wrote to it, with its times.
"""

import codecs
import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from adapters.aws.clients import AwsClients
from adapters.demo import provisioning
from adapters.dynamodb.control import DynamoDbControlPanel
from adapters.dynamodb.total import DynamoDbTotalBook
from adapters.messaging.queue import SqsMessageQueue
from adapters.standin import Fault, StandIn, running_standin
from domain.planning.total import Total
from handlers.demo.wiring import make_live
from handlers.intake.messages import BackfillRow, encode_backfill

WIDTH, HEIGHT = 84, 24
BUCKET = "manufacturing-line-1"
RULES = """version: 1
migration: line-1
source: {bucket: manufacturing-line-1}
target: {bucket: manufacturing-line-1}
rules:
  - {name: training-output, from: "training-output/{job}/{rest...}", to: "models/training/{job}/{rest...}"}
  - {name: labels, from: "labels/{rest...}", to: "datasets/labeled/{rest...}"}
"""
CAST = Path("docs/status-watch.cast")


def main(objects: str = "900", out: str = str(CAST), hold: str = "5") -> None:
    """Record with so many objects into ``out``; what is to be read stays for ``hold`` seconds."""
    with running_standin() as standin, tempfile.TemporaryDirectory() as folder:
        more = _world(standin, Path(folder), int(objects))
        with _workers(more, Path(folder)):
            events = record(more, _story(standin, more, int(objects), hold=float(hold)))
    lines = [json.dumps({"version": 2, "width": WIDTH, "height": HEIGHT, "title": "keyshift status --watch"})]
    lines += [json.dumps([round(moment, 3), "o", text]) for moment, text in events]
    Path(out).write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{out}: {len(events)} frames, {events[-1][0]:.0f} s")


MOST_SECONDS = 120.0


def record(more: Mapping[str, str], story: Callable[[], bool]) -> list[tuple[float, str]]:
    """What the command writes to its terminal until the story is told, with seconds since it began."""
    main_end, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
    environment = {**os.environ, **more, "TERM": "xterm-256color"}
    command = [sys.executable, "-m", "handlers.cli", "status", "--watch", "--interval", "0.5"]
    process = subprocess.Popen(command, env=environment, stdin=child, stdout=child, stderr=child)
    os.close(child)
    decode, events, begun = codecs.getincrementaldecoder("utf-8")("replace").decode, list[tuple[float, str]](), None
    try:
        ends = time.monotonic() + MOST_SECONDS  # a story that is not told by then is missed, not waited for
        while process.poll() is None and time.monotonic() < ends:
            if select.select([main_end], [], [], 0.1)[0]:
                text = decode(os.read(main_end, 65_536))
                begun = begun or time.monotonic()
                events.append((time.monotonic() - begun, text))
            if story():
                break
    finally:
        process.terminate()
        process.wait()
        os.close(main_end)
    return events


def _world(standin: StandIn, folder: Path, objects: int) -> dict[str, str]:
    rules = folder / "rules.yaml"
    rules.write_text(RULES, encoding="utf-8")
    keys = standin.environment()
    clients = AwsClients(
        endpoint_url=standin.endpoint_url,
        region=keys["AWS_REGION"],
        access_key_id=keys["AWS_ACCESS_KEY_ID"],
        secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
    )
    provisioning.create_bucket(clients, BUCKET)
    provisioning.create_manifest_table(clients, "keyshift")
    make_live(clients, "keyshift")
    provisioning.create_bus(clients, "keyshift")
    events, backfill = (provisioning.create_queue(clients, name, visibility=30) for name in ("events", "backfill"))
    rows = []
    for number in range(objects):
        key = f"labels/{number:04}.json" if number % 3 == 0 else f"training-output/job-{number % 7}/part-{number:04}"
        etag = clients.s3.put_object(Bucket=BUCKET, Key=key, Body=os.urandom(2_000))["ETag"].strip('"')
        rows.append(BackfillRow(key=key, etag=etag, size=2_000, storage_class="STANDARD"))
    bodies = encode_backfill(rows, migration="line-1", bucket=BUCKET, at_most_rows=10)
    SqsMessageQueue(clients, backfill.url).send_messages(list(bodies))
    total = Total(f"listing of s3://{BUCKET}/", len(rows), 2_000 * len(rows), is_complete=True)
    DynamoDbTotalBook(clients, "keyshift").write_total(total)
    return {
        **keys,
        "KEYSHIFT_RULES_FILE": str(rules),
        "KEYSHIFT_TABLE": "keyshift",
        "KEYSHIFT_BUS": "keyshift",
        "KEYSHIFT_EVENTS_QUEUE_URL": events.url,
        "KEYSHIFT_BACKFILL_QUEUE_URL": backfill.url,
    }


@contextmanager
def _workers(more: Mapping[str, str], folder: Path) -> Iterator[None]:
    started = []
    _keyshift(more, "throttle", "--objects-per-second", "60")
    for number in range(2):
        command = [sys.executable, "-m", "handlers.cli", "worker", "--lanes", "2"]
        with (folder / f"worker-{number}").open("wb") as log:
            process = subprocess.Popen(command, env={**os.environ, **more}, stdout=log, stderr=log)
        started.append(process)
    try:
        yield
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(30)


def _keyshift(more: Mapping[str, str], *arguments: str) -> None:
    command = [sys.executable, "-m", "handlers.cli", *arguments]
    subprocess.run(command, env={**os.environ, **more}, check=True, stdout=subprocess.DEVNULL)


def _story(standin: StandIn, more: Mapping[str, str], objects: int, *, hold: float) -> Callable[[], bool]:
    """Each step waits for what the one before has done; True at the end."""
    clients = AwsClients(endpoint_url=standin.endpoint_url, region=more["AWS_REGION"],
                         access_key_id=more["AWS_ACCESS_KEY_ID"],
                         secret_access_key=more["AWS_SECRET_ACCESS_KEY"])  # fmt: skip
    panel, s3 = DynamoDbControlPanel(clients, "keyshift"), clients.s3
    state = {"step": 0, "looked": 0.0, "since": 0.0}

    def copied() -> int:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        keys = [one["Key"] for page in pages for one in page.get("Contents", [])]
        return sum(key.startswith(("models/", "datasets/")) for key in keys)

    def told() -> bool:
        now = time.monotonic()
        if now - state["looked"] < 0.5:
            return False
        state["looked"] = now
        if state["step"] == 0 and copied() >= objects // 3:
            standin.inject(Fault("CopyObject", count=10**6, status=403, code="AccessDenied", message="Access Denied"))
            state["step"] = 1
        elif state["step"] == 1 and panel.read_control().paused:
            state.update(step=2, since=now)
        elif state["step"] == 2 and now - state["since"] > hold:
            standin.clear_faults()
            _keyshift(more, "resume")
            state["step"] = 3
        elif state["step"] == 3 and copied() == objects:
            state.update(step=4, since=now)
        return state["step"] == 4 and now - state["since"] > hold

    return told


def frames(lines: Sequence[str]) -> list[str]:
    """The texts of a recording, for tests."""
    return [str(json.loads(line)[2]) for line in lines[1:]]
