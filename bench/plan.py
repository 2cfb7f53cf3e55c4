"""Rows a second and peak memory of ``keyshift plan``, beside the floor (reading the file) and a plain loop."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.generated import generated
from tests.inventories import data_file

RULES = "migrations/edge-cv-portal.yaml"
LOOP_ROWS = 200_000
_READ = {"Parquet": "read_parquet('{}')", "CSV": "read_csv('{}', header = false, auto_detect = true)"}
_KEY = {"Parquet": "key", "CSV": "column1"}
_FLOOR = """import duckdb, sys
connection = duckdb.connect()
connection.execute("SET enable_progress_bar = false")
connection.execute("SET memory_limit = '2GB'")
print(connection.execute(sys.argv[1]).fetchone())
"""
_MD5 = """import hashlib, sys
for path in sys.argv[1:]:
    with open(path, "rb") as file:
        print(hashlib.file_digest(file, "md5").hexdigest())
"""
_LOOP = """import duckdb, sys, time
from handlers.config.rules_file import load_rules
rules = load_rules(sys.argv[1])
keys = [row[0] for row in duckdb.connect().execute(sys.argv[2]).fetchall()]
start = time.perf_counter()
for key in keys:
    rules.map_key(key)
print(len(keys) / (time.perf_counter() - start))
"""


def main(rows: str = "10000000", formats: str = "Parquet,CSV") -> None:
    """Print one line for each measurement; each runs in a child process of its own."""
    number = int(rows)
    for file_format in formats.split(","):
        with tempfile.TemporaryDirectory(prefix="keyshift-bench-") as folder:
            manifest = generated(Path(folder), file_format, number)
            source = _READ[file_format].format(data_file(manifest).parent / "*")
            key = _KEY[file_format]
            read = f"SELECT count(*), sum(strlen({key})) FROM {source}"
            report("floor: every key read", file_format, number, [sys.executable, "-c", _FLOOR, read])
            whole = f"SELECT max(COLUMNS(*)) FROM {source}"
            report("floor: every column read", file_format, number, [sys.executable, "-c", _FLOOR, whole])
            files = [str(path) for path in sorted(data_file(manifest).parent.iterdir())]
            report("MD5 of the files, which a plan checks", file_format, number, [sys.executable, "-c", _MD5, *files])
            alone = f"SELECT count(*) FROM (SELECT 1 FROM {source} GROUP BY hash({key}) HAVING count(*) > 1)"
            report("keys that occur twice, no rules", file_format, number, [sys.executable, "-c", _FLOOR, alone])
            command = [sys.executable, "-m", "handlers.cli", "plan", RULES, "--inventory", str(manifest), "--json"]
            report("plan", file_format, number, command)
            if file_format == "Parquet":
                some = f"SELECT {key} FROM {source} LIMIT {LOOP_ROWS}"
                rate = float(measured([sys.executable, "-c", _LOOP, RULES, some])[0])
                print(json.dumps({"what": f"plain loop over {LOOP_ROWS:,} rows", "rows_per_second": round(rate)}))


def report(what: str, file_format: str, rows: int, command: list[str]) -> None:
    """Run and print."""
    _, seconds, cpu, peak = measured(command)
    line = {
        "what": what,
        "format": file_format,
        "rows": rows,
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu, 2),
        "rows_per_second": round(rows / seconds),
        "peak_mib": round(peak),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
    }
    print(json.dumps(line), flush=True)


def measured(command: list[str]) -> tuple[str, float, float, float]:
    """Output, seconds, seconds of both cores, and peak memory in MiB of a child process."""
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.PIPE)
    output = child.stdout.read().decode() if child.stdout else ""
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in (0, 1):
        sys.exit(f"{command[:4]} ended with {child.returncode}")
    return output, seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


if __name__ == "__main__":
    main(*sys.argv[1:])
