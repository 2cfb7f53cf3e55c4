"""Judge mutants in forked processes that have everything imported: only the changed function's code is exchanged."""

import ast
import gc
import importlib.abc
import importlib.machinery
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import CodeType, FunctionType, ModuleType
from typing import NoReturn

import pytest

from tests.mutation.mutants import Mutant
from tests.mutation.recording import Recording

KILLED, SURVIVED, TIMED_OUT, NOT_REACHED = "killed", "survived", "timed out", "not reached"
_WHOLE = "tests/simulation/whole/"
DEEP = frozenset(
    {
        f"{_WHOLE}test_sweep.py::test_a_crash_at_any_call_converges[3]",
        f"{_WHOLE}test_sweep.py::test_operators_may_die_at_any_call[3]",
        f"{_WHOLE}test_seeds.py::test_whole_migrations_keep_every_invariant[0]",
    }
)
"""A crash at every call of every scenario, and whole migrations by seed."""
SLACK_SECONDS = 20.0
"""A mutant has four times the recorded time of its tests and this; one that takes longer never ends."""
_MEMORY = 6 * 2**30
_ONES_OWN = ("-q", "-x", "-s", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "tests.mutation.steady")


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


def judge(jobs: Sequence[Job], told: Told, *, processes: int) -> None:
    """Tell the verdict on each.

    Those that need a new import come first, while this process has not imported ``domain`` yet.
    """
    for job in jobs:
        if not job.tests:
            told(job, NOT_REACHED)
    _fork_each((job for job in jobs if job.tests and job.mutant.function is None), _import_again, told, processes)
    within = [job for job in jobs if job.tests and job.mutant.function is not None]
    if within:
        loop = _Loop(within, told, processes)
        if pytest.main([*_ONES_OWN, *sorted({test.split("::")[0] for job in within for test in job.tests})], [loop]):
            sys.exit("pytest could not collect the tests")


class _Loop:
    """Takes the place of pytest's own loop once everything is collected."""

    def __init__(self, jobs: Sequence[Job], told: Told, processes: int) -> None:
        self._jobs, self._told, self._processes = jobs, told, processes

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """See pytest."""
        items = {item.nodeid: item for item in session.items}
        functions: dict[tuple[str, str, int], list[FunctionType]] = {}
        for one in gc.get_objects():
            if isinstance(one, FunctionType) and f"{os.sep}domain{os.sep}" in one.__code__.co_filename:
                code = one.__code__
                functions.setdefault(
                    (os.path.relpath(code.co_filename), code.co_qualname, code.co_firstlineno), []
                ).append(one)
        gc.freeze()

        def run(job: Job) -> NoReturn:
            _exchange(job.mutant, functions)
            chosen = [items[test] for test in job.tests if test in items]
            for item, following in zip(chosen, [*chosen[1:], None], strict=True):
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
                if session.testsfailed:
                    session._setupstate.teardown_exact(None)  # servers that fixtures started must end
                    os._exit(1)
            os._exit(0)

        _fork_each(iter(self._jobs), run, self._told, self._processes)
        return True


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


def _fork_each(jobs: Iterator[Job], run: Callable[[Job], NoReturn], told: Told, processes: int) -> None:
    """Run each in a process of its own, so many at once, each within its time."""
    running: dict[int, tuple[Job, float]] = {}
    waiting = next(jobs, None)
    while running or waiting is not None:
        while waiting is not None and len(running) < processes:
            running[_fork(waiting, run)] = waiting, time.monotonic() + SLACK_SECONDS + 4 * waiting.seconds
            waiting = next(jobs, None)
        for child, (job, ends) in list(running.items()):
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                told(job, SURVIVED if os.waitstatus_to_exitcode(status) == 0 else KILLED)
            elif time.monotonic() > ends:
                os.killpg(child, signal.SIGKILL)
                os.waitpid(child, 0)
                told(job, TIMED_OUT)
            else:
                continue
            del running[child]
        time.sleep(0.005)


def _fork(job: Job, run: Callable[[Job], NoReturn]) -> int:
    child = os.fork()
    if child:
        return child
    os.setsid()
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    try:
        run(job)
    except BaseException:  # noqa: BLE001  # whatever it is, the mutant was noticed
        os._exit(1)
