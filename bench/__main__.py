"""``python -m bench NAME``: run one benchmark; without a name, list them."""

import importlib
import sys

BENCHES = {
    "cold-start": "import time of each handler from the artefact, beside a bare boto3 client, and sizes",
    "plan": "rows a second and peak memory of keyshift plan, beside merely reading the file and a plain loop",
    "backfill": "peak memory of feeding an inventory of 0.2 and 2 million rows",
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
