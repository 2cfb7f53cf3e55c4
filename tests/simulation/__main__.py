"""``python -m tests.simulation [S01 …]``: explore scenarios completely, print how many states each has."""

import sys
import time

from tests.simulation.explore import explore
from tests.simulation.scenarios import SCENARIOS as PROTOCOL
from tests.simulation.scenarios_buckets import BUCKETS

SCENARIOS = PROTOCOL | BUCKETS


def main(names: list[str]) -> int:
    """Explore the named scenarios, or all; 1 when an invariant breaks."""
    states, failed = 0, 0
    for name in names or list(SCENARIOS):
        started = time.monotonic()
        findings = explore(SCENARIOS[name])
        states += findings.states
        failed += bool(findings.broken)
        kinds = " ".join(findings.broken) or "holds"
        seconds = time.monotonic() - started
        print(f"{SCENARIOS[name].name:45s} {findings.states:9,} states {seconds:6.1f} s  {kinds}", flush=True)
        if findings.broken:
            print(findings.readable(), flush=True)
    print(f"{states:,} states, {failed} scenarios broken")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
