"""keyshift's copy call alone, in 16 threads: ``copy_calls.py BUCKET PREFIX TARGET ETAG``, with keys on its input."""

import sys
import time
from concurrent.futures import ThreadPoolExecutor

from domain.keys import Location
from domain.protocol.ports import MustBeAbsent, SourceObject, TargetObject, Written
from handlers.bootstrap import wire_command
from handlers.bootstrap.process import Process
from handlers.config.settings import read_settings

THREADS = 16


def main(bucket: str, prefix: str, target: str, etag: str) -> None:
    """Copy each key to the same place below the target, where nothing is."""
    store = wire_command(Process(read_settings()), function="bench").ports.store
    send_before = time.monotonic() + 3600

    def copy(key: str) -> None:
        source = SourceObject(Location(bucket, key), etag)
        place = TargetObject(Location(bucket, target + key.removeprefix(prefix)), MustBeAbsent(), send_before)
        answer = store.copy_object(source, place, seen=None)
        if not isinstance(answer, Written):
            raise SystemExit(f"{key}: {answer}")

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(copy, sys.stdin.read().splitlines()))


if __name__ == "__main__":
    main(*sys.argv[1:])
