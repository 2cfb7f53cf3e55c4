"""Runs of stage work whose workers are killed at random: verify, cleanup, rollback and purge, each compared with S3.

What S3 holds is read here, byte by byte. The records of keyshift are not asked what became of an object.
"""

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from adapters.demo.provisioning import create_queue
from adapters.dynamodb.runs import DynamoDbRunBook
from adapters.standin import running_standin
from domain.runs.slices import LAPSED
from domain.runs.works import StageQueue, Work
from tests.chaos.reaper import COMMAND_SECONDS, Extent, Nursery, Reaper
from tests.servers import standin_server
from tests.worlds.site import SITE_RULES, Site

SHORT = {"ATTEMPT": 5, "REQUEST": 3, "MARGIN": 1}
QUIET_SECONDS = sum(SHORT.values()) + 4 * SHORT["REQUEST"]
"""Seconds after which no request of an attempt is under way: cleanup and purge wait for that."""
MOST_JOINS = 20
STRANGE = b"another writer's"
Say = Callable[[str], None]


@dataclass(slots=True)
class Tally:
    """What happened, and what is wrong."""

    lives: int = 0
    kills: int = 0
    taken_over: set[tuple[str, int, str]] = field(default_factory=set)
    """Slices, by their new claims, that a worker was seen to take over after a claim had lapsed."""
    joins: int = 0
    runs: int = 0
    read: int = 0
    """Objects that were read and compared."""
    deleted: Counter[str] = field(default_factory=Counter)
    told: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """For people."""
        yield f"lives: {self.lives}, runs: {self.runs}, joined again after a slice was lost: {self.joins}"
        yield f"{self.kills} workers killed while a run went on; {len(self.taken_over)} times another took a slice over"
        for name, number in sorted(self.deleted.items()):
            yield f"{name}: {number} objects gone, {self.told[name]} of them told; a killed worker tells of none"
        yield f"{self.read:,} objects read and compared, wrong: {len(self.wrong)}"
        yield from self.wrong[:20]


class Life:
    """One migration from its start to its purge; what S3 must hold after each run is known from what was written."""

    def __init__(self, site: Site, nursery: Nursery, extent: Extent, tally: Tally, say: Say) -> None:
        self._site = site
        self._nursery = nursery
        self._extent = extent
        self._tally = tally
        self._say = say
        self._random = Random(f"{extent.seed}/{tally.lives}")
        self._book = DynamoDbRunBook(site.clients, site.name)
        self._work = Work.VERIFY
        self._sources: dict[str, bytes] = {}
        self._spoiled: dict[str, bytes | None] = {}
        """The copies that another writer replaced, or deleted (``None``)."""

    def live(self) -> None:
        """Every run of it, with workers that are killed."""
        reaper = Reaper(self._nursery, self._extent, self._random, changes=self._changes)
        try:
            self._migrate()
            for step in (self._verify, self._clean, self._roll_back, self._purge):
                with reaper.killing():
                    step()
                self._say(f"{step.__name__.strip('_')}: {reaper.kills} kills, wrong {len(self._tally.wrong)}")
        finally:
            reaper.dismiss()
            self._tally.kills += reaper.kills
            if reaper.fallen:
                self._wrong(f"{reaper.fallen} workers ended by themselves")

    def _changes(self) -> int:
        run = self._book.read_run(self._work)
        if run is None or not run.goes_on:
            return 0
        slices = self._book.read_slices(run)
        for one in slices:
            if one.why == LAPSED and one.claim is not None:
                self._tally.taken_over.add((run.run_id, one.number, one.claim.token))
        return sum(one.revision for one in slices)

    def _migrate(self) -> None:
        for number in range(self._extent.objects):
            key = f"old/{number % 7} +é/{number}"
            self._sources[key] = self._random.randbytes(self._random.randint(0, 3_000))
            self._site.put(key, self._sources[key])
        self._must(*self._nursery.run("start", "--yes", "--probes", "1", "--wait", "120"))
        self._must(*self._nursery.run("backfill", "--list"))
        ends = time.monotonic() + COMMAND_SECONDS
        while len(self._site.keys("new/")) < len(self._sources):
            if time.monotonic() > ends:
                raise TimeoutError("the objects were not copied")
            time.sleep(0.5)
        time.sleep(QUIET_SECONDS)
        self._must(*self._nursery.run("verify"))
        self._must(*self._nursery.run("cutover", "--yes"))
        for key in self._random.sample(sorted(self._sources), self._extent.objects // 10):
            self._spoil(_copy_of(key))

    def _spoil(self, copy: str) -> None:
        body = self._random.choice((None, STRANGE))
        self._spoiled[copy] = body
        if body is None:
            self._site.clients.s3.delete_object(Bucket=self._site.name, Key=copy)
        else:
            self._site.put(copy, body)

    def _must(self, code: int, lines: Sequence[object], said: str) -> None:
        if code:
            raise RuntimeError(f"code {code}: {lines[-3:]} {said}")

    # Runs
    def _run(self, work: Work, *arguments: str) -> list[dict[str, Any]]:
        """The lines of a run that has come to its end; one that lost a slice is joined."""
        self._work = work
        self._tally.runs += 1
        command = arguments
        for _ in range(MOST_JOINS):
            code, lines, said = self._nursery.run(*command, "--engine")
            if "slices could not be finished" not in said:
                # A removal that leaves something ends with 1: what a killed worker had claimed is free some time later.
                if "Traceback" in said or (code and work is Work.ROLLBACK):
                    self._wrong(f"{command}: code {code}, {lines[-2:]} {said[-400:]}")
                return lines
            self._tally.joins += 1
            command = (*(one for one in arguments if one not in ("--soak", "0s")), "--join")
        raise TimeoutError(f"{arguments} has no end")

    def _verify(self) -> None:
        *found, summary = self._run(Work.VERIFY, "verify")
        kinds = {None: "missing", STRANGE: "target-changed"}
        wanted = {(f"s3://{self._site.name}/{copy}", kinds[body]) for copy, body in self._spoiled.items()}
        told = [(one["target"], one["differences"][0]) for one in found]
        if sorted(told) != sorted(wanted):
            self._wrong(f"verify tells {sorted(set(told) ^ wanted)[:4]} of {len(told)}")
        counted = [summary["differences"].get(kind, 0) for kind in kinds.values()]
        is_right = counted == [sum(kind == one for _, one in wanted) for kind in kinds.values()]
        if summary["objects"] != len(self._sources) or not is_right:
            self._wrong(f"verify counts {summary}, of {len(self._sources)} objects and {len(wanted)} differences")
        self._compare(gone=frozenset())

    def _clean(self) -> None:
        time.sleep(QUIET_SECONDS)
        good = frozenset(key for key in self._sources if _copy_of(key) not in self._spoiled)
        self._removes(Work.CLEANUP, "cleaned", good, "cleanup", "--soak", "0s", "--yes")
        self._compare(gone=good)

    def _roll_back(self) -> None:
        summary = self._run(Work.ROLLBACK, "rollback", "--yes")[-1]
        if sum(summary["states"].values()) != len(self._sources):
            self._wrong(f"rollback counts {summary}, of {len(self._sources)} objects")
        self._compare(gone=frozenset())

    def _purge(self) -> None:
        time.sleep(QUIET_SECONDS)
        good = frozenset(_copy_of(key) for key in self._sources) - self._spoiled.keys()
        self._removes(Work.PURGE, "purged", good, "rollback", "--purge", "--yes")
        self._compare(gone=good)

    def _removes(self, work: Work, verdict: str, good: frozenset[str], *arguments: str) -> None:
        """Passes until all of these are gone; what a killed worker had claimed is free some time later."""
        told = Counter[str]()
        for _ in range(MOST_JOINS):
            lines = self._run(work, *arguments)
            told.update(str(one["source"]) for one in lines if one.get("verdict") == verdict)
            if not good & {*self._keys("old/"), *self._keys("new/")}:
                break
            time.sleep(QUIET_SECONDS)
        for source, times in told.items():
            key = source.removeprefix(f"s3://{self._site.name}/")
            is_good = key in good or _copy_of(key) in good
            # A purge ends its work on a copy that another writer has deleted or replaced, too: keyshift's is gone.
            is_gone = is_good or (work is Work.PURGE and _copy_of(key) in self._spoiled)
            if times > 1 or not is_gone:
                self._wrong(f"{work} tells of {source} {times} times, gone: {is_gone}")
            self._tally.told[work] += is_good
        self._tally.deleted[work] += len(good)

    # What S3 holds
    def _compare(self, *, gone: frozenset[str]) -> None:
        """Every object of both sides, by its bytes; and nothing beside them."""
        copies = {_copy_of(key): body for key, body in self._sources.items()}
        wanted = {**self._sources, **copies, **self._spoiled}
        wanted = {key: body for key, body in wanted.items() if key not in gone and body is not None}
        there = {*self._keys("old/"), *self._keys("new/")}
        for key in sorted(there | wanted.keys()):
            self._tally.read += 1
            body = self._site.read(key)
            if body != wanted.get(key):
                self._wrong(f"after {self._work}: {key} holds {(body or b'')[:20]!r}, or is absent: {body is None}")

    def _keys(self, prefix: str) -> Iterator[str]:
        pages = self._site.clients.s3.get_paginator("list_objects_v2").paginate(Bucket=self._site.name, Prefix=prefix)
        return (one["Key"] for page in pages for one in page.get("Contents", []))

    def _wrong(self, text: str) -> None:
        self._tally.wrong.append(f"life {self._tally.lives}: {text}")


def _copy_of(key: str) -> str:
    return f"new/{key.removeprefix('old/')}"


def run_killed(extent: Extent, say: Say) -> Tally:
    """As many lives as the kills need."""
    tally = Tally()
    while tally.kills < extent.kills and not tally.wrong:
        with running_standin() as standin, tempfile.TemporaryDirectory(prefix="keyshift-killed-") as name:
            server, folder = standin_server(standin), Path(name)
            rules = SITE_RULES + "cleanup: {{unversioned_source: fenced}}\n"
            site = Site(server, folder, captured=False, live=False, rules_text=rules)
            variables = {"AWS_ACCESS_KEY_ID": server.access_key, "AWS_SECRET_ACCESS_KEY": server.secret_key}
            variables |= site.environment() | {
                f"KEYSHIFT_{one}_SECONDS": str(seconds) for one, seconds in SHORT.items()
            }
            for queue in StageQueue:
                pair = create_queue(site.clients, f"{site.name}-{queue}", visibility=6, max_receives=50)
                variables[f"KEYSHIFT_{queue.upper()}_QUEUE_URL"] = pair.url
            nursery = Nursery(folder, variables)
            try:
                Life(site, nursery, extent, tally, say).live()
            finally:
                nursery.close()
        tally.lives += 1
    return tally
