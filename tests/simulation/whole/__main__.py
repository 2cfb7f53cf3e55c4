"""``python -m tests.simulation.whole --seeds 500``: whole migrations by seed; a broken one is made small."""

import argparse
import sys
import time
from collections import Counter
from dataclasses import replace
from typing import Any

from tests.simulation.whole.acts import PLAYS
from tests.simulation.whole.plans import Plan, read_changes
from tests.simulation.whole.profiles import PROFILES, changes_of
from tests.simulation.whole.run import Found, run
from tests.simulation.whole.sweep import sweep

TRIES = 40
"""Seeds tried for each simpler plan while a failure is made small."""


def main(arguments: list[str]) -> int:
    """1 when an invariant breaks."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.whole", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many seeds")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seed", type=int, help="only this one, with its trace")
    parser.add_argument("--with", action="append", default=[], dest="changes", metavar="NAME=VALUE", help="of the plan")
    parser.add_argument("--profile", choices=sorted(PROFILES), help="a scenario's letter: its plans")
    parser.add_argument(
        "--sweep", type=int, default=0, metavar="ORDERS", help="every fault at every call of the scenarios"
    )
    parser.add_argument("--keep-going", action="store_true", help="do not stop at the first broken seed")
    options = parser.parse_args(arguments)
    changes = read_changes(options.changes)
    if options.sweep:
        return _sweep(options.sweep)
    if options.seed is not None:
        return _replay(_plan(options.seed, options.profile, changes))
    plans = [_plan(options.first + number, options.profile, changes) for number in range(options.seeds)]
    return _many(plans, keep_going=options.keep_going)


def _plan(seed: int, profile: str | None, changes: dict[str, Any]) -> Plan:
    return Plan.of_seed(seed, **(changes_of(profile, seed) if profile else {}) | changes)


def _sweep(orders: int) -> int:
    started = time.monotonic()
    swept = sweep(list(PLAYS), orders=orders)
    for text in swept.broken[:3]:
        print(text)
    faults = f"{swept.crashes:,} crashes, {swept.doubled:,} requests sent twice, {swept.pairs:,} refused and not seen"
    print(
        f"{swept.scenarios} scenarios in {orders} orders each: {faults} in {swept.plays:,} plays, "
        f"{len(swept.broken)} did not converge, {time.monotonic() - started:.0f} s"
    )
    return 1 if swept.broken else 0


def _replay(plan: Plan) -> int:
    found = run(plan, told=True)
    print(found.trace)
    print(f"{found.steps:,} steps, faults {found.faults}")
    for key, text in found.broken:
        print(f"{key}: {text}")
    return 1 if found.broken else 0


def _many(plans: list[Plan], *, keep_going: bool) -> int:
    started, steps, faults, failed, excused = time.monotonic(), 0, Counter[str](), 0, Counter[str]()
    for plan in plans:
        found = run(plan)
        steps += found.steps
        faults.update(found.faults)
        excused.update(found.excused)
        if found.broken:
            failed += 1
            print(f"seed {plan.seed}: {found.broken[0]}", flush=True)
            if not keep_going:
                _show(shrink(found))
                break
    seconds = time.monotonic() - started
    injected = ", ".join(f"{name} {number:,}" for name, number in sorted(faults.items()))
    print(
        f"{len(plans):,} seeds, {steps:,} steps in {seconds:.0f} s, {faults.total():,} faults injected "
        f"({injected}), {failed} seeds broken"
    )
    print("excused: " + (", ".join(f"{why} {number:,}" for why, number in sorted(excused.items())) or "nothing"))
    return 1 if failed else 0


def _show(found: Found) -> None:
    print(found.trace)
    for key, text in found.broken:
        print(f"{key}: {text}")
    print(f"replay: python -m tests.simulation.whole {found.plan.arguments()}")


def shrink(found: Found) -> Found:
    """A simpler plan that breaks the same invariant, found by trying."""
    kind, best, smaller = found.broken[0][1].split()[0], found, True
    while smaller:
        smaller = False
        for plan in best.plan.smaller():
            tried = _first_broken(plan, kind)
            if tried is not None:
                best, smaller = tried, True
                break
    return best


def _first_broken(plan: Plan, kind: str) -> Found | None:
    for number in range(TRIES):
        tried = run(replace(plan, seed=plan.seed if number == 0 else 1_000_000 + number))
        if tried.broken and tried.broken[0][1].split()[0] == kind:
            return tried
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
