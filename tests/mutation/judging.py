"""Judge mutants in forked processes that have everything imported: only the changed function's code is exchanged."""

import ast
import gc
import importlib.abc
import importlib.machinery
import os
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from types import CodeType, FunctionType, ModuleType
from typing import Any, NoReturn

import pytest

from tests.mutation.forking import SURVIVED, fork_each
from tests.mutation.mutants import Mutant
from tests.mutation.noticing import Noticing
from tests.mutation.recording import Recording

NOT_REACHED = "not reached"
_WHOLE = "tests/simulation/whole/"
DEEP = frozenset(
    {
        f"{_WHOLE}test_sweep.py::test_a_crash_at_any_call_converges[3]",
        f"{_WHOLE}test_sweep.py::test_operators_may_die_at_any_call[3]",
        f"{_WHOLE}test_seeds.py::test_whole_migrations_keep_every_invariant[0]",
    }
)
"""A crash at every call of every scenario, and whole migrations by seed."""
_ONES_OWN = ("-q", "-x", "-s", "--tb=native", "-p", "no:cacheprovider", "-p", "no:xdist")
"""Nothing reads why a test failed: pytest's own traceback parses each file in it, which takes longer than the test."""


@dataclass(frozen=True, slots=True)
class Job:
    """One mutant and the tests that could notice it."""

    mutant: Mutant
    tests: Sequence[str]
    seconds: float


def job_of(mutant: Mutant, recording: Recording, *, at_most: float, deep: bool) -> Job:
    """The tests that reach the mutant, fastest first, ``at_most`` so many seconds of them; ``deep``: and the sweeps."""
    if mutant.function is not None:
        reaching = recording.tests_of_line(mutant.path, mutant.line)
    else:
        reaching = recording.tests_of_file(mutant.path)
    chosen: list[str] = []
    seconds = 0.0
    for test in reaching:
        is_chosen = seconds + recording.seconds[test] <= at_most or not chosen
        if is_chosen or (deep and test in DEEP):
            seconds += recording.seconds[test]
            chosen.append(test)
    return Job(mutant, chosen, seconds)


Told = Callable[[Job, str], None]


def judge(jobs: Sequence[Job], told: Told, *, seconds: Mapping[str, float], processes: int) -> None:
    """Tell the verdict on each; ``seconds`` of each test.

    A test that fails here without a mutant would kill every one, so it is named and judges nothing. Mutants that need
    a new import come first, while this process has not imported ``domain`` yet.
    """
    controls = [Control(test, seconds[test]) for test in sorted({test for job in jobs for test in job.tests})]
    unfit = _apart(_unfit, controls, processes) if controls else frozenset()
    for one in sorted(unfit):
        sys.stderr.write(f"judges nothing, it fails without a mutant: {one}\n")
    fit = [replace(job, tests=[test for test in job.tests if test not in unfit]) for job in jobs]
    for job in fit:
        if not job.tests:
            told(job, NOT_REACHED)
    fork_each((job for job in fit if job.tests and job.mutant.function is None), _import_again, told, processes)
    within = [job for job in fit if job.tests and job.mutant.function is not None]
    if within:

        def judged(session: pytest.Session) -> None:
            functions = _functions_of_the_domain()
            gc.freeze()
            with TemporaryDirectory() as folder:
                noticing = Noticing(Path(folder, "noticed"))

                def run(job: Job) -> NoReturn:
                    _exchange(job.mutant, functions)
                    _run_tests(session, job.tests, lambda test: noticing.note(job.mutant, test))

                ordered = (replace(job, tests=noticing.sorted(job.mutant, job.tests)) for job in within)
                fork_each(ordered, run, told, processes)

        _collected({test for job in within for test in job.tests}, judged)


@dataclass(frozen=True, slots=True)
class Control:
    """A test that is run as it will be for a mutant, without one."""

    test: str
    seconds: float


def _unfit(controls: Sequence[Control], processes: int) -> frozenset[str]:
    failed: set[str] = set()

    def told(control: Control, verdict: str) -> None:
        if verdict != SURVIVED:
            failed.add(control.test)

    def controlled(session: pytest.Session) -> None:
        fork_each(iter(controls), lambda one: _run_tests(session, [one.test], lambda _: None), told, processes)

    _collected({control.test for control in controls}, controlled)
    return frozenset(failed)


def _apart(run: Callable[[Sequence[Control], int], frozenset[str]], *arguments: Any) -> frozenset[str]:
    """Run it in a process that ends with it, so that what it imports is not imported here."""
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool:
        return pool.submit(run, *arguments).result()


def _collected(tests: Collection[str], act: Callable[[pytest.Session], None]) -> None:
    """Act in place of pytest's own loop, once everything is collected."""

    class Loop:
        def pytest_runtestloop(self, session: pytest.Session) -> bool:
            act(session)
            return True

    if pytest.main([*_ONES_OWN, *sorted({test.split("::")[0] for test in tests})], [Loop()]):
        sys.exit("pytest could not collect the tests")


def _run_tests(session: pytest.Session, tests: Sequence[str], noticed_by: Callable[[str], None]) -> NoReturn:
    items = {item.nodeid: item for item in session.items}
    chosen = [items[test] for test in tests if test in items]
    for item, following in zip(chosen, [*chosen[1:], None], strict=True):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.testsfailed:
            noticed_by(item.nodeid)
            session._setupstate.teardown_exact(None)  # servers that fixtures started must end
            os._exit(1)
    os._exit(0)


def _functions_of_the_domain() -> dict[tuple[str, str, int], list[FunctionType]]:
    functions: dict[tuple[str, str, int], list[FunctionType]] = {}
    for one in gc.get_objects():
        if isinstance(one, FunctionType) and f"{os.sep}domain{os.sep}" in one.__code__.co_filename:
            code = one.__code__
            place = os.path.relpath(code.co_filename), code.co_qualname, code.co_firstlineno
            functions.setdefault(place, []).append(one)
    return functions


def _exchange(mutant: Mutant, functions: dict[tuple[str, str, int], list[FunctionType]]) -> None:
    assert mutant.function is not None
    name, line = mutant.function
    code = _code_of(compile(mutant.tree(), str(mutant.path), "exec"), name, line)
    for function in functions[str(mutant.path), name, line]:
        if code.co_freevars == function.__code__.co_freevars:
            function.__code__ = code
        else:
            os._exit(1)  # a name of an enclosing function went: never seen, and it would be no equal program


def _code_of(code: CodeType, name: str, line: int) -> CodeType:
    found = [one for one in _codes(code) if (one.co_qualname, one.co_firstlineno) == (name, line)]
    return found[0]


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _import_again(job: Job) -> NoReturn:
    sys.meta_path.insert(0, _Replaced(job.mutant.module, job.mutant.tree()))
    os._exit(int(pytest.main([*_ONES_OWN, *job.tests]) != 0))


class _Replaced(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives the changed module in place of the one in the file."""

    def __init__(self, name: str, tree: ast.Module) -> None:
        self._name, self._tree = name, tree

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """See importlib."""
        return importlib.machinery.ModuleSpec(fullname, self) if fullname == self._name else None

    def exec_module(self, module: ModuleType) -> None:
        """See importlib."""
        exec(compile(self._tree, f"{self._name} (mutant)", "exec"), module.__dict__)  # noqa: S102  # that is the point
