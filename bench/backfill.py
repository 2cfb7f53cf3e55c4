"""Peak memory and rate of feeding an inventory of 0.2 and 5 million rows, without queue or journal (``--dry-run``)."""

import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.generated import generated

ROWS = (200_000, 5_000_000)
FORMATS = ("CSV", "Parquet")


def main() -> None:
    """Print one line for each format and size."""
    for file_format in FORMATS:
        for rows in ROWS:
            with tempfile.TemporaryDirectory(prefix="keyshift-bench-") as folder:
                manifest = generated(Path(folder), file_format, rows)
                print(json.dumps(measured(manifest, file_format, rows)), flush=True)


def measured(manifest: Path, file_format: str, rows: int) -> dict[str, object]:
    """Run the command in a child process and read what the system counted for it."""
    environment = {**os.environ, "KEYSHIFT_TABLE": "none", "AWS_REGION": "us-east-1"}
    command = [sys.executable, "-m", "handlers.cli", "backfill", "--inventory", str(manifest), "--dry-run", "--json"]
    command += ["--rules", "migrations/edge-cv-portal.yaml"]
    child = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    output = child.stdout.read() if child.stdout else b""
    _, status, usage = os.wait4(child.pid, 0)
    answer = json.loads(output)
    seconds = usage.ru_utime + usage.ru_stime
    return {
        "format": file_format,
        "rows": rows,
        "read": answer["rows"],
        "cpu_seconds": round(seconds, 1),
        "rows_per_cpu_second": round(rows / seconds),
        "peak_mib": round(usage.ru_maxrss / 1024),
        "exit": os.waitstatus_to_exitcode(status),
    }


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
