"""``verify --by-inventories`` without S3 and DynamoDB: reading the report, and judging every record by it.

The report is of one bucket that holds both sides, so it has two rows for each record, in no order. It is made and
measured in processes of their own.
"""

import json
import os
import sys
import tempfile
import time
from hashlib import md5
from pathlib import Path

from adapters.duckdb.reported_objects import ReportedObjectsFile
from adapters.inventory.files import opened_inventory
from bench.plan import measured
from domain.keys import Location
from domain.lifecycle.inventory_proof import prove_by_inventories
from domain.protocol.record import Record, State
from handlers.operations.segments import RECORDS_AT_ONCE
from tests.inventories import BUCKET, write_selected

_WRITTEN, _UNTIL = 1_790_000_000, 1_791_000_000.0
_ROWS = """SELECT '{bucket}' AS bucket, side || i || '/image.png' AS key, (1000 + i)::BIGINT AS size,
  md5(i::VARCHAR) AS e_tag, 'STANDARD' AS storage_class, 'SSE-S3' AS encryption_status, '' AS object_lock_mode,
  '' AS object_lock_retain_until_date, 'OFF' AS object_lock_legal_hold_status,
  to_timestamp({written}) AT TIME ZONE 'UTC' AS last_modified_date
  FROM range({rows}) t(i), (VALUES ('datasets/labeled/'), ('line-1/images/')) s(side) ORDER BY hash(side || i)"""


def main(rows: str = "200000", formats: str = "Parquet,CSV") -> None:
    """Print one line for each format; seconds are of CPU, of all threads."""
    if formats.startswith("/"):
        _measure(int(rows), formats)
        return
    for file_format in formats.split(","):
        with tempfile.TemporaryDirectory(prefix="keyshift-bench-") as folder:
            select = _ROWS.format(bucket=BUCKET, rows=rows, written=_WRITTEN)
            manifest = write_selected(Path(folder), select, file_format=file_format)
            output, _, cpu, peak = measured([sys.executable, "-m", "bench", "inventories", rows, str(manifest)])
            line = {"format": file_format, "cpu_seconds": round(cpu, 2), "peak_mib": round(peak)}
            print(json.dumps(line | json.loads(output) | {"load": round(os.getloadavg()[0], 1)}), flush=True)


def _measure(rows: int, manifest: str) -> None:
    began = time.process_time()
    objects = ReportedObjectsFile(until=_UNTIL)
    with opened_inventory(manifest, None) as local:
        objects.add_inventory(local, ("",))
    read = time.process_time()
    proven, spent = 0, 0.0
    for first in range(0, rows, RECORDS_AT_ONCE):
        records = [_record(number) for number in range(first, min(rows, first + RECORDS_AT_ONCE))]
        begin = time.process_time()
        places = [place for record in records for place in (record.source, record.target)]
        found = objects.find_objects(places)
        proofs = (
            prove_by_inventories(one, found.get(one.source), found.get(one.target), until=_UNTIL) for one in records
        )
        proven += sum(proof is not None for proof in proofs)
        spent += time.process_time() - begin
    objects.close()
    figures = {"records": rows, "proven": proven, "read_cpu_seconds": round(read - began, 2)}
    judged = {"judge_cpu_seconds": round(spent, 2), "records_judged_a_cpu_second": round(rows / spent)}
    print(json.dumps(figures | {"rows_read_a_cpu_second": round(2 * rows / (read - began))} | judged))


def _record(number: int) -> Record:
    source, target = (Location(BUCKET, f"{side}{number}/image.png") for side in ("datasets/labeled/", "line-1/images/"))
    etag = md5(str(number).encode(), usedforsecurity=False).hexdigest()
    return Record(source, target, State.COPIED, source_etag=etag, target_etag=etag, changed_at=_WRITTEN)
