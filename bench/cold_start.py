"""How long each function's handler takes to import from what is deployed, beside a bare boto3 client, and its size."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.deployment.modules import listed

ROOT = Path(__file__).resolve().parents[1]
LAYERS = ROOT / "build" / "layers" / "here"
HANDLERS = (
    "object_events",
    "backfill",
    "inventory",
    "manifest_stream",
    "batch_operations",
    "resolver",
    "reference_events",
)
BARE = "import boto3; boto3.client('s3', region_name='us-east-1')"
ROUNDS = 15
PROGRAM = """
import sys, time
sys.path[:0] = sys.argv[2:]
begun = time.perf_counter()
exec(sys.argv[1])
print(time.perf_counter() - begun)
"""


def main() -> None:
    """Print a table in Markdown; the layers must be built (make layers, or make deploy-test)."""
    if not (LAYERS / ".ready").exists():
        sys.exit("build the layers for this machine first: make build/layers/here/.ready")
    runtime = str(LAYERS / "runtime" / "python")
    with tempfile.TemporaryDirectory() as code:
        _copy_code(Path(code))
        size = sum(path.stat().st_size for path in Path(code).rglob("*") if path.is_file())
        rows = {"a bare boto3 S3 client": _median(BARE, [runtime])}
        rows |= {f"`{name}`": _median(f"import handlers.{name}", [code, runtime]) for name in HANDLERS}
    print("| What | Median of 15, milliseconds |\n|---|---|")
    for name, seconds in rows.items():
        print(f"| {name} | {seconds * 1000:.0f} |")
    print("\n| What | Megabytes unzipped |\n|---|---|")
    print(f"| our code | {size / 1e6:.1f} |")
    for layer in ("runtime", "arrow"):
        folder = ROOT / "build" / "layers" / "lambda" / layer
        total = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        print(f"| layer {layer} (arm64) | {total / 1e6:.1f} |")
    print(json.dumps({"python": sys.version.split()[0], "cores": os.cpu_count()}))


def _copy_code(folder: Path) -> None:
    for place in listed("keyshift"):
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_bytes((ROOT / place).read_bytes())


def _median(program: str, paths: list[str]) -> float:
    command = [sys.executable, "-I", "-S", "-c", PROGRAM, program, *paths]
    seconds = []
    for _ in range(ROUNDS):
        answer = subprocess.run(command, capture_output=True, text=True, check=True)
        seconds.append(float(answer.stdout))
    return statistics.median(seconds)
