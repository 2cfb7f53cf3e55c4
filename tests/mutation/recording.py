"""Which tests run which line of ``domain/``, and how long each takes: what a mutant has to be judged by."""

import hashlib
import json
import os
import pickle
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from coverage import CoverageData

SUITES = ("tests/unit", "tests/property", "tests/simulation", "tests/contract", "tests/integration")
LONGEST = 20.0
"""Tests that took longer than this many seconds judge nothing: one survivor would take minutes."""
DURATIONS = "KEYSHIFT_MUTATION_DURATIONS"
_LEFT_OUT = " or ".join(
    (
        *("emulators", "seaweedfs", "condition_is_needed", "look_is_needed"),
        *("weakened", "brute_force", "broken_seed", "made_small"),
    )
)
"""What needs servers takes long; what takes conditions away itself says nothing about a mutant."""
_OPTIONS = ("-q", "--dist", "loadfile", "-p", "tests.mutation.durations", "-k", f"not ({_LEFT_OUT})")


@dataclass(frozen=True, slots=True)
class Recording:
    """Seconds of each test, and the tests by file and line."""

    seconds: dict[str, float]
    by_line: dict[str, dict[int, frozenset[str]]]

    def tests_of_line(self, path: Path, line: int) -> list[str]:
        """The tests that run this line, fastest first."""
        return self._fastest(self.by_line.get(str(path), {}).get(line, frozenset()))

    def tests_of_file(self, path: Path) -> list[str]:
        """The tests that run anything of this file after its import, fastest first."""
        return self._fastest(frozenset().union(*self.by_line.get(str(path), {}).values()))

    def _fastest(self, tests: frozenset[str]) -> list[str]:
        quick = [test for test in tests if self.seconds.get(test, LONGEST + 1) <= LONGEST]
        return sorted(quick, key=lambda test: (self.seconds[test], test))


def kept_recording(path: Path, suites: Sequence[str], *, processes: int) -> Recording:
    """The recording of these suites over the code as it is now, taken anew unless it is in this file."""
    asked = (digest_of_sources(), tuple(suites))
    if path.exists():
        told, recording = pickle.loads(path.read_bytes())  # noqa: S301  # our own file
        if told == asked:
            return Recording(*recording)
    recording = record(suites, processes=processes)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps((asked, (recording.seconds, recording.by_line))))
    return recording


def digest_of_sources() -> str:
    """What the code and the tests are now."""
    digest = hashlib.sha256()
    for top in ("domain", "handlers", "adapters", "tests"):
        for path in sorted(Path(top).rglob("*.py")):
            if not path.is_relative_to("tests/mutation"):
                digest.update(path.read_bytes())
    return digest.hexdigest()


def record(suites: Sequence[str], *, processes: int) -> Recording:
    """Run the suites once, as they are; a test that fails is named, and judges nothing."""
    with tempfile.TemporaryDirectory() as folder:
        data, settings, durations = (Path(folder, name) for name in ("coverage", "coveragerc", "durations"))
        settings.write_text("[run]\nconcurrency = thread, greenlet\n", encoding="utf-8")
        command = [sys.executable, "-m", "pytest", "-n", str(processes), *_OPTIONS, *suites]
        command += ["--cov=domain", "--cov-context=test", "--cov-report=", f"--cov-config={settings}"]
        environment = {**os.environ, "COVERAGE_FILE": str(data), DURATIONS: str(durations)}
        subprocess.run(command, env=environment, check=False)  # noqa: S603  # ourselves
        if not durations.exists() or not data.exists():
            sys.exit("the tests could not be run without a mutant")
        seconds: defaultdict[str, float] = defaultdict(float)
        for line in durations.read_text(encoding="utf-8").splitlines():
            test, took, failed = json.loads(line)
            seconds[test] += LONGEST + 1 if failed else took
        return Recording(dict(seconds), _lines(data))


def _lines(data: Path) -> dict[str, dict[int, frozenset[str]]]:
    measured = CoverageData(str(data))
    measured.read()
    found: dict[str, dict[int, frozenset[str]]] = {}
    for name in measured.measured_files():
        lines = measured.contexts_by_lineno(name)
        found[os.path.relpath(name)] = {
            line: frozenset(context.rsplit("|", 1)[0] for context in contexts if context)
            for line, contexts in lines.items()
        }
    return found
