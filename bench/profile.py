"""``python -m bench profile``: where a worker's CPU goes, by keyshift's own call and by the package that works for it.

A sampling profiler (py-spy) looks at a worker from outside. Samples of imports and of making clients are left out.
"""

import argparse
import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from bench.messages import created_events, rows
from bench.peers import program_of
from bench.processes import ROOT
from bench.results import write_result
from bench.site import prepared_site
from bench.workers import worker_run

PER_SECOND = 200
STARTING = ("_find_and_load", "_make (adapters/aws/clients.py")
"""Functions below which a process only gets ready."""
OURS = ("adapters/", "handlers/", "domain/")
SHARED = "adapters/aws/"
"""What every adapter calls: it says nothing of what is called for."""
LEAST_SHARE = 0.01
_FRAME = re.compile(r"(?P<function>.+) \((?P<file>[^()]+?)(?::\d+)?\)$")
_PACKAGE = re.compile(r".*/site-packages/(?P<path>.+)")
_BY_MODULE = ("botocore", "boto3")
"""Libraries of which each module is told apart."""

Stack = tuple[str, ...]


def main(*arguments: str) -> None:
    """Profile rows with the audit and live events, print the tables, and write build/bench/profile.json."""
    parser = argparse.ArgumentParser(prog="python -m bench profile")
    parser.add_argument("--objects", type=int, default=2000)
    given = parser.parse_args(arguments)
    result: dict[str, Any] = {"objects": given.objects, "samples_per_second": PER_SECOND}
    with prepared_site() as site:
        sources = site.put_sources("many", given.objects)
        for name, messages in (("rows, audited", rows), ("events, audited", created_events)):
            samples = site.folder / "samples"
            run = worker_run(messages, audit=True, beside=partial(sample, out=samples))
            target = f"models/{messages.__name__}/"
            run(site, sources, target)
            site.check_targets(sources, target)
            result[name] = shares_of(list(stacks_of(samples.read_text(encoding="utf-8"))))
    write_result("profile", result)


def sample(pid: int, *, out: Path) -> subprocess.Popen[bytes]:
    """Sample the process until it ends."""
    program = program_of("py-spy")
    if program is None:
        raise SystemExit("py-spy is not here: make build/peers/.ready")
    command = [program, "record", "--pid", str(pid), "--rate", str(PER_SECOND), "--gil"]
    command += ["--format", "raw", "--output", str(out), "--full-filenames"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def stacks_of(raw: str) -> Iterator[tuple[Stack, int]]:
    """Each stack from its root to its leaf, and how often it was seen; the start of the process is left out."""
    for line in raw.splitlines():
        text, _, times = line.rpartition(" ")
        stack = tuple(text.replace(f"{ROOT}/", "").split(";"))
        if not any(mark in frame for frame in stack for mark in STARTING):
            yield stack, int(times)


def shares_of(stacks: Iterable[tuple[Stack, int]]) -> dict[str, Any]:
    """The shares of the samples by keyshift's innermost function, and by the innermost package."""
    calls, packages = Counter[str](), Counter[str]()
    for stack, times in stacks:
        calls[call_of(stack)] += times
        packages[package_of(stack)] += times
    return {"samples": calls.total(), "by_call": shares(calls), "by_package": shares(packages)}


def call_of(stack: Stack) -> str:
    """The innermost function of an adapter of one service, else of keyshift, as ``file: function``."""
    for places, shared in ((OURS[:1], SHARED), (OURS, "-")):
        for frame in reversed(stack):
            found = _FRAME.match(frame)
            if found and found["file"].startswith(places) and not found["file"].startswith(shared):
                return f"{found['file']}: {found['function']}"
    return "outside keyshift"


def package_of(stack: Stack) -> str:
    """The package of the leaf, keyshift's by folder; the standard library counts for the package that called it."""
    for frame in reversed(stack):
        found = _FRAME.match(frame)
        if found is None:
            continue
        if found["file"].startswith(OURS):
            return found["file"].rpartition("/")[0]
        library = _PACKAGE.match(found["file"])
        if library is not None:
            package, _, module = library["path"].partition("/")
            return f"{package}.{module.removesuffix('.py').replace('/', '.')}" if package in _BY_MODULE else package
    return "python"


def shares(counted: Counter[str]) -> dict[str, float]:
    """Shares of the whole, the largest first; small ones together."""
    whole = counted.total() or 1
    large = {name: times / whole for name, times in counted.most_common() if times / whole >= LEAST_SHARE}
    return {**{name: round(share, 3) for name, share in large.items()}, "the rest": round(1 - sum(large.values()), 3)}
