"""What S3 cannot tell an operator decides, as docs/runbook.md says: the doubts that requests sent twice leave."""

import time

from domain.protocol.causes import Cause
from domain.protocol.conflicts import Conflict, take_source, why_not_taken
from domain.protocol.record import State
from domain.queues import MessageQueue
from handlers.engine.dependencies import Dependencies
from handlers.intake.messages import BackfillRow, encode_backfill

_REQUEST_SECONDS = 60.0


def decide_doubts(dependencies: Dependencies, queue: MessageQueue) -> int:
    """Give up what is at the target of each, and send the object's row again; how many there were.

    In a campaign nobody else writes to targets, so what an operator would find out by looking is known here.
    """
    ports, decided = dependencies.ports, 0
    for record in list(ports.manifest.scan_records()):
        if record.state is not State.CONFLICT or record.cause is not Cause.TARGET_IN_DOUBT:
            continue
        look = ports.store.look_at_object
        conflict = Conflict(record, look(record.source, with_tags=True), look(record.target, with_tags=True))
        if conflict.source is not None:
            etag = conflict.target.etag if conflict.target is not None else None
            if why_not_taken(conflict, replacing=etag) is not None:
                continue
            taken = take_source(conflict, by="on call", why="sent twice by the proxy", now=ports.clock.now())
            ports.manifest.write_record(taken, before=record)
        elif conflict.target is not None:
            ends = time.monotonic() + _REQUEST_SECONDS
            ports.store.delete_object(record.target, if_match=conflict.target.etag, send_before=ends)
        row = BackfillRow(key=record.source.key)
        migration = dependencies.rules.migration
        queue.send_messages(list(encode_backfill([row], migration=migration, bucket=record.source.bucket)))
        decided += 1
    return decided
