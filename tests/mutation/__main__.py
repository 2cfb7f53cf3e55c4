"""``python -m tests.mutation --sample 200``: change the domain's meaning in one place, see whether a test notices.

A small mutator of our own: mutmut 3 wants one package root and copies the sources, cosmic-ray needs a session for each
module; with top-level ``domain`` and tests that import it by that name a forked process with an import hook is simpler.
"""

import argparse
import ast
import importlib
import importlib.abc
import importlib.machinery
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from types import ModuleType

from tests.mutation.mutants import Mutant, mutants_of

PROTOCOL = ("attempt", "cleanup", "copying", "keys", "migration", "parts", "reconciling", "record", "rollback")
PROTOCOL_TESTS = (
    ("tests/unit/test_migration.py", "tests/unit/test_parts.py", "tests/unit/test_batch.py"),
    (
        "tests/simulation/whole/test_found.py",
        "tests/simulation/whole/test_sweep.py::test_a_crash_at_any_call_converges[3]",
        "tests/simulation/whole/test_seeds.py::test_whole_migrations_keep_every_invariant[0]",
    ),
)
OTHER_TESTS = (
    ("tests/unit/test_templates.py", "tests/unit/test_rules.py", "tests/unit/test_rules_check.py"),
    ("tests/unit/test_inventory.py", "tests/unit/test_manifest_stream.py", "tests/unit/test_proofs.py"),
    ("tests/property/test_templates.py", "tests/property/test_rules.py", "tests/property/test_proofs.py"),
)
PRELOADED = ("greenlet", "pydantic", "boto3", "yaml", "rich", "click", "aws_lambda_powertools", "duckdb")
SECONDS = 300
"""After this long a mutant counts as one that never ends."""


class Replaced(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives the mutant for its module."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """See importlib."""
        return importlib.machinery.ModuleSpec(fullname, self) if fullname == self._mutant.module else None

    def exec_module(self, module: ModuleType) -> None:
        """See importlib."""
        exec(compile(self._mutant.code, f"{self._mutant.module} (mutant)", "exec"), module.__dict__)  # noqa: S102  # that is the point


def survives(mutant: Mutant, suites: Sequence[Sequence[str]]) -> str:
    """``survived``, ``killed`` or ``timed out``, in a process of its own."""
    child = os.fork()
    if child == 0:
        os.setsid()
        _judge(mutant, suites)
    ends = time.monotonic() + SECONDS
    while time.monotonic() < ends:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return "survived" if os.waitstatus_to_exitcode(status) == 0 else "killed"
        time.sleep(0.05)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "timed out"


def _judge(mutant: Mutant, suites: Sequence[Sequence[str]]) -> None:
    import pytest

    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    sys.meta_path.insert(0, Replaced(mutant))
    for suite in suites:
        if pytest.main(["-x", "-q", "-p", "no:cacheprovider", *suite]) != 0:
            os._exit(1)
    os._exit(0)


def main(arguments: list[str]) -> int:
    """Print the survivors and the score; 0 always, since a survivor may be an equal program."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("modules", nargs="*", help="names in domain/; the protocol's core if none is given")
    parser.add_argument("--sample", type=int, default=60, help="how many mutants of all that there are")
    parser.add_argument("--seed", type=int, default=1, help="which sample")
    options = parser.parse_args(arguments)
    names = options.modules or PROTOCOL
    every = [mutant for name in names for mutant in mutants_of(Path("domain", f"{name}.py"))]
    chosen = Random(options.seed).sample(every, min(options.sample, len(every)))
    for name in PRELOADED:
        importlib.import_module(name)
    verdicts = Counter[str]()
    for suites in (PROTOCOL_TESTS, OTHER_TESTS):
        untouched = Mutant("nothing", 0, "", "", ast.parse(""))
        if not set(names) <= set(PROTOCOL) and suites is PROTOCOL_TESTS:
            continue
        if suites is OTHER_TESTS and set(names) <= set(PROTOCOL):
            continue
        if survives(untouched, suites) != "survived":
            print(f"the tests fail without a mutant: {suites}")
            return 1
    for mutant in sorted(chosen, key=lambda one: (one.module, one.line)):
        suites = PROTOCOL_TESTS if mutant.module.removeprefix("domain.") in PROTOCOL else OTHER_TESTS
        verdict = survives(mutant, suites)
        verdicts[verdict] += 1
        print(f"{verdict:10s} {mutant}", flush=True)
    noticed = verdicts["killed"] + verdicts["timed out"]
    print(f"{noticed} of {len(chosen)} mutants noticed ({noticed / len(chosen):.0%}), of {len(every):,} that there are")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
