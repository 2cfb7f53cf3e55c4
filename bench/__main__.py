"""``python -m bench NAME``: run one benchmark; without a name, list them."""

import importlib
import sys

BENCHES = {
    "compare": "CPU an object and objects a second, beside s5cmd, rclone, aws-cli, boto3 and the floor",
    "requests": "requests an object by kind, for each way in which an object comes",
    "growth": "CPU an object for 10,000 and 100,000 objects",
    "latency": "objects a second with added latency and growing concurrency",
    "commands": "CPU and requests an object of verify, status, report, cleanup and rollback",
    "stages": "CPU and peak memory of the stages over 30,000 and 300,000 records, in one process",
    "joined": "seconds of one shared verification, worked on by one, two and four processes",
    "chains": "audit events a second through the chains, with one writer and with several",
    "imports": "what each handler imports, by package: time and memory",
    "lane": "CPU a call of the hot operations, in the lean lane and through boto3",
    "profile": "where a worker's CPU goes, sampled",
    "page": "docs/performance.md from the kept results; with --keep from those measured since",
    "cold-start": "import time of each handler from the artefact, beside a bare boto3 client, and sizes",
    "capacity": "the table of docs/scale.md: hours and dollars of each stage, for a million objects and more",
    "plan": "rows a second and peak memory of keyshift plan, beside merely reading the file and a plain loop",
    "inventories": "objects a second of verify --by-inventories: reading both reports, and judging every record",
    "backfill": "peak memory of feeding an inventory of 0.2 and 5 million rows",
    "rules": "CPU seconds of rules check over five to fifty rules of the portal's form",
    "recording": "status --watch in a real run, as docs/status-watch.cast (asciinema)",
}


def main(arguments: list[str]) -> int:
    """The exit code."""
    if not arguments or arguments[0] not in BENCHES:
        for name, purpose in BENCHES.items():
            print(f"python -m bench {name:<10} {purpose}")
        return 2 if arguments else 0
    importlib.import_module(f"bench.{arguments[0].replace('-', '_')}").main(*arguments[1:])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
