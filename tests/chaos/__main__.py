"""``python -m tests.chaos [--objects N] [--seconds S] [--seed N]``: campaigns on the stand-in and on SeaweedFS.

``python -m tests.chaos --kills 100 [--seed N]``: runs of stage work whose workers are killed, on the stand-in.
"""

import argparse
import sys
import time

from tests.chaos.campaign import Size, run_on_standin
from tests.chaos.killed_runs import run_killed
from tests.chaos.reaper import Extent
from tests.chaos.restarts import run_on_seaweedfs

CAMPAIGNS = {"stand-in": run_on_standin, "SeaweedFS": run_on_seaweedfs}


def main() -> int:
    """Run it; the exit code says whether anything was wrong in the end."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    parser.add_argument("--objects", type=int, default=Size().objects)
    parser.add_argument("--seconds", type=float, default=Size().storm_seconds)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=sorted(CAMPAIGNS))
    parser.add_argument("--kills", type=int, help="kill so many workers of runs of stage work, and do nothing else")
    given = parser.parse_args()
    begun = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - begun:6.1f} s  {text}", flush=True)

    if given.kills is not None:
        say(f"runs whose workers are killed, seed {given.seed}")
        tally = run_killed(Extent(kills=given.kills, seed=given.seed), say)
        for line in tally.lines():
            say(line)
        return 1 if tally.wrong else 0
    size = Size(objects=given.objects, storm_seconds=given.seconds, seed=given.seed)
    wrong = 0
    for name, campaign in CAMPAIGNS.items():
        if given.only not in (None, name):
            continue
        say(f"campaign on the {name}, seed {given.seed}")
        figures = campaign(size, say)
        for line in figures.lines():
            say(line)
        wrong += len(figures.wrong)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
