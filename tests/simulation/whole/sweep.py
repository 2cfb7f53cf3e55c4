"""The scenarios of protocol.md with the real handlers: a crash before and after each call, and each sent twice."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from random import Random

from domain.keys import Location
from handlers.intake.messages import BackfillRow, encode_backfill
from tests.fakes.buckets import md5_text
from tests.simulation.whole.acts import PLAYS, Play
from tests.simulation.whole.manifests import is_manifest
from tests.simulation.whole.one_fault import PAIRS, Moment, OneFault, moments_of
from tests.simulation.whole.people import People
from tests.simulation.whole.plans import Plan
from tests.simulation.whole.ports import SCALE
from tests.simulation.whole.run import Found, employ_everybody, observed, settle, until
from tests.simulation.whole.site import LEGACY, Site
from tests.simulation.whole.truth import KeyTruth, Value
from tests.simulation.world import Scenario

ORDER_SECONDS = 20.0
"""Everything that a scenario names begins within this time, in an order that chance decides."""
POLLED = frozenset({"receive_messages", "read_run", "read_slices"})
"""What functions of stage work, and the command that follows them, ask while they wait."""


def plan_of(play: Play, seed: int) -> Plan:
    """The scenario as a plan with one key, and one more where that one is a manifest."""
    scenario = play.scenario
    kinds = {job[0] for job in scenario.jobs}
    plan = Plan(
        seed,
        keys=1,
        seconds=2 * ORDER_SECONDS,
        workers=scenario.workers,
        backfill=False,
        duplicates=0.3 if scenario.duplicates else 0.0,
        latest_event=ORDER_SECONDS,
        fault_rate=0.0,
        kinds=(),
        cleanup="K" in kinds,
        rollback="R" in kinds,
        purge="P" in kinds,
        versioned=scenario.versioned,
        mirrors=scenario.mirror,
        checksums=scenario.checksums,
        max_receives=50,
        decides="T" in kinds,
    )
    return replace(plan, **play.changes)


def perform(play: Play, *, seed: int, number: int = -1, moment: Moment = "before") -> Found:
    """Play a scenario in one order, with at most one fault; ``steps`` of what is found counts the calls."""
    return _perform(play, _dice(play, seed, number, moment), seed)


def _dice(play: Play, seed: int, number: int = -1, moment: Moment = "before") -> OneFault:
    polled = POLLED if play.changes.get("engine") else frozenset[str]()
    return OneFault(Random(seed), bool(play.changes), polled, number, moment)


def _perform(play: Play, dice: OneFault, seed: int) -> Found:
    random, scenario = dice.random, play.scenario
    is_blunt = dice.moment.endswith("blunt")  # and keyshift's own deletes come back to it as events
    plan = plan_of(play, seed)
    site = Site(replace(plan, blunt=is_blunt, knows_itself=plan.knows_itself and not is_blunt), dice, random)

    def live() -> None:
        people = _Cast(site, scenario)
        people.begin()
        cleanup_at = ORDER_SECONDS * (1.5 if scenario.fenced_cleanup else random.random())
        employ_everybody(site, cleanup_at=cleanup_at, rollback_at=ORDER_SECONDS * random.uniform(0.5, 3))
        until(site, lambda: site.scheduler.time > 4 * ORDER_SECONDS)
        settle(site)

    found = observed(site, live)
    found.steps = len(dice.calls)
    return found


class _Cast:
    """Lets owner, stranger and operator say their lines."""

    def __init__(self, site: Site, scenario: Scenario) -> None:
        self._site = site
        self._scenario = scenario
        self._people = People(site)
        *self._others, self._key = site.truth.keys.values()

    def begin(self) -> None:
        """Plan the scenario."""
        site, scenario, key, people = self._site, self._scenario, self._key, self._people
        for other in self._others:
            people.put(other, value=(b"named", ""))
        if scenario.source is not None:
            people.put(key, value=self._value(scenario.source), tell=False)
        if scenario.target is not None:
            people.intrude(key, self._value(scenario.target))
        people.begin_application(ORDER_SECONDS)
        for at, word in self._times(scenario.producer):
            site.scheduler.at(at, lambda word=word: self._speak(key, word))  # type: ignore[misc]
        for at, word in self._times(scenario.foreign):
            site.scheduler.at(at, lambda word=word: self._meddle(key, word))  # type: ignore[misc]
        for at, word in self._times(tuple(job[2] for job in scenario.jobs if job[0] == "I")):
            site.scheduler.at(at, lambda word=word: self._list(key, word))  # type: ignore[misc]

    def _times(self, words: tuple[str, ...]) -> Iterator[tuple[float, str]]:
        times = sorted(self._site.random.random() * ORDER_SECONDS for _ in words)
        return zip(times, words, strict=True)

    def _value(self, word: str) -> Value:
        if is_manifest(self._key):
            return json.dumps({"r": self._others[0].source.uri, "n": word[0]}).encode(), word[1:]
        return word[0].encode() * (12 if self._scenario.in_parts else 3), word[1:]

    def _speak(self, key: KeyTruth, word: str) -> None:
        if word != "del":
            self._people.put(key, value=self._value(word))
        elif key.owner is not None:
            key.lost_deletes |= not self._scenario.delete_events
            self._people.remove(key, tell=self._scenario.delete_events)

    def _meddle(self, key: KeyTruth, word: str) -> None:
        if word != "del":
            self._people.intrude(key, self._value(word))
        elif self._site.store.buckets.current(key.target) is not None:
            self._people.take_away(key)

    def _list(self, key: KeyTruth, word: str) -> None:
        body = self._value(word)[0]
        row = BackfillRow(key=key.source.key, etag=md5_text(body), size=len(body) * SCALE, storage_class="STANDARD")
        bodies = encode_backfill([row], migration=self._site.rules.migration, bucket=Location(LEGACY, "").bucket)
        self._site.backfill.send_messages(list(bodies))


@dataclass
class Swept:
    """How many crashes, doubled requests and pairs of faults were survived, and what was found."""

    scenarios: int = 0
    plays: int = 0
    crashes: int = 0
    doubled: int = 0
    pairs: int = 0
    broken: list[str] = field(default_factory=list)


def sweep(names: list[str], *, orders: int, at_most: int | None = None) -> Swept:
    """Every scenario in so many orders, each with each fault at each of its calls.

    Of a play with more than ``at_most`` calls, only so many have faults, spread evenly; None: all of them.
    """
    swept = Swept()
    for name in names:
        swept.scenarios += 1
        for seed in range(orders):
            for number, moment, found in _faults(PLAYS[name], seed, at_most):
                swept.plays += 1
                swept.crashes += moment in ("before", "after")
                swept.doubled += moment == "twice"
                swept.pairs += moment in PAIRS
                if found.broken:
                    swept.broken.append(f"{name} order {seed} call {number} {moment}: {found.broken[0]}\n{found.trace}")
    return swept


def _faults(play: Play, seed: int, at_most: int | None) -> Iterator[tuple[int, str, Found]]:
    dice = _dice(play, seed)
    yield -1, "no fault", _perform(play, dice, seed)
    apart = 1 if at_most is None else -(-len(dice.calls) // at_most)
    for number, name in islice(enumerate(dice.calls), seed % apart, None, apart):
        for moment in moments_of(name):
            yield number, moment, perform(play, seed=seed, number=number, moment=moment)
